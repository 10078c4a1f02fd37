"""What Python, sympy and numpy print as `Name(…)`, built without running anything."""

from __future__ import annotations

from fractions import Fraction

from mcts_math.answer.parse.tokens import UnreadableError
from mcts_math.answer.text.vocabulary import names
from mcts_math.answer.values.nodes import (
    EMPTY_SET,
    IMAGINARY,
    INFINITY,
    MINUS_ONE,
    ONE,
    ZERO,
    Bound,
    Cases,
    Const,
    Group,
    Matrix,
    Node,
    Num,
    Power,
    Prod,
    Relation,
    SetOp,
    Sum,
    Sym,
    negate,
)

_RELATIONS = {
    **dict.fromkeys(("Eq", "Equality"), "="),
    **dict.fromkeys(("Ne", "Unequality"), "!="),
    **dict.fromkeys(("Lt", "StrictLessThan"), "<"),
    **dict.fromkeys(("Le", "LessThan"), "<="),
    **dict.fromkeys(("Gt", "StrictGreaterThan"), ">"),
    **dict.fromkeys(("Ge", "GreaterThan"), ">="),
}
_BOUND = {"Sum": "sum", "Product": "prod", "Integral": "int"}
_SETS = {"Union": "cup", "Intersection": "cap", "Complement": "minus", "And": "and", "Or": "or"}
_PLAIN = frozenset(
    names(
        "Integer Float Decimal mpf int float float64 float32 float16 int64 int32 int16 int8 uint8 Symbol "
        "complex128 str_ bool_"
    )
)


def build(name: str, arguments: list[Node]) -> Node:
    """The value that `name(arguments)` prints.

    Raises:
        UnreadableError: the arguments are not those of such a print.
    """
    args = arguments
    if name in _PLAIN and args:
        return args[0]
    if name in ("Rational", "Fraction", "mpq") and args:
        return args[0] if len(args) == 1 else _both(args) or Prod((args[0], Power(args[1], MINUS_ONE)))
    if name in _RELATIONS and len(args) == 2:
        return Relation((_RELATIONS[name],), tuple(args))
    if name in _SETS and args:
        return args[0] if len(args) == 1 else SetOp(_SETS[name], tuple(args))
    if name in ("complex", "mpc") and len(args) == 2:
        return Sum((args[0], Prod((args[1], IMAGINARY))))
    if name == "complex" and len(args) == 1:
        return args[0]
    if name.startswith("Interval"):
        return _interval(name, args)
    if name in ("Add", "Mul") and args:
        return Sum(tuple(args)) if name == "Add" else Prod(tuple(args))
    if name == "Pow" and len(args) == 2:
        return Power(args[0], args[1])
    if name in ("Poly", "PurePoly") and args:
        return args[0]
    if name in ("Range", "range"):
        return _range(args)
    if name == "EmptySet" and not args:
        return EMPTY_SET
    if name == "poly1d" and len(args) == 1 and isinstance(args[0], Group):
        return _polynomial(args[0].items)
    if name in _BOUND and len(args) == 2 and isinstance(args[1], Group) and len(args[1].items) == 3:
        index, low, high = args[1].items
        if isinstance(index, Sym):
            return Bound(_BOUND[name], args[0], index.name, low, high)
    if name == "Limit" and len(args) >= 3 and isinstance(args[1], Sym):
        return Bound("lim", args[0], args[1].name, args[2], args[2])
    if name == "Piecewise":
        return _piecewise(args)
    if name in ("Lambda", "ImageSet") and args:
        return _image(name, args)
    return _collection(name, args)


def _range(args: list[Node]) -> Node:
    """The integers of Python's and sympy's ranges, as a set."""
    ends = [int(arg.value) for arg in args if isinstance(arg, Num) and arg.value.denominator == 1]
    if len(ends) != len(args) or not 1 <= len(ends) <= 3 or 0 in ends[2:]:
        raise UnreadableError("a range without integer ends")
    numbers = range(*ends)
    if len(numbers) > 1000:
        raise UnreadableError("a range of more than a thousand numbers")
    return Group("{", "}", tuple(Num(Fraction(number)) for number in numbers))


def _polynomial(coefficients: tuple[Node, ...]) -> Node:
    """numpy's `poly1d([a, b, c])`: a x^2 + b x + c."""
    top = len(coefficients) - 1
    terms = [Prod((c, Power(Sym("x"), Num(Fraction(top - i))))) for i, c in enumerate(coefficients)]
    return Sum(tuple(terms))


