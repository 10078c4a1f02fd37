"""What Python, sympy and numpy print as `Name(…)`, built without running anything."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Final

from mcts_math.answer.parse.tokens import UnreadableError
from mcts_math.answer.text.vocabulary import meanings, names
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.nodes import Group, Node, Num

_RELATIONS: Final = meanings(
    "=: Eq Equality; !=: Ne Unequality; <: Lt StrictLessThan; <=: Le LessThan; >: Gt StrictGreaterThan; "
    ">=: Ge GreaterThan"
)
_SETS: Final = meanings("cup: Union; cap: Intersection; minus: Complement; and: And; or: Or")
_BOUND: Final = meanings("sum: Sum; prod: Product; int: Integral")
_OF_ITEMS: Final = meanings("(): Point Point2D Point3D Tuple; {}: FiniteSet EmptySet")
_OF_COLLECTION: Final = meanings("[]: list List; (): tuple; {}: set frozenset Set dict OrderedDict")
_MATRICES: Final = names("Matrix ImmutableDenseMatrix ImmutableMatrix MutableDenseMatrix SparseMatrix matrix")
_FIRST: Final = frozenset(  # what follows tells the precision or the generators
    names("Integer Float Decimal mpf int float float64 float32 float16 int64 int32 int16 int8 uint8 Symbol complex128 ")
    + names("str_ bool_ Poly PurePoly")
)
_ALONE: Final = frozenset(names("Rational Fraction mpq complex Union Intersection Complement And Or"))
_OPEN_SIDES: Final = ("Lopen", "Ropen")
_MAX_SIZE: Final = 50  # rows and columns of a matrix that is given by its size


def build(name: str, args: list[Node]) -> Node:
    """The value that `name(args)` prints.

    Raises:
        UnreadableError: the arguments are not those of such a print.
    """
    kind, _, ends = name.partition(".")
    node: Node | None = None
    if kind in _RELATIONS and len(args) == 2:
        node = tree.Relation((_RELATIONS[kind],), tuple(args))
    elif kind in _OF_ITEMS:
        node = _between(_OF_ITEMS[kind], tuple(args))
    elif kind in _OF_COLLECTION and len(args) < 2:
        node = _collection(_OF_COLLECTION[kind], args)
    elif kind in _SETS and len(args) > 1:
        node = tree.SetOp(_SETS[kind], tuple(args))
    elif kind in _BOUND and len(args) == 2:
        node = _bound(_BOUND[kind], *args)
    elif kind == "Interval" and len(args) in (2, 4):
        node = _interval(ends, args)
    elif args and (kind in _FIRST or (kind in _ALONE and len(args) == 1)):
        node = args[0]
    elif kind in _MAKERS and args:
        node = _MAKERS[kind](args)
    if node is None:
        raise UnreadableError(f"{name} with such arguments")
    return node


def _quotient(args: list[Node]) -> Node | None:
    if len(args) != 2:
        return None
    above, below = args
    if isinstance(above, Num) and isinstance(below, Num) and below.value:
        return Num(above.value / below.value)
    return tree.Prod((above, tree.Power(below, tree.MINUS_ONE)))


def _complex(args: list[Node]) -> Node | None:
    return tree.Sum((args[0], tree.Prod((args[1], tree.IMAGINARY)))) if len(args) == 2 else None


def _bound(kind: str, body: Node, limits: Node) -> Node | None:
    match limits:
        case Group(items=(tree.Sym(name), low, high)):
            return tree.Bound(kind, body, name, low, high)
    return None


def _limit(args: list[Node]) -> Node | None:
    if len(args) < 3 or not isinstance(args[1], tree.Sym):
        return None
    return tree.Bound("lim", args[0], args[1].name, args[2], args[2])


def _sizes(args: list[Node], low: int, high: int) -> list[int]:
    sizes = [int(arg.value) for arg in args if isinstance(arg, Num) and arg.value.denominator == 1]
    if len(sizes) != len(args) or not all(low <= size <= high for size in sizes):
        raise UnreadableError("sizes or ends that are not such integers")
    return sizes


def _range(args: list[Node]) -> Node | None:
    """The integers of Python's and sympy's ranges, as a set."""
    ends = _sizes(args, -(10**9), 10**9)
    if len(ends) > 3 or 0 in ends[2:] or len(range(*ends)) > 1000:
        return None
    return Group("{", "}", tuple(Num(Fraction(number)) for number in range(*ends)))


def _polynomial(args: list[Node]) -> Node | None:
    """numpy's `poly1d([a, b, c])`: a x^2 + b x + c."""
    if not isinstance(args[0], Group):
        return None
    x, falling = tree.Sym("x"), reversed(range(len(args[0].items)))
    powers = (tree.Power(x, Num(Fraction(power))) for power in falling)
    return tree.Sum(tuple(tree.Prod(term) for term in zip(args[0].items, powers, strict=True)))


