"""What Python, sympy and numpy print as `Name(…)`, built without running anything."""

from __future__ import annotations

from fractions import Fraction
from typing import Final

from mcts_math.answer.parse.tokens import UnreadableError
from mcts_math.answer.text.vocabulary import CONSTRUCTORS
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.nodes import Bound, Group, Node, Num, Power, Prod, Sum, Sym
from mcts_math.answer.values.shapes import family

_TRUE: Final = tree.Const("true")
_MAX_SIZE: Final = 50  # rows of a diagonal matrix


def build(name: str, args: list[Node]) -> Node:
    """The value that `name(args)` prints. Raises UnreadableError where nothing is printed so."""
    name, _, ends = name.partition(".")
    kind = CONSTRUCTORS[name]
    node = _interval(ends, args) if kind == "Interval" else _collection(kind, args) or _formula(kind, args)
    if node is None and args:
        node = _matrix(kind, args)
    if node is None:
        raise UnreadableError(f"{name} with such arguments")
    return node


def _collection(kind: str, args: list[Node]) -> Node | None:
    """Sets, tuples and lists, and what sets and conditions are combined to."""
    match kind, args:
        case "()" | "{}", _:
            return Group(kind[0], kind[1], tuple(args))
        case "of []" | "of ()" | "of {}", []:
            return tree.EMPTY_SET
        case "of []" | "of ()" | "of {}", [Group(items=items)]:
            return Group(kind[3], kind[4], items)
        case "cup" | "cap" | "minus" | "and" | "or", [_, *_]:
            return tree.SetOp(kind, tuple(args))
    return None


def _formula(kind: str, args: list[Node]) -> Node | None:
    """Numbers, relations, polynomials, functions and what binds a variable."""
    match kind, args:
        case "first", [first, *_]:  # what follows tells the precision or the generators
            return first
        case "whole", [Num(value)]:
            return Num(Fraction(int(value)))
        case "quotient" | "complex", [only]:
            return only
        case "quotient", [Num(above), Num(below)] if below:
            return Num(above / below)
        case "complex", [real, imaginary]:
            return Sum((real, Prod((imaginary, tree.IMAGINARY))))
        case "Add" | "Mul", [_, *_]:
            return Sum(tuple(args)) if kind == "Add" else Prod(tuple(args))
        case "Pow", [base, exponent]:
            return Power(base, exponent)
        case "lim", [body, Sym(name), at, *_]:
            return Bound("lim", body, name, at, at)
        case "Lambda", [Sym(name), body]:  # of a family over the integers
            return family(body, name)
        case "ImageSet", [Bound() as image, _]:
            return image
        case "Piecewise", [_, *_] if all(isinstance(arg, Group) and len(arg.items) == 2 for arg in args):
            rows = (arg.items for arg in args if isinstance(arg, Group))
            return tree.Cases(tuple((value, None if condition == _TRUE else condition) for value, condition in rows))
        case "sum" | "prod" | "int", [body, Group(items=(Sym(name), low, high))]:
            return Bound(kind, body, name, low, high)
        case "=" | "!=" | "<" | "<=" | ">" | ">=", [_, _]:
            return tree.Relation((kind,), tuple(args))
    return None


def _matrix(kind: str, args: list[Node]) -> Node | None:
    """Matrices and arrays by their rows, and ranges of integers."""
    match kind, args:
        case "array", [Group(items=items)] if not any(isinstance(item, Group) for item in items):
            return Group("[", "]", items, array=True)
        case "array", [rows, *_]:
            return rows
        case "range", _:
            ends = [arg.value.numerator for arg in args if isinstance(arg, Num) and arg.value.denominator == 1]
            if len(ends) < len(args) or len(ends) > 3 or max(map(abs, ends)) >= 10**9 or 0 in ends[2:]:
                return None
            numbers = range(*ends)
            return Group("{", "}", tuple(map(Num, map(Fraction, numbers)))) if len(numbers) <= 1000 else None
        case "diag", _ if len(args) <= _MAX_SIZE:
            places = range(len(args))
            return tree.Matrix(tuple(tuple(args[i] if i == j else tree.ZERO for j in places) for i in places))
        case "matrix", [Group(items=items)] if items:
            cells = tuple(row.items if isinstance(row, Group) else (row,) for row in items)
            return tree.Matrix(cells) if all(len(row) == len(cells[0]) for row in cells) else None
    return None


def _interval(ends: str, args: list[Node]) -> Node | None:
    if len(args) not in (2, 4):
        return None
    left, right = [arg == _TRUE for arg in args[2:]] or [ends in ("open", side) for side in ("Lopen", "Ropen")]
    left |= args[0] == tree.negate(tree.INFINITY)
    right |= args[1] == tree.INFINITY
    return Group("(" if left else "[", ")" if right else "]", (args[0], args[1]))
