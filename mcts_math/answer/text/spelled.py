"""Answers in words: numbers spelled out, fixed phrases, choice letters, times of day."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from mcts_math.answer.text.units import UNITS, unit_name
from mcts_math.answer.text.vocabulary import NUMBER_WORDS, ORDINALS, PART_WORDS, PHRASES, PLACE_WORDS, SCALE_WORDS
from mcts_math.answer.values.nodes import (
    EMPTY_SET,
    INFINITY,
    UNDEFINED,
    Call,
    Const,
    Group,
    Node,
    Num,
    Quantity,
    Sym,
    Text,
    Time,
    negate,
)

_CHOICE: Final = re.compile(
    r"^(?:(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s+)?\(?\s*([A-Za-z])\s*\)$|^([A-Z])[.:]$|^(?:[Oo]ption|[Cc]hoice)\s+([A-Z])$"
)
_LETTERS: Final = re.compile(r"^\(?[A-Z]\)?(?:\s*(?:,\s*and|,|and|&)\s*\(?[A-Z]\)?)+$")
_PERIOD: Final = re.compile(r"[.!]$")
_DAY: Final = re.compile(
    r"^(?:(\d{1,2})(?:st|nd|rd|th)?\s*(?:of\s+)?([A-Z][a-z]{2,8})|([A-Z][a-z]{2,8})\s*(\d{1,2})(?:st|nd|rd|th)?)(?:,?\s+(\d{4}))?$"
)
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_TIME: Final = re.compile(r"^(\d{1,2})(?::(\d\d))?\s*(?:([ap])\.?\s?m\.?|(noon|midnight))$", re.IGNORECASE)
_TOLD_TIME: Final = re.compile(r"(noon|midnight)|(half|quarter) (past|to) (\w{3,6}|\d{1,2})", re.IGNORECASE)
_YEAR: Final = re.compile(r"(?:in |the year |in the year )?(\d{3,4}) ?(B\.?C\.?E?\.?|A\.?D\.?|C\.?E\.?)?")
_ORDINAL: Final = re.compile(r"(?:the )?([a-zA-Z]{5,8})(?: place| one)?")
_REMAINDER: Final = re.compile(
    r"(?:quotient:?\s*(?:of\s+|is\s+|=\s*)?)?(\d+),?\s*(?:(?:with\s+|and\s+)?(?:a\s+)?remainder(?:\s+of|\s+is|\s*[=:])?|[Rr](?:em)?\.?)"
    r"\s*(\d+)",
    re.IGNORECASE,
)
_ISO: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])-([0-2]\d|3[01])")
_MARKS: Final = re.compile(r"""["'`“”‘’()*$\\{}]|[.,;:!?](?=\s|$)|(?<![\d.])[,;:](?!\d)""")  # say nothing in a phrase
REALS: Final = Group("(", ")", (negate(INFINITY), INFINITY))


def words_value(text: str) -> Node | None:
    """What a phrase stands for: a number, a time, a choice letter, a set; None where it is none of these."""
    match = _TIME.match(text)
    if match is not None:
        return _time(match)
    if (told := _TOLD_TIME.fullmatch(text)) is not None and (time := _told_time(told)) is not None:
        return time
    if (year := _YEAR.fullmatch(text)) is not None:
        era = (year.group(2) or "").replace(".", "").upper()
        number = Num(Fraction(int(year.group(1))))
        return Text(f"{year.group(1)} BC") if era.startswith("B") else number
    if (place := _ORDINAL.fullmatch(text)) is not None and place.group(1).lower() in ORDINALS:
        return Num(Fraction(ORDINALS[place.group(1).lower()]))
    if (iso := _ISO.fullmatch(text)) is not None:
        return Text(f"{_MONTHS[int(iso.group(2)) - 1]} {int(iso.group(3))} {iso.group(1)}")
    if (match := _DAY.match(text)) is not None and (day := _date(match)) is not None:
        return day
    match = _CHOICE.match(text)
    if match is not None:
        return Text((match.group(1) or match.group(2) or match.group(3)).upper(), choice=True)
    if _LETTERS.match(text):
        return Group("", "", tuple(Text(letter) for letter in re.findall("[A-Z]", text)))
    if (division := _REMAINDER.fullmatch(text)) is not None:
        return Call("remainder", tuple(Num(Fraction(int(part))) for part in division.groups()), free=True)
    if (places := _place_value(text)) is not None:
        return places
    phrase = PHRASES.get(" ".join(_PERIOD.sub("", text).lower().replace("-", " ").split()))
    if phrase is not None:
        return _phrase(phrase)
    spelled = spelled_number(text)
    return _spelled_quantity(text) if spelled is None else Num(spelled)


def _spelled_quantity(text: str) -> Quantity | None:
    """`twenty-five percent`, `three quarters of an hour`: a number in words with a unit that is known."""
    words = text.lower().replace("per cent", "percent").split() if len(text) < 200 else []
    for split in range(len(words) - 1, 0, -1):
        unit = [word for word in words[split:] if word not in ("of", "a", "an")]
        number = spelled_number(" ".join(words[:split])) if 0 < len(unit) <= 2 else None
        if number is not None and _counted(words[split:]):
            return Quantity(Num(number), unit_name(" ".join(words[split:])))
        if number is not None and len(unit) == 1 and (unit == ["percent"] or unit[0] in UNITS):
            return Quantity(Num(number), "%" if unit == ["percent"] else unit_name(unit[0]))
    return None


