"""Answers in words: numbers spelled out, fixed phrases, choice letters, times of day."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final

from mcts_math.answer.nodes import EMPTY_SET, INFINITY, UNDEFINED, Const, Group, Node, Num, Text, Time, negate
from mcts_math.answer.vocabulary import NUMBER_WORDS, PART_WORDS, PHRASES, SCALE_WORDS

_CHOICE: Final = re.compile(
    r"^(?:(?:[Oo]ption|[Cc]hoice|[Aa]nswer)\s+)?\(?\s*([A-Za-z])\s*\)$|^([A-Z])[.:]$|^(?:[Oo]ption|[Cc]hoice)\s+([A-Z])$"
)
_LETTERS: Final = re.compile(r"^[A-Z](?:\s*,\s*[A-Z])+$")
_TIME: Final = re.compile(r"^(\d{1,2})(?::(\d\d))?\s*(?:([ap])\.?\s?m\.?|(noon|midnight))$", re.IGNORECASE)
_JUNK: Final = re.compile(r"[^\w\s.%/+-]")
REALS: Final = Group("(", ")", (negate(INFINITY), INFINITY))


def words_value(text: str) -> Node | None:
    """What a phrase stands for: a number, a time, a choice letter, a set; None where it is none of these."""
    match = _TIME.match(text)
    if match is not None:
        return _time(match)
    match = _CHOICE.match(text)
    if match is not None:
        return Text((match.group(1) or match.group(2) or match.group(3)).upper(), choice=True)
    if _LETTERS.match(text):
        return Group("", "", tuple(Text(letter) for letter in re.findall("[A-Z]", text)))
    phrase = PHRASES.get(" ".join(text.lower().replace("-", " ").split()))
    if phrase is not None:
        return _phrase(phrase)
    number = spelled_number(text)
    return None if number is None else Num(number)


def _phrase(phrase: str) -> Node:
    fixed: dict[str, Node] = {
        "no solution": EMPTY_SET,
        "undefined": UNDEFINED,
        "all real numbers": REALS,
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


def spelled_number(text: str) -> Fraction | None:
    """The value of `twenty-one`, `one half`, `three and a quarter`, `two hundred`; None for anything else."""
    words = text.lower().replace("-", " ").split()
    if not words or len(words) > 20 or not all(word.isalpha() for word in words):
        return None
    if words[0] in ("negative", "minus"):
        value = spelled_number(" ".join(words[1:]))
        return None if value is None else -value
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
    kept = [word for word in _JUNK.sub(" ", text).split() if word.lower() not in ("the", "a", "an") or len(text) < 3]
    return " ".join(word.strip(".") or word for word in kept)
