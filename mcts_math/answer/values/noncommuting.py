"""Capitals as matrices, whose products do not commute: `P^{-1}AP` is not `PAP^{-1}`, `(AB)^{-1}` is `B^{-1}A^{-1}`."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from mcts_math.answer.values.evaluate import noise
from mcts_math.answer.values.exact import exact
from mcts_math.answer.values.matrices import matrix_value
from mcts_math.answer.values.nodes import ZERO, Matrix, Node, Num, Power, Sym, rebuild, substitute, symbols

_MARK: Final = " matrix"
# An inverse of letters that are hardly units or quantities of physics, or a transpose.
_TOLD: Final = re.compile(
    r"(?:[A-Z]|\([A-Z]{2,9}\))\^(?:\{T\}|T|\\top)(?![a-z])|[ABDEFGHPQSUXYZ]\)?\^\{-1\}"
    r"|(?<![A-Za-z])[A-Z] ?\\times ?[A-Z](?![A-Za-z])"  # of sets, or of vectors
)
_POINTS: Final = 3


def tells_of_matrices(text: str) -> bool:
    """Whether a text is a formula of capitals that must be matrices."""
    return len(text) < 100 and _TOLD.search(text) is not None


def as_matrices(node: Node) -> Node:
    """`node` with matrices for its capitals."""
    match node:
        case Power(base, Sym("T") as transpose):
            return Power(as_matrices(base), transpose)
        case Sym(name) if len(name) == 1 and name.isupper():
            return Sym(name + _MARK)
    return rebuild(node, as_matrices)


def matrices_equal(left: Node, right: Node) -> bool | None:
    """Whether two formulas of matrices are equal; None where there are none, or what is not known of them."""
    names = symbols(left) | symbols(right)
    if not any(name.endswith(_MARK) for name in names):
        return None
    values = [(_at(left, names, index), _at(right, names, index)) for index in range(_POINTS)]
    return None if any(None in pair for pair in values) else all(mine == theirs for mine, theirs in values)


def _at(node: Node, names: frozenset[str], index: int) -> list[Fraction | None] | None:
    """The entries where its matrices have two random rows and other letters are numbers; None where not known."""
    numbers = {name: [Num(Fraction(noise(name, index, place) % 97 - 48)) for place in range(4)] for name in names}
    values = {
        name: Matrix((tuple(four[:2]), tuple(four[2:]))) if name.endswith(_MARK) else four[0]
        for name, four in numbers.items()
        if name != "T"
    }
    node = substitute(node, values)
    if (number := exact(node)) is not None:  # that multiple of the identity
        node = Matrix(((Num(number), ZERO), (ZERO, Num(number))))
    matrix = matrix_value(node)
    entries = [] if matrix is None else [exact(cell) for row in matrix.rows for cell in row]
    return entries if entries and None not in entries else None
