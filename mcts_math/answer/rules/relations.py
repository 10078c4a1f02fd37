"""Equations and conditions: against each other, and against the value or set that they state."""

from __future__ import annotations

import itertools
from typing import Final

from mcts_math.answer.rules.collections import compare_assignments, compare_named_with_list, compare_sets, same_items
from mcts_math.answer.rules.compare import Decision, compare
from mcts_math.answer.rules.families import same_curves, same_shifted, same_unknowns
from mcts_math.answer.rules.labels import label_first, label_value, of_same_variable, same_label
from mcts_math.answer.rules.quantities import texts_equal
from mcts_math.answer.rules.real_sets import FLIPPED, real_set, sets_equal, variable
from mcts_math.answer.rules.scalars import EXACTLY, scalars_equal, with_constant_of
from mcts_math.answer.text.vocabulary import ANGLES
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.approximate import numbers
from mcts_math.answer.values.evaluate import UndefinedError, evaluate
from mcts_math.answer.values.nodes import Group, Node, Num, Power, Prod, Relation, Sum, Sym, Text, negate, symbols
from mcts_math.answer.values.points import NUM_POINTS, point
from mcts_math.answer.values.shapes import assignments, closed, is_congruence, is_family, over_integers
from mcts_math.answer.verdict import Policy

_MAX_SIDES: Final = 8
_NOTHING: Final = 1e-24  # what two sides that are equal differ by in thirty digits


def compare_relations(relation: Relation, other: Node, policy: Policy) -> Decision:
    """An equation or condition against another one, or against what it may state."""
    if isinstance(other, Relation):
        for option, said in ((relation, other), (other, relation)):
            if _is_option(option) and not _is_option(said):  # (B) x > 5
                return compare(option.items[1], said, policy)
        return _compare_both(relation, other, policy)
    letter = Text(other.name) if isinstance(other, (Sym, tree.Const)) else other
    label = relation.items[0]
    if isinstance(letter, Text) and isinstance(label, Text) and label.choice and texts_equal(label, letter, policy):
        return Decision(True, "the letter of the choice")  # (B) 12
    mine, named = assignments(relation), assignments(other)
    if named is not None and mine is not None and len(mine) > 1 and named.keys() == mine.keys():
        return compare_assignments(mine, named, policy)
    if isinstance(other, (Group, tree.Matrix)) and len(relation.ops) > 1 and mine is not None:
        return compare_named_with_list(mine, other, policy)
    value = label_value(relation) if policy.equation_value else None
    if value is not None:
        if is_congruence(other) and isinstance(relation.items[0], Sym) and isinstance(value, Num):
            return Decision(False, "a number against all with its residue")
        if is_family(value) and isinstance(other, Group) and not other.left:
            other = Group("", "", tuple(_value_of(item, label) for item in other.items))
        point = isinstance(relation.items[0], Group) and isinstance(value, Group) and value.left in ("(", "[")
        if point and isinstance(other, Group) and closed(other):
            other = Group("(", ")", other.items)  # no interval
        decision = compare(value, other, policy)
        return Decision(decision.equal, f"value of the equation: {decision.reason}")
    if policy.equation_value and relation.ops[0] not in ("=", "~"):
        return compare_sets(relation, other, policy)
    if policy.equation_value and _holds_always(relation):
        return Decision(compare(relation.items[-1], other, policy).equal, "what a chain of equal values ends with")
    return Decision(False, "an equation against something else")


def _value_of(item: Node, label: Node) -> Node:
    """What an item of a list says the value of `label` is: `x = 2k pi, pi + 2k pi` are values of x."""
    named = isinstance(item, Relation) and item.ops == ("=",) and item.items[0] == label
    return item.items[1] if isinstance(item, Relation) and named else item


def _is_option(relation: Relation) -> bool:
    label = relation.items[0]
    return isinstance(label, Text) and label.choice


def _holds_always(relation: Relation) -> bool:
    """Whether all sides of an equation are one value, so that it says no more than that: `2x + 3x = 5x`."""
    if set(relation.ops) != {"="} or len(relation.items) > _MAX_SIDES:
        return False
    return all(compare(a, b, EXACTLY).equal for a, b in itertools.pairwise(relation.items))


def _compare_both(left: Relation, right: Relation, policy: Policy) -> Decision:
    sets = real_set(left), real_set(right)
    if any(op not in ("=", "~") for op in left.ops + right.ops) and sets[0] is not None and sets[1] is not None:
        if variable(left, right) is None:
            return Decision(False, "conditions on different variables")
        return Decision(sets_equal(sets[0], sets[1], policy), "solution sets of the conditions")
    return Decision(_relations_equal(label_first(left), label_first(right), policy), "equations")


