"""What an expression starts with: numbers, names, brackets, signs; and the units that may follow."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from mcts_math.answer.parse.arguments import argument, command
from mcts_math.answer.parse.bound import bound
from mcts_math.answer.parse.brackets import brackets, environment
from mcts_math.answer.parse.constructors import build
from mcts_math.answer.parse.cursor import RATIO, SIGN, UNIT, Cursor
from mcts_math.answer.parse.functions import function
from mcts_math.answer.parse.tokens import Token, UnreadableError
from mcts_math.answer.text.spelled import REALS, words_value
from mcts_math.answer.text.units import UNITS, unit_name
from mcts_math.answer.text.vocabulary import PART_WORDS, PLACE_WORDS, SCALE_WORDS, names
from mcts_math.answer.values.nodes import (
    DOTS,
    EMPTY_SET,
    ZERO,
    Call,
    Const,
    Node,
    Num,
    PlusMinus,
    Prod,
    Quantity,
    Sym,
    Text,
    negate,
)

_CLAUSES: Final = frozenset({"for", "where", "when", "if", "unless", "whenever"})
_NO_UNITS: Final = frozenset(
    names("minus plus remainder not than except until between divided choose modulo equals is r below of")
)
FREE_FUNCTIONS: Final = frozenset("fghFGHP") | {"phi", "psi"}


def prefix(cursor: Cursor) -> Node:
    """The operand that an expression starts with."""
    token = cursor.advance()
    if token.kind == "num":
        return _number(cursor, token)
    if token.kind == "sym":
        return _symbol(cursor, token)
    if token.kind == "const":
        return {"empty": EMPTY_SET, "reals": REALS}.get(token.text, Const(token.text))
    if token.kind == "func":
        return function(cursor, token.text)
    if token.kind == "ctor":
        return _constructor(cursor, token.text)
    if token.kind == "word":
        return _words(cursor, token)
    if token.kind == "money":
        amount = cursor.expression(RATIO)  # up to a word: "$1 million"
        return measured(unit(cursor, amount) if cursor.token.kind == "word" else amount, unit_name(token.text))
    return _operator(cursor, token.text)


def _operator(cursor: Cursor, text: str) -> Node:
    if text in ("-", "+"):
        operand = cursor.expression(SIGN)
        return negate(operand) if text == "-" else operand
    if text in ("pm", "mp"):
        return PlusMinus(ZERO, cursor.expression(SIGN), 1 if text == "pm" else -1)
    if text == "dots":
        return DOTS
    if text == "~":
        return cursor.expression(UNIT)
    if text in ("(", "[", "]", "{{", "{"):
        return brackets(cursor, text)
    if text == "|":
        cursor.bars += 1
        inner = cursor.expression(0)
        cursor.bars -= 1
        cursor.expect("|")
        return Call("abs", (inner,))
    if text in ("lfloor", "lceil"):
        inner = cursor.expression(0)
        cursor.expect("r" + text[1:])
        return Call("floor" if text == "lfloor" else "ceil", (inner,))
    if text in ("sum", "prod", "int", "lim"):
        return bound(cursor, text)
    if text.startswith("begin "):
        return environment(cursor, text[6:])
    return command(cursor, text)


def _number(cursor: Cursor, token: Token) -> Node:
    """A number; a fraction of two integers right after an integer makes a mixed number."""
    assert token.value is not None
    number = Num(token.value, token.digits, token.places)
    if not token.text.isdigit():
        return number
    digits = token.text
    while len(digits) <= 12 and _thousand_follows(cursor, digits):
        digits += cursor.advance().text
        number = Num(Fraction(int(digits)))
    start = cursor.index
    part: Node | None = None
    if cursor.token.text == "frac" and cursor.token.kind == "op":
        cursor.advance()
        part = command(cursor, "frac")
    elif (
        cursor.token.kind == "num" and cursor.token.space and cursor.peek().text == "/" and cursor.peek(2).kind == "num"
    ):
        above, below = cursor.token.value, cursor.peek(2).value
        if above is not None and below and cursor.token.text.isdigit() and cursor.peek(2).text.isdigit():
            cursor.index += 3
            part = Num(above / below)
    if isinstance(part, Num) and not part.digits and part.value > 0 and cursor.token.text not in ("^",):
        return Num(number.value + part.value)
    cursor.index = start
    return number


def _thousand_follows(cursor: Cursor, digits: str) -> bool:
    """A space and a group of three digits follow (`10 000`)."""
    token = cursor.token
    plain = token.kind == "num" and token.space and token.text.isdigit() and len(token.text) == 3
    first = len(digits) if len(digits) <= 3 else 3
    return plain and (1 <= first <= 3) and cursor.peek().text not in ("/", "^") and _tail_is_thousands(cursor)


def _tail_is_thousands(cursor: Cursor) -> bool:
    following = cursor.peek()
    return following.kind != "num" or len(following.text) == 3


def _symbol(cursor: Cursor, token: Token) -> Node:
    mark = _mark(cursor) if token.text in FREE_FUNCTIONS else ""
    if token.text in FREE_FUNCTIONS and cursor.token.text == "(" and not cursor.token.space:
        cursor.advance()
        return Call(token.text + mark, tuple(cursor.list_until(")")), free=True)
    if token.text == "C" and cursor.token.text == "(" and not cursor.token.space:
        start = cursor.index
        cursor.advance()
        chosen = cursor.list_until(")")
        if len(chosen) == 2:
            return Call("binom", tuple(chosen))
        cursor.index = start
    return Sym(token.text)


def _mark(cursor: Cursor) -> str:
    """Takes the primes, or the -1 of an inverse, between a function's name and its argument."""
    texts = [token.text for token in cursor.tokens[cursor.index : cursor.index + 6]]
    for mark, written in (
        ("^-1", ["^", "{", "-", "1", "}"]),
        ("^-1", ["^", "-", "1"]),
        ("''", ["'", "'"]),
        ("'", ["'"]),
    ):
        if texts[: len(written)] == written and texts[len(written) : len(written) + 1] == ["("]:
            cursor.index += len(written)
            return mark
    return ""


