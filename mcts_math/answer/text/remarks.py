"""What an answer says beside its value: what joins its words, and what follows yes or no."""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.text.things import same_things
from mcts_math.answer.text.vocabulary import NUMBER_WORDS

_MAX_LENGTH: Final = 300  # characters
_REPLY: Final = re.compile(
    r"(yes|no|true|false) ?[,;:] ?(?!(?:but|unless|if|only if|except|never|not)\b)("
    r"?!(?:.*(?:[,;] ?|and ))?(?:yes|no|true|false)(?: ?[,;]| and |$))(?:with |namely )?([a-z].*)",
    re.IGNORECASE | re.DOTALL,
)
_ECHO: Final = re.compile(  # of the reply
    r"(?:it|this|that|they|there|we|you) (?:is|are|does|do|can|will)(?: ?not|n't)?(?: (?:possible|true|so))?[.!]?",
    re.IGNORECASE,
)
_REASON: Final = re.compile(r"(?:because|since|as|by|due to)\b", re.IGNORECASE)
_STATED: Final = re.compile(r"\d+(?:\.\d+)?|[<>=]|\\(?:[gl]e|neq?|[gl]eq)\b")
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


def conflict(words: str, other: str) -> bool:
    """Whether two answers can't be the same: `A and B`, but `A or B`.

    Values of a variable may be joined by either word, and "and" goes without saying.
    """
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
    return reply[1], "" if _ECHO.fullmatch(reply[2]) else reply[2]


def same_remark(left: str, right: str) -> bool:
    """Whether what is said beside yes or no may be the same: a reason, or words of which one side says more."""
    if _REASON.match(left) or _REASON.match(right):
        stated = [sorted(_STATED.findall(words)) for words in (left, right)]
        return not all(stated) or stated[0] == stated[1]
    return len(left) > 1 < len(right) and same_things(left, right)