def _piecewise(args: list[Node]) -> Node:
    rows: list[tuple[Node, Node | None]] = []
    for arg in args:
        if not isinstance(arg, Group) or len(arg.items) != 2:
            raise UnreadableError("a case without its condition")
        value, condition = arg.items
        rows.append((value, None if condition == Const("true") else condition))
    return Cases(tuple(rows))


def _image(name: str, args: list[Node]) -> Node:
    """`ImageSet(Lambda(n, 2*n), Integers)`: a family over the integers."""
    if name == "ImageSet":
        if not isinstance(args[0], Bound) or len(args) != 2:
            raise UnreadableError("an image set of another kind")
        return args[0]
    if len(args) != 2 or not isinstance(args[0], Sym):
        raise UnreadableError("a function of another kind")
    return Bound("family", args[1], args[0].name, ZERO, ZERO)


def _both(args: list[Node]) -> Num | None:
    above, below = args
    if isinstance(above, Num) and isinstance(below, Num) and below.value:
        return Num(above.value / below.value)
    return None


def _interval(name: str, args: list[Node]) -> Node:
    if len(args) not in (2, 4):
        raise UnreadableError("an interval without two ends")
    opens = [arg == Const("true") for arg in args[2:]] or [
        name.endswith((".open", ".Lopen")),
        name.endswith((".open", ".Ropen")),
    ]
    left = "(" if opens[0] or args[0] == negate(INFINITY) else "["
    right = ")" if opens[1] or args[1] == INFINITY else "]"
    return Group(left, right, (args[0], args[1]))


def _collection(name: str, args: list[Node]) -> Node:
    if name in ("Matrix", "ImmutableDenseMatrix", "ImmutableMatrix", "MutableDenseMatrix", "SparseMatrix", "matrix"):
        return _matrix(args)
    if name in ("diag", "eye", "zeros", "ones") and args:
        return _regular(name, args)
    if name == "array" and args:
        rows = args[0]
        flat = isinstance(rows, Group) and not any(isinstance(item, Group) for item in rows.items)
        return Group("[", "]", rows.items, array=True) if isinstance(rows, Group) and flat else rows
    if name in ("Point", "Point2D", "Point3D", "Tuple"):
        return Group("(", ")", tuple(args))
    if name in ("FiniteSet",):
        return Group("{", "}", tuple(args)) if args else EMPTY_SET
    if name in ("set", "frozenset", "Set", "list", "List", "tuple", "dict", "OrderedDict"):
        if not args:
            return EMPTY_SET
        inner = args[0]
        if len(args) == 1 and isinstance(inner, Group):
            brackets = {"list": ("[", "]"), "List": ("[", "]"), "tuple": ("(", ")")}.get(name, ("{", "}"))
            return Group(*brackets, inner.items)
    raise UnreadableError(f"{name} with such arguments")


def _regular(name: str, args: list[Node]) -> Node:
    """`eye(2)`, `diag(1, 2)`, `zeros(2, 3)`, `ones(2)`."""
    if name == "diag":
        size = len(args)
        if size > 50:
            raise UnreadableError("a matrix of more than fifty rows")
        return Matrix(tuple(tuple(args[i] if i == j else ZERO for j in range(size)) for i in range(size)))
    sizes = [int(arg.value) for arg in args if isinstance(arg, Num) and 1 <= arg.value <= 50]
    if len(sizes) != len(args) or not 1 <= len(args) <= 2:
        raise UnreadableError("a matrix without its size")
    rows, columns = sizes[0], sizes[-1]
    fill = {"zeros": (ZERO, ZERO), "ones": (ONE, ONE), "eye": (ZERO, ONE)}[name]
    return Matrix(tuple(tuple(fill[i == j] for j in range(columns)) for i in range(rows)))


def _matrix(args: list[Node]) -> Node:
    content = args[-1] if args else None
    if len(args) == 3 and isinstance(args[0], Num) and isinstance(args[1], Num) and isinstance(content, Group):
        width = int(args[1].value)
        if width < 1 or args[0].value * width != len(content.items):
            raise UnreadableError("a matrix of another size")
        cells = content.items
        return Matrix(tuple(cells[i : i + width] for i in range(0, len(cells), width)))
    if len(args) != 1 or not isinstance(content, Group) or not content.items:
        raise UnreadableError("a matrix without rows")
    rows = [row.items if isinstance(row, Group) else (row,) for row in content.items]
    if any(len(row) != len(rows[0]) for row in rows):
        raise UnreadableError("rows of different lengths")
    return Matrix(tuple(rows))
