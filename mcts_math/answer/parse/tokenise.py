"""Cutting a normalised answer into tokens, whatever wrote it: LaTeX, Python, sympy, numpy or a person."""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.parse.letters import scan_known, scan_letters, scan_operator_word
from mcts_math.answer.parse.numbers import scan_form, scan_number
from mcts_math.answer.parse.tokens import Scanner, Token, UnreadableError
from mcts_math.answer.text.alphabet import matching
from mcts_math.answer.text.units import UNITS
from mcts_math.answer.text.vocabulary import CONSTANTS, CONSTRUCTORS, FUNCTIONS, meanings, names

_TEXTS: Final = frozenset(names(
    "text mbox textbf textit textrm textsf texttt textnormal emph mathrm mathbf mathit mathsf "
    "mathcal mathbb operatorname operatorname* boldsymbol bm mathfrak hbox textup"
))  # fmt: skip
_DIGITS: Final = re.compile(r"(?=\d*[a-z])[a-hkmnp-t\d]{2,6}")
_ACCENTS: Final = frozenset(names("overline overrightarrow vec hat bar tilde underline widehat overleftrightarrow"))
_OPERATORS: Final = {
    **{name: name for name in names("in notin parallel perp frac sqrt cbrt binom choose over lfloor rfloor lceil")},
    **{name: name for name in names("rceil to bmod mod pmod equiv sum int lim prod pm mp %")},
    **meanings(
        "*: cdot times ast bullet; /: div; <=: le leq leqslant leqq; >=: ge geq geqslant geqq; <: lt; >: gt; "
        "!=: ne neq; ~: approx simeq doteq; cup: cup bigcup sqcup; cap: cap bigcap; and: land wedge; or: lor vee; "
        "setminus: setminus backslash smallsetminus; |: mid vert lvert rvert Vert lVert rVert |; lceil: ulcorner; "
        "rceil: urcorner; lfloor: llcorner; rfloor: lrcorner; (: langle; ): rangle; {{: lbrace {; }}: rbrace }; "
        "[: lbrack; ]: rbrack; deg: circ degree degrees deg; ': prime; dots: dots ldots cdots dotsc dotsb; "
        ":: colon; to: rightarrow; "
        "implies: implies Rightarrow Longrightarrow; iff: iff Leftrightarrow "
        "leftrightarrow Longleftrightarrow; not: neg lnot; "
        "newline: \\ cr; ^: ^; frac: dfrac tfrac cfrac nicefrac sfrac; binom: dbinom tbinom"
    ),
}
_OTHERS: Final = {
    name: (kind, text)
    for kind, table in (
        ("sym", meanings("T: top intercal; ∂: partial; l: ell; Pi: Pi")),
        ("money", meanings("EUR: euro; GBP: pounds; ¥: yen; INR: rupee; dollar: $")),
        ("word", {"forall": "for all"}),
        ("op", _OPERATORS),
    )
    for name, text in table.items()
}
_COMMAND: Final = re.compile(r"\\([a-zA-Z]+\*?|.)", re.DOTALL)
_ENVIRONMENT: Final = re.compile(r"\s*\{([a-zA-Z*]+)\}(?:\{[lcr|@{} ]*\})?")
_NEGATED: Final = re.compile(r"\s*(=|\\in(?![a-zA-Z]))")
_SPACE: Final = re.compile(r"\s*")
_SHORT_ARGUMENT: Final = re.compile(r"\\[A-Za-z]+|[^\\]")
_JOINED: Final = re.compile(r"([A-Za-z]\w*) (and|or)")
_AMOUNT: Final = re.compile(
    r"(?:\\?\$)?(?=[-.,/:;]*\d)[-\d.,/:;]+(?:\\?%)?|(?=[A-Z]*\d)[A-Z\d]+"
)  # 12, and 4A7 in a base
_CONJUGATED: Final = re.compile(r"(?=.*(?<![a-z\\])[a-y]?i(?![a-z]))(?=.*[-+\d])[^zw{}]{1,100}")
_OF_SETS: Final = re.compile(r"\\c[au]p(?![a-z])")
_FORMULA: Final = re.compile(r"-?\d{0,9}\\(?:frac|sqrt|pi)(?![a-z])")
_WORD: Final = re.compile(r"(?<![a-zA-Z\\])[a-zA-Z]{2,}")
_VALUE_ENDS: Final = frozenset({")", "}"})


