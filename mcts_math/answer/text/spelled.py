"""Answers in words: numbers spelled out, fixed phrases, choice letters, dates and times of day."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from typing import Final

from mcts_math.answer.text.units import UNITS, unit_name
from mcts_math.answer.text.vocabulary import NUMBER_WORDS, ORDINALS, PART_WORDS, PHRASES, SCALE_WORDS, names
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.nodes import Node, Num, Quantity, Sym, Text, Time

_MONTHS: Final = names("january february march april may june july august september october november december")
_HALVES: Final = {"a": "am", "p": "pm", "midnight": "am", "noon": "pm"}
_PRIME: Final = r"(?<!(?<!['\w])[A-Za-z])(?<!(?<!['\w])[A-Za-z]')'"  # a quotation mark that is none, as f' has
_MARKS: Final = re.compile(
    rf"""{_PRIME}|["`“”‘’()*$\\{{}}]|[.,;:!?](?=\s|$)|(?<![\d.])[,;:](?!\d)"""
)  # say nothing in a phrase
_SCALES: Final = names("dozen trillion billion million thousand hundred")  # each multiplies those after it
_HYPHEN: Final = re.compile(r"(?<=[a-z])-(?=[a-z])")
REALS: Final = tree.Group("(", ")", (tree.negate(tree.INFINITY), tree.INFINITY))
_FIXED: Final[dict[str, Node]] = {
    "no solution": tree.EMPTY_SET,
    "undefined": tree.UNDEFINED,
    "all real numbers": REALS,
    "integers": Sym("Z"),
    "natural numbers": Sym("N"),
    "rational numbers": Sym("Q"),
    "complex numbers": Sym("C"),
    "yes": tree.Const("true"),
    "no": tree.Const("false"),
    "infinity": tree.INFINITY,
    "negative infinity": tree.negate(tree.INFINITY),
}


def words_value(text: str) -> Node | None:
    """What a phrase stands for: a number, a time, a choice letter, a set; None where it is none of these."""
    if "\\" in text:  # a formula
        return None
    if text.startswith("-"):
        value = words_value(text[1:].lstrip())
        return tree.negate(value) if isinstance(value, (Num, Quantity)) or value == tree.INFINITY else None
    for pattern, value_of in _FORMS:
        if (match := pattern.fullmatch(text)) is not None and (value := value_of(match)) is not None:
            return value
    phrase = PHRASES.get(" ".join(_words(text.removesuffix(".").removesuffix("!"))))
    if phrase is not None:
        return _FIXED.get(phrase) or Text(phrase)
    spelled = spelled_number(text)
    return _spelled_quantity(text) if spelled is None else Num(spelled)


def _words(text: str) -> list[str]:
    """The words in lower case; a hyphen between letters divides them, any other is a minus sign."""
    return _HYPHEN.sub(" ", text.lower()).split()


def _time(match: re.Match[str]) -> Node | None:
    hour, minute = int(match.group(1)), int(match.group(2) or 0)
    half = _HALVES[(match.group(3) or match.group(4)).lower()]
    return Time(hour % 12 * 60 + minute, half) if 1 <= hour <= 12 and minute < 60 else None


def _day(day: str, month: str, year: str | None) -> Node | None:
    named = [name for name in _MONTHS if len(month) > 2 and name.startswith(month.lower())]
    return Text(f"{named[0]} {int(day)}" + (f" {year}" if year else "")) if named else None


def _ordinal(match: re.Match[str]) -> Node | None:
    tens, value = NUMBER_WORDS.get((match.group(1) or "zero").lower(), 1), ORDINALS.get(match.group(2).lower())
    return None if value is None or tens % 10 or (tens and value > 9) else Num(Fraction(tens + value))


