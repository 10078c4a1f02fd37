"""Lists, tuples, sets, intervals and matrices: how brackets, order and names count."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from itertools import chain, pairwise, repeat
from typing import Final

from mcts_math.answer.rules.compare import Decision, compare
from mcts_math.answer.rules.families import same_family, share_constants
from mcts_math.answer.rules.real_sets import cells, point_or_set, real_set, sets_equal
from mcts_math.answer.rules.scalars import scalars_equal
from mcts_math.answer.text.vocabulary import GREEK
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.nodes import Call, Const, Group, Matrix, Node, Relation, SetOp, Sym, Text
from mcts_math.answer.values.shapes import as_rows, assignments, closed, label_key, label_of, letters
from mcts_math.answer.verdict import Policy

_QUANTITIES: Final = frozenset("vumqpFRVIMQTPA")  # numbered where there are several things
MAX_UNORDERED: Final = 400
_TRUTH: Final = (Const("true"), Const("false"), Text("T"), Text("F"))


def compare_sets(left: Node, right: Node, policy: Policy) -> Decision:
    left, right = _as_set(left), _as_set(right)
    first, second = point_or_set(left), point_or_set(right)
    if first is not None and second is not None:
        if len(tree.symbols(left) | tree.symbols(right)) > 1:
            return Decision(False, "conditions on different variables")
        return Decision(sets_equal(first, second, policy), "sets of real numbers")
    if isinstance(left, SetOp) and isinstance(right, SetOp):
        if left.op != right.op:
            return Decision(False, "unions against other sets")
        mine, theirs = (assignments(Group("", "", node.items)) for node in (left, right))
        if mine is not None and theirs is not None and mine.keys() == theirs.keys():
            return compare_assignments(mine, theirs, policy)  # f(x) = 2x or g(x) = 3x
        in_order = _same_sequence if left.op == "minus" else same_items
        return Decision(in_order(left.items, right.items, policy), "parts of the union")
    if isinstance(left, Group) and isinstance(right, Group) and (left.left, left.right) == (right.left, right.right):
        return Decision(_same_sequence(left.items, right.items, policy), "ends of the interval")
    return Decision(False, "sets of different kinds")


def _as_set(node: Node) -> Node:
    """`(0,1), (2,3)`, against a set, as the union; `x > 2, x < 5` as what both hold for, or else either.

    A condition on `f(x)` alone is one on a value.
    """
    if isinstance(node, Relation):
        return tree.rebuild(node, _value_of)
    if not isinstance(node, Group) or node.left:
        return node
    if all(isinstance(item, Group) and _is_interval(item) for item in node.items):
        return SetOp("cup", node.items)
    both = SetOp("and", node.items)
    if not all(isinstance(item, Relation) for item in node.items):
        return node
    where = real_set(both)
    if where is None:
        return both if len(tree.symbols(both)) > 1 else node
    return both if any(where.holds(cell.sample) for cell in cells(where)) else SetOp("or", node.items)


def _value_of(node: Node) -> Node:
    named = isinstance(node, Call) and node.free and len(node.args) == 1 and isinstance(node.args[0], Sym)
    return Sym(node.name) if isinstance(node, Call) and named else node


def compare_collections(left: Node, right: Node, policy: Policy) -> Decision:
    named = assignments(left), assignments(right)
    if named[0] is not None and named[1] is not None:
        return compare_assignments(named[0], named[1], policy)
    if any(map(_has_solutions, (left, right))) and any(len(_stems(values or {})) > 1 for values in named):
        return Decision(False, "values of one variable against those of several")
    if named[0] is not None or named[1] is not None:
        values, other = (named[0], right) if named[0] is not None else (named[1], left)
        assert values is not None
        return compare_named_with_list(values, other, policy)
    if isinstance(left, Matrix) or isinstance(right, Matrix):
        return _compare_matrices(left, right, policy)
    if isinstance(left, Group) and (capitals := letters(right)):
        return compare_letters(capitals, left, policy)
    if isinstance(left, Group) and isinstance(right, Group):
        return _compare_groups(left, right, policy)
    return Decision(False, "a list against a single value")


def _stems(names: Iterable[str]) -> set[str]:
    """What the names are called but for the numbers of solutions: x_1 and x_2 are x, v_x and v_y (or v_1) are not."""
    parts = {name: name.partition("_") for name in names}
    return {stem if number.isdigit() and stem not in _QUANTITIES else name for name, (stem, _, number) in parts.items()}


def _has_solutions(node: Node) -> bool:
    """Whether `node` gives several values of one variable."""
    if not isinstance(node, Group) or not all(isinstance(item, Relation) for item in node.items):
        return False
    labels = [item.items[0] for item in node.items if isinstance(item, Relation)]
    return len(labels) > 1 == len({label_of(label) or label for label in labels})


def compare_letters(capitals: Sequence[Node], group: Group, policy: Policy) -> Decision:
    """`ACF` against `A, C, F`."""
    named = all(isinstance(item, (Sym, Const, Text)) for item in group.items)
    return Decision(named and same_items(capitals, group.items, policy), "a list of letters")


def compare_assignments(left: dict[str, Node], right: dict[str, Node], policy: Policy) -> Decision:
    same = left.keys() == right.keys() and _same_sequence([*left.values()], [right[name] for name in left], policy)
    return Decision(same, "values of the variables")


def compare_named_with_list(values: dict[str, Node], other: Node, policy: Policy) -> Decision:
    if isinstance(other, Group) and len(other.items) == len(values):  # red = 2, blue = 3 and 2 red, 3 blue
        counted = {label_key(str(item.unit)): item.value for item in other.items if isinstance(item, tree.Quantity)}
        if counted.keys() == values.keys():
            return compare_assignments(values, counted, policy)
        if len(counted) == len(values) and not any(
            isinstance(item, tree.Quantity) and item.unit.known for item in other.items
        ):
            return Decision(False, "numbers of different things")
    items = tuple(values[name] for name in _ordered(values))
    if not isinstance(other, (Group, Matrix)):
        return Decision(len(items) == 1 and compare(items[0], other, policy).equal, "value of the variable")
    if len(_stems(values)) == 1 and isinstance(other, Group) and other.left != "(":
        return Decision(same_items(items, other.items, policy), "solutions")
    parts = other.items if isinstance(other, Group) else tuple(cell for row in other.rows for cell in row)
    if isinstance(other, Group) and (other.left == "{" or any(isinstance(part, Relation) for part in parts)):
        return Decision(False, "values of different variables against a set, or equations of others")
    return Decision(_same_sequence(items, parts, policy), "values of the variables in their order")


def _ordered(names: Collection[str]) -> list[str]:
    """Letters that are neighbours in the alphabet by it (x, y; x_1, x_2), other names as written (m, b; min, max)."""
    written, alphabetical = list(names), sorted(names)
    steps = {ord(b[0]) - ord(a[0]) for a, b in pairwise(alphabetical)}
    parts = {part for name in names for part in name.split("_") if not part.isdigit()}
    return alphabetical if steps <= {0, 1} and all(len(part) == 1 for part in parts - GREEK) else written


def _compare_matrices(left: Node, right: Node, policy: Policy) -> Decision:
    first, second = as_rows(left), as_rows(right)
    if first is not None and second is not None:
        same = len(first) == len(second) and _same_sequence([*chain(*first)], [*chain(*second)], policy)
        return Decision(same, "entries of the matrices")
    matrix, other = (left, right) if isinstance(left, Matrix) else (right, left)
    assert isinstance(matrix, Matrix)
    if isinstance(other, Group) and closed(other) and 1 in (len(matrix.rows), len(matrix.rows[0])):
        cells = tuple(cell for row in matrix.rows for cell in row)
        return Decision(_same_sequence(cells, other.items, policy), "entries of the vectors")
    return Decision(False, "a matrix against something else")


def _same_sequence(left: Sequence[Node], right: Sequence[Node], policy: Policy) -> bool:
    shared = share_constants(left), share_constants(right)
    if (
        len(left) == len(right)
        and any(shared)
        and (all(shared) or not any(isinstance(item, Relation) for item in (*left, *right)))
    ):
        return all(map(scalars_equal, left, right, repeat(policy))) or same_family(left, right)
    return len(left) == len(right) and all(compare(a, b, policy).equal for a, b in zip(left, right, strict=True))


def same_items(left: Sequence[Node], right: Sequence[Node], policy: Policy) -> bool:
    """Whether the items match one to one, in any order."""
    if len(left) != len(right):
        return False
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


def _is_set(node: Node) -> bool:
    return isinstance(node, Group) and node.left == "{" and not any(isinstance(item, Relation) for item in node.items)


def _is_interval(node: Group) -> bool:
    """Whether two items between brackets could be the ends of an interval; letters may be any numbers."""
    return (
        len(node.items) == 2 and not node.array and (real_set(node) is not None or any(map(tree.symbols, node.items)))
    )


def _compare_groups(left: Group, right: Group, policy: Policy) -> Decision:
    brackets = frozenset({left.left, right.left})
    same, reason = _BY_BRACKETS.get(brackets, (None, ""))
    if brackets == {"", "("} and any(isinstance(item, Relation) for item in left.items + right.items):
        return Decision(False, "solutions against a tuple")
    if sum(map(_is_set, left.items)) != sum(map(_is_set, right.items)):
        return Decision(False, "sets against their elements")
    if same is None or (len(brackets) == 1 and left.right != right.right) or _against_interval(left, right):
        return Decision(False, "brackets of different kinds")
    if "" in brackets and tree.DOTS in left.items:
        same, reason = _same_sequence, "items in order"
    if brackets == {""} and (policy.list_order or all(item in _TRUTH for item in left.items)):
        same, reason = _same_sequence, "items in order"
    if brackets == {"["} and all(isinstance(item, Group) and item.left == "(" for item in left.items + right.items):
        same, reason = same_items, "tuples in any order"
    return Decision(same(left.items, right.items, policy), reason)


def _against_interval(left: Group, right: Group) -> bool:
    """Whether one of them may be an interval or a set that the other, with another bracket, is not."""
    brackets = {left.left, right.left}
    if brackets in ({"[", "{"}, {"[", ""}):
        square = left if left.left == "[" else right
        return _is_interval(square) and not square.spaced
    arrays = left.array or right.array
    return brackets == {"(", "["} and not arrays and (_is_interval(left) or _is_interval(right))


# How the items of two groups are compared, by their opening brackets.
_BY_BRACKETS: Final = {
    **dict.fromkeys(map(frozenset, ("{", ("", "{"), "[{")), (_same_set, "elements in any order")),
    **dict.fromkeys((frozenset({""}), frozenset({"", "["})), (same_items, "items in any order")),
    **dict.fromkeys(map(frozenset, ("(", "[", "([", ("", "("))), (_same_sequence, "items in order")),
}
