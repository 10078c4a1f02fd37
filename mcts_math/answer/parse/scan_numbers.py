"""Numbers as they are written: decimal, with thousands separators, repeating, in other bases."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from mcts_math.answer.parse.tokens import Scanner, UnreadableError
from mcts_math.answer.text.vocabulary import names

_MAX_EXPONENT: Final = 20_000
_NUMBER: Final = re.compile(r"(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+(?![a-zA-Z\d]))?")
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:,\d{3}){1,12}(?:\.\d+)?(?!,?\d)")
_REPEATING: Final = re.compile(r"(\d*)\.(\d*)\\(?:overline|bar|dot(?=\s*\{))\s*\{?(\d{1,500})\}?")
_DOTTED: Final = re.compile(r"(\d*)\.(\d*)\\dot\s*\{?(\d)\}?(?:(\d{0,500})\\dot\s*\{?(\d)\}?)?(?!\d)")
_BASE_WORDS: Final = dict(
    zip(
        names("two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"),
        range(2, 17),
        strict=True,
    )
)
_BASED: Final = re.compile(
    r"(\d[0-9A-Z]*(?:\.[0-9A-Z]+)?)\s?_\s?(?:\{\s*)?(?:\\(?:text|mathrm)\s*\{\s*)?(?:base\s*(?:\}\s*)?)?"
    rf"(\d{{1,2}}|{'|'.join(_BASE_WORDS)})(?![a-z\d])\s*\}}?\}}?"
)
_BASED_IN_BRACKETS: Final = re.compile(r"\(([0-9A-Z]+)\)_\{?(\d{1,2})(?!\d)\}?")
_PREFIXED: Final = re.compile(r"0(?:[xX]([0-9a-fA-F]+)|[bB]([01]+)|[oO]([0-7]+))(?![\w.])")
_OTHER_LETTERS: Final = re.compile(r"(?!array|complex)(?<![a-z])[a-ik-zA-Z]")


def scan_number(scanner: Scanner) -> None:
    """Takes the number at the position.

    Raises:
        UnreadableError: a digit that its base does not have, or an exponent beyond all reason.
    """
    if _scan_special(scanner):
        return
    start = scanner.position
    match = scanner.match(_THOUSANDS)
    if match is not None and (not scanner.thousands or (scanner.depth and ",0" not in match.group())):
        scanner.position, match = start, None  # (1,234) is a pair, but (1,000) hardly is
    match = match or scanner.match(_NUMBER)
    assert match is not None
    literal = match.group().replace(",", "")
    scanner.add_number(literal, *decimal_value(literal))
    if scanner.peek() == "j" and _OTHER_LETTERS.search(scanner.text) is None:
        scanner.position += 1
        scanner.add("const", "i")


def _scan_special(scanner: Scanner) -> bool:
    """Takes a repeating decimal, or a number in another base."""
    if (match := scanner.match(_DOTTED)) is not None:
        before, after, *dotted = match.groups(default="")
        scanner.position = match.start()
        rest = scanner.text[match.end() :]
        scanner.text = rf"{scanner.text[: match.start()]}{before}.{after}\overline{{{''.join(dotted)}}}{rest}"
    if (match := scanner.match(_REPEATING)) is not None:
        whole, head, cycle = match.groups()
        nines = (10 ** len(cycle) - 1) * 10 ** len(head)
        value = _integer(whole) + Fraction(_integer(head), 10 ** len(head)) + Fraction(int(cycle), nines)
        scanner.add_number(match.group(), value)
        return True
    if (match := scanner.match(_BASED)) is not None:
        base = match.group(2)
        based = based_value(match.group(1), _BASE_WORDS.get(base) or int(base))
        if based is None:
            raise UnreadableError("a digit that its base does not have")
        scanner.add_number(match.group(), based)
        return True
    if (match := scanner.match(_PREFIXED)) is not None:
        digits, base_value = next((text, b) for text, b in zip(match.groups(), (16, 2, 8), strict=True) if text)
        scanner.add_number(match.group(), Fraction(int(digits, base_value)))
        return True
    return False


def scan_based_in_brackets(scanner: Scanner) -> bool:
    """Takes `(1101)_2`."""
    match = _BASED_IN_BRACKETS.match(scanner.text, scanner.position)
    value = based_value(match.group(1), int(match.group(2))) if match is not None else None
    if match is None or value is None:
        return False
    scanner.position = match.end()
    scanner.add_number(match.group(), value)
    return True


def based_value(digits: str, base: int) -> Fraction | None:
    """The number that `digits` (perhaps with a point) write in `base`, or None where a digit is too large."""
    whole, _, part = digits.partition(".")
    if not 2 <= base <= 36 or len(digits) > 2000:
        return None
    try:
        return Fraction(int(whole + part, base), base ** len(part))
    except ValueError:
        return None


def decimal_value(text: str) -> tuple[Fraction, int, int]:
    """Value, significant digits and places of a decimal literal; digits are 0 for an integer.

    Raises:
        UnreadableError: the exponent is beyond all reason.
    """
    mantissa, _, exponent = text.lower().partition("e")
    power = int(exponent) if exponent and len(exponent) < 8 else 0
    if len(exponent) >= 8 or abs(power) > _MAX_EXPONENT:
        raise UnreadableError(f"an exponent of more than {_MAX_EXPONENT}")
    whole, point, part = mantissa.partition(".")
    number = Fraction(_integer(whole + part) * 10 ** max(power, 0), 10 ** (len(part) + max(-power, 0)))
    if not point and not exponent:
        return number, 0, 0
    return number, len((whole + part).lstrip("0")) if part or exponent else 0, len(part) - power


def _integer(digits: str) -> int:
    """`int`, without its limit of 4,300 digits (the length of an answer is bounded elsewhere)."""
    value = 0
    for start in range(0, len(digits), 4000):
        chunk = digits[start : start + 4000]
        value = value * 10 ** len(chunk) + int(chunk)
    return value
