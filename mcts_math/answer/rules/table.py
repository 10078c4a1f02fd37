"""The rule for each pair of kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from mcts_math.answer.rules.collections import compare_collections, compare_sets
from mcts_math.answer.rules.compare import Decision
from mcts_math.answer.rules.families import same_family
from mcts_math.answer.rules.quantities import clocks_equal, quantities_equal, ratios_equal
from mcts_math.answer.rules.relations import compare_relations
from mcts_math.answer.rules.scalars import scalars_equal
from mcts_math.answer.rules.special import cases_equal, congruences_equal, families_equal
from mcts_math.answer.rules.texts import compare_texts
from mcts_math.answer.values.nodes import Node
from mcts_math.answer.verdict import Policy

Rule: TypeAlias = Callable[[Node, Node, Policy], Decision]


def _compare_scalars(left: Node, right: Node, policy: Policy) -> Decision:
    if scalars_equal(left, right, policy):
        return Decision(True, "values of the expressions")
    return Decision(same_family(left, right), "values of the expressions, for all constants of integration")


# The rule of each kind. Of two kinds the one further up knows what it may equal.
_RULE_OF: Final[dict[str, Rule]] = {
    "relation": compare_relations,
    "text": compare_texts,
    "cases": lambda left, right, policy: Decision(
        cases_equal(left, right, policy), "values and conditions of the cases"
    ),
    "congruence": lambda left, right, policy: Decision(congruences_equal(left, right, policy), "residues"),
    "family": lambda left, right, policy: Decision(families_equal(left, right, policy), "families over the integers"),
    "set": compare_sets,
    "collection": compare_collections,
    "time": lambda left, right, policy: Decision(clocks_equal(left, right), "times of day"),
    "ratio": lambda left, right, policy: Decision(ratios_equal(left, right, policy), "ratios"),
    "quantity": lambda left, right, policy: Decision(*quantities_equal(left, right, policy)),
    "scalar": _compare_scalars,
}
_KINDS: Final = tuple(_RULE_OF)
RULES: Final = {(a, b): _RULE_OF[min(a, b, key=_KINDS.index)] for a in _KINDS for b in _KINDS}
