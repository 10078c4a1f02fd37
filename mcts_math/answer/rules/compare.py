"""Whether two values are equal: by the rule for their kinds."""

from __future__ import annotations

from typing import Final, NamedTuple

from mcts_math.answer.values.nodes import (
    Cases,
    Group,
    Matrix,
    Node,
    Quantity,
    Ratio,
    Relation,
    Text,
    Time,
    rename,
    symbols,
)
from mcts_math.answer.values.shapes import (
    definite_set,
    is_congruence,
    is_family,
    named_point,
    over_integers,
    unwrap,
)
from mcts_math.answer.verdict import Policy

_KIND_OF: Final[dict[type, str]] = {
    Text: "text",
    Relation: "relation",
    Cases: "cases",
    Group: "collection",
    Matrix: "collection",
    Time: "time",
    Ratio: "ratio",
    Quantity: "quantity",
}


_PARAMETERS: Final = frozenset({"t", "s", "u", "lambda", "mu"})


class Decision(NamedTuple):
    """Whether two values are equal, and the rule that says so."""

    equal: bool
    reason: str


def compare(left: Node, right: Node, policy: Policy) -> Decision:
    """Compares two values, by the rule of the kind that comes first in the table. Symmetric in them."""
    from mcts_math.answer.rules.table import KINDS, RULES  # here: the rules of wholes compare their parts

    names = {named[0] for node in (left, right) if (named := named_point(node)) is not None}
    if len(names) > 1:
        return Decision(False, "different points or distributions")
    left, right = over_integers(unwrap(left), "k"), over_integers(unwrap(right), "k")
    right = _of_same_parameter(left, right)
    if left == right:
        return Decision(True, "read as the same value")
    own, other = sorted((left, right), key=lambda node: KINDS.index(kind(node)))
    return RULES[kind(own)](own, other, policy)


def _of_same_parameter(left: Node, right: Node) -> Node:
    """The tuple `right` with the parameter of `left`: `(1+t, 2t)` and `(1+s, 2s)` are one line."""
    mine, theirs = symbols(left), symbols(right)
    lines = all(isinstance(node, Group) and node.left + node.right == "()" for node in (left, right))
    moving = [item for node in (left, right) if isinstance(node, Group) for item in node.items if symbols(item)]
    if (
        not lines
        or len(moving) < 4
        or len(mine) != 1
        or len(theirs) != 1
        or mine == theirs
        or not mine | theirs <= _PARAMETERS
    ):
        return right
    return rename(right, {next(iter(theirs)): next(iter(mine))})


def kind(node: Node) -> str:
    """Which rules may apply to a value: a key of the table."""
    if is_congruence(node):
        return "congruence"
    if is_family(node):
        return "family"
    return "set" if definite_set(node) else _KIND_OF.get(type(node), "scalar")
