"""Matrices and vectors: sums, products and powers of them as one, lengths, unit vectors; capitals that stand for them.

Products of capitals that must be matrices do not commute: `P^{-1}AP` is not `PAP^{-1}`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import reduce
from typing import Final

from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.exact import exact
from mcts_math.answer.values.nodes import (
    MINUS_ONE,
    ONE,
    ZERO,
    Call,
    Group,
    Matrix,
    Node,
    Num,
    Power,
    Prod,
    Sum,
    Sym,
    rebuild,
)

_MAX_CELLS: Final = 36
_MARK: Final = "^"  # ends the name of a unit vector
_UNITS: Final = ("i" + _MARK, "j" + _MARK, "k" + _MARK)
_TRANSPOSE: Final = (Sym("T"), Sym("t"))


def matrix_value(node: Node) -> Matrix | None:
    """The matrix that an expression of matrices and tuples (rows) stands for; None where none, or a large one."""
    if isinstance(node, Matrix):
        return node if len(node.rows) * len(node.rows[0]) <= _MAX_CELLS else None
    if isinstance(node, Group) and (node.left, node.right) == ("(", ")") and len(node.items) > 1:
        return Matrix((node.items,))
    if (
        isinstance(node, Group)
        and node.left == "["
        and all(isinstance(row, Group) and row.left == "[" for row in node.items)
    ):
        rows = tuple(tree.children(row) for row in node.items)
        return Matrix(rows) if len({*map(len, rows)}) == 1 and rows[0] else None
    if isinstance(node, Sum):
        return _sum([matrix_value(item) for item in node.items])
    if isinstance(node, Prod):
        return _product(node)
    if isinstance(node, Power) and (base := matrix_value(node.base)) is not None:
        return _power(base, node.exponent)
    return None


def transposed_list(node: Power) -> Matrix | None:
    """`[1, 2]^T` as a column; None for anything else."""
    if node.exponent not in _TRANSPOSE or not isinstance(node.base, Group) or node.base.left not in ("(", "["):
        return None
    return Matrix(tuple((item,) for item in node.base.items)) if len(node.base.items) > 1 else None


def as_tuple(node: Node) -> Group | None:
    """A row or a column of two entries or more as a tuple; None for anything else."""
    matrix = matrix_value(node)
    cells = () if matrix is None else tuple(cell for row in matrix.rows for cell in row)
    return Group("(", ")", cells) if matrix and len(cells) == max(len(matrix.rows), len(matrix.rows[0])) > 1 else None


def scaled(node: Prod) -> Group | Matrix | None:
    """`1/3 (1, 2, 2)` as one tuple, `1/2 * [[1, 0], [0, 1]]` as one matrix.

    None where names stand before the brackets alone: `N(0, 1)`, `t(1, 2)`.
    """
    others = [item for item in node.items if not isinstance(item, Group)]
    names = [item.name for item in others if isinstance(item, Sym)]
    plain = len(names) < len(others) == len(node.items) - 1 and not any(map(str.isupper, names))
    return as_tuple(node) or matrix_value(node) if plain else None


def coefficients(node: Node, names: Sequence[str]) -> Group:
    """What the variables are multiplied by in a sum of their multiples."""
    zeros: dict[str, Node] = dict.fromkeys(names, ZERO)
    return Group("(", ")", tuple(tree.substitute(node, {**zeros, name: ONE}) for name in names))


def length(node: Node) -> Node | None:
    """The length of a row or a column; None for anything else."""
    vector = matrix_value(node)
    if vector is None or 1 not in (len(vector.rows), len(vector.rows[0])):
        return None
    return Power(Sum(tuple(Power(cell, Num(Fraction(2))) for row in vector.rows for cell in row)), tree.HALF)


def _sum(parts: list[Matrix | None]) -> Matrix | None:
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len({(len(part.rows), len(part.rows[0])) for part in known}) != 1:
        return None
    rows = zip(*(part.rows for part in known), strict=True)
    return Matrix(tuple(tuple(map(Sum, zip(*same, strict=True))) for same in rows))


def _product(node: Prod) -> Matrix | None:
    factors: list[Node] = []
    result: Matrix | None = None
    for item in node.items:
        if not any(isinstance(part, (Matrix, Group)) for part in tree.walk(item)):
            factors.append(item)
            continue
        right = matrix_value(item)
        if right is None or (result is not None and len(result.rows[0]) != len(right.rows)):
            return None
        result = right if result is None else _times(result, right)
    if result is None or not factors:
        return result
    return Matrix(tuple(tuple(Prod((*factors, cell)) for cell in row) for row in result.rows))


def _times(left: Matrix, right: Matrix) -> Matrix:
    columns = tuple(zip(*right.rows, strict=True))
    return Matrix(
        tuple(tuple(Sum(tuple(map(Prod, zip(row, column, strict=True)))) for column in columns) for row in left.rows)
    )


def _power(base: Matrix, exponent: Node) -> Matrix | None:
    if exponent in _TRANSPOSE:
        return Matrix(tuple(zip(*base.rows, strict=True)))
    size = len(base.rows)
    if size != len(base.rows[0]) or not isinstance(exponent, Num):
        return None
    if exponent == MINUS_ONE and size <= 3:
        return _inverse(base)
    return reduce(_times, [base] * int(exponent.value)) if exponent.value in (1, 2, 3, 4) else None


def _inverse(matrix: Matrix) -> Matrix:
    """Cofactors over the determinant."""
    below = Power(Call("det", (matrix,)), MINUS_ONE)

    def cofactor(row: int, column: int) -> Node:
        rest = tuple(r[:column] + r[column + 1 :] for i, r in enumerate(matrix.rows) if i != row)
        minor = Call("det", (Matrix(rest),)) if rest else ONE
        return Prod((Num(Fraction((-1) ** (row + column))), minor, below))

    size = len(matrix.rows)
    return Matrix(tuple(tuple(cofactor(j, i) for j in range(size)) for i in range(size)))


def components(node: Node) -> Node:
    """`node` with sums of unit vectors as tuples of their coefficients; a lone bold letter is that letter."""
    names = tree.symbols(node)
    used = [name for name in _UNITS if name in names]
    if not used:
        return node
    if isinstance(node, (Group, tree.Relation)):
        return replace(node, items=tuple(map(components, node.items)))
    if isinstance(node, Call) and node.name == "abs" and len(used) > 1:
        return length(components(node.args[0])) or node
    if len(used) == 1:
        letter = used[0][0]
        return tree.substitute(node, {used[0]: tree.IMAGINARY if letter == "i" else Sym(letter)})
    return coefficients(node, _UNITS if _UNITS[2] in used else _UNITS[:2])


# An inverse of letters that are hardly units or quantities of physics, or a transpose.
_TOLD: Final = re.compile(
    r"(?:[A-Z]|\([A-Z]{2,9}\))\^(?:\{T\}|T|\\top)(?![a-z])|[ABDEFGHPQSUXYZ]\)?\^\{-1\}"
    r"|(?<![A-Za-z])[A-Z] ?\\times ?[A-Z](?![A-Za-z])"  # of sets, or of vectors
)


def tells_of_matrices(text: str) -> bool:
    """Whether a text is a formula of capitals that must be matrices."""
    return len(text) < 100 and _TOLD.search(text) is not None


def as_matrices(node: Node) -> Node:
    """`node` with its products as calls, whose arguments keep their order; numbers stay in front."""
    match node:
        case Power(Prod(items), exponent) if exponent in (MINUS_ONE, *_TRANSPOSE):  # (AB)^T is B^T A^T
            return as_matrices(Prod(tuple(Power(item, exponent) for item in reversed(items))))
        case Prod(items):
            numbers = tuple(item for item in items if exact(item) is not None)
            others = tuple(as_matrices(item) for item in items if exact(item) is None)
            if len(others) > 1:
                return tree.joined(Prod, (*numbers, Call("product of matrices", others)))
    return rebuild(node, as_matrices)
