"""The rule for each pair of kinds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeAlias

from mcts_math.answer.rules.collections import compare_collections, compare_sets
from mcts_math.answer.rules.compare import Decision
from mcts_math.answer.rules.families import same_family
from mcts_math.answer.rules.quantities import clocks_equal, compare_quantities, ratios_equal
from mcts_math.answer.rules.relations import compare_relations
from mcts_math.answer.rules.scalars import scalars_equal
from mcts_math.answer.rules.special import cases_equal, congruences_equal, families_equal, spans_equal
from mcts_math.answer.rules.texts import compare_texts
from mcts_math.answer.values.nodes import Node
from mcts_math.answer.values.propositions import same_truth
from mcts_math.answer.verdict import Policy

Rule: TypeAlias = Callable[[Any, Node, Policy], Decision]


def _compare_scalars(left: Node, right: Node, policy: Policy) -> Decision:
    if scalars_equal(left, right, policy):
        return Decision(True, "values of the expressions")
    return Decision(same_family((left,), (right,)), "values of the expressions, for all constants of integration")


def _rule(equal: Callable[[Any, Node, Policy], bool], reason: str) -> Rule:
    return lambda own, other, policy: Decision(equal(own, other, policy), reason)


# The rule of each kind: it gets a value of its own kind first, then one of that kind or of a kind below.
RULES: Final[dict[str, Rule]] = {
    "relation": compare_relations,
    "text": compare_texts,
    "cases": _rule(cases_equal, "values and conditions of the cases"),
    "congruence": _rule(congruences_equal, "residues"),
    "span": _rule(spans_equal, "ranks of the vectors"),
    "family": _rule(families_equal, "families over the integers"),
    "proposition": _rule(lambda own, other, policy: same_truth(own, other), "truth tables"),
    "set": compare_sets,
    "collection": compare_collections,
    "time": _rule(clocks_equal, "times of day"),
    "ratio": _rule(ratios_equal, "ratios"),
    "quantity": compare_quantities,
    "scalar": _compare_scalars,
}
KINDS: Final = tuple(RULES)