def _constructor(cursor: Cursor, name: str) -> Node:
    """What Python, sympy and numpy print: `Matrix([[1, 2]])`, `Rational(1, 2)`, `Interval.open(0, 1)`."""
    cursor.expect("(")
    return build(name, cursor.list_until(")"))


def _words(cursor: Cursor, token: Token) -> Node:
    parts = [token.text]
    while cursor.token.kind == "word":
        parts.append(cursor.advance().text)
    return words_value(" ".join(parts)) or Text(" ".join(parts))


def unit(cursor: Cursor, left: Node) -> Node:
    """`left` with the words that follow as its unit."""
    parts: list[str] = []
    while not quantifies(cursor.token) and (
        cursor.token.kind in ("word", "money")
        or (parts and cursor.token.text in ("^", "/", "in"))
        or (parts and cursor.token.text == "*" and cursor.peek().kind == "word")
    ):
        token = cursor.advance()
        if token.text == "*":
            continue
        if token.text.lower() in _NO_UNITS:
            raise UnreadableError(f"{token.text!r}, which is no unit")
        if token.text == "^":
            power = argument(cursor)
            if not isinstance(power, Num):
                raise UnreadableError("a unit with a power that is no number")
            parts[-1] += f"^{power.value}"
        elif token.text == "/":
            unit = cursor.advance()
            parts += ["per", unit.text]
        else:
            parts.append(token.text)
    if isinstance(left, Prod) and len(left.items) == 2 and parts:
        value, name = left.items  # 5 m above sea level
        if isinstance(name, Sym) and name.name in UNITS and isinstance(value, Num):
            left, parts = value, [name.name, *parts]
    words = " ".join(parts).split()
    scale = _scale(words)
    if scale is not None:
        left, parts = Prod((Num(scale), left)), words[2:] if words[1:2] == ["of"] else words[1:]
    return measured(left, unit_name(" ".join(parts))) if parts else left


def measured(value: Node, unit: str) -> Quantity:
    """`value` with a unit, after which words of its own may follow (`% increase`, `dollar profit`)."""
    if not isinstance(value, Quantity):
        return Quantity(value, unit)
    known = [part for part in (unit, value.unit) if part.partition(" ")[0].partition("^")[0] in UNITS]
    other = value.unit if known[:1] == [unit] else unit
    return Quantity(value.value, f"{known[0]} {other}" if known else f"{value.unit} {unit}")


def _scale(words: list[str]) -> Fraction | None:
    """What `dozen`, `million`, and a closing `quarters` or `tenths` multiply the number before them with."""
    first = words[0].lower() if words else ""
    if first in SCALE_WORDS:
        return Fraction(SCALE_WORDS[first])
    if len(words) > 1 and words[1] != "of":
        return None
    if first in PLACE_WORDS:
        return PLACE_WORDS[first]
    return Fraction(1, PART_WORDS[first]) if first in PART_WORDS else None


def quantifies(token: Token) -> bool:
    """Whether a word begins a clause that is no unit: `for all x`, `where k is an integer`."""
    return token.kind == "word" and token.text.lower().split()[0] in _CLAUSES


def degrees(cursor: Cursor, left: Node) -> Node:
    """`left` in degrees."""
    if cursor.token.text in ("C", "F") and cursor.token.kind in ("sym", "word"):
        return Quantity(left, "celsius" if cursor.advance().text == "C" else "fahrenheit")
    return Quantity(left, "degree")
