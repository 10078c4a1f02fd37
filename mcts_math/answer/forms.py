"""What Python, sympy and numpy print as `Name(…)`, built without running anything."""

from __future__ import annotations

from mcts_math.answer.nodes import (
    EMPTY_SET,
    IMAGINARY,
    INFINITY,
    MINUS_ONE,
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
    negate,
)
from mcts_math.answer.scanner import UnreadableError
from mcts_math.answer.vocabulary import names

_RELATIONS = {
    **dict.fromkeys(("Eq", "Equality"), "="),
    **dict.fromkeys(("Ne", "Unequality"), "!="),
    **dict.fromkeys(("Lt", "StrictLessThan"), "<"),
    **dict.fromkeys(("Le", "LessThan"), "<="),
    **dict.fromkeys(("Gt", "StrictGreaterThan"), ">"),
    **dict.fromkeys(("Ge", "GreaterThan"), ">="),
}
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
    if name in ("Rational", "Fraction") and args:
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
    return _collection(name, args)


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
    if name == "array" and args:
        return args[0]
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
