"""From an answer's text to its value: normalise, recognise phrases, parse, tidy."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from mcts_math.answer.letters import is_word
from mcts_math.answer.lexer import tokenise
from mcts_math.answer.literals import decimal_value
from mcts_math.answer.nodes import (
    MINUS_ONE,
    ZERO,
    Call,
    Group,
    Matrix,
    Node,
    Num,
    PlusMinus,
    Power,
    Prod,
    Quantity,
    Ratio,
    Relation,
    SetOp,
    Sum,
    Text,
    children,
    negate,
)
from mcts_math.answer.reader import parse_tokens
from mcts_math.answer.scanner import UnreadableError
from mcts_math.answer.text import MAX_LENGTH, normalise
from mcts_math.answer.words import plain_words, words_value

_PLAIN_NUMBER: Final = re.compile(r"^\s*[-+]?(?:\d+(?:\.\d+)?|\.\d+)\s*$")
_UNTEXT: Final = re.compile(r"\\(?:text|mbox|textbf|textit|textrm|mathrm|mathbf|operatorname)\s*\{([^{}]*)\}")
_PROSE: Final = re.compile(r"[A-Za-z][a-z]*(?:[ '-]+[A-Za-z][a-z]*)*")
_CHOICE: Final = re.compile(
    r"(?:\(([A-Z])\)|(?:\b(?:[Oo]ption|[Cc]hoice)\s+)?([A-Z])[.):])\s*(?=[^\s+*/^=<>-])(.+)", re.DOTALL
)
_NOTATION: Final = re.compile(r"[\\{}^_]|\w\(")  # of what was meant to be a formula
_WORDLIKE: Final = re.compile(r"[A-Za-z]{2,}")
_MAX_SIGNS: Final = 4  # a ± may occur this often in one answer


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer as it was read.

    Attributes:
        text: the normalised text.
        node: its value, or None where it can't be read.
        problem: why it can't be read, else empty.
    """

    text: str
    node: Node | None
    problem: str = ""


def read(text: str) -> Reading:
    """The value of an answer; never raises for any text."""
    if len(text) < 40 and _PLAIN_NUMBER.match(text):
        text = text.strip()
        value, digits, places = decimal_value(text.lstrip("+-"))
        return Reading(text, Num(-value if text[0] == "-" else value, digits, places))
    return _remembered(text) if len(text) <= 2000 else _read(text)


@lru_cache(maxsize=8192)
def _remembered(text: str) -> Reading:
    return _read(text)


def forget() -> None:
    """Drops the readings that are remembered."""
    _remembered.cache_clear()
    read_as_list.cache_clear()


def _read(text: str) -> Reading:
    if len(text) > MAX_LENGTH:
        return Reading(text.strip(), None, f"longer than {MAX_LENGTH} characters")
    clean = normalise(text)
    if not clean:
        return Reading("", None, "empty")
    words = " ".join(_UNTEXT.sub(r" \1 ", clean).split())
    if len(words) < 200 and (phrase := words_value(words)) is not None:
        return Reading(clean, phrase)
    choice = _CHOICE.match(words)
    if choice is not None:
        rest = read(choice.group(3)).node
        label = Text(choice.group(1) or choice.group(2), choice=True)
        return Reading(clean, Relation(("=",), (label, rest)) if rest is not None else label)
    if _PROSE.fullmatch(words) and any(is_word(run) for run in words.split()):
        return Reading(clean, Text(plain_words(words)))
    try:
        return Reading(clean, parse(clean))
    except UnreadableError as error:
        problem = str(error)
    except RecursionError:
        problem = "nested too deeply for the caller's stack"
    plain = plain_words(words)
    if _WORDLIKE.search(plain) and not _NOTATION.search(words):
        return Reading(clean, Text(plain))
    return Reading(clean, None, problem)


def parse(clean: str, thousands: bool = True) -> Node:
    """The value of a normalised text by the grammar alone.

    Raises:
        UnreadableError: it is in no notation that the grammar knows.
    """
    spaced = "\\" not in clean and ", " in clean
    tokens = tokenise(clean, thousands)
    try:
        node = parse_tokens(tokens, spaced)
    except UnreadableError:
        numbers = clean.split()
        if len(numbers) < 2 or not all(_PLAIN_NUMBER.match(number) for number in numbers):
            raise
        node = Group("", "", tuple(number for text in numbers if (number := read(text).node) is not None))
    _reject_prose(node)
    return tidy(node)


