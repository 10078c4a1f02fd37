"""Arithmetic with measures: `5 cm · 4 cm` is 20 cm^2, `3 h 20 min` is 200 min."""

from __future__ import annotations

from collections.abc import Sequence

from mcts_math.answer.text.units import DEGREE, MAX_POWER, PERCENT, UNITS, Unit, unit_name, unit_scale
from mcts_math.answer.text.vocabulary import GREEK
from mcts_math.answer.values.nodes import ONE, Node, Num, Power, Prod, Quantity, Sum, substitute, symbols, walk


def is_measure(node: Node) -> bool:
    """Whether `node` has a unit; a percentage and an angle in degrees are plain numbers."""
    return isinstance(node, Quantity) and node.unit not in (PERCENT, DEGREE)


def measured(value: Node, unit: Unit) -> Quantity:
    """`value` with a unit, after which words of its own may follow (`% increase`, `dollar profit`)."""
    own, value = (value.unit, value.value) if isinstance(value, Quantity) else (Unit(), value)
    first, second = (unit, own) if unit.known else (own, unit)
    return Quantity(value, Unit(first.factors + second.factors))


def value_in(node: Node, unit: Unit) -> Node | None:
    """The number of a measure in another unit; None where it is of a different kind, or has no unit."""
    scale = unit_scale(node.unit, unit) if isinstance(node, Quantity) else None
    if scale is None or not isinstance(node, Quantity):
        return None
    return node.value if scale == 1 else Prod((Num(scale), node.value))


def compound(first: Quantity, second: Quantity) -> Quantity | None:
    """`3 hours 20 minutes` in the smaller unit (dollars and cents in the larger); None where units don't fit."""
    scale = unit_scale(first.unit, second.unit)
    if scale is None or scale <= 1:
        return None
    return sum_of_measures((first, second), first.unit if scale == 100 else second.unit)


def sum_of_measures(items: Sequence[Node], unit: Unit) -> Quantity | None:
    """`5 m + 3 cm` in that unit; None for `2 m + 3`."""
    values = [value for item in items if (value := value_in(item, unit)) is not None]
    return Quantity(Sum(tuple(values)), unit) if len(values) == len(items) else None


def product_of_measures(node: Node) -> Node | None:
    """`60 km/(2 h)` as 30 km h^-1; None where a measure stands where it has no unit to give."""
    parts = _taken_apart(node)
    return None if parts is None else Quantity(*parts) if parts[1].factors else parts[0]


def _taken_apart(node: Node) -> tuple[Node, Unit] | None:
    """A value without units, and its unit."""
    match node:
        case Quantity(value, unit) if is_measure(node):
            inner = None if any("^" in name for name, _ in unit.factors) else _taken_apart(value)
            return None if inner is None else (inner[0], inner[1] * unit)
        case Prod(items):
            parts = [part for item in items if (part := _taken_apart(item)) is not None]
            product = Unit()
            for _, unit in parts:
                product *= unit
            return (Prod(tuple(value for value, _ in parts)), product) if len(parts) == len(items) else None
        case Power(base, Num(exponent)) if exponent.denominator == 1 and abs(exponent) < MAX_POWER:
            inner = _taken_apart(base)
            return None if inner is None else (Power(inner[0], node.exponent), inner[1] ** int(exponent))
    within = any(map(is_measure, walk(node))) or (isinstance(node, Quantity) and node.unit == DEGREE)
    return None if within else (node, Unit())


def with_unit_names(node: Node) -> Node | None:
    """`5 m` and `5*kg*m/s**2`, read as products, as measures; None where not all variables can be units."""
    names = symbols(node)
    if not isinstance(node, Prod) or not names:
        return None
    if not all(name in UNITS or (len(name) > 3 and name not in GREEK) for name in names):  # omega is no ohm
        return None
    return product_of_measures(substitute(node, {name: Quantity(ONE, unit_name(name)) for name in names}))
