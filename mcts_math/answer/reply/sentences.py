"""What a sentence of a reply does: it says something by the way, or takes back what was said."""

from __future__ import annotations

import re
from typing import Final

_BOUNDARY: Final = re.compile(r"[.!?。;]\s|\n")
_ASIDE: Final = re.compile(
    r"\A\W{0,6}alternatively\b|\A\W{0,6}(?:as an? |for (?:an )?)?(?:sanity |let me |let's |now )?"
    r"(?:check(?:ing)?|remark|generali[sz]ation|verification|verify(?:ing)?|example|e\.g\.)\b"
    r"|\b(?:if|were|had|instead)\b[^\n]{0,150}\bwould\b"
    r"|\b(?:tempting|wrong|incorrect|mistaken(?:ly)?|naive(?:ly)?|might think|common (?:mistake|error))\b"
    r"(?![^\n]{0,150}\b(?:correct|right|actual|true|so|but|hence|thus|therefore)\b)",
    re.IGNORECASE,
)
_DISMISSED: Final = re.compile(
    r"[\s$)\]}*\\]{0,6}(?:\?|(?:is|was|would be) (?:wrong|incorrect|tempting|what most|too \w+|a common|the wrong|"
    r"not (?:the |quite |a )?(?:correct|right|answer|possible|valid)))",
    re.IGNORECASE,
)
_ERROR: Final = (  # is admitted
    r"\bI (?:apologi[sz]e|was wrong|need to correct|reali[sz]ed?|overlooked|forgot|missed)\b"
    r"|\b(?:my (?:mistake|bad|apologies)|let me (?:correct|redo|fix|reconsider)(?! whether))\b"
    r"|\b(?:I|we) (?:have )?made (?:an?|some) (?:\w{1,20} )?(?:error|mistake|slip)s?\b|\bI (?:misread|meant)\b"
    r"|\b(?:that|this|which)(?:'s| is| was) (?:wrong|incorrect|not (?:right|correct))\b(?! (?:for|if|when)\b)"
)
ADMITTED: Final = re.compile(rf"\W{{0,9}}(?:(?:edit|correction)\b|{_ERROR})", re.IGNORECASE)
_TURN: Final = re.compile(  # what was said before it may be taken back
    r"(?:\A|[.!?;)\]$*}]\s|\n)[\s*_(#>-]{0,6}(?:(?:oh|hmm|ah|but),? )?"
    r"(?:wait|hold on|actually|on (?:second thoughts?|re-?\w{1,12}|closer \w{1,12})|correction|edit(?=:)|sorry|oops"
    rf"|(?:scratch|strike) that|no(?=[,.:!])"
    rf"|(?:(?:so|thus|hence|therefore),? the |the (?:correct|right|true|actual) )answer)\b|{_ERROR}",
    re.IGNORECASE,
)
_SUPPOSING: Final = re.compile(
    r"(?:\b(?:if|suppose|assum(?:e|ing)|whether|unless)\b|(?:\A|[.!?;,\n])\W{0,6}(?:(?:and|but),? )?"
    r"(?:(?:for|when)(?: (?:all|any|every|an?))? (?:\$?[a-z](?![a-z])|odd|even|positive|negative)|in case \w{1,3}\b)"
    r")[^.!?\n]{0,80}\Z|(?:\A|\n)\W{0,6}(?:case|interpretation|reading|scenario) \w{1,3}\b"
    r"(?:(?!\b(?:total|altogether|sum|so|thus|hence|therefore|in all|final|adding)\b)[^\n]){0,90}\Z",
    re.IGNORECASE,
)
_RIGHT: Final = re.compile(
    r"\b(?:it|this|that|answer|value|result|total) (?:should|must) (?:\w{4,9}ly |instead )?(?:be|have been) |\bI meant "
    r"|\bactually,? it(?:'s| is) [$\d][^=\n.]{0,40}= ?(?=[$\d])"
    r"|\b(?:no|actually|sorry|correction)[,:]? (?:(?:it|this|that)(?:'s| is) )?"
    r"(?=(?:[$\d\\-]|\(?[A-Z]\)?\W)\S{0,80}(?:\s*\Z|\n|(?<=[.;!])\s|(?<=,) not))",
    re.IGNORECASE,
)


def is_aside(text: str, start: int, end: int) -> bool:
    """Whether what stands from `start` to `end` is a check, a remark, a question, or called wrong: no claim."""
    before = text[max(start - 160, 0) : start]
    return _ASIDE.search(_BOUNDARY.split(before)[-1]) is not None or _DISMISSED.match(text, end) is not None


def taken_back(text: str, start: int) -> list[str]:
    """What follows `start` from each sentence on that may take back what was said there: a few, the last first."""
    return [text[match.start() :] for match in [*_TURN.finditer(text, start)][:-9:-1]]


def is_supposed(text: str, start: int) -> bool:
    """Whether what begins at `start` holds on a condition only, that its sentence says before it."""
    return _SUPPOSING.search(text[max(start - 100, 0) : start]) is not None


def set_right(text: str) -> str:
    """What a correction says instead: what follows `it should be`; nothing where it says nothing."""
    said = [text[match.end() :][:200] for match in _RIGHT.finditer(text) if not is_supposed(text, match.start())]
    return said[-1] if said else ""
