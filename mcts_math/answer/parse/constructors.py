"""What Python, sympy and numpy print as `Name(…)`, built without running anything."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Final

from mcts_math.answer.parse.tokens import UnreadableError
from mcts_math.answer.text.vocabulary import meanings, names
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.nodes import MINUS_ONE, ONE, ZERO, Bound, Group, Node, Num, Power, Prod, Sum, Sym

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
_FILLED: Final = {"zeros": (ZERO, ZERO), "ones": (ONE, ONE), "eye": (ONE, ZERO)}
_TRUE: Final = tree.Const("true")
_MAX_SIZE: Final = 50  # rows and columns of a matrix that is given by its size


def build(name: str, args: list[Node]) -> Node:
    """The value that `name(args)` prints.

    Raises:
        UnreadableError: the arguments are not those of such a print.
    """
    kind, _, ends = name.replace("tensor", "array").partition(".")
    node: Node | None = None
    if kind in _FIRST | _ALONE and args and (len(args) == 1 or kind in _FIRST):
        node = args[0]
    elif kind in _OF_ITEMS:
        node = Group(_OF_ITEMS[kind][0], _OF_ITEMS[kind][1], tuple(args))
    elif kind in _OF_COLLECTION and len(args) < 2:
        node = _collection(_OF_COLLECTION[kind], args)
    elif kind in _SETS and args:
        node = tree.SetOp(_SETS[kind], tuple(args))
    elif kind == "Interval" and len(args) in (2, 4):
        node = _interval(ends, args)
    elif args:
        node = _formula(kind, args) or _matrix(kind, args)
    if node is None:
        raise UnreadableError(f"{name} with such arguments")
    return node


def _formula(kind: str, args: list[Node]) -> Node | None:
    """Numbers, relations, polynomials, functions and what binds a variable."""
    match kind, args:
        case "Rational" | "Fraction" | "mpq", [Num(above), Num(below)] if below:
            return Num(above / below)
        case "Rational" | "Fraction" | "mpq", [first, second]:
            return Prod((first, Power(second, MINUS_ONE)))
        case "complex" | "mpc", [real, imaginary]:
            return Sum((real, Prod((imaginary, tree.IMAGINARY))))
        case "Add", _:
            return Sum(tuple(args))
        case "Mul", _:
            return Prod(tuple(args))
        case "Pow", [base, exponent]:
            return Power(base, exponent)
        case "poly1d", [Group(items=items)]:  # coefficients, the highest first
            falling = (Power(Sym("x"), Num(Fraction(power))) for power in reversed(range(len(items))))
            return Sum(tuple(map(Prod, zip(items, falling, strict=True))))
        case "Limit", [body, Sym(name), at, *_]:
            return Bound("lim", body, name, at, at)
        case "Lambda", [Sym(name), body]:  # of a family over the integers
            return Bound("family", body, name, ZERO, ZERO)
        case "ImageSet", [Bound() as image, _]:
            return image
        case "Piecewise", _ if all(isinstance(arg, Group) and len(arg.items) == 2 for arg in args):
            rows = (arg.items for arg in args if isinstance(arg, Group))
            return tree.Cases(tuple((value, None if condition == _TRUE else condition) for value, condition in rows))
        case _, [body, Group(items=(Sym(name), low, high))] if kind in _BOUND:
            return Bound(_BOUND[kind], body, name, low, high)
        case _, [_, _] if kind in _RELATIONS:
            return tree.Relation((_RELATIONS[kind],), tuple(args))
    return None


def _matrix(kind: str, args: list[Node]) -> Node | None:
    """Matrices and arrays by their rows or their size, and ranges of integers."""
    match kind, args:
        case "array", [Group(items=items)] if not any(isinstance(item, Group) for item in items):
            return Group("[", "]", items, array=True)
        case "array", [rows, *_]:
            return rows
        case "Range" | "range", _:
            ends = _sizes(args, -(10**9), 10**9)
            if len(ends) > 3 or 0 in ends[2:] or len(range(*ends)) > 1000:
                return None
            return Group("{", "}", tuple(Num(Fraction(number)) for number in range(*ends)))
        case "diag", _ if len(args) <= _MAX_SIZE:
            return _diagonal(len(args), len(args), args, ZERO)
        case "zeros" | "ones" | "eye", _ if len(args) < 3:
            height, *widths = _sizes(args, 1, _MAX_SIZE)
            first, others = _FILLED[kind]
            return _diagonal(height, (widths or [height])[0], [first] * height, others)
        case _, [*size, Group(items=items)] if kind in _MATRICES and items and len(size) in (0, 2):
            cells = [row.items if isinstance(row, Group) else (row,) for row in items]
            if size:
                height, width = _sizes(size, 1, 10**6)
                cells = [items[i : i + width] for i in range(0, len(items), width)]
                cells = cells if height * width == len(items) else []
            return tree.Matrix(tuple(cells)) if cells and all(len(row) == len(cells[0]) for row in cells) else None
    return None


def _sizes(args: list[Node], low: int, high: int) -> list[int]:
    sizes = [int(arg.value) for arg in args if isinstance(arg, Num) and arg.value.denominator == 1]
    if len(sizes) != len(args) or not all(low <= size <= high for size in sizes):
        raise UnreadableError("sizes or ends that are not such integers")
    return sizes


def _diagonal(height: int, width: int, diagonal: Sequence[Node], others: Node) -> Node:
    return tree.Matrix(tuple(tuple(diagonal[i] if i == j else others for j in range(width)) for i in range(height)))


def _interval(ends: str, args: list[Node]) -> Node:
    left, right = [arg == _TRUE for arg in args[2:]] or [ends in ("open", side) for side in ("Lopen", "Ropen")]
    left |= args[0] == tree.negate(tree.INFINITY)
    right |= args[1] == tree.INFINITY
    return Group("(" if left else "[", ")" if right else "]", (args[0], args[1]))


def _collection(brackets: str, args: list[Node]) -> Node | None:
    if not args:
        return tree.EMPTY_SET
    return Group(brackets[0], brackets[1], args[0].items) if isinstance(args[0], Group) else None
