"""Numbers with units, percents, ratios, times of day; words, against words and what they may be the name of."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from typing import Final

from mcts_math.answer.rules.collections import compare_letters
from mcts_math.answer.rules.compare import Decision
from mcts_math.answer.rules.scalars import scalars_equal
from mcts_math.answer.text.spelled import plain_words
from mcts_math.answer.text.units import DEGREE, PERCENT, Unit, may_be_left_out, unit_name, unit_scale
from mcts_math.answer.text.verdicts import verdict
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.exact import exact
from mcts_math.answer.values.measures import is_measure, value_in, with_unit_names
from mcts_math.answer.values.nodes import (
    PI,
    Call,
    Const,
    Group,
    Node,
    Num,
    Power,
    Prod,
    Quantity,
    Ratio,
    Sym,
    Text,
    Time,
    children,
    symbols,
)
from mcts_math.answer.values.shapes import letters
from mcts_math.answer.verdict import Policy

_RADIAN: Final = unit_name("radian")
_HUNDREDTH: Final = Num(Fraction(1, 100))
_TEMPERATURES: Final = {"kelvin": ("1", "0"), "celsius": ("1", "273.15"), "fahrenheit": ("5/9", "45967/180")}
_INVERSE: Final = frozenset({"asin", "acos", "atan", "acot", "asec", "acsc", "arg"})


def compare_quantities(quantity: Quantity, other: Node, policy: Policy) -> Decision:
    """A number with a unit against another one, or against a plain number."""
    value, unit = quantity.value, quantity.unit
    if isinstance(other, Quantity):
        if {unit, other.unit} == {DEGREE, _RADIAN}:
            degrees, radians = (quantity, other) if unit == DEGREE else (other, quantity)
            return Decision(scalars_equal(degrees, radians.value, policy), "degrees against radians")
        scaled, back = value_in(quantity, other.unit), value_in(other, quantity.unit)
        if scaled is None and {str(unit), str(other.unit)} <= _TEMPERATURES.keys():
            return Decision(scalars_equal(_kelvins(quantity), _kelvins(other), policy), "temperatures")
        if scaled is None or back is None:
            return Decision(False, "units of different kinds")
        same = scalars_equal(scaled, other.value, policy) or (scaled != value and scalars_equal(value, back, policy))
        return Decision(same, "values in the same unit")
    if unit.known[:1] == PERCENT.factors:
        return Decision(_percent_equal(value, other, policy), "a percentage against a number")
    if not policy.units and unit != DEGREE:
        return Decision(False, "a unit on one side only")
    if not may_be_left_out(unit, is_one=not isinstance(value, Num) or abs(value.value) <= 1):
        return Decision(False, "words on one side only that name nothing which is counted")
    turned = any(part == PI or (isinstance(part, Call) and part.name in _INVERSE) for part in tree.walk(other))
    if unit == DEGREE and turned:
        return Decision(scalars_equal(quantity, other, policy), "degrees against radians")
    same = scalars_equal(value, other, policy)
    if not same and not symbols(value) and isinstance(named := with_unit_names(other), Quantity):
        return compare_quantities(quantity, named, policy)
    return Decision(same, "values, the unit being on one side only")


def _kelvins(temperature: Quantity) -> Node:
    scale, zero = map(Fraction, _TEMPERATURES[str(temperature.unit)])
    return tree.Sum((Prod((Num(scale), temperature.value)), Num(zero)))


def in_common_units(left: Node, right: Node) -> tuple[Node, Node] | None:
    """Two conditions, or sets, with bounds in the same units, if both have some; None where these are of two kinds."""
    mine, theirs = _bound_units(left), _bound_units(right)
    if not mine or not theirs or mine == theirs:
        return left, right
    if any(unit_scale(a, b) is None for a in mine for b in theirs):
        return None
    unit = min(mine)
    return _in_unit(left, unit), _in_unit(right, unit)


def _bound_units(node: Node) -> set[Unit]:
    """The units of numbers within a condition or a set; of a list each item is compared by itself."""
    is_condition = isinstance(node, tree.Relation) and node.ops[0] != "="
    is_set = isinstance(node, tree.SetOp) or (isinstance(node, tree.Group) and node.left != "")
    parts = tree.walk(node) if is_condition or is_set else ()
    return {part.unit for part in parts if isinstance(part, Quantity) and is_measure(part)}


def _in_unit(node: Node, unit: Unit) -> Node:
    return value_in(node, unit) or tree.rebuild(node, lambda child: _in_unit(child, unit))


def _percent_equal(value: Node, other: Node, policy: Policy) -> bool:
    number = exact(value)
    is_share = policy.percent == "either" and number is not None and abs(number) < 1  # 0.5 is 50%, hardly 0.5%
    if policy.percent != "fraction" and not is_share and scalars_equal(value, other, policy):
        return True
    if policy.percent == "number":
        return False
    if isinstance(value, Num):
        fraction: Node = Num(value.value / 100, value.digits, value.places + 2 if value.digits else 0)
    else:
        fraction = Prod((_HUNDREDTH, value))
    return scalars_equal(fraction, other, policy)


def ratios_equal(left: Node, right: Node, policy: Policy) -> bool:
    """Whether two ratios are proportional; one of two parts may be written as a fraction."""
    if isinstance(right, Quantity) and len(parts := children(left)) == 3:  # 1:30:00 as a duration
        seconds = tree.Sum((Prod((Num(Fraction(3600)), parts[0])), Prod((Num(Fraction(60)), parts[1])), parts[2]))
        measured = value_in(right, unit_name("s"))
        return measured is not None and scalars_equal(seconds, measured, policy)
    clocks = [node.clock for node in (left, right) if isinstance(node, Ratio)]
    if all(clocks):  # times of day, too: the same ones, and no fractions
        return len(clocks) == 2 and _all_equal(children(left)[:2], children(right)[:2], policy)
    return _all_equal(_quotients(left), _quotients(right), policy)


def _quotients(node: Node) -> tuple[Node, ...]:
    """Each part of a ratio by each later one; a number is such a quotient itself."""
    if isinstance(node, Ratio):
        return tuple(Prod((part, Power(other, tree.MINUS_ONE))) for part, other in combinations(node.items, 2))
    return (node.value if isinstance(node, Quantity) else node,)


def _all_equal(left: Sequence[Node], right: Sequence[Node], policy: Policy) -> bool:
    return len(left) == len(right) and all(scalars_equal(a, b, policy) for a, b in zip(left, right, strict=True))


def clocks_equal(left: Node, right: Node, policy: Policy) -> bool:
    """Whether two times of day are the same; where one lacks am or pm, that of the other holds."""
    first, second = _clock(left), _clock(right)
    if first is None or second is None:
        return False
    if first.half and second.half and first.half != second.half:
        return False
    return first.minutes == second.minutes


def _clock(node: Node) -> Time | None:
    if isinstance(node, Time):
        return node
    if isinstance(node, Ratio) and node.clock:
        hour, minute = (item.value for item in node.items[:2] if isinstance(item, Num))
        half = "pm" if hour > 12 else "am" if hour == 0 else ""
        return Time(int(hour % 12 * 60 + minute), half)
    if isinstance(node, Num) and node.value.denominator == 1 and 1 <= node.value <= 12:
        return Time(int(node.value % 12) * 60, "")
    return None


_JOINTS: Final = re.compile(r"[\s_]+|(?<=[^\W\d])-(?=[^\W\d])")  # white space, and a hyphen between letters

_GENOTYPE: Final = re.compile(r"(?![IVXivx]+$)(?:([A-Za-z])(?i:\1))+")  # AaBb: the case tells the alleles
_ELEMENT: Final = re.compile(r"[A-Z][a-z]")  # Co is no CO

# What a property is said of: `odd function` is odd.
_HEADS: Final = frozenset({"function", "triangle", "number", "series", "sequence", "integral", "wins", "it"})


def compare_texts(text: Text, other: Node, policy: Policy) -> Decision:
    if isinstance(other, Text):
        return Decision(texts_equal(text, other, policy), "words")
    if isinstance(other, Prod) and all(isinstance(item, (Sym, Const)) for item in other.items):
        name = "".join(item.name for item in other.items if isinstance(item, (Sym, Const)))
        return Decision(texts_equal(text, Text(name), policy), "letters")
    if isinstance(other, (Sym, Const)):
        return Decision(texts_equal(text, Text(other.name), policy), "a letter or word")
    if isinstance(other, Group) and len(capitals := letters(text)) > 1:
        return compare_letters(capitals, other, policy)
    return Decision(False, "words against something else")


def texts_equal(left: Text, right: Text, policy: Policy) -> bool:
    """Whether two phrases are the same words; a choice letter may be followed by its text."""
    a, b = plain_words(left.words), plain_words(right.words)
    if not policy.letter_case and not _case_tells(a, b):
        a, b = a.lower(), b.lower()
    if a == b or (len(a) > 1 and len(b) > 1 and _JOINTS.sub("", a) == _JOINTS.sub("", b)):
        return True
    if a.islower() and b.islower():
        a, b = verdict(a), verdict(b)
    fewer, more = sorted((a.split(), b.split()), key=len)
    if fewer == ["neither"] == more[:1] and "nor" in more:
        return True
    return a == b or (len(more) > len(fewer) > 0 and [word for word in more if word not in _HEADS] == fewer)


def _case_tells(left: str, right: str) -> bool:
    """Whether two words are of a kind in which the case of the letters tells: alleles, and names of elements."""
    if _GENOTYPE.fullmatch(left) and _GENOTYPE.fullmatch(right):
        return True
    names = sorted((left, right))
    return len(left) == len(right) == 2 and names[0].isupper() and _ELEMENT.fullmatch(names[1]) is not None
