"""LaTeX commands: what they stand for, and how their text arguments are taken."""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.parse.scan_letters import scan_known, scan_operator_word
from mcts_math.answer.parse.tokens import Scanner, UnreadableError
from mcts_math.answer.text.braces import matching
from mcts_math.answer.text.units import UNITS
from mcts_math.answer.text.vocabulary import CONSTANTS, CONSTRUCTORS, FUNCTIONS, names

_TEXT_COMMANDS: Final = frozenset(
    names(
        "text mbox textbf textit textrm textsf texttt textnormal emph mathrm mathbf mathit mathsf "
        "mathcal mathbb operatorname operatorname* boldsymbol bm mathfrak hbox textup"
    )
)
_ACCENTS: Final = frozenset(names("overline overrightarrow vec hat bar tilde underline widehat overleftrightarrow"))

_OPERATORS: Final = {
    **dict.fromkeys(("cdot", "times", "ast", "bullet"), "*"),
    "div": "/",
    "pm": "pm",
    "mp": "mp",
    **dict.fromkeys(("le", "leq", "leqslant", "leqq"), "<="),
    **dict.fromkeys(("ge", "geq", "geqslant", "geqq"), ">="),
    "lt": "<",
    "gt": ">",
    **dict.fromkeys(("ne", "neq"), "!="),
    **dict.fromkeys(("approx", "simeq", "doteq"), "~"),
    "in": "in",
    "notin": "notin",
    **dict.fromkeys(("cup", "bigcup", "sqcup"), "cup"),
    **dict.fromkeys(("cap", "bigcap"), "cap"),
    **dict.fromkeys(("setminus", "backslash", "smallsetminus"), "setminus"),
    **dict.fromkeys(("land", "wedge"), "and"),
    **dict.fromkeys(("lor", "vee"), "or"),
    **dict.fromkeys(("mid", "vert", "lvert", "rvert", "Vert", "lVert", "rVert", "|"), "|"),
    "ulcorner": "lceil",
    "urcorner": "rceil",
    "llcorner": "lfloor",
    "lrcorner": "rfloor",
    **dict.fromkeys(("lfloor", "rfloor", "lceil", "rceil", "frac", "sqrt", "cbrt", "binom", "choose", "over"), ""),
    **dict.fromkeys(("langle",), "("),
    **dict.fromkeys(("rangle",), ")"),
    **dict.fromkeys(("lbrace", "{"), "{{"),
    **dict.fromkeys(("rbrace", "}"), "}}"),
    **dict.fromkeys(("lbrack",), "["),
    **dict.fromkeys(("rbrack",), "]"),
    **dict.fromkeys(("circ", "degree", "degrees", "deg"), "deg"),
    "%": "%",
    "$": "$",
    "prime": "'",
    **dict.fromkeys(("dots", "ldots", "cdots", "dotsc", "dotsb"), "dots"),
    **dict.fromkeys(("to", "implies", "Rightarrow"), ""),
    "parallel": "parallel",
    "perp": "perp",
    "colon": ":",
    "rightarrow": "to",
    **dict.fromkeys(("bmod", "mod", "pmod", "equiv", "sum", "int", "lim", "prod"), ""),
}
_ALIASES: Final = {"dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom"}
_COMMAND: Final = re.compile(r"\\([a-zA-Z]+\*?|.)", re.DOTALL)
_ENVIRONMENT: Final = re.compile(r"\s*\{([a-zA-Z*]+)\}(?:\{[lcr|@{} ]*\})?")
_NEGATED: Final = re.compile(r"\s*(=|\\in(?![a-zA-Z]))")
_SPACE: Final = re.compile(r"\s*")
_SHORT_ARGUMENT: Final = re.compile(r"\\[A-Za-z]+|[^\\]")
_JOINED: Final = re.compile(r"([A-Za-z]\w*) (and|or)")
_CONJUGATED: Final = re.compile(r"(?=.*(?<![a-z\\])[a-y]?i(?![a-z]))(?=.*[-+\d])[^zw{}]{1,100}")
_VALUE_ENDS: Final = frozenset({")", "}"})


