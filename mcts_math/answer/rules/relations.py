"""Equations and conditions: the value that a label carries, and when two equations say the same."""

from __future__ import annotations

from mcts_math.answer.rules.compare import compare
from mcts_math.answer.rules.families import same_curves
from mcts_math.answer.rules.scalars import scalars_equal
from mcts_math.answer.text.things import same_things
from mcts_math.answer.values.approximate import numbers
from mcts_math.answer.values.evaluate import UndefinedError, evaluate
from mcts_math.answer.values.lines import over_integers
from mcts_math.answer.values.nodes import (
    MINUS_ONE,
    Call,
    Const,
    Group,
    Node,
    Num,
    Power,
    Prod,
    Relation,
    Sum,
    Sym,
    Text,
    negate,
    rename,
    substitute,
    symbols,
)
from mcts_math.answer.values.points import NUM_POINTS, point
from mcts_math.answer.values.shapes import assignments
from mcts_math.answer.values.show import show
from mcts_math.answer.verdict import Policy

_ANGLES = frozenset({"x", "t", "z", "theta", "alpha", "phi"})
_COORDINATES = frozenset({"x", "y", "z", "t", "r", "theta"})


def label_value(relation: Relation) -> Node | None:
    """What the relation says its left side is: 5 in `x = 5`, S in `x in S`; None where it is a true equation.

    A chain `A = B ≈ C` is its exact part. Two equal numbers (`2 + 2 = 4`) are that number.
    """
    relation = _label_first(relation)
    first, op = relation.items[0], relation.ops[0]
    if op == "in":
        return relation.items[1]
    if op == "~":
        return first if not _is_label(first, relation.items[1]) else relation.items[1]
    if op != "=" or any(other not in ("=", "~") for other in relation.ops):
        return None
    if _is_label(first, relation.items[1]):
        return relation.items[1] if "~" in relation.ops[1:] else relation.items[-1]
    numbers = not symbols(first) and not symbols(relation.items[1]) and not isinstance(first, (Group, Text))
    return first if numbers and scalars_equal(first, relation.items[1], Policy(rounding=False)) else None


def _label_first(relation: Relation) -> Relation:
    """`5 = x` as `x = 5`, and the length `|AB|` as `AB`."""
    if relation.ops != ("=",):
        return relation
    left, right = map(_segment, relation.items)
    relation = Relation(relation.ops, (left, right))
    named = isinstance(right, Sym) or (isinstance(right, Call) and right.free)
    if named and _is_label(right, left) and not _is_label(left, right):
        return Relation(relation.ops, (right, left))
    return relation


def _segment(node: Node) -> Node:
    """The segment AB of its length `|AB|`; any other node as it is."""
    if isinstance(node, Call) and node.name == "abs" and isinstance(node.args[0], Prod):
        ends = node.args[0].items
        if len(ends) == 2 and all(isinstance(end, Sym) and end.name.isupper() for end in ends):
            return node.args[0]
    return node


def _is_label(left: Node, right: Node) -> bool:
    """Whether `left` only names what is on the right."""
    if isinstance(left, (Sym, Text)) or (isinstance(left, Call) and left.free):
        return not (isinstance(left, Sym) and left.name in symbols(right))
    if isinstance(left, Group):
        return all(isinstance(item, (Sym, Const)) for item in left.items)
    names = symbols(left)
    if not names or symbols(right):
        return False
    if isinstance(left, Call):
        return True
    if isinstance(left, Prod) and all(_is_name(item) for item in left.items) and not names & _COORDINATES:
        return True  # p/q = 3/7
    return not names & _COORDINATES and (isinstance(left, Sum) or all(name[0].isupper() for name in names))


def _is_name(node: Node) -> bool:
    return isinstance(node.base if isinstance(node, Power) and node.exponent == MINUS_ONE else node, Sym)


def relations_equal(left: Relation, right: Relation, policy: Policy) -> bool:
    """Whether two equations (or inequalities in several variables) say the same."""
    left, right = _label_first(left), _label_first(right)
    if len(left.ops) > 1 or len(right.ops) > 1:  # x = y = 1 and (x, y) = (1, 1)
        mine, theirs = assignments(left), assignments(right)
        if mine is not None and theirs is not None and mine.keys() == theirs.keys():
            return all(compare(mine[name], theirs[name], policy).equal for name in mine)
    first, second = label_value(left), label_value(right)
    if first is not None and second is not None:
        names = left.items[0], right.items[0]
        given = {"k": "k given"} if any("k" in str(name) for name in map(show, names)) else {}  # f(k), a_k
        first, second = rename(first, given), rename(second, given)
        if names[0] == names[1] and isinstance(names[0], Sym) and names[0].name in _ANGLES:
            first, second = over_integers(first, "kn"), over_integers(second, "kn")
        if isinstance(names[0], Text) and isinstance(names[1], Text) and _about_others(names[0], names[1], first):
            return False
        if names[0] == names[1] or isinstance(names[0], Text) or isinstance(names[1], Text):
            return compare(first, second, policy).equal
        if all(isinstance(name, Group) for name in names):
            return compare(first, second, policy).equal
        if _same_function_names(*names):
            return compare(first, _renamed(second, names[1], names[0]), policy).equal
        if all(isinstance(name, Call) and name.free for name in names):
            return False  # other functions, or other arguments: f and f', f(2) and f(3)
    if len(left.items) == len(right.items) == 2 and not any(
        isinstance(i, (Group, Text)) for i in left.items + right.items
    ):
        return _same_equation(left, right)
    return _same_chain(left, right, policy)


