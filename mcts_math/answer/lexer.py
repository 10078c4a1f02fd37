"""Cutting a normalised answer into tokens, whatever wrote it: LaTeX, Python, sympy, numpy or a person."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, NamedTuple

from mcts_math.answer.text import matching
from mcts_math.answer.vocabulary import CONSTANTS, CONSTRUCTORS, EMPTY_NAMES, FUNCTIONS, GREEK, REAL_NAMES, SHORT_WORDS, UNITS

MAX_TOKENS: Final = 4000


class Unreadable(Exception):
    """The text is not an answer in any notation that the reader knows; the message says why."""


class Token(NamedTuple):
    """One token. Kinds: num, sym, const, func, ctor, word, op, end."""

    kind: str
    text: str
    space: bool  # white space before it
    value: Fraction | None = None
    digits: int = 0
    places: int = 0


_NUMBER: Final = re.compile(r"(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+(?![a-zA-Z\d]))?")
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:,\d{3}){1,12}(?:\.\d+)?(?!,?\d)")
_REPEATING: Final = re.compile(r"(\d*)\.(\d*)\\(?:overline|bar|dot)\s*\{?(\d+)\}?")
_BASED: Final = re.compile(
    r"(\d[0-9A-Z]*(?:\.[0-9A-Z]+)?)\s?_\s?\{?\s*(?:\\text\s*\{)?\s*(?:base\s*)?(\d{1,2}|two|three|four|five|six|seven|eight|nine|ten|"
    r"eleven|twelve|sixteen)(?![\d])\s*\}?\}?|\(([0-9A-Z]+)\)_\{?(\d{1,2})(?!\d)\}?"
)
_PREFIXED: Final = re.compile(r"0([xX])([0-9a-fA-F]+)(?![\w.])|0([bB])([01]+)(?![\w.])|0([oO])([0-7]+)(?![\w.])")
_BASE_WORDS: Final = {
    word: value
    for word, value in zip(
        "two three four five six seven eight nine ten eleven twelve sixteen".split(), (*range(2, 13), 16), strict=True
    )
}
_MODULES: Final = re.compile(r"(?:np|numpy|sp|sympy|math|cmath|mpmath|S|fractions|decimal|torch)\.(?=[A-Za-z])")
_OPTIONS: Final = re.compile(r",\s*(?:dtype|precision|domain|prec)\s*=\s*[\w'.<]+")
_RUN: Final = re.compile(r"[A-Za-z]+")
_CONSTRUCTOR: Final = re.compile(r"([A-Za-z]\w*)(\.(?:open|Lopen|Ropen))?(?=\()")
_COMMAND: Final = re.compile(r"\\([a-zA-Z]+\*?|.)", re.DOTALL)
_TEXT_COMMANDS: Final = frozenset(
    "text mbox textbf textit textrm textsf texttt textnormal emph mathrm mathbf mathit mathsf mathcal mathbb "
    "operatorname operatorname* boldsymbol bm mathfrak hbox textup".split()
)
_ACCENTS: Final = frozenset("overline overrightarrow vec hat bar tilde underline widehat overleftrightarrow".split())

OPERATORS: Final = {
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
    **dict.fromkeys(("mid", "vert", "lvert", "rvert", "|"), "|"),
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
    **dict.fromkeys(("dots", "ldots", "cdots", "to", "rightarrow", "implies", "Rightarrow"), ""),
    "colon": ":",
    **dict.fromkeys(("bmod", "mod", "pmod", "equiv", "sum", "int", "lim", "prod"), ""),
}
_ALIASES: Final = {"dfrac": "frac", "tfrac": "frac", "cfrac": "frac", "dbinom": "binom", "tbinom": "binom"}
_PAIRS: Final = {"**": "^", "<=": "<=", ">=": ">=", "==": "=", "!=": "!=", "=<": "<=", "=>": ">=", "&&": "and", "||": "or"}
_OPEN: Final = frozenset({"(", "[", "{{"})
_CLOSE: Final = frozenset({")", "]", "}}"})


def based_value(digits: str, base: int) -> Fraction | None:
    """The number that `digits` (perhaps with a point) write in `base`, or None where a digit is too large."""
    whole, _, part = digits.partition(".")
    if not 2 <= base <= 36 or len(digits) > 2000:
        return None
    try:
        return Fraction(int(whole + part, base), base ** len(part))
    except ValueError:
        return None


def decimal_value(text: str) -> tuple[Fraction, int, int]:
    """Value, significant digits and places of a decimal literal; digits are 0 for an integer.

    Raises:
        Unreadable: the exponent is beyond all reason.
    """
    mantissa, _, exponent = text.lower().partition("e")
    power = int(exponent) if exponent and len(exponent) < 8 else 0
    if len(exponent) >= 8 or abs(power) > 20_000:
        raise Unreadable("an exponent of more than 20,000")
    whole, point, part = mantissa.partition(".")
    number = Fraction(_integer(whole + part) * 10**max(power, 0), 10 ** (len(part) + max(-power, 0)))
    if not point and not exponent:
        return number, 0, 0
    return number, len((whole + part).lstrip("0")) if part or exponent else 0, len(part) - power


def _integer(digits: str) -> int:
    """`int`, without its limit of 4,300 digits (the length of an answer is bounded elsewhere)."""
    value = 0
    for start in range(0, len(digits), 4000):
        chunk = digits[start : start + 4000]
        value = value * 10 ** len(chunk) + int(chunk)
    return value


class Lexer:
    """Tokens of one text.

    Args:
        text: normalised text.
        thousands: `1,234` outside brackets is one number.
    """

    def __init__(self, text: str, thousands: bool = True) -> None:
        self.text = _OPTIONS.sub("", text)
        self.latex = "\\" in text
        self.python = not self.latex and "*" in text  # sympy prints 5*feet: names are whole there
        self.wordy = not self.latex and not self.python and any(is_word(run) for run in _RUN.findall(text) if len(run) > 3)
        self.thousands = thousands
        self.tokens: list[Token] = []
        self.depth = 0
        self.braces: list[str] = []
        self.space = False
        self.position = 0

    def run(self) -> list[Token]:
        """All tokens and an end token.

        Raises:
            Unreadable: a character or command that is in no notation, or too many tokens.
        """
        text = self.text
        while self.position < len(text):
            char = text[self.position]
            if char.isspace():
                self.space = True
                self.position += 1
                continue
            if char.isdigit() or (char == "." and text[self.position + 1 : self.position + 2].isdigit()):
                self._number()
            elif char.isascii() and char.isalpha():
                self._letters()
            elif char == "\\":
                self._command()
            else:
                self._symbol(char)
            if len(self.tokens) > MAX_TOKENS:
                raise Unreadable("too long to read")
        self._add("end", "")
        return self.tokens

    def _add(self, kind: str, text: str, value: tuple[Fraction, int, int] | None = None) -> None:
        if value is None:
            self.tokens.append(Token(kind, text, self.space))
        else:
            self.tokens.append(Token(kind, text, self.space, *value))
        if kind == "op":
            self.depth += (text in _OPEN) - (text in _CLOSE)
        self.space = False

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        match = pattern.match(self.text, self.position)
        if match is not None:
            self.position = match.end()
        return match

    def _number(self) -> None:
        start = self.position
        if (match := self._match(_REPEATING)) is not None:
            whole, head, cycle = match.groups()
            nines = (10 ** len(cycle) - 1) * 10 ** len(head)
            value = int(whole or "0") + Fraction(int(head or "0"), 10 ** len(head)) + Fraction(int(cycle), nines)
            return self._add("num", match.group(), (value, 0, 0))
        if (match := self._match(_BASED)) is not None and match.group(1):
            base = match.group(2)
            based = based_value(match.group(1), _BASE_WORDS.get(base) or int(base))
            if based is not None:
                return self._add("num", match.group(), (based, 0, 0))
            raise Unreadable("a digit that its base does not have")
        if (match := self._match(_PREFIXED)) is not None:
            digits = match.group(2) or match.group(4) or match.group(6)
            number = int(digits, {"0x": 16, "0b": 2, "0o": 8}[match.group()[:2].lower()])
            return self._add("num", match.group(), (Fraction(number), 0, 0))
        match = self._match(_THOUSANDS)
        if match is not None and (not self.thousands or (self.depth and ",0" not in match.group())):
            self.position, match = start, None
        if match is None:
            match = self._match(_NUMBER)
        assert match is not None
        literal = match.group().replace(",", "")
        imaginary = self.text[self.position : self.position + 1] == "j" and not re.search(
            r"[a-ik-zA-Z]", self.text.replace("array", "").replace("complex", "")
        )
        self._add("num", literal, decimal_value(literal))
        if imaginary:
            self.position += 1
            self._add("const", "i")

    def _letters(self) -> None:
        self._match(_MODULES)
        match = _CONSTRUCTOR.match(self.text, self.position)
        if match is not None and match.group(1) in CONSTRUCTORS:
            self.position = match.end()
            return self._add("ctor", match.group())
        match = self._match(_RUN)
        assert match is not None
        run = match.group()
        if run == "j" and self.tokens and self.tokens[-1].kind == "num":
            return self._add("sym", "j")
        if run == "U" and self.tokens and self.tokens[-1].text in _CLOSE:
            return self._add("op", "cup")
        if run.lower() in ("and", "or", "xor"):
            return self._add("op", run.lower())
        if run == "in" and self.tokens and self.tokens[-1].kind == "sym":
            return self._add("op", "in")
        if run == "base" and self._base_suffix():
            return None
        if run in ("min", "max", "sec") and not re.match(r"\s*[(\w^{\\]", self.text[self.position :]):
            return self._add("word", run)
        if not self._known(run):
            self._unknown(run)
        return None

    def _base_suffix(self) -> bool:
        """`52 base 8` or `52 (base 8)`: rewrites the number before it."""
        match = re.compile(r"\s*(\d{1,2})(?!\d)\s*(\))?").match(self.text, self.position)
        opened = bool(self.tokens) and self.tokens[-1].text == "("
        number = self.tokens[-1 - opened] if len(self.tokens) > opened else None
        if match is None or number is None or number.kind != "num" or opened != bool(match.group(2)):
            return False
        value = based_value(number.text, int(match.group(1)))
        if value is None:
            return False
        del self.tokens[-1 - opened :]
        self.depth -= opened
        self.position = match.end()
        self._add("num", number.text, (value, 0, 0))
        return True

    def _known(self, run: str) -> bool:
        """Adds a token for a name with a meaning."""
        following = self.text[self.position : self.position + 1]
        if run in FUNCTIONS:
            self._add("func", FUNCTIONS[run])
            if following.isdigit() and FUNCTIONS[run] in ("log", "atan"):
                digits = self._match(re.compile(r"\d+"))
                assert digits is not None
                self.tokens.pop()
                self._add("func", FUNCTIONS.get(run + digits.group(), "log"))
        elif run in CONSTANTS and not (following == "_" and len(run) == 1):
            if CONSTANTS[run].startswith("-"):
                self._add("op", "-")
            self._add("const", CONSTANTS[run].lstrip("-"))
        elif run in EMPTY_NAMES or run in REAL_NAMES:
            self._add("const", "empty" if run in EMPTY_NAMES else "reals")
        elif run in GREEK or len(run) == 1:
            self._variable(run)
        else:
            return False
        return True

    def _variable(self, name: str) -> None:
        """A variable with its subscript and primes."""
        name = name.removeprefix("var")
        match = re.compile(r"_\{([^{}]*)\}|_([A-Za-z]+|\d+)|(\d+)(?![.\d])").match(self.text, self.position)
        if match is not None and not (match.group(3) and self.latex):
            subscript = match.group(1) or match.group(2) or match.group(3) or ""
            if self.latex and match.group(2):
                subscript = match.group(2)[0]
                self.position += 2
            else:
                self.position = match.end()
            name += "_" + re.sub(r"\\(?:text|mathrm)|[ {}\\]", "", subscript)
        elif self.text.startswith("_\\", self.position):
            command = re.compile(r"_\\[a-zA-Z]+").match(self.text, self.position)
            if command is not None:
                name += command.group().replace("\\", "")
                self.position = command.end()
        self._add("sym", name)

    def _unknown(self, run: str) -> None:
        """A run of letters that is no name: a unit, known names written together, a product, or a word."""
        after_value = bool(self.tokens) and (
            self.tokens[-1].kind in ("num", "const") or self.tokens[-1].text in (")", "}", "^", "/")
        )
        if self.python and (run in UNITS or (len(run) > 3 and segment(run) is None)):
            return self._add("sym", run)
        if run in UNITS and (after_value or len(run) > 3):
            return self._add("word", run)
        parts = None if len(run) > 1 and self.wordy else segment(run)
        if parts is None:
            return self._add("word", run)
        end = self.position
        for offset, part in parts:
            self.position = end - len(run) + offset + len(part)
            if self.position < end or not self._known(part):
                self._bare(part)
        self.position = max(self.position, end)
        return None

    def _bare(self, part: str) -> None:
        if part in FUNCTIONS:
            self._add("func", FUNCTIONS[part])
        elif part in CONSTANTS:
            self._add("const", CONSTANTS[part].lstrip("-"))
        else:
            self._add("sym", part)

    def _symbol(self, char: str) -> None:
        text, at = self.text, self.position
        if char == "(" and (match := _BASED.match(text, at)) is not None and match.group(3):
            based = based_value(match.group(3), int(match.group(4)))
            if based is not None:
                self.position = match.end()
                return self._add("num", match.group(), (based, 0, 0))
        pair = text[at : at + 2]
        if pair in _PAIRS:
            self.position += 2
            return self._add("op", _PAIRS[pair])
        self.position += 1
        if char == "{":
            grouping = self.latex or (bool(self.tokens) and self.tokens[-1].text in ("^", "_"))
            self.braces.append("}" if grouping else "}}")
            return self._add("op", "{" if grouping else "{{")
        if char == "}" and self.braces:
            return self._add("op", self.braces.pop())
        if char in "+-*/^!%()[]{},;:|<>=_'$&":
            return self._add("op", char)
        if char == '"':
            return None
        if char == "~":
            return self._add("op", "~")
        raise Unreadable(f"the character {char!r}")

    def _command(self) -> None:
        match = self._match(_COMMAND)
        if match is None:
            raise Unreadable("a backslash at the end")
        name = _ALIASES.get(match.group(1), match.group(1))
        if name in _TEXT_COMMANDS:
            return self._text_command(name)
        if name in _ACCENTS:
            return self._accent(name)
        if name in ("begin", "end"):
            environment = self._match(re.compile(r"\s*\{([a-zA-Z*]+)\}(?:\{[lcr|@{} ]*\})?"))
            if environment is None:
                raise Unreadable(f"\\{name} without an environment")
            return self._add("op", f"{name} {environment.group(1)}")
        if name == "\\" or name == "cr":
            return self._add("op", "newline")
        if name == "not":
            self._command_not()
            return None
        if name in OPERATORS:
            if name in ("|", "lvert", "rvert"):
                return self._add("op", "|")
            return self._add("op", OPERATORS[name] or name)
        if not self._known(name):
            if name not in CONSTANTS:
                raise Unreadable(f"the command \\{name}")
        return None

    def _command_not(self) -> None:
        self._match(re.compile(r"\s*(?:=|\\in(?![a-zA-Z]))"))
        self._add("op", "notin" if self.text[self.position - 1] == "n" else "!=")

    def _argument(self) -> str:
        """The next braced group (or letter) as text."""
        self._match(re.compile(r"\s*"))
        if self.text[self.position : self.position + 1] != "{":
            match = self._match(re.compile(r"\\?[A-Za-z]+" if self.text[self.position : self.position + 1] == "\\" else "."))
            if match is None:
                raise Unreadable("a command without its argument")
            return match.group()
        end = matching(self.text, self.position)
        if end < 0:
            raise Unreadable("an open brace")
        content = self.text[self.position + 1 : end]
        self.position = end + 1
        return content

    def _accent(self, name: str) -> None:
        """A bar over one letter makes another variable; arrows, hats and bars over segments are decoration."""
        content = self._argument().strip()
        if not re.fullmatch(r"[A-Za-z]{1,4}", content):
            raise Unreadable("an accent on more than a name")
        if len(content) == 1 and name in ("overline", "bar"):
            return self._add("sym", content + " bar")
        for letter in content:
            self._add("sym", letter)
        return None

    def _text_command(self, name: str) -> None:
        content = " ".join(self._argument().replace("\\ ", " ").replace("\\%", "%").split())
        if name == "mathbb" and content == "R":
            return self._add("const", "reals")
        if not content:
            self.space = True
            return None
        if content.lower().strip(" ,") in ("and", "or"):
            return self._add("op", content.lower().strip(" ,"))
        after = self.tokens[-1] if self.tokens else None
        if content in UNITS and after is not None and (after.kind in ("num", "const") or after.text in (")", "}")):
            return self._add("word", content)
        if name.startswith(("math", "operator", "bold", "bm")) and (len(content) == 1 or content in FUNCTIONS):
            if self._known(content):
                return None
        if not re.search(r"[A-Za-z\d]", content):
            if content in (",", ":", ";"):
                self._add("op", content)
            return None
        if re.fullmatch(r"\\?\$?[-\d.,/:;]+%?", content):
            for token in Lexer(content).run()[:-1]:
                self.tokens.append(token)
            return None
        return self._add("word", content)


def is_word(run: str) -> bool:
    """Whether a run of letters is a word of a language, not a name or a product of variables."""
    if run in FUNCTIONS or run in CONSTANTS or run in GREEK or run in CONSTRUCTORS or run in EMPTY_NAMES | REAL_NAMES:
        return False
    if len(run) < 3 or run.lower() in ("and", "or", "base"):
        return False
    return run.lower() in SHORT_WORDS or (len(run) > 3 and (run in UNITS or segment(run) is None))


def segment(run: str) -> list[tuple[int, str]] | None:
    """`xsinx` as x, sin, x; `abc` as a, b, c; None where the letters look like a word.

    Returns:
        (offset, name) pairs that cover the run.
    """
    parts: list[tuple[int, str]] = []
    loose = position = 0
    names = 0
    while position < len(run):
        for length in range(min(7, len(run) - position), 1, -1):
            piece = run[position : position + length]
            if piece in FUNCTIONS or piece in GREEK or piece == "pi":
                names += 1
                break
        else:
            piece = run[position]
            loose += 1
        parts.append((position, piece))
        position += len(piece)
    if loose > 3 or (names and loose > 2) or (run.isupper() and len(run) > 3):
        return None
    return parts
