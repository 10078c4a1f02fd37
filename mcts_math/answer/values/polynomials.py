"""Rational functions of one variable with rational coefficients: their real roots and poles, as exact values."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, NamedTuple

from mcts_math.answer.values.nodes import HALF, MINUS_ONE, Node, Num, Power, Prod, Sum, Sym

_MAX_DEGREE: Final = 16
_MAX_BITS: Final = 256
_MAX_ROOTS: Final = 10

Polynomial = tuple[Fraction, ...]  # coefficients, constant term first, without zeros at the end

_ONE: Final[Polynomial] = (Fraction(1),)


class Boundary(NamedTuple):
    """A point at which a rational function may change its sign."""

    node: Node
    position: float
    pole: bool


def rational_function(node: Node, name: str) -> tuple[Polynomial, Polynomial] | None:
    """Numerator and denominator of `node` as polynomials in the variable `name`; None where it is none of that kind."""
    if isinstance(node, Num):
        return _trimmed((node.value,)), _ONE
    if isinstance(node, Sym):
        return ((Fraction(0), Fraction(1)), _ONE) if node.name == name else None
    if isinstance(node, Power):
        return _power(node, name)
    if not isinstance(node, (Sum, Prod)):
        return None
    above, below = (_ONE, _ONE) if isinstance(node, Prod) else ((), _ONE)
    for item in node.items:
        part = rational_function(item, name)
        if part is None:
            return None
        if isinstance(node, Prod):
            above, below = _times(above, part[0]), _times(below, part[1])
        else:
            above = _plus(_times(above, part[1]), _times(part[0], below))
            below = _times(below, part[1])
        if max(len(above), len(below)) > _MAX_DEGREE or _bits(above + below) > _MAX_BITS:
            return None
    return above, below


def _power(node: Power, name: str) -> tuple[Polynomial, Polynomial] | None:
    base = rational_function(node.base, name)
    exponent = node.exponent.value if isinstance(node.exponent, Num) else Fraction(1, 2)
    if base is None or exponent.denominator != 1 or abs(exponent) >= _MAX_DEGREE:
        return None
    above, below = base if exponent >= 0 else (base[1], base[0])
    count = abs(exponent.numerator)
    if not below or count * max(len(above), len(below)) > 2 * _MAX_DEGREE or _bits(above + below) * count > _MAX_BITS:
        return None
    result = _ONE, _ONE
    for _ in range(count):
        result = _times(result[0], above), _times(result[1], below)
    return result


def value_at(polynomial: Polynomial, at: Fraction) -> Fraction:
    """The value at a rational number."""
    total = Fraction(0)
    for coefficient in reversed(polynomial):
        total = total * at + coefficient
    return total


def boundaries(above: Polynomial, below: Polynomial) -> list[Boundary] | None:
    """Roots and poles in ascending order; None where one of them is no rational or quadratic irrational number."""
    poles, zeros = real_roots(below), real_roots(above)
    if poles is None or zeros is None:
        return None
    found = [Boundary(*root, pole=True) for root in poles]
    taken = {position for _, position in poles}
    found += [Boundary(*root, pole=False) for root in zeros if root[1] not in taken]
    return sorted(found, key=lambda boundary: boundary.position)


def real_roots(polynomial: Polynomial) -> list[tuple[Node, float]] | None:
    """The distinct real roots, exactly; None where a factor of degree three or more has no rational root."""
    if len(polynomial) < 2:
        return []
    if len(polynomial) > _MAX_ROOTS + 1:
        return None
    rest = _divided(polynomial, _common(polynomial, _derivative(polynomial)))[0]
    found: list[tuple[Node, float]] = []
    for guess in _guesses(rest):
        if not value_at(rest, guess) and len(rest) > 1:
            found.append((Num(guess), float(guess)))
            rest = _divided(rest, (-guess, Fraction(1)))[0]
    if len(rest) == 3:
        found += _quadratic_roots(rest)
    elif len(rest) > 3:
        if any(rest[1::2]):
            return None
        squares = real_roots(rest[::2])  # a polynomial in x^2
        if squares is None:
            return None
        for node, square in squares:
            if square > 0:
                root = Power(node, HALF)
                found += [(root, square**0.5), (Prod((MINUS_ONE, root)), -(square**0.5))]
    return found


def _guesses(polynomial: Polynomial) -> list[Fraction]:
    """Rational numbers near the roots; whoever uses them checks them exactly."""
    monic = [complex(float(c / polynomial[-1])) for c in reversed(polynomial)]
    size = 1 + max(map(abs, monic))
    if not size < 1e12:
        return []
    roots = [size * (0.4 + 0.9j) ** power for power in range(len(monic) - 1)]
    for _ in range(200):  # Durand and Kerner: all roots at once
        moved = 0.0
        for index, root in enumerate(roots):
            value, apart = 0j, 1 + 0j
            for coefficient in monic:
                value = value * root + coefficient
            for other, second in enumerate(roots):
                apart *= root - second if other != index else 1
            if not apart:
                return []
            roots[index] = root - value / apart
            moved = max(moved, abs(value / apart))
        if moved < 1e-13 * size:
            break
    return [Fraction(root.real).limit_denominator(10_000) for root in roots if abs(root.imag) < 1e-6 * size]


def _quadratic_roots(polynomial: Polynomial) -> list[tuple[Node, float]]:
    c, b, a = polynomial
    discriminant = b * b - 4 * a * c
    if discriminant < 0:
        return []
    root, centre = float(discriminant) ** 0.5, -b / (2 * a)
    step = Fraction(1) / (2 * a)
    return [
        (
            Sum((Num(centre), Prod((Num(sign * step), Power(Num(discriminant), HALF))))),
            float(centre) + float(sign * step) * root,
        )
        for sign in (-1, 1)
    ]


def _bits(polynomial: Polynomial) -> int:
    return max((c.numerator.bit_length() + c.denominator.bit_length() for c in polynomial), default=0)


def _trimmed(polynomial: Polynomial) -> Polynomial:
    length = len(polynomial)
    while length and not polynomial[length - 1]:
        length -= 1
    return polynomial[:length]


def _plus(left: Polynomial, right: Polynomial) -> Polynomial:
    size = max(len(left), len(right))
    padded = [side + (Fraction(0),) * (size - len(side)) for side in (left, right)]
    return _trimmed(tuple(a + b for a, b in zip(*padded, strict=True)))


def _times(left: Polynomial, right: Polynomial) -> Polynomial:
    if not left or not right:
        return ()
    product = [Fraction(0)] * (len(left) + len(right) - 1)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            product[i + j] += a * b
    return tuple(product)


def _derivative(polynomial: Polynomial) -> Polynomial:
    return tuple(index * c for index, c in enumerate(polynomial))[1:]


def _divided(left: Polynomial, right: Polynomial) -> tuple[Polynomial, Polynomial]:
    """Quotient and remainder."""
    rest, quotient = list(left), [Fraction(0)] * max(len(left) - len(right) + 1, 0)
    for shift in range(len(quotient) - 1, -1, -1):
        factor = rest[shift + len(right) - 1] / right[-1]
        quotient[shift] = factor
        for index, c in enumerate(right):
            rest[shift + index] -= factor * c
    return _trimmed(tuple(quotient)), _trimmed(tuple(rest[: len(right) - 1]))


def _common(left: Polynomial, right: Polynomial) -> Polynomial:
    """The greatest common divisor with leading coefficient 1."""
    while right:
        left, right = right, _divided(left, right)[1]
    return tuple(c / left[-1] for c in left)
