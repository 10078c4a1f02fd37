"""Numbers as they are written: decimal, with separators of many countries, repeating, in other bases."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from mcts_math.answer.parse.tokens import Scanner, UnreadableError
from mcts_math.answer.text.units import MEASURED
from mcts_math.answer.text.vocabulary import CURRENCIES, NUMBER_WORDS

_MAX_EXPONENT: Final = 20_000
_SUFFIX: Final = r"(?:st|nd|rd|th)\b"
_INTEGER: Final = re.compile(
    rf"\d+(?=[-+*/^)\]}}=&|!%$<>;:\\]|$)(?!\^?\{{?\s*(?:\\(?:text|mathrm)\s*\{{)?\s*{_SUFFIX})"
)
_NUMBER: Final = re.compile(r"(?:\d+(?:\.(?!\.)\d*)?|\.\d+)(?:[eE][+-]?\d+(?![a-zA-Z\d]))?")
_THOUSANDS: Final = re.compile(r"\d{1,3}(?:,\d{3}){1,12}(?:\.\d+)?(?!,?\d)")
_ORDINAL: Final = re.compile(
    rf"\s*(?:(?:\^\{{?|\{{)(?:\\(?:text|mathrm)\s*\{{)?\s*|\\(?:text|mathrm)\s*\{{\s*)?{_SUFFIX}\s*\}}?\}}?"
)
_CURRENCY: Final = rf"\s*(?:\\(?:euro|pounds|yen|rupee)|US\\?\$|Rs|\b(?:{CURRENCIES})\b)"
_DOTS: Final = r"\s*(?:\.{3}|\\[lc]?dots\b)"
_ELLIPSIS: Final = re.compile(_DOTS)
_BASES: Final = {word: value for word, value in NUMBER_WORDS.items() if 2 <= value <= 16}
_CYCLE: Final = re.compile(r"(\d{0,6}?)(?:(\d)\2{2,}|(\d{2,6})\3+)")
_OTHER_LETTERS: Final = re.compile(r"(?!array|complex|(?:sqrt|exp|sin|cos)\()(?<![a-z])[a-ik-zA-Z]")


def repeating(whole: str, head: str, cycle: str) -> Fraction:
    """`whole.head` and the digits of `cycle` without end."""
    nines = (10 ** len(cycle) - 1) * 10 ** len(head)
    return _integer(whole) + Fraction(_integer(head), 10 ** len(head)) + Fraction(int(cycle), nines)


def _endless(match: re.Match[str]) -> Fraction | None:
    """`0.666...` with its cycle, where the digits show one."""
    cycle = _CYCLE.fullmatch(match.group(2))
    return None if cycle is None else repeating(match.group(1), cycle.group(1), cycle.group(2) or cycle.group(3))


def _based(match: re.Match[str]) -> Fraction | None:
    digits, base = match.groups()
    value = based_value(digits, _BASES.get(base) or int(base))
    if value is None and match.group()[0] != "(" and base != "1":
        raise UnreadableError("a digit that its base does not have")
    return value


# Notations with the value of a match, None where it is none after all.
_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Fraction | None]], ...]] = tuple(
    (re.compile(pattern), value_of)
    for pattern, value_of in (
        (r"(\d*)\.(\d*)\\dot\s*\{?(\d)\}?(?:(\d{0,500})\\dot\s*\{?(\d)\}?)?(?!\d)",
         lambda m: repeating(m[1], m[2], "".join(m.groups("")[2:]))),
        (rf"(\d*)\.(\d*)\\(?:overline|bar|dot(?=\s*\{{))\s*\{{?(\d{{1,500}})\}}?(?:{_DOTS})?",
         lambda m: repeating(*m.groups(""))),
        (r"(\d+)\.(\d*)\((\d{1,500})\)(?!\d)", lambda m: repeating(*m.groups())),
        (rf"(\d*)\.(\d+){_DOTS}", _endless),
        (r"(\d[0-9A-Z]*(?:\.[0-9A-Z]+)?)\s?_\s?(?:\{\s*)?(?:\\(?:text|mathrm)\s*\{\s*)?(?:base\s*(?:\}\s*)?)?"
         rf"(\d{{1,2}}|{'|'.join(_BASES)})(?![a-z\d])\s*\}}?\}}?", _based),
        (r"(\d[0-9A-Z]*(?:\.[0-9A-Z]+)?) ?\(? ?base ?(\d{1,2})(?!\d)(?: ?\))?", _based),
        (r"(\d+) (\d{1,9}) ?/ ?(\d{1,9})(?![\d.^])",  # a mixed number
         lambda m: int(m[1]) + Fraction(int(m[2]), int(m[3])) if int(m[3]) else None),
        (r"\(([0-9A-Z]+)\)_\{?(\d{1,2})(?!\d)\}?", _based),
        (r"(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO][0-7]+)(?![\w.])", lambda m: Fraction(int(m[1], 0))),
    )
)  # fmt: skip
# Decimals of other countries, where they can't be anything else: separators to drop, then the decimal comma.
_FOREIGN: Final = re.compile(
    r"(?<![\d.,'])(?:\d{1,3}(?:\.\d{3})+,\d+(?![\d.,])|\d{1,3}(?:\.\d{3}){2,}(?![\d.,])|\d{1,3}(?:'\d{3})+(?![\d,'])"
    rf"|\d+(?:_\d{{3}})+(?![\d_])|\d{{1,3}}(?: \d{{3}}){{1,3}}(?:\.\d+|,\d\d?)?(?!\d| ?[/^]| \d|[.,]\d)"
    rf"|\d+,\d\d(?={_CURRENCY})"
    r"|(?:(?:(?<=\\euro)|(?<=\\euro )|(?<=\\pounds )|(?<=EUR)|(?<=EUR ))\d+,\d\d|0,0\d+|\d,0\d(?!\d)"
    r"|(?:(?<=^-)|(?<=[\s(\[{,;=]-))0,\d+|(?:(?<=[\w)}][-+])|(?<=[\w)}] [-+] ))0,\d+$)(?!\d|[.,]\d))"
    # no item is 05, or minus zero
)
MEASURED_COMMA: Final = re.compile(
    rf"(?<![\d.,'])(?:\d+,\d{{1,2}}(?=\s*(?:\\(?:text|mathrm)\s*\{{\s*)?{MEASURED})"
    r"|\d,\d{1,9}(?=\s*(?:\\cdot|\\times|\*)\s*10\s*(?:\^|\*\*)))"
)
"""A decimal of other countries, unless it is a list: `2,5 m`, `2,5·10^3`."""

_DROPPED: Final = str.maketrans("", "", "'_ ")


def scan_number(scanner: Scanner) -> None:
    """Takes the number at the position. Raises UnreadableError for a digit that its base does not have."""
    if (plain := scanner.match(_INTEGER)) is not None:
        scanner.add("num", plain.group(), Fraction(_integer(plain.group())))
        return
    if not scan_form(scanner):
        literal = _decimal(scanner)
        scanner.add("num", literal, *decimal_value(literal))
        if (dots := _ELLIPSIS.match(scanner.text, scanner.position)) and "." in literal:
            scanner.position = dots.end()
    scanner.match(_ORDINAL)
    if scanner.peek() == "j" and _OTHER_LETTERS.search(scanner.text) is None:
        scanner.position += 1
        scanner.add("const", "i")


def scan_form(scanner: Scanner) -> bool:
    """Takes what is no plain decimal, such as `0.(3)`, `52_8` and `(52)_8`; whether there is any."""
    is_power = scanner.tokens[-1:] and scanner.tokens[-1].text == "^"
    for pattern, value_of in _FORMS:
        match = pattern.match(scanner.text, scanner.position)
        if match is not None and not (is_power and value_of is _based) and (value := value_of(match)) is not None:
            scanner.position = match.end()
            scanner.add("num", match.group(), value)
            return True
    return False


def _decimal(scanner: Scanner) -> str:
    """The decimal number at the position, as Python writes it."""
    if (
        foreign := scanner.match(_FOREIGN) or (scanner.match(MEASURED_COMMA) if scanner.thousands else None)
    ) is not None:
        text = foreign.group().translate(_DROPPED)
        return text.replace(".", "").replace(",", ".") if "," in text or text.count(".") > 1 else text
    match = _THOUSANDS.match(scanner.text, scanner.position)
    if match is None or not scanner.thousands or (scanner.depth and ",0" not in match.group()):
        match = _NUMBER.match(scanner.text, scanner.position)  # (1,234) is a pair, but (1,000) hardly is
    assert match is not None
    scanner.position = match.end()
    return match.group().replace(",", "")


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
    """Value, significant digits (0: an integer) and places of a decimal. Raises UnreadableError: a huge exponent."""
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
