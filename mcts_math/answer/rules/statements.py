"""Equations and conditions against each other, and against the value or set that they state."""

from __future__ import annotations

from mcts_math.answer.rules.collections import compare_assignments, compare_named_with_list, compare_sets
from mcts_math.answer.rules.compare import Decision, compare
from mcts_math.answer.rules.real_sets import real_set, sets_equal, variable
from mcts_math.answer.rules.relations import label_value, relations_equal
from mcts_math.answer.rules.texts import is_choice
from mcts_math.answer.values.nodes import Const, Group, Matrix, Node, Relation, Sym, Text
from mcts_math.answer.values.shapes import assignments, closed
from mcts_math.answer.verdict import Policy


def compare_relations(left: Node, right: Node, policy: Policy) -> Decision:
    if isinstance(left, Relation) and isinstance(right, Relation):
        sets = real_set(left), real_set(right)
        ordered = any(op not in ("=", "~") for op in left.ops + right.ops)
        if ordered and sets[0] is not None and sets[1] is not None:
            if {variable(left), variable(right)} > {variable(left)}:
                return Decision(False, "conditions on different variables")
            return Decision(sets_equal(sets[0], sets[1], policy), "solution sets of the conditions")
        return Decision(relations_equal(left, right, policy), "equations")
    relation, other = (left, right) if isinstance(left, Relation) else (right, left)
    assert isinstance(relation, Relation)
    if isinstance(other, (Sym, Const)) and is_choice(relation.items[0], Text(other.name), policy):
        return Decision(True, "the letter of the choice")
    if isinstance(other, (Group, Matrix)) and len(relation.ops) > 1 and (values := assignments(relation)) is not None:
        return compare_named_with_list(values, other, policy)
    if policy.equation_value:
        value = label_value(relation)
        if value is not None:
            if isinstance(relation.items[0], Group) and isinstance(value, Group) and isinstance(other, Group):
                tuples = value.left in ("(", "[")
                point = Group("(", ")", other.items) if closed(other) and tuples else other  # no interval
                return Decision(compare(value, point, policy).equal, "values of the variables in order")
            decision = compare(value, other, policy)
            return Decision(decision.equal, f"value of the equation: {decision.reason}")
        if relation.ops[0] not in ("=", "~"):
            return compare_sets(left, right, policy)
    named = assignments(other)
    mine = assignments(relation)
    if named is not None and mine is not None:
        return compare_assignments(mine, named, policy)
    return Decision(False, "an equation against something else")