@lru_cache(maxsize=1024)
def read_as_list(text: str) -> Node | None:
    """`text` with every comma between items (`1,234` is 1 and 234); None where that is no list."""
    try:
        node = parse(normalise(text), thousands=False)
    except UnreadableError:
        return None
    return node if isinstance(node, Group) else None


def _reject_prose(node: Node) -> None:
    """Words inside a sum or product mean that the text was prose."""
    for child in children(node):
        if isinstance(node, (Sum, Prod)) and isinstance(child, Text):
            raise UnreadableError("words in a formula")
        _reject_prose(child)


def tidy(node: Node) -> Node:
    """`node` with ± written out as two values, "and"/"or" between values as a list, and common units in front."""
    if isinstance(node, SetOp) and node.op in ("and", "or") and not any(_condition(item) for item in node.items):
        node = Group("", "", node.items)
    if isinstance(node, Group):
        items: list[Node] = []
        for item in node.items:
            item = tidy(item)
            if isinstance(item, Group) and not item.left and (node.left in ("", "{", "[")):
                items.extend(item.items)
            else:
                items.append(item)
        return Group(node.left, node.right, tuple(items), node.spaced)
    if isinstance(node, Sum) and all(isinstance(item, Quantity) for item in node.items):
        units = {item.unit for item in node.items if isinstance(item, Quantity)}
        if len(units) == 1:
            return Quantity(Sum(tuple(item.value for item in node.items if isinstance(item, Quantity))), units.pop())
    if isinstance(node, Prod):
        return _tidy_product(node)
    if isinstance(node, Sum) and isinstance(node.items[0], Group):
        return _set_difference(node)
    signs = _count_signs(node)
    if not signs:
        return node
    if signs > _MAX_SIGNS:
        raise UnreadableError("too many ± signs")
    return Group("", "", (choose_sign(node, 1), choose_sign(node, -1)))


def _set_difference(node: Sum) -> Node:
    """`R - {1}` is a difference of sets."""
    first, *rest = node.items
    for item in rest:
        if not isinstance(item, Prod) or len(item.items) != 2 or item.items[0] != MINUS_ONE:
            return node
        first = SetOp("minus", (first, item.items[1]))
    return first


def _tidy_product(node: Prod) -> Node:
    if _count_signs(node):
        return Group("", "", (choose_sign(node, 1), choose_sign(node, -1)))
    matrices = [item for item in node.items if isinstance(item, Matrix)]
    if len(matrices) == 1:
        factors = tuple(item for item in node.items if item is not matrices[0])
        return Matrix(tuple(tuple(Prod((*factors, cell)) for cell in row) for row in matrices[0].rows))
    quantities = [item for item in node.items if isinstance(item, Quantity) and item.unit not in ("%", "degree")]
    if len(quantities) != 1:
        return node
    only = quantities[0]
    return Quantity(Prod(tuple(only.value if item is only else item for item in node.items)), only.unit)


def _condition(node: Node) -> bool:
    if isinstance(node, Relation):
        return node.ops[0] not in ("=", "~")
    return isinstance(node, SetOp)


def _count_signs(node: Node) -> int:
    return isinstance(node, PlusMinus) + sum(_count_signs(child) for child in children(node))


def choose_sign(node: Node, sign: int) -> Node:
    """`node` with every ± read as + (`sign` 1) or − (`sign` -1), and every ∓ the other way."""
    if isinstance(node, PlusMinus):
        left, right = choose_sign(node.left, sign), choose_sign(node.right, sign)
        right = right if node.sign == sign else negate(right)
        return right if left == ZERO else Sum((left, right))
    if isinstance(node, (Sum, Prod)):
        return type(node)(tuple(choose_sign(item, sign) for item in node.items))
    if isinstance(node, Power):
        return Power(choose_sign(node.base, sign), choose_sign(node.exponent, sign), node.root)
    if isinstance(node, Call):
        return Call(node.name, tuple(choose_sign(arg, sign) for arg in node.args), node.free)
    if isinstance(node, Quantity):
        return Quantity(choose_sign(node.value, sign), node.unit)
    if isinstance(node, Relation):
        return Relation(node.ops, tuple(choose_sign(item, sign) for item in node.items))
    if isinstance(node, Group):
        return Group(node.left, node.right, tuple(choose_sign(item, sign) for item in node.items), node.spaced)
    if isinstance(node, (SetOp, Ratio)):
        raise UnreadableError("a ± in an unexpected place")
    return node