def _place_value(text: str) -> Num | None:
    """`4 tens and 2 ones`."""
    words = [word for word in text.lower().replace(",", " ").split() if word != "and"]
    if not 4 <= len(words) <= 14 or not all(word.isdigit() and len(word) < 9 for word in words[::2]):
        return None
    values = [PLACE_WORDS.get(word, PLACE_WORDS.get(word + "s")) for word in words[1::2]]
    if len(words) % 2 or not all(values):
        return None
    return Num(sum((int(n) * v for n, v in zip(words[::2], values, strict=True) if v is not None), Fraction(0)))


def _counted(words: list[str]) -> bool:
    """Whether the words name what is counted (`three apples`)."""
    last = words[-1]
    return len(words) <= 2 and len(last) > 3 and last.endswith("s") and not {"of", "these", "this"} & set(words)


def _date(match: re.Match[str]) -> Text | None:
    month, day = (match.group(2) or match.group(3)).lower(), match.group(1) or match.group(4)
    names = [name for name in _MONTHS if name == month or (len(month) >= 3 and name.startswith(month))]
    if not names:
        return None
    return Text(f"{names[0]} {int(day)}" + (f" {match.group(5)}" if match.group(5) else ""))


def _phrase(phrase: str) -> Node:
    fixed: dict[str, Node] = {
        "no solution": EMPTY_SET,
        "undefined": UNDEFINED,
        "all real numbers": REALS,
        "integers": Sym("Z"),
        "natural numbers": Sym("N"),
        "rational numbers": Sym("Q"),
        "complex numbers": Sym("C"),
        "yes": Const("true"),
        "no": Const("false"),
        "infinity": INFINITY,
        "negative infinity": negate(INFINITY),
    }
    return fixed.get(phrase, Text(phrase))


def _time(match: re.Match[str]) -> Node | None:
    hour, minute = int(match.group(1)), int(match.group(2) or 0)
    if hour > 12 or not hour or minute > 59:
        return None
    named = (match.group(4) or "").lower()
    half = (match.group(3) or "").lower() + "m" if match.group(3) else {"noon": "pm", "midnight": "am"}[named]
    return Time(hour % 12 * 60 + minute, half)


def _told_time(match: re.Match[str]) -> Time | None:
    """`noon`, `half past two`, `quarter to nine`."""
    if match.group(1):
        return Time(0, "pm" if match.group(1).lower() == "noon" else "am")
    hour = NUMBER_WORDS.get(match.group(4).lower(), int(match.group(4)) if match.group(4).isdigit() else 0)
    if not 1 <= hour <= 12:
        return None
    minutes = 30 if match.group(2).lower() == "half" else 15
    total = hour % 12 * 60 + (minutes if match.group(3).lower() == "past" else -minutes)
    return Time(total % 720, "")


def spelled_number(text: str) -> Fraction | None:
    """The value of `twenty-one`, `one half`, `three and a quarter`, `two hundred`; None for anything else."""
    words = text.lower().replace("-", " ").split()
    if not words or len(words) > 20 or not all(word.isalpha() for word in words):
        return None
    if words[0] in ("negative", "minus"):
        value = spelled_number(" ".join(words[1:]))
        return None if value is None else -value
    if words[0] == "half" and words[-1] in SCALE_WORDS and words[1:-1] in ([], ["a"]):
        return Fraction(SCALE_WORDS[words[-1]], 2)
    part = Fraction(0)
    if words[-1] in PART_WORDS and len(words) > 1:
        split = len(words) - 1 - words[::-1].index("and") if "and" in words else -1
        above = words[split + 1 : -1]
        count = Fraction(1) if above in (["a"], ["an"], []) else _cardinal(above)
        if count is None:
            return None
        part, words = count / PART_WORDS[words[-1]], words[: max(split, 0)]
        if not words:
            return part
    elif words == ["half"]:
        return Fraction(1, 2)
    whole = _cardinal(words)
    return None if whole is None else whole + part


def _cardinal(words: list[str]) -> Fraction | None:
    total = group = 0
    seen = False
    for word in words:
        if word in NUMBER_WORDS:
            group += NUMBER_WORDS[word]
            seen = True
        elif word == "hundred" and seen:
            group *= 100
        elif word in SCALE_WORDS and seen:
            total, group = total + group * SCALE_WORDS[word], 0
        elif word == "a" and not seen:
            group, seen = 1, True
        elif word != "and" or not seen:
            return None
    return Fraction(total + group) if seen and words != ["a"] else None


def plain_words(text: str) -> str:
    """Words in a form to compare: no punctuation, no articles, single spaces; the case is kept."""
    kept = [word for word in _MARKS.sub(" ", text).split() if word.lower() not in ("the", "a", "an") or len(text) < 3]
    return " ".join(word.strip(".") or word for word in kept)
