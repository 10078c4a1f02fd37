"""What an answer says beside its value: a remark, the value once more, what follows yes or no; what joins words."""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.text.things import same_things
from mcts_math.answer.text.vocabulary import NUMBER_WORDS

# how a remark begins that is no part of the answer, after its bracket; and what may be the value, rounded
REMARK: Final = (
    r"(?:[\s$]|\\[ ,;(]){0,4}(?:(?:since|because|as|note|after|double|repeated|rounded|using|e\.g\."
    r"|reject\w{0,3}(?= \W{0,3}(?:[a-z]\W{0,3}=|\d|the\b))|(?:where|assuming)(?![^()]{0,100}(?:[<>]|\\(?:[gl]e|ne|[gl]t"
    r"|in)(?:q|qslant)?(?![a-z])))|correct to|take|one checks|exact(?:ly)?|the only|by (?:the|[A-Z]|\w{1,20}'s)"
    r"|to the nearest|the \w{1,20} are|(?:to )?(?:\d|one|two|three|four) (?:sig\w{1,9}|deci\w{1,6}|digits?"
    r"|solutions?))\b|(?:to )?\d [sd]\.?[fp]\b|the answer(?=\)))"
)
NEARLY: Final = (
    r"(?:[\s$]|\\[ ,;(]){0,4}(?:\\approx|≈|\\sim|(?:(?:or|that is|i\.e\.,?) )?(?:approx[a-z.]{0,8}|about|roughly)\W)"
    r"(?=\W{0,6}\d)"
)
_BRACKET: Final = re.compile(  # with a percentage, an equals sign or a word in it: no factor
    r"(.{1,200}?)(?:[ ~]|\\ |(?<=\}))(?:\\text ?\{ ?)?"
    r"\(((?=[^()]{0,60}%| ?=|[^()]{0,60}(?<![\\A-Za-z])[A-Za-z]{2})[^()]{1,100})\)[ }]{0,3}",
    re.DOTALL,
)
_AGAIN: Final = re.compile(
    r"(?:(?:\\text ?\{)? ?,? ?(?<![A-Za-z])(?:or|that is|namely)\b|,? ?i\.e\.),?(?: equivalently,?)? ?(?:\} ?)?(?=\S)"
)
_ATTAINED: Final = re.compile(
    r"(.{1,200}?),? ?(?:\\text ?\{ ?,? ?)?(?:(?:and |which )?(?:it |this )?(?:is |are )?(?:attained|achieved|reached"
    r"|occurs|occurring|happens)(?: only| exactly)? (?:at|when|if|for|by)"
    r"|(?<=\d) (?:at|when)(?= ?(?:\} ?)?\$?[a-z] ?=))"
    r" (?:(?!\b(?:at|when|attained|achieved|m(?:ax|in)\w*|least|greatest)\b).){1,100}",
    re.IGNORECASE | re.DOTALL,
)
_MAX_LENGTH: Final = 300  # characters
_REPLY: Final = re.compile(
    r"(yes|no|true|false) ?[,;:] ?(?!(?:but|unless|if|only|except|never|not|when|whenever|where|provided|assuming"
    r"|exactly|precisely|sometimes|partly|partially|in (?:some|most|certain|theory|principle)"
    r"|for (?!(?:all|any|every|each)\b))\b)"
    r"(?!(?:.*(?:[,;] ?|and ))?(?:yes|no|true|false)(?: ?[,;]| and |$))(?:with |namely )?([a-z].*)",
    re.IGNORECASE | re.DOTALL,
)
_REASON: Final = re.compile(r"(?:because|since|as|by|due to)\b", re.IGNORECASE)
_SPOKEN: Final = re.compile(r"\bor\b|∨|\\(?:lor|vee)", re.IGNORECASE)
_JOINTS: Final = {
    "and": re.compile(r"\band\b|∧|\\(?:land|wedge)(?![a-z])"),
    "or": re.compile(r"\bor\b|∨|\\(?:lor|vee)(?![a-z])"),
}
_NUMERIC: Final = re.compile(
    rf"[-+\d<>=¬]|\\(?!text|mathrm|land|lor|wedge|vee)[a-z]|(?<![A-Za-z\\])(?-i:[a-z])(?![A-Za-z])"
    rf"|\b(?:{'|'.join(NUMBER_WORDS)})\b",
    re.IGNORECASE,
)


def said_twice(text: str) -> tuple[str, str] | None:
    """The two sayings of what may be one value: `1/2 or 0.5`, `18 (eighteen)`; None where there is but one."""
    if len(text) > 300:
        return None
    bracket = _BRACKET.fullmatch(text)
    parts = list(bracket.groups()) if bracket is not None else _AGAIN.split(text, maxsplit=1)
    sayings = [_AGAIN.sub("", part, count=1).strip(" ,=") if place else part for place, part in enumerate(parts)]
    return (sayings[0], sayings[1]) if len(sayings) == 2 and all(sayings) else None


def attained(text: str) -> str | None:
    """`9/4` of `9/4, attained at x = 1/2`; None where no place is said, or where several values have one."""
    found = _ATTAINED.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    return None if found is None else found[1].strip(" ,$")


def conflict(words: str, other: str) -> bool:
    """Whether two answers can't be the same: `A and B`, but `A or B`. Values of a variable may have either word."""
    if not _SPOKEN.search(words) and not _SPOKEN.search(other):
        return False
    mine, theirs = joints(words), joints(other)
    return mine is not None and theirs is not None and ("or" in mine) != ("or" in theirs)


def joints(words: str) -> tuple[str, ...] | None:
    """Which of "and" and "or" join the words of an answer; None where it has numbers, or is logic."""
    if len(words) > _MAX_LENGTH or _NUMERIC.search(words):
        return None
    return tuple(joint for joint, pattern in _JOINTS.items() if pattern.search(words))


def replied(words: str) -> tuple[str, str]:
    """`Yes, it converges` as the reply and what it says beside; other words as they are, with nothing beside."""
    reply = _REPLY.fullmatch(words) if len(words) <= _MAX_LENGTH else None
    if reply is None:
        return words, ""
    return reply[1], reply[2]


def same_remark(left: str, right: str) -> bool:
    """Whether what is said beside yes or no may be the same: a reason, or words of which one side says more."""
    if _REASON.match(left) or _REASON.match(right):
        return True
    return len(left) > 1 < len(right) and same_things(left, right)
