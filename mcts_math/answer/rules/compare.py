"""Whether two values are equal: which kinds may be compared, and how brackets, order and units count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from mcts_math.answer.rules.families import same_family
from mcts_math.answer.rules.quantities import clocks_equal, is_letters, quantities_equal, ratios_equal, texts_equal
from mcts_math.answer.rules.real_sets import point_or_set, real_set, sets_equal, variable
from mcts_math.answer.rules.relations import label_value, relations_equal
from mcts_math.answer.rules.scalars import scalars_equal
from mcts_math.answer.rules.special import cases_equal, congruences_equal, families_equal, is_congruence, is_family
from mcts_math.answer.text.units import is_known
from mcts_math.answer.values.lines import over_integers
from mcts_math.answer.values.nodes import (
    Cases,
    Const,
    Group,
    Matrix,
    Node,
    Prod,
    Quantity,
    Ratio,
    Relation,
    SetOp,
    Sym,
    Text,
    Time,
)
from mcts_math.answer.values.shapes import (
    as_rows,
    assignments,
    by_unit,
    closed,
    definite_set,
    is_letter,
    letters,
    unwrap,
)
from mcts_math.answer.verdict import Policy

MAX_UNORDERED: Final = 400


class Decision(NamedTuple):
    """Whether two values are equal, and the rule that says so."""

    equal: bool
    reason: str


def compare(left: Node, right: Node, policy: Policy) -> Decision:
    """Compares two values. Symmetric in its first two arguments."""
    left, right = over_integers(unwrap(left), "k"), over_integers(unwrap(right), "k")
    if left == right:
        return Decision(True, "read as the same value")
    return _RULES[_kind(left), _kind(right)](left, right, policy)


def _kind(node: Node) -> str:
    """Which rules may apply to a value: one of `_KINDS`."""
    if is_congruence(node):
        return "congruence"
    if is_family(node):
        return "family"
    if definite_set(node):
        return "set"
    return _KIND_OF.get(type(node), "scalar")


def _same(left: Node, right: Node, policy: Policy) -> bool:
    return compare(left, right, policy).equal


def _compare_cases(left: Node, right: Node, policy: Policy) -> Decision:
    return Decision(cases_equal(left, right, policy, _same), "values and conditions of the cases")


def _compare_congruences(left: Node, right: Node, policy: Policy) -> Decision:
    return Decision(congruences_equal(left, right, policy), "residues")


def _compare_families(left: Node, right: Node, policy: Policy) -> Decision:
    return Decision(families_equal(left, right, policy, _same), "families over the integers")


def _compare_times(left: Node, right: Node, policy: Policy) -> Decision:
    return Decision(clocks_equal(left, right), "times of day")


def _compare_ratios(left: Node, right: Node, policy: Policy) -> Decision:
    return Decision(ratios_equal(left, right, policy), "ratios")


def _compare_quantities(left: Node, right: Node, policy: Policy) -> Decision:
    return Decision(*quantities_equal(left, right, policy))


def _compare_scalars(left: Node, right: Node, policy: Policy) -> Decision:
    if scalars_equal(left, right, policy):
        return Decision(True, "values of the expressions")
    return Decision(same_family(left, right), "values of the expressions, for all constants of integration")


def _compare_text(left: Node, right: Node, policy: Policy) -> Decision:
    if isinstance(left, Text) and isinstance(right, Text):
        return Decision(texts_equal(left, right, policy), "words")
    text, other = (left, right) if isinstance(left, Text) else (right, left)
    assert isinstance(text, Text)
    if isinstance(other, Prod) and all(isinstance(item, Sym) for item in other.items):
        name = "".join(item.name for item in other.items if isinstance(item, Sym))
        return Decision(texts_equal(text, Text(name), policy), "letters")
    if isinstance(other, (Sym, Const)):
        return Decision(texts_equal(text, Text(other.name), policy), "a letter or word")
    if isinstance(other, Relation) and _is_choice(other.items[0], text, policy):
        return Decision(True, "the letter of the choice")
    if isinstance(other, Relation) and policy.equation_value:
        value = label_value(other)
        if value is not None:
            return compare(text, value, policy)
    if isinstance(other, Group) and is_letters(text):
        capitals = letters(text.words)
        if all(isinstance(item, (Sym, Const, Text)) for item in other.items) and len(capitals) > 1:
            return Decision(_same_items(capitals, other.items, policy), "a list of letters")
    return Decision(False, "words against something else")


def _is_choice(node: Node, letter: Text, policy: Policy) -> bool:
    """Whether `node` is the choice `letter`, as in `(B) 12`."""
    return isinstance(node, Text) and node.choice and texts_equal(node, letter, policy)


def _compare_relations(left: Node, right: Node, policy: Policy) -> Decision:
    if isinstance(left, Relation) and isinstance(right, Relation):
        sets = real_set(left), real_set(right)
        ordered = any(op not in ("=", "~") for op in left.ops + right.ops)
        if ordered and sets[0] is not None and sets[1] is not None:
            if {variable(left), variable(right)} > {variable(left)}:
                return Decision(False, "conditions on different variables")
            return Decision(sets_equal(sets[0], sets[1], policy), "solution sets of the conditions")
        return Decision(relations_equal(left, right, policy, compare), "equations")
    relation, other = (left, right) if isinstance(left, Relation) else (right, left)
    assert isinstance(relation, Relation)
    if isinstance(other, (Sym, Const)) and _is_choice(relation.items[0], Text(other.name), policy):
        return Decision(True, "the letter of the choice")
    if isinstance(other, (Group, Matrix)) and len(relation.ops) > 1 and (values := assignments(relation)) is not None:
        return _compare_named_with_list(values, other, policy)
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
            return _compare_sets(left, right, policy)
    named = assignments(other)
    mine = assignments(relation)
    if named is not None and mine is not None:
        return _compare_assignments(mine, named, policy)
    return Decision(False, "an equation against something else")


def _compare_sets(left: Node, right: Node, policy: Policy) -> Decision:
    first, second = point_or_set(left), point_or_set(right)
    if first is not None and second is not None:
        return Decision(sets_equal(first, second, policy), "sets of real numbers")
    if isinstance(left, SetOp) and isinstance(right, SetOp):
        same = left.op == right.op and _same_items(left.items, right.items, policy)
        return Decision(same, "parts of the union")
    if isinstance(left, Group) and isinstance(right, Group) and (left.left, left.right) == (right.left, right.right):
        return Decision(_same_sequence(left.items, right.items, policy), "ends of the interval")
    return Decision(False, "sets of different kinds")


def _compare_collections(left: Node, right: Node, policy: Policy) -> Decision:
    named = assignments(left), assignments(right)
    if named[0] is not None and named[1] is not None:
        return _compare_assignments(named[0], named[1], policy)
    if named[0] is not None or named[1] is not None:
        values, other = (named[0], right) if named[0] is not None else (named[1], left)
        assert values is not None
        return _compare_named_with_list(values, other, policy)
    if isinstance(left, Matrix) or isinstance(right, Matrix):
        return _compare_matrices(left, right, policy)
    for group, other in ((left, right), (right, left)):
        if isinstance(group, Group) and isinstance(other, Prod) and all(map(is_letter, group.items)):
            name = "".join(item.name for item in other.items if isinstance(item, Sym))
            if len(name) == len(other.items) and is_letters(Text(name)):
                return Decision(_same_items(group.items, letters(name), policy), "a list of letters")
    if isinstance(left, Group) and isinstance(right, Group):
        return _compare_groups(left, right, policy)
    return Decision(False, "a list against a single value")


def _compare_assignments(left: dict[str, Node], right: dict[str, Node], policy: Policy) -> Decision:
    same = left.keys() == right.keys() and all(compare(left[name], right[name], policy).equal for name in left)
    return Decision(same, "values of the variables")


def _compare_named_with_list(values: dict[str, Node], other: Node, policy: Policy) -> Decision:
    if isinstance(other, Group) and len(other.items) == len(values):  # red = 2, blue = 3 and 2 red, 3 blue
        counted = by_unit(other.items)
        if counted.keys() == values.keys():
            return _compare_assignments(values, {name: _bare(counted[name]) for name in counted}, policy)
        if len(counted) == len(values) and not any(is_known(unit) for unit in counted):
            return Decision(False, "numbers of different things")
    items = tuple(values[name] for name in sorted(values))
    if not isinstance(other, (Group, Matrix)):
        return Decision(len(items) == 1 and compare(items[0], other, policy).equal, "value of the variable")
    stems = {name.partition("_")[0] for name in values}
    if len(stems) == 1 and isinstance(other, Group) and other.left != "(":
        return Decision(_same_items(items, other.items, policy), "solutions")
    parts = other.items if isinstance(other, Group) else tuple(cell for row in other.rows for cell in row)
    if isinstance(other, Group) and other.left == "{":
        return Decision(False, "values of different variables against a set")
    return Decision(_same_sequence(items, parts, policy), "values of the variables in alphabetical order")


def _bare(node: Node) -> Node:
    return node.value if isinstance(node, Quantity) else node


def _compare_matrices(left: Node, right: Node, policy: Policy) -> Decision:
    first, second = as_rows(left), as_rows(right)
    if first is not None and second is not None:
        same = len(first) == len(second) and all(
            _same_sequence(a, b, policy) for a, b in zip(first, second, strict=True)
        )
        return Decision(same, "entries of the matrices")
    matrix, other = (left, right) if isinstance(left, Matrix) else (right, left)
    assert isinstance(matrix, Matrix)
    if (
        isinstance(other, Group)
        and other.left in ("(", "[")
        and closed(other)
        and 1 in (len(matrix.rows), len(matrix.rows[0]))
    ):
        cells = tuple(cell for row in matrix.rows for cell in row)
        return Decision(_same_sequence(cells, other.items, policy), "entries of the vectors")
    return Decision(False, "a matrix against something else")


def _ascending(node: Group) -> bool:
    """Whether two items could be the ends of an interval."""
    return len(node.items) == 2 and not node.array and real_set(node) is not None


def _compare_groups(left: Group, right: Group, policy: Policy) -> Decision:
    kinds = {left.left, right.left}
    if left.left == right.left:
        if left.left == "{":
            return Decision(_same_set(left.items, right.items, policy), "elements of the sets")
        if left.left == "" and not policy.list_order:
            return Decision(_same_items(left.items, right.items, policy), "items in any order")
        if left.left == "[" and all(isinstance(i, Group) and i.left == "(" for i in left.items + right.items):
            return Decision(_same_items(left.items, right.items, policy), "tuples in any order")
        same = left.right == right.right and _same_sequence(left.items, right.items, policy)
        return Decision(same, "items in order")
    if kinds == {"", "{"}:
        return Decision(_same_set(left.items, right.items, policy), "elements in any order")
    if kinds == {"", "["}:
        return Decision(_same_items(left.items, right.items, policy), "items in any order")
    if kinds == {"", "("}:
        return Decision(_same_sequence(left.items, right.items, policy), "items in order")
    square = left if left.left == "[" else right
    if kinds == {"[", "{"}:
        if _ascending(square) and not square.spaced:
            return Decision(False, "an interval against a set")
        return Decision(_same_set(left.items, right.items, policy), "elements in any order")
    if kinds == {"(", "["}:
        if not (left.array or right.array) and (_ascending(left) or _ascending(right)):
            return Decision(False, "brackets of different kinds")
        return Decision(_same_sequence(left.items, right.items, policy), "items in order")
    return Decision(False, "brackets of different kinds")


def _same_sequence(left: Sequence[Node], right: Sequence[Node], policy: Policy) -> bool:
    return len(left) == len(right) and all(compare(a, b, policy).equal for a, b in zip(left, right, strict=True))


def _same_items(left: Sequence[Node], right: Sequence[Node], policy: Policy) -> bool:
    """Whether the items match one to one, in any order; things of several kinds kind by kind."""
    if len(left) != len(right):
        return False
    mine, theirs = by_unit(left), by_unit(right)
    if len(mine) == len(left) > 1 and mine.keys() == theirs.keys():
        return all(compare(mine[unit], theirs[unit], policy).equal for unit in mine)
    if len(left) > MAX_UNORDERED:
        return sorted(map(repr, left)) == sorted(map(repr, right)) or _same_sequence(left, right, policy)
    free = list(right)
    for item in left:
        for index, other in enumerate(free):
            if compare(item, other, policy).equal:
                del free[index]
                break
        else:
            return False
    return True


def _same_set(left: Sequence[Node], right: Sequence[Node], policy: Policy) -> bool:
    """Whether every item of each is in the other."""
    if max(len(left), len(right)) > MAX_UNORDERED:
        return set(left) == set(right)

    def within(items: Sequence[Node], others: Sequence[Node]) -> bool:
        return all(any(compare(item, other, policy).equal for other in others) for item in items)

    return within(left, right) and within(right, left)


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
# The rule of each kind. Of two kinds the one further up knows what it may equal.
_KINDS: Final[dict[str, Callable[[Node, Node, Policy], Decision]]] = {
    "text": _compare_text,
    "relation": _compare_relations,
    "cases": _compare_cases,
    "congruence": _compare_congruences,
    "family": _compare_families,
    "set": _compare_sets,
    "collection": _compare_collections,
    "time": _compare_times,
    "ratio": _compare_ratios,
    "quantity": _compare_quantities,
    "scalar": _compare_scalars,
}
_RULES: Final = {(a, b): _KINDS[min((a, b), key=list(_KINDS).index)] for a in _KINDS for b in _KINDS}
