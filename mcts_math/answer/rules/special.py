"""Comparison of piecewise functions, congruences and families over the integers."""

from __future__ import annotations

from fractions import Fraction

from mcts_math.answer.rules.compare import compare
from mcts_math.answer.rules.real_sets import Pieces, combine, complement, real_set, sets_equal, variable
from mcts_math.answer.rules.scalars import scalars_equal
from mcts_math.answer.values.exact import TooLargeError, exact
from mcts_math.answer.values.lines import lines_equal
from mcts_math.answer.values.nodes import MINUS_ONE, ONE, Bound, Call, Cases, Node, Num, Power, Prod, Sum, Sym, negate
from mcts_math.answer.values.points import symbols
from mcts_math.answer.values.polynomials import rational_function
from mcts_math.answer.values.shapes import is_congruence, is_family
from mcts_math.answer.values.substitution import rename, substitute
from mcts_math.answer.verdict import Policy

_INDEX = "#"  # a name that no text has
_PARAMETERS = frozenset({"s", "t", "u", "k", "lambda", "mu", "r", "a"})
_SHARES = (0.0009, 0.0013, 0.0031, 0.017, 0.31, 0.77)  # of a long interval: near its ends too


def _same(left: Node, right: Node, policy: Policy) -> bool:
    return compare(left, right, policy).equal


def cases_equal(left: Node, right: Node, policy: Policy) -> bool:
    """Whether two piecewise functions have the same values under the same conditions, in any order."""
    if isinstance(left, Cases) != isinstance(right, Cases):
        return _case_by_case(left, right) if isinstance(left, Cases) else _case_by_case(right, left)
    if not isinstance(left, Cases) or not isinstance(right, Cases) or len(left.rows) != len(right.rows):
        return False
    mine, theirs = _conditions(left), _conditions(right)
    if mine is None or theirs is None:
        return all(
            _same(a, b, policy) and (c == d or (c is not None and d is not None and _same(c, d, policy)))
            for (a, c), (b, d) in zip(left.rows, right.rows, strict=True)
        )
    free = list(range(len(theirs)))
    for (value, _), pieces in zip(left.rows, mine, strict=True):
        for index in free:
            if sets_equal(pieces, theirs[index], policy) and _same(value, right.rows[index][0], policy):
                free.remove(index)
                break
        else:
            return False
    return True


def _case_by_case(cases: Node, other: Node) -> bool:
    """Whether an expression of one variable has the value of each case at points within it, for all real numbers."""
    conditions = _conditions(cases) if isinstance(cases, Cases) else None
    name = variable(other)
    if conditions is None or name is None or not isinstance(cases, Cases):
        return False
    if complement(_all(conditions)):
        return False
    for (value, _), pieces in zip(cases.rows, conditions, strict=True):
        if symbols(value) - {name}:
            return False
        for piece in pieces:
            low, high = max(piece.start, -1e6), min(piece.stop, 1e6)
            for share in _SHARES:
                at = {name: Num(Fraction(low + share * share * (high - low)))}
                for x in (at, {name: Num(Fraction(high - share * share * (high - low)))}):
                    if not scalars_equal(substitute(value, x), substitute(other, x), Policy(rounding=False)):
                        return False
    return True


def _all(pieces: list[Pieces]) -> Pieces:
    result: Pieces = ()
    for part in pieces:
        result = combine("cup", result, part)
    return result


def _conditions(node: Cases) -> list[Pieces] | None:
    """Where each row holds, those above it not holding; None where a condition has no known ends."""
    found: list[Pieces] = []
    before: Pieces = ()
    for _, condition in node.rows:
        pieces = complement(before) if condition is None else real_set(condition)
        if pieces is None:
            return None
        found.append(combine("minus", pieces, before))
        before = combine("cup", before, pieces)
    return found


def congruences_equal(left: Node, right: Node, policy: Policy) -> bool:
    """Whether two residues are the same modulo the same number; a plain number equals the residue as written."""
    mine, theirs = _congruence(left) or _progression(left), _congruence(right) or _progression(right)
    if mine is None or theirs is None:
        pair = (mine, right) if mine is not None else (theirs, left)
        return pair[0] is not None and scalars_equal(pair[0][0], pair[1], policy)
    if not scalars_equal(mine[1], theirs[1], policy):
        return False
    try:
        difference = exact(Prod((Sum((mine[0], negate(theirs[0]))), Power(mine[1], MINUS_ONE))))
    except (TooLargeError, ZeroDivisionError):
        return False
    return difference is not None and difference.denominator == 1


def _congruence(node: Node) -> tuple[Node, Node] | None:
    return (node.args[0], node.args[1]) if isinstance(node, Call) and is_congruence(node) else None


def _progression(node: Node) -> tuple[Node, Node] | None:
    """`5k + 2` as the residue 2 modulo 5, where the letter is one that counts."""
    body = node.body if isinstance(node, Bound) and is_family(node) else node
    names = symbols(body)
    name = next(iter(names)) if len(names) == 1 else ""
    function = rational_function(body, name) if name in ("k", "n", "m", "t", "j") else None
    if function is None or len(function[0]) != 2 or function[1] != (Fraction(1),):
        return None
    return Num(function[0][0]), Num(abs(function[0][1]))


def families_equal(left: Node, right: Node, policy: Policy) -> bool:
    """Whether two families over the integers are the same, up to the name, the sign and the start of the integer."""
    if not isinstance(left, Bound) or not isinstance(right, Bound):
        family, other = (left, right) if isinstance(left, Bound) else (right, left)
        assert isinstance(family, Bound)
        if family.kind == "line":
            letters = symbols(other) & _PARAMETERS
            return len(letters) == 1 and _same(rename(family.body, {family.name: min(letters)}), other, policy)
        letters = symbols(other) & {"k", "n", "m", family.name} - (symbols(family.body) - {family.name})
        if len(letters) != 1:
            return False
        left, right = family, Bound("family", other, min(letters), family.low, family.low)
    if left.kind != right.kind:
        return False
    if left.kind == "line":
        return lines_equal(left, right) or _same(rename(left.body, {left.name: right.name}), right.body, policy)
    if left.low != right.low:
        return False
    steps: tuple[Fraction, ...] = tuple(map(Fraction, (0, 1, -1)))
    signs: tuple[Num, ...] = (ONE, MINUS_ONE)
    if left.low == Num(Fraction(1)):  # over the natural numbers: no other start
        steps, signs = steps[:1], signs[:1]
    for sign in signs:
        for step in steps:
            index = Sum((Prod((sign, Sym(_INDEX))), Num(step)))
            if _same(rename(left.body, {left.name: _INDEX}), substitute(right.body, {right.name: index}), policy):
                return True
    return False