# Forms of a whole phrase, with what they stand for.
_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Node | None]], ...]] = tuple(
    (re.compile(pattern), value_of)
    for pattern, value_of in (
        (r"(?i)(\d{1,2})(?::(\d\d))?\s*(?:([ap])\.?\s?m\.?|(noon|midnight))", _time),
        (r"(?i)noon|midnight", lambda m: Time(0, _HALVES[m[0].lower()])),
        (r"(?:in |the year |in the year )?(\d{3,4}) ?(B\.?C\.?E?\.?|A\.?D\.?|C\.?E\.?)?",
         lambda m: Text(f"{m[1]} BC") if (m[2] or "").startswith("B") else Num(Fraction(int(m[1])))),
        (r"(?:the )?(?:([a-zA-Z]{3,5}ty)[ -])?([a-zA-Z]{5,8})(?: place| one)?", _ordinal),
        (r"(\d{4})-(0[1-9]|1[0-2])-([0-2]\d|3[01])", lambda m: _day(m[3], _MONTHS[int(m[2]) - 1], m[1])),
        (r"(?:the )?(\d{1,2})(?:st|nd|rd|th)?\s*(?:of\s+)?([A-Z][a-z]{2,8})(?:,?\s+(\d{4}))?",
         lambda m: _day(*m.groups())),
        (r"([A-Z][a-z]{2,8})\s*(\d{1,2})(?:st|nd|rd|th)?(?:,?\s+(\d{4}))?", lambda m: _day(m[2], m[1], m[3])),
        (r"(?:(?:[Oo]ption|[Cc]hoice)\s+)?\(?\s*([A-Za-z])\s*\)|([A-Z])[.:]",
         lambda m: Text("".join(m.groups("")).upper(), choice=True)),
        (r"(?:\([A-Z]\)|[A-Z])(?:\s*(?:,\s*and|,|and|&)\s*(?:\([A-Z]\)|[A-Z]))+",
         lambda m: tree.Group("", "", tuple(map(Text, re.findall("[A-Z]", m[0]))))),
        (r"(?i)(?:quotient:?\s*)?(\d+),?\s*(?:(?:with\s+)?(?:a\s+)?remainder(?:\s+of|\s*[=:])?|r(?:em)?\.?)\s*(\d+)",
         lambda m: tree.Call("remainder", tuple(Num(Fraction(int(part))) for part in m.groups()), free=True)),
    )
)  # fmt: skip


def _spelled_quantity(text: str) -> Quantity | None:
    """`twenty-five percent`, `three quarters of an hour`: a number in words with a unit that is known."""
    words = text.lower().replace("per cent", "percent").split() if len(text) < 200 else []
    for split in range(len(words) - 1, 0, -1):
        rest = words[split:]
        unit = [word for word in rest if word not in ("of", "a", "an")]
        number = spelled_number(" ".join(words[:split])) if 0 < len(unit) <= 2 else None
        if number is not None and _counted(rest):
            return Quantity(Num(number), unit_name(" ".join(rest)))
        if number is not None and len(unit) == 1 and unit[0] in UNITS:
            return Quantity(Num(number), unit_name(unit[0]))
    return None


def _counted(words: list[str]) -> bool:
    """Whether the words name what is counted (`three apples`, `three bolts of fabric`)."""
    named = words[: words.index("of")] if "of" in words[1:] else words
    last = named[-1]
    parts = {"of", "these", "this", *PART_WORDS, *SCALE_WORDS}
    return len(named) <= 2 and len(last) > 3 and last.endswith("s") and not parts & set(named)


def spelled_number(text: str) -> Fraction | None:
    """The value of `twenty-one`, `one half`, `three and a quarter`, `two hundred`; None for anything else."""
    words = _words(text)
    if not words or len(words) > 20:
        return None
    if words[0] in ("negative", "minus"):
        value = spelled_number(" ".join(words[1:]))
        return None if value is None else -value
    if words[-1] in SCALE_WORDS and {"half", *PART_WORDS} & set(words):  # half a million, two and a half million
        count = spelled_number(" ".join(words[:-1]).removesuffix(" a").removesuffix(" of"))
        return None if count is None else count * SCALE_WORDS[words[-1]]
    part = Fraction(0)
    if words == ["half"] or (words[-1] in PART_WORDS and len(words) > 1):
        split = len(words) - 1 - words[::-1].index("and") if "and" in words else -1
        above = words[split + 1 : -1]
        count = Fraction(1) if above in (["a"], ["an"], []) else _cardinal(above)
        if count is None:
            return None
        part, words = count / PART_WORDS[words[-1]], words[: max(split, 0)]
    whole = _cardinal(words) if words else Fraction(0)
    return None if whole is None else whole + part


def _cardinal(words: list[str]) -> Fraction | None:
    """A whole number in words: scales fall, and "and" only follows one (`two thousand three hundred and five`)."""
    scale = next((word for word in _SCALES if word in words), None)
    if scale is None:
        return _below_hundred(words)
    place = words.index(scale)
    count, rest = words[:place], words[place + 1 :]
    times = Fraction(1) if count == ["a"] else _cardinal(count)
    below = _cardinal(rest[1:] if rest[0] == "and" else rest) if rest else Fraction(0)
    if not times or below is None or below >= SCALE_WORDS[scale] or (rest and not below):
        return None
    return times * SCALE_WORDS[scale] + below


def _below_hundred(words: list[str]) -> Fraction | None:
    """`seven`, `nineteen`, `twenty`, `twenty one`."""
    first, *units = [NUMBER_WORDS.get(word, -1) for word in words] or [-1]
    tens = first >= 20 and len(units) == 1 and 0 < units[0] < 10
    return Fraction(first + sum(units)) if first >= 0 and (tens or not units) else None


def plain_words(text: str) -> str:
    """Words in a form to compare: no punctuation, no articles, single spaces; the case is kept."""
    kept = [word for word in _MARKS.sub(" ", text).split() if word.lower() not in ("the", "a", "an") or len(text) < 3]
    return " ".join(word.strip(".") or word for word in kept)