def _about_others(first: Text, second: Text, value: Node) -> bool:
    """Whether two statements are about different things: other choices, or other people who are the same."""
    if first.choice and second.choice:
        return first != second
    if isinstance(value, Text):
        return first.words.lower() != second.words.lower()
    return not same_things(first.words, second.words)


def _same_function_names(left: Node, right: Node) -> bool:
    """Whether two labels may name one function: f(x), g(t) and y, or their derivatives; P and P(A)."""
    if isinstance(left, Call) and isinstance(right, Sym):
        left, right = right, left
    if isinstance(left, Sym) and isinstance(right, Call) and left.name == right.name:
        return True
    if not _is_function_name(left) or not _is_function_name(right):
        return False
    if _differentiated(left) != _differentiated(right) and _differentiated(left) and _differentiated(right):
        return False  # dy/dx and dx/dy
    mine, theirs = _mark(left), _mark(right)
    return mine == theirs or {mine, theirs} == {"y", "^-1"} or {mine, theirs} == {"y", ""}


def _differentiated(name: Node) -> str:
    """The variable y of y' and dy/dx; empty for anything else, functions included."""
    while isinstance(name, Call) and name.name == "prime":
        name = name.args[0]
    return name.name if isinstance(name, Sym) and name.name not in "fghFGH" else ""


def _mark(name: Node) -> str:
    """What a function name has besides its letter: primes, or that it is an inverse."""
    if not isinstance(name, Call):
        return "y"
    if name.name == "prime":
        return "'" + _mark(name.args[0]).replace("y", "")
    return name.name[1:] if len(name.name) > 1 and name.name[1] in "'^" else ""


def _is_function_name(name: Node) -> bool:
    """f(x), or y: what a function may be called. f(2) is a number."""
    if isinstance(name, Call) and name.name == "prime":
        return _is_function_name(name.args[0]) or isinstance(name.args[0], Sym)
    if isinstance(name, Call):
        return name.free and all(isinstance(arg, Sym) and arg.name.islower() for arg in name.args)
    return name == Sym("y")


def _renamed(value: Node, name: Node, other: Node) -> Node:
    """g(t) = t + 1 is f(x) = x + 1."""
    if any(isinstance(label, Call) and label.name == "prime" for label in (name, other)):
        return value  # y' and f' do not say of what
    if isinstance(name, Call) and isinstance(other, Call) and len(name.args) == len(other.args) == 1:
        mine, theirs = name.args[0], other.args[0]
        if isinstance(mine, Sym) and isinstance(theirs, Sym) and mine != theirs:
            return rename(value, {mine.name: theirs.name})
    return value


_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!="}


def _same_chain(left: Relation, right: Relation, policy: Policy) -> bool:
    if left.ops[0] in (">", ">=") and right.ops[0] in ("<", "<="):
        right = Relation(tuple(_FLIPPED.get(op, op) for op in right.ops[::-1]), right.items[::-1])
    elif right.ops[0] in (">", ">=") and left.ops[0] in ("<", "<="):
        left = Relation(tuple(_FLIPPED.get(op, op) for op in left.ops[::-1]), left.items[::-1])
    if len(left.ops) == len(right.ops) > 1 and set(left.ops + right.ops) == {"="}:  # in any order
        free = list(right.items)
        for item in left.items:
            match = next((other for other in free if compare(item, other, policy).equal), None)
            if match is None:
                return False
            free.remove(match)
        return True
    return left.ops == right.ops and all(
        compare(a, b, policy).equal for a, b in zip(left.items, right.items, strict=True)
    )


def _same_equation(left: Relation, right: Relation) -> bool:
    """Whether the differences of both sides are proportional, by a constant that is positive for an inequality."""
    op = right.ops[0]
    first, second = _difference(left), _difference(right)
    if _FLIPPED.get(left.ops[0]) == op != left.ops[0]:
        second, op = negate(second), left.ops[0]
    if left.ops[0] != op or op not in _FLIPPED:
        return False
    if op in ("=", "!="):
        first, second = _cleared(first), _cleared(second)
    names = symbols(first) | symbols(second)
    if not names or symbols(first) != symbols(second):
        return False
    for index in range(NUM_POINTS):
        at: dict[str, Node] = {name: Num(value) for name, value in point(names, index).items()}
        mine, theirs = substitute(first, at), substitute(second, at)
        try:
            values = evaluate(mine, {}, numbers()), evaluate(theirs, {}, numbers())
            if all(values) and (op in ("=", "!=") or values[0] / values[1] > 0):
                if scalars_equal(Prod((first, theirs)), Prod((second, mine)), Policy(rounding=False)):
                    return True
                return op == "=" and same_curves(first, second)
            if all(values):
                return False
        except (UndefinedError, TypeError):
            continue
    return False


def _difference(relation: Relation) -> Node:
    return Sum((relation.items[0], negate(relation.items[1])))


def _cleared(difference: Node) -> Node:
    """A sum that is to be zero, multiplied by the denominators of its terms."""
    terms = difference.items if isinstance(difference, Sum) else (difference,)
    flat = [part for term in terms for part in (term.items if isinstance(term, Sum) else (term,))]
    below: list[Node] = []
    for term in flat:
        own = [_denominator(factor) for factor in (term.items if isinstance(term, Prod) else (term,))]
        for factor in own:
            if factor is not None and below.count(factor) < own.count(factor):
                below.append(factor)
    return Prod((difference, *below)) if below else difference


def _denominator(node: Node) -> Node | None:
    if not isinstance(node, Power) or not isinstance(node.exponent, Num) or not symbols(node.base):
        return None
    power = node.exponent.value
    return None if power >= 0 else node.base if power == -1 else Power(node.base, Num(-power))