def _piecewise(args: list[Node]) -> Node | None:
    rows: list[tuple[Node, Node | None]] = []
    for arg in args:
        if not isinstance(arg, Group) or len(arg.items) != 2:
            return None
        value, condition = arg.items
        rows.append((value, None if condition == tree.Const("true") else condition))
    return tree.Cases(tuple(rows))


def _function(args: list[Node]) -> Node | None:
    """The `Lambda(n, 2*n)` of a family over the integers."""
    if len(args) != 2 or not isinstance(args[0], tree.Sym):
        return None
    return tree.Bound("family", args[1], args[0].name, tree.ZERO, tree.ZERO)


def _image(args: list[Node]) -> Node | None:
    """`ImageSet(Lambda(n, 2*n), Integers)`: a family over the integers."""
    return args[0] if len(args) == 2 and isinstance(args[0], tree.Bound) else None


def _interval(ends: str, args: list[Node]) -> Node:
    left, right = [arg == tree.Const("true") for arg in args[2:]] or [ends in ("open", side) for side in _OPEN_SIDES]
    left |= args[0] == tree.negate(tree.INFINITY)
    right |= args[1] == tree.INFINITY
    return Group("(" if left else "[", ")" if right else "]", (args[0], args[1]))


def _collection(brackets: str, args: list[Node]) -> Node | None:
    if not args:
        return tree.EMPTY_SET
    return _between(brackets, args[0].items) if isinstance(args[0], Group) else None


def _between(brackets: str, items: tuple[Node, ...]) -> Group:
    return Group(brackets[0], brackets[1], items)


def _array(args: list[Node]) -> Node:
    rows = args[0]
    flat = isinstance(rows, Group) and not any(isinstance(item, Group) for item in rows.items)
    return Group("[", "]", rows.items, array=True) if isinstance(rows, Group) and flat else rows


def _diagonal(args: list[Node]) -> Node | None:
    size = range(len(args))
    return tree.Matrix(tuple(tuple(args[i] if i == j else tree.ZERO for j in size) for i in size))


def _filled(first: Node, others: Node) -> Callable[[list[Node]], Node | None]:
    """The maker of `eye(2)`, `zeros(2, 3)`, `ones(2)`: one value on the diagonal, another elsewhere."""

    def maker(args: list[Node]) -> Node | None:
        rows, *columns = _sizes(args, 1, _MAX_SIZE)
        cells = range((columns or [rows])[0])
        return tree.Matrix(tuple(tuple(first if i == j else others for j in cells) for i in range(rows)))

    return maker


def _matrix(args: list[Node]) -> Node | None:
    content = args[-1]
    if not isinstance(content, Group) or not content.items or len(args) not in (1, 3):
        return None
    if len(args) == 3:
        height, width = _sizes(args[:2], 1, 10**6)
        cells = content.items
        rows = [cells[i : i + width] for i in range(0, len(cells), width)] if height * width == len(cells) else []
    else:
        rows = [row.items if isinstance(row, Group) else (row,) for row in content.items]
    return tree.Matrix(tuple(rows)) if rows and all(len(row) == len(rows[0]) for row in rows) else None


_MAKERS: Final[dict[str, Callable[[list[Node]], Node | None]]] = {
    **dict.fromkeys(names("Rational Fraction mpq"), _quotient),
    **dict.fromkeys(names("complex mpc"), _complex),
    **dict.fromkeys(names("Range range"), _range),
    **dict.fromkeys(_MATRICES, _matrix),
    "Add": lambda args: tree.Sum(tuple(args)),
    "Mul": lambda args: tree.Prod(tuple(args)),
    "Pow": lambda args: tree.Power(args[0], args[1]) if len(args) == 2 else None,
    "poly1d": _polynomial,
    "Limit": _limit,
    "Piecewise": _piecewise,
    "Lambda": _function,
    "ImageSet": _image,
    "array": _array,
    "diag": lambda args: _diagonal(args) if len(args) <= _MAX_SIZE else None,
    "zeros": _filled(tree.ZERO, tree.ZERO),
    "ones": _filled(tree.ONE, tree.ONE),
    "eye": _filled(tree.ONE, tree.ZERO),
}