def scan_command(scanner: Scanner) -> None:
    """Takes the LaTeX command at the position. Raises UnreadableError where it is not known, or has no argument."""
    match = scanner.match(_COMMAND)
    if match is None:
        raise UnreadableError("a backslash at the end")
    name = match.group(1)
    if name in _TEXTS:
        _scan_text(scanner, name)
    elif name in _ACCENTS:
        _scan_accent(scanner, name)
    elif name in ("begin", "end"):
        environment = scanner.match(_ENVIRONMENT)
        if environment is None:
            raise UnreadableError(f"\\{name} without an environment")
        scanner.add("op", f"{name} {environment.group(1)}")
    elif name == "not":
        negated = scanner.match(_NEGATED)
        scanner.add("op", "notin" if negated is not None and negated.group(1) != "=" else "!=")
    elif name in _OTHERS:
        scanner.add(*_OTHERS[name])
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
    bar = name in ("overline", "bar")
    if name in ("hat", "vec", "widehat") and _scan_unit_vector(scanner, content):
        return
    if content == "0" or _OF_SETS.search(content):
        scanner.insert(f"({content})^c" if bar and content != "0" else content)
    elif bar and (content in ("z", "w") or _CONJUGATED.fullmatch(content)):
        scanner.insert(f"conjugate({content})")
    elif name == "overline" and _DIGITS.fullmatch(content):  # a number by its digits
        places = (f"{10 ** (len(content) - 1 - i)}*{digit}" for i, digit in enumerate(content))
        scanner.insert(f"({'+'.join(places)})")
    elif not re.fullmatch(r"[A-Za-z]{1,4}", content):
        raise UnreadableError("an accent on more than a name")
    elif bar and len(content) == 1:
        scanner.add("sym", content + " bar")
    else:
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
    if name in ("mathbf", "boldsymbol", "bm") and _scan_unit_vector(scanner, content):
        return
    if (joined := _JOINED.fullmatch(content)) is not None:
        scanner.add("word", joined.group(1))
        scanner.add("op", joined.group(2))
    elif scanner.peek() == "(" and content in CONSTRUCTORS:
        scanner.add("ctor", content)
    elif name == "mathbb" and content == "R":
        scanner.add("const", "reals")
    elif (
        not any(map(str.isalnum, _COMMAND.sub("", content)))
        or _AMOUNT.fullmatch(content)
        or (_FORMULA.match(content) and not _WORD.search(content))
    ):
        scanner.insert(content.strip(".") + " ")  # read as if it were not in text font; a full stop is decoration
        scanner.space = True
    elif not scan_operator_word(scanner, content.lower().strip(" ,")) and not (
        _is_name(scanner, name, content) and scan_known(scanner, content)
    ):
        scanner.add("word", content)


def _is_name(scanner: Scanner, font: str, content: str) -> bool:
    """Whether a name in another font is a variable, constant or function, and no unit or word."""
    if content in UNITS and scanner.follows(("num", "const"), _VALUE_ENDS):
        return False
    applied = scanner.peek() == "(" or (scanner.peek() == "^" and content[-1] in "nsth" and len(content) > 2)
    mathematical = (
        font.startswith(("math", "operator", "bold", "bm")) or (content in FUNCTIONS and applied) or content == "cis"
    )
    return mathematical and (len(content) == 1 or content in FUNCTIONS or content in CONSTANTS)


MAX_TOKENS: Final = 4000
_OPTIONS: Final = re.compile(r",\s*(?:dtype|precision|domain|prec)\s*=\s*[\w'.<]+")  # of a numpy or sympy print
_SIGNS: Final = meanings("^: **; //: //; <=: <= =<; >=: >= =>; =: ==; !=: !=; and: &&; dots: ...")
_SINGLES: Final = frozenset("+-*/^!%()[]{},;:|<>=_'$&~")
_OPERATOR: Final = re.compile("|".join(map(re.escape, sorted(_SIGNS, key=len, reverse=True))))
_OR: Final = re.compile(r"(?<= )\|\|(?= )")  # without spaces it is two bars: ||x|-2|
_QUOTED: Final = re.compile(r"""(['"])([^'"()]*)\1(?=\s*[,\])}:]|$)""")
_PRIMES: Final = re.compile(r"\^ ?\{? ?(?:\\prime ?)+\}?")
_BEFORE_QUOTE: Final = frozenset({"(", "[", ",", ":", "{", "{{"})
_RAISING: Final = frozenset({"^", "_", "|"})


def tokenise(text: str, thousands: bool = True) -> list[Token]:
    """All tokens of a normalised text, and an end token; `thousands`: `1,234` outside brackets is one number.

    Raises:
        UnreadableError: a character or command that is in no notation, or too many tokens.
    """
    scanner = Scanner(_OPTIONS.sub("", text) if "=" in text else text, thousands)
    while char := scanner.peek():
        if char.isspace():
            scanner.space = True
            scanner.position += 1
        elif char.isdecimal() or (char == "." and scanner.peek(2)[1:].isdecimal()):
            scan_number(scanner)
        elif char.isalpha():
            scan_letters(scanner)
        elif char == "\\":
            scan_command(scanner)
        else:
            _scan_symbol(scanner, char)
        if len(scanner.tokens) > MAX_TOKENS:
            raise UnreadableError("too long to read")
    scanner.add("end", "")
    return scanner.tokens


def _scan_symbol(scanner: Scanner, char: str) -> None:
    if char == "(" and ")_" in scanner.text and scan_form(scanner):  # (52)_8
        return
    if char == "^" and (primes := scanner.match(_PRIMES)) is not None:
        for _ in range(primes.group().count("prime")):
            scanner.add("op", "'")
    elif char in "'\"" and scanner.follows((), _BEFORE_QUOTE) and (quoted := scanner.match(_QUOTED)) is not None:
        scanner.insert(quoted.group(2))
    elif scanner.match(_OR) is not None:
        scanner.add("op", "or")
    elif (sign := scanner.match(_OPERATOR)) is not None:
        scanner.add("op", _SIGNS[sign.group()])
    elif char in _SINGLES:
        scanner.position += 1
        scanner.add(*_single(scanner, char))
    elif char != '"':
        raise UnreadableError(f"the character {char!r}")
    else:
        scanner.position += 1


def _single(scanner: Scanner, char: str) -> tuple[str, str]:
    """Kind and text of the token of one character, just passed."""
    if char == "{":  # LaTeX groups, Python's sets, and x^{2} or |{-3}| in plain text
        grouping = scanner.latex or scanner.follows((), _RAISING)
        scanner.braces.append("}" if grouping else "}}")
        return "op", "{" if grouping else "{{"
    if char == "}" and scanner.braces:
        return "op", scanner.braces.pop()
    return ("money", "dollar") if char == "$" else ("op", char)
