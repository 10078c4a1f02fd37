"""What an expression starts with: numbers, names, brackets, signs; and the units that may follow."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from mcts_math.answer.parse.applied import argument, bound, command, function
from mcts_math.answer.parse.brackets import brackets, environment
from mcts_math.answer.parse.constructors import build
from mcts_math.answer.parse.tokens import CLOSING, OPENING, RATIO, SIGN, UNIT, Cursor, Token, UnreadableError
from mcts_math.answer.text.spelled import REALS, words_value
from mcts_math.answer.text.units import DEGREE, MAX_POWER, UNITS, unit_name
from mcts_math.answer.text.vocabulary import PART_WORDS, PLACE_WORDS, SCALE_WORDS, names
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.measures import measured
from mcts_math.answer.values.nodes import EMPTY_SET, INFINITY, Call, Const, Node, Num, Prod, Quantity, Sym, negate

_CLAUSES: Final = frozenset({"for", "where", "when", "if", "unless", "whenever"})
_NO_UNITS: Final = frozenset(
    names("minus plus remainder not than except until between divided choose modulo equals is r below of most least")
)
_CONSTANTS: Final[dict[str, Node]] = {"empty": EMPTY_SET, "reals": REALS, "-oo": negate(INFINITY)}
FREE_FUNCTIONS: Final = frozenset("fghFGHP") | {"phi", "psi"}
SIGNS: Final = {"pm": "±", "mp": "∓"}
_OPENING: Final = OPENING | {"{"}
_CLOSING: Final = CLOSING | {"}"}
_OF_NUMBERS: Final = re.compile(r"(?:\{0+\}|0)(?:\{0+\}|0)")
_SHORT: Final = {"num": "0", "sym": "x"}
_APPLIED: Final = re.compile(r"\(-?0\)|'+\(-?[x0]\)")  # of kinds of tokens
_MARKS: Final = (("^-1", "^{-1}"), ("^-1", "^-1"), ("''", "''"), ("'", "'"))


def prefix(cursor: Cursor) -> Node:
    """The operand that an expression starts with."""
    token = cursor.advance()
    if token.kind == "num":
        return _number(cursor, token)
    if token.kind == "sym":
        return _symbol(cursor, token.text)
    if token.kind == "const":
        return _CONSTANTS.get(token.text) or Const(token.text)
    if token.kind == "func":
        return function(cursor, token.text)
    if token.kind == "ctor":  # Matrix([[1, 2]]), Rational(1, 2), Interval.open(0, 1)
        cursor.expect("(")
        return build(token.text, cursor.list_until(")"))
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
    if text in SIGNS:
        return Call(SIGNS[text], (tree.ZERO, cursor.expression(SIGN)))
    if text == "not":
        return Call("not", (cursor.expression(SIGN),))
    if text == "dots":
        return tree.DOTS
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
        return Call(text[1:], (inner,))
    if text in ("sum", "prod", "int", "lim"):
        return bound(cursor, text)
    if text.startswith("begin "):
        return environment(cursor, text[6:])
    return command(cursor, text)


def _number(cursor: Cursor, token: Token) -> Node:
    """A number; a fraction of two integers right after an integer makes a mixed number."""
    assert token.value is not None
    number = Num(token.value, token.digits, token.places)
    start = cursor.index
    if token.text.isdigit() and cursor.sees("frac") and _is_of_numbers(cursor):
        cursor.advance()
        part = command(cursor, "frac")
        if isinstance(part, Num) and not part.digits and part.value > 0 and not cursor.sees("^"):
            return Num(number.value + part.value)
        cursor.index = start
    return number


def _is_of_numbers(cursor: Cursor) -> bool:
    """Whether the fraction that comes next is one of two integers; others are not read twice."""
    tokens = cursor.tokens[cursor.index + 1 : cursor.index + 7]
    shape = "".join("0" * min(len(token.text), 2) if token.text.isdigit() else token.text for token in tokens)
    return _OF_NUMBERS.match(shape) is not None


def _symbol(cursor: Cursor, name: str) -> Node:
    if name in FREE_FUNCTIONS or _is_applied(cursor):
        name += _mark(cursor)
        if cursor.sees("(") and (not cursor.token.space or name[:1] == "p"):  # behind a command a space says nothing
            cursor.advance()
            return Call(name, tuple(cursor.arguments()), free=True)
    if name == "C" and cursor.sees("(") and not cursor.token.space and _is_pair(cursor):
        cursor.advance()
        return Call("binom", tuple(cursor.arguments()))
    return Sym(name)


def _is_applied(cursor: Cursor) -> bool:
    """Whether a letter, just taken, is a function: `s'(t)`, and `q(15)` with nothing before it that it may multiply."""
    kinds = "".join(_SHORT.get(token.kind, token.text) for token in cursor.tokens[cursor.index : cursor.index + 7])
    applied = None if cursor.token.space else _APPLIED.match(kinds)
    before = cursor.tokens[cursor.index - 2] if cursor.index > 1 else None
    alone = before is None or (before.kind not in ("num", "sym", "const") and before.text not in CLOSING)
    return applied is not None and (alone or applied[0][0] == "'")


def _is_pair(cursor: Cursor) -> bool:
    """Whether the brackets that come next hold one comma of their own."""
    depth = commas = 0
    for token in cursor.tokens[cursor.index :]:
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        commas += token.text == "," and depth == 1
        if not depth:
            break
    return commas == 1


def _mark(cursor: Cursor) -> str:
    """Takes what stands between a function's name and its argument: primes, the order of a derivative, or a -1."""
    texts = [token.text for token in cursor.tokens[cursor.index : cursor.index + 6]]
    for mark, written in _MARKS:
        if texts[: len(written) + 1] == [*written, "("]:
            cursor.index += len(written)
            return mark
    match texts:
        case ["^", "{", "(", order, ")", "}"] if cursor.peek(6).text == "(":  # f^{(4)}(0)
            cursor.index += 6
            return f"^({order})"
    return ""