def _relations_equal(left: Relation, right: Relation, policy: Policy) -> bool:
    """Whether two equations (or inequalities in several variables) say the same."""
    mine, theirs = assignments(left), assignments(right)
    if (
        (len(left.ops + right.ops) > 2 or isinstance(left.items[0], Group))
        and mine is not None
        and theirs is not None
        and mine.keys() == theirs.keys()
    ):
        return compare_assignments(mine, theirs, policy).equal  # x = y = 1 and (x, y) = (1, 1)
    first, second = label_value(left), label_value(right)
    if first is not None and second is not None:
        names = left.items[0], right.items[0]
        if is_congruence(first) != is_congruence(second) and Num in map(type, (first, second)):
            return False  # a number against all with its residue
        told = second if isinstance(second, Text) else first
        if (named := same_label(*names, told)) is not None:
            return named and _values_equal(names, first, second, policy)
    if len(left.ops) == len(right.ops) == 1 and not any(isinstance(i, (Group, Text)) for i in left.items + right.items):
        return _same_equation(left, right)
    return _same_chain(left, right, policy)


def _values_equal(names: tuple[Node, Node], first: Node, second: Node, policy: Policy) -> bool:
    """Whether the values of two labels that may name one thing are equal."""
    second = of_same_variable(second, names[1], names[0])
    if any("k" in symbol for name in names for symbol in symbols(name)):
        first, second = tree.rename(first, {"k": "k given"}), tree.rename(second, {"k": "k given"})  # f(k), a_k
    if names[0] == names[1] and isinstance(names[0], Sym) and names[0].name in ANGLES:
        first, second = over_integers(first, "kn"), over_integers(second, "kn")
    of_functions = all(isinstance(name, tree.Call) and name.free and symbols(name) for name in names)
    same = compare(first, second, policy).equal or same_shifted(first, second)
    return same or (of_functions and same_unknowns(first, second))


def _same_chain(left: Relation, right: Relation, policy: Policy) -> bool:
    if {left.ops[0][0], right.ops[0][0]} == {"<", ">"}:
        right = Relation(tuple(FLIPPED.get(op, op) for op in right.ops[::-1]), right.items[::-1])
    if len(left.ops) == len(right.ops) > 1 and set(left.ops + right.ops) == {"="}:
        return same_items(left.items, right.items, policy)
    return left.ops == right.ops and all(
        compare(a, b, policy).equal for a, b in zip(left.items, right.items, strict=True)
    )


def _same_equation(left: Relation, right: Relation) -> bool:
    """Whether the differences of both sides are proportional, by a constant that is positive for an inequality."""
    op, other = left.ops[0], right.ops[0]
    differences: list[Node] = [Sum((side.items[0], negate(side.items[1]))) for side in (left, right)]
    first, second = differences
    if FLIPPED.get(op) == other != op:
        second, other = negate(second), op
    if op != other or op not in FLIPPED:
        return False
    if op in ("=", "!=") and left.items == right.items[::-1]:
        return True
    equation = op in ("=", "!=")
    if equation:
        first, second = _cleared(first), _cleared(second)
    if op == "=":
        second = with_constant_of(first, second)
    names = symbols(first)
    if not names or names != symbols(second):
        return False
    holds_always = False
    for index in range(NUM_POINTS):
        at: dict[str, Node] = {name: Num(value) for name, value in point(names, index).items()}
        mine, theirs = tree.substitute(first, at), tree.substitute(second, at)
        try:
            values = evaluate(mine, {}, numbers()), evaluate(theirs, {}, numbers())
        except UndefinedError:
            continue
        vanish = [abs(value) < _NOTHING for value in values]
        holds_always = all(vanish)
        if any(vanish) and not holds_always:
            return False
        if not holds_always:
            if not equation and not (values[0] / values[1]).real > 0:
                return False
            if scalars_equal(Prod((first, theirs)), Prod((second, mine)), EXACTLY):
                return first == second or not scalars_equal(first, mine, EXACTLY)  # x = x + 1 never holds
            return op == "=" and same_curves(first, second)
    return holds_always


def _cleared(difference: Node) -> Node:
    """A sum that is to be zero, multiplied by the denominators of its terms."""
    flat = [part for term in _terms(difference) for part in _terms(term)]
    below: list[Node] = []
    for term in flat:
        own = [_denominator(factor) for factor in (term.items if isinstance(term, Prod) else (term,))]
        for factor in own:
            if factor is not None and below.count(factor) < own.count(factor):
                below.append(factor)
    return Prod((difference, *below)) if below else difference


def _terms(node: Node) -> tuple[Node, ...]:
    return node.items if isinstance(node, Sum) else (node,)


def _denominator(node: Node) -> Node | None:
    if not isinstance(node, Power) or not isinstance(node.exponent, Num) or not symbols(node.base):
        return None
    power = node.exponent.value
    return None if power >= 0 else node.base if power == -1 else Power(node.base, Num(-power))
