"""Whether two expressions are the same number or the same function of their variables.

Exactly where that is possible (fractions, residues). Otherwise by value, at fixed points where there are variables: in
thirty digits, and where these call them equal once more in as many as it takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from mcts_math.answer.text.vocabulary import ADDED, COMPLEX
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.approximate import DIGITS, INFINITE, Approximate, numbers
from mcts_math.answer.values.evaluate import UndefinedError, Value, evaluate
from mcts_math.answer.values.exact import (
    Written,
    exact,
    noisy,
    rationals_equal,
    rounds_to,
    same_residue,
    slack,
    terminates,
    written,
)
from mcts_math.answer.values.nodes import Bound, Call, Const, Node, Num, Power, Prod, Sym, substitute, symbols, walk
from mcts_math.answer.values.points import points
from mcts_math.answer.verdict import Policy

CLOSE: Final = 1e-9
EXACTLY: Final = Policy(rounding=False)
_OF_COMPLEX: Final = frozenset({"re", "im", "conjugate", "arg", "abs"})
_ENOUGH: Final = 3
_PATIENCE: Final = 8  # places where a series may have no value
_MOST_DIGITS: Final = 3000
_FEW_BITS: Final = 60


def scalars_equal(left: Node, right: Node, policy: Policy) -> bool:
    """Whether the two expressions are equal; never true where that could not be established."""
    if left == right:
        return True
    first, second = exact(left), exact(right)
    if first is not None and second is not None:
        return rationals_equal(left, right, first, second, policy)
    same = same_residue(left, right)
    if same:
        return True
    notation = _one_notation(left, right)
    if notation != (left, right):
        return scalars_equal(*notation, policy)
    tolerance = _tolerance(left, right, policy)
    if same is False and tolerance == 0 and not (written(left) or written(right)):
        return False
    if symbols(left) or symbols(right):
        return _functions_equal(left, right, tolerance)
    return _constants_equal(left, right, tolerance, policy)


def _one_notation(left: Node, right: Node) -> tuple[Node, Node]:
    """Both with one name for the constant of integration; f(x) is f times x where only one of them has a function f."""
    right = with_constant_of(left, right)
    left, right = _terms(left, right), _terms(right, left)
    functions = _functions(left) ^ _functions(right)
    if functions and functions <= symbols(left) | symbols(right):
        return _products(left), _products(right)
    return left, right


def with_constant_of(left: Node, right: Node) -> Node:
    """`right` with the constant of `left`, where each has one beside variables: `x + C` and `x + k`, not m c^2."""
    mine, other = symbols(left) - symbols(right), symbols(right) - symbols(left)
    constants = len(mine) == len(other) == 1 and mine | other <= ADDED | {"k"} and len(symbols(left)) > 1
    if not constants or any(isinstance(part, Power) and part.base == Sym(min(mine)) for part in walk(left)):
        return right
    return tree.rename(right, {min(other): min(mine)})


def _terms(node: Node, other: Node) -> Node:
    """A series by its first terms where of the other one no more is known."""
    match node, other:
        case Bound("sum", body, name, Num(start), Const("oo")), Call(dots, args) if dots == f"…{len(args)}":
            places = (Num(start + place) for place in range(len(args)))
            return Call(dots, tuple(substitute(body, {name: place}) for place in places), free=True)
    return node


def _functions(node: Node) -> set[str]:
    return {part.name for part in walk(node) if isinstance(part, Call) and part.free and part.name != "prime"}


def _products(node: Node) -> Node:
    if isinstance(node, Call) and node.free and len(node.args) == 1 and node.name != "prime":
        return Prod((Sym(node.name), _products(node.args[0])))
    return tree.rebuild(node, _products)


def _tolerance(left: Node, right: Node, policy: Policy) -> float:
    """How far two values may lie apart, relatively: far only where just one side has rounded decimals in it."""
    slacks = slack(left), slack(right)
    if policy.rounding and (not slacks[0]) != (not slacks[1]):
        value = exact(right if slacks[0] else left)
        if value is None or not terminates(value):  # a decimal that ends is no rounding
            return max(CLOSE, *slacks)
    return CLOSE if noisy(left, right) else 0.0


def _near(a: Value, b: Value, tolerance: float) -> bool:
    return bool(abs(a - b) <= tolerance * max(abs(a), abs(b)))


def _constants_equal(left: Node, right: Node, tolerance: float, policy: Policy) -> bool:
    a, b = written(left), written(right)
    try:
        if (a is None) != (b is None):
            decimal, other = (a, right) if a is not None else (b, left)
            return (decimal is not None and _is_decimal_of(decimal, other, policy)) or _vanishes(left, right)
        first, second = evaluate(left, {}, numbers()), evaluate(right, {}, numbers())
    except UndefinedError:
        return _vanishes(left, right)
    if tolerance:
        return _near(first, second, tolerance) or abs(first - second) < 1e-12
    return _maybe_equal(first, second) and _vanishes(left, right)


def _is_decimal_of(decimal: Written, other: Node, policy: Policy) -> bool:
    """Whether a decimal is the value of `other` printed as a float, rounded or cut."""
    value = evaluate(other, {}, numbers())
    about = numbers().number(decimal.value)
    if abs(value.imag) > CLOSE * abs(value) or not _near(about, value.real, 0.1):
        return False
    if decimal.is_float:
        return _near(about, value.real, CLOSE)
    return rounds_to(decimal, Fraction(str(value.real)), policy)


def _vanishes(left: Node, right: Node, at: Mapping[str, Fraction] | None = None, real: bool = False) -> bool:
    """Whether the difference of two values vanishes as precision grows.

    That of two equal values is rounding error alone: with 70 more digits it shrinks by as much. This tells e^-100,
    which is small, from sqrt(2) + sqrt(3) - sqrt(5 + 2 sqrt(6)), which is 0, and pi^100 from pi^100 + 1.
    """
    try:
        gap, size = _gap(left, right, at or {}, numbers(real=real))
        if reached := _reached(left, right):
            return bool(gap <= reached * max(size, 1))
        context = numbers().context
        if not context.isfinite(size):
            return False
        bits = max(int(context.mag(size)) if size else 0, _bits(left), _bits(right))
        whole = (bits // 330 + 1) * 100 if bits > _FEW_BITS else 0  # digits before the point, or zeros behind it
        if whole > _MOST_DIGITS:
            return False
        smaller, _ = _gap(left, right, at or {}, numbers(DIGITS + 90 + whole, real))
    except UndefinedError:
        return False
    shrunk = context.mpf(10) ** -(DIGITS + whole)
    return bool(smaller <= gap * shrunk or smaller <= size * shrunk**2)


def _bits(node: Node) -> int:
    """How many bits the largest power or factorial within an expression has: its last one may be all that tells."""
    inner = max(map(_bits, tree.children(node)), default=2)
    match node:
        case Num(value):
            return max(value.numerator.bit_length(), value.denominator.bit_length())
        case Power(base, power) if not symbols(node) and (times := exact(power)) is not None:
            return max(int(_bits(base) * abs(times)), 2)
        case Call("factorial", (Num(value),)):
            return int(value) * inner
    return inner


def _reached(*nodes: Node) -> float:
    """How near to its value extrapolation comes, relatively: that of limits and series; 0 where there is none."""
    kinds = {part.kind for node in nodes for part in walk(node) if isinstance(part, Bound) and not _is_finite(part)}
    return 1e-14 if "int" in kinds else 1e-20 if kinds else 0.0


def _is_finite(node: Bound) -> bool:
    return node.kind in ("sum", "prod") and INFINITE.keys().isdisjoint((node.low, node.high))


def _gap(left: Node, right: Node, at: Mapping[str, Fraction], using: Approximate) -> tuple[Value, Value]:
    """The distance of two values, and the size of the larger one."""
    values = {name: using.number(value) for name, value in at.items()}
    a, b = evaluate(left, values, using), evaluate(right, values, using)
    return abs(a - b), max(abs(a), abs(b))


def _functions_equal(left: Node, right: Node, tolerance: float) -> bool:
    """Whether two expressions agree at the test points where both are defined.

    Where only one of them has absolute values, they must be defined at the same ones: ln|x| is more than ln x.
    """
    left, right = _over_complex(left, right)
    where, few = points(left, right, symbols(left) | symbols(right))
    same_domain = _has_bars(left) != _has_bars(right) and not symbols(left) & ADDED
    kinds = [
        {part.kind for part in walk(node) if isinstance(part, Bound) and not _is_finite(part)} for node in (left, right)
    ]
    if kinds[0] and not kinds[1]:
        left, right = right, left  # a limit is not worked out where the other side has no value
    few = few or any(kinds)
    patience = _ENOUGH if "lim" in kinds[0] | kinds[1] else _PATIENCE if any(kinds) else len(where)
    for real in (False,) if Const("i") in (*walk(left), *walk(right)) else (True, False):
        agreed = missed = 0
        for at in where:
            a = _value(left, at, real)
            b = _value(right, at, real) if a is not None or (real and same_domain) else None
            if a is None or b is None:
                if real and same_domain and a is not b:
                    return False
                missed += 1
                if missed > patience and not agreed:  # what is not found takes longest
                    break
                continue
            if tolerance:
                if not _near(a, b, tolerance):
                    return False
            elif not (_near(a, b, 1e-20) and agreed) and not (_maybe_equal(a, b) and _vanishes(left, right, at, real)):
                return False
            agreed += 1
            if few and agreed == _ENOUGH + 2:
                break
        if agreed >= _ENOUGH:
            return True
    return False


def _over_complex(left: Node, right: Node) -> tuple[Node, Node]:
    """Both with complex numbers for z and w, where one asks for the parts of a number: Re z is not z."""
    if not any(isinstance(part, Call) and part.name in _OF_COMPLEX for node in (left, right) for part in walk(node)):
        return left, right
    names = (symbols(left) | symbols(right)) & COMPLEX
    values = {name: tree.Sum((Sym(name), Prod((tree.IMAGINARY, Sym(f"{name} imaginary"))))) for name in names}
    return substitute(left, values), substitute(right, values)


def _value(node: Node, at: Mapping[str, Fraction], real: bool) -> Value:
    """The value at a point; None where there is none."""
    using = numbers(real=real)
    try:
        return evaluate(node, {name: using.number(value) for name, value in at.items()}, using)
    except UndefinedError:
        return None


def _maybe_equal(a: Value, b: Value) -> bool:
    """Whether two values are near each other although many of their digits may be lost."""
    return _near(a, b, 1e-7) or abs(a - b) <= 1e-7


def _has_bars(node: Node) -> bool:
    return any(isinstance(part, Call) and part.name == "abs" and symbols(part) for part in walk(node))