def _words(cursor: Cursor, token: Token) -> Node:
    parts = [token.text]
    while cursor.token.kind == "word":
        parts.append(cursor.advance().text)
    return words_value(" ".join(parts)) or tree.Text(" ".join(parts))


def unit(cursor: Cursor, left: Node) -> Node:
    """`left` with the words that follow as its unit."""
    parts = _unit_parts(cursor)
    if isinstance(left, Prod) and len(left.items) == 2 and parts:
        value, name = left.items  # 5 m above sea level
        if isinstance(name, Sym) and name.name in UNITS and isinstance(value, Num):
            left, parts = value, [name.name, *parts]
    words = " ".join(parts).split()
    if words[:1] == ["in"] and len(words) > 1:
        words = parts = words[1:]
    if "below" in words:
        raise UnreadableError(f"{' '.join(words)!r}, which is no unit")
    if (scale := _scale(words)) is not None:
        left, parts = Prod((Num(scale), left)), words[2:] if words[1:2] == ["of"] else words[1:]
    return measured(left, unit_name(" ".join(parts))) if parts else left


def _unit_parts(cursor: Cursor) -> list[str]:
    """The words that come next, with their powers, products and quotients."""
    parts: list[str] = []
    while True:
        token = cursor.token
        if token.kind in ("word", "money") and not quantifies(token):
            if token.text.lower() in _NO_UNITS:
                raise UnreadableError(f"{token.text!r}, which is no unit")
            parts.append(cursor.advance().text)
        elif parts and cursor.take("^"):
            power = argument(cursor)
            if not isinstance(power, Num) or abs(power.value) >= MAX_POWER:
                raise UnreadableError("a unit with a power that is no number, or a huge one")
            parts[-1] += f"^{power.value}"
        elif parts and cursor.peek().kind != "num" and cursor.take("/"):
            parts += ["per", cursor.advance().text]
        elif not (parts and cursor.peek().kind == "word" and cursor.take("*")):
            return parts


def _scale(words: list[str]) -> Fraction | None:
    """What `dozen`, `million`, and a closing `quarters` or `tenths` multiply the number before them with."""
    first = words[0].lower() if words else ""
    if first in SCALE_WORDS:
        return Fraction(SCALE_WORDS[first])
    if len(words) > 1 and words[1] != "of":
        return None
    return PLACE_WORDS.get(first) or (Fraction(1, PART_WORDS[first]) if first in PART_WORDS else None)


def quantifies(token: Token) -> bool:
    """Whether a word begins a clause that is no unit: `for all x`, `where k is an integer`."""
    return token.kind == "word" and token.text.lower().split()[0] in _CLAUSES


def degrees(cursor: Cursor, left: Node) -> Node:
    if cursor.token.text in ("C", "F") and cursor.token.kind in ("sym", "word"):
        return Quantity(left, unit_name("celsius" if cursor.advance().text == "C" else "fahrenheit"))
    return Quantity(left, DEGREE)