def scan_command(scanner: Scanner) -> None:
    """Takes the LaTeX command at the position.

    Raises:
        UnreadableError: a command that is not known, or one without its argument.
    """
    match = scanner.match(_COMMAND)
    if match is None:
        raise UnreadableError("a backslash at the end")
    name = _ALIASES.get(match.group(1), match.group(1))
    if name in _TEXT_COMMANDS:
        _scan_text(scanner, name)
    elif name in _ACCENTS:
        _scan_accent(scanner, name)
    elif name in ("begin", "end"):
        environment = scanner.match(_ENVIRONMENT)
        if environment is None:
            raise UnreadableError(f"\\{name} without an environment")
        scanner.add("op", f"{name} {environment.group(1)}")
    elif name in ("\\", "cr"):
        scanner.add("op", "newline")
    elif name == "not":
        negated = scanner.match(_NEGATED)
        scanner.add("op", "notin" if negated is not None and negated.group(1) != "=" else "!=")
    elif name == "forall":
        scanner.add("word", "for all")
    elif name in ("top", "intercal"):
        scanner.add("sym", "T")
    elif name in _OPERATORS:
        scanner.add("op", _OPERATORS[name] or name)
    elif not scan_known(scanner, name):
        raise UnreadableError(f"the command \\{name}")


def _argument(scanner: Scanner) -> str:
    """The next braced group, letter or command as text."""
    scanner.match(_SPACE)
    if scanner.peek() == "{":
        end = matching(scanner.text, scanner.position)
        if end < 0:
            raise UnreadableError("an open brace")
        content = scanner.text[scanner.position + 1 : end]
        scanner.position = end + 1
        return content
    match = scanner.match(_SHORT_ARGUMENT)
    if match is None:
        raise UnreadableError("a command without its argument")
    return match.group()


def _scan_accent(scanner: Scanner, name: str) -> None:
    """A bar over one letter makes another variable; arrows, hats and bars over segments are decoration."""
    content = _argument(scanner).strip()
    if name in ("hat", "vec", "widehat") and _scan_unit_vector(scanner, content):
        return
    if name in ("overline", "bar") and _CONJUGATED.fullmatch(content):
        rest = scanner.text[scanner.position :]
        scanner.text = f"{scanner.text[: scanner.position]}conjugate({content}){rest}"
        return
    if not re.fullmatch(r"[A-Za-z]{1,4}", content):
        raise UnreadableError("an accent on more than a name")
    if len(content) == 1 and name in ("overline", "bar"):
        scanner.add("sym", content + " bar")
        return
    for letter in content:
        if len(content) > 1 or not scan_known(scanner, letter):
            scanner.add("sym", letter)


def _scan_unit_vector(scanner: Scanner, content: str) -> bool:
    """The unit vectors i, j, k in bold, with a hat or with an arrow."""
    letter = {"\\imath": "i", "\\jmath": "j", "\\bf i": "i"}.get(content, content)
    if letter not in ("i", "j", "k"):
        return False
    scanner.add("sym", letter + "^")
    return True


def _scan_text(scanner: Scanner, name: str) -> None:
    """`\\text{…}` and its like: a conjunction, a unit, a name in another font, punctuation, words."""
    content = " ".join(_argument(scanner).replace("\\ ", " ").replace("\\%", "%").split())
    bare = content.lower().strip(" ,")
    if name in ("mathbf", "boldsymbol", "bm") and _scan_unit_vector(scanner, content):
        return
    joined = _JOINED.fullmatch(content)
    if joined is not None:
        scanner.add("word", joined.group(1))
        scanner.add("op", joined.group(2))
        return
    if scanner.peek() == "(" and content in CONSTRUCTORS:
        scanner.add("ctor", content)
        return
    if name == "mathbb" and content == "R":
        scanner.add("const", "reals")
    elif bare in ("and", "or"):
        scanner.add("op", bare)
    elif not any(map(str.isalnum, _COMMAND.sub("", content))):
        _scan_symbols(scanner, content)
    elif scan_operator_word(scanner, bare):
        return
    elif (content in UNITS and scanner.follows(("num", "const"), _VALUE_ENDS)) or not (
        (name.startswith(("math", "operator", "bold", "bm")) or _is_applied(scanner, content))
        and (len(content) == 1 or content in FUNCTIONS or content in CONSTANTS)
        and scan_known(scanner, content)
    ):
        scanner.add("word", content)


def _is_applied(scanner: Scanner, name: str) -> bool:
    """Whether a name in text font is a function before its argument or power."""
    if name not in FUNCTIONS:
        return False
    return scanner.peek() == "(" or (scanner.peek() == "^" and name[-1] in "nsth" and len(name) > 2)


def _scan_symbols(scanner: Scanner, content: str) -> None:
    """Symbols in text font are read as if they were not; a full stop is decoration."""
    start = scanner.position
    scanner.text = scanner.text[:start] + content.strip(".") + " " + scanner.text[start:]
    scanner.space = True
