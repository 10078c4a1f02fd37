"""What a reply ends with that marks no answer: a list of values, a display, bold words, a sentence that states one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from mcts_math.answer.reply.amounts import ONE, VALUE, right_side
from mcts_math.answer.reply.claims import ASIDE, CONCLUDES, UNSETTLED, bold_values, stated

_MAX_LENGTH: Final = 2000  # characters that are looked at
_FAREWELL: Final = re.compile(  # to the user
    r"(?:\A|(?<=[^\s,])\s+)[*_(]{0,3}(?:would you|let me know|do you|feel free|(?:i )?hope|if you|is there anything"
    r"|(?:i'm )?happy to|(?:that|this)(?:'s| is) (?:the|our) (?:final )?(?:solution|answer|result)\b"
    r"|(?:that|this) (?:completes|finishes|concludes)|(?:great|perfect|good|nice)\W{1,3}that(?:'s| is)"
    r"|this is because|great job|well done|thank(?:s[!.]| you\b)|q\.?e\.?d\b"
    r"|as (?:desired|required|claimed|before|above|needed|expected)\b)[^\n]{0,200}\Z",
    re.IGNORECASE,
)
_NO_CLAIM: Final = (  # a character of a check where no conclusion begins, nor what says that it fails
    r"(?:(?!(?:\n|[.!?] )\W{0,4}(?:hence|so|thus|therefore|final)\b[^\n.]*\d"
    r"|\b(?:but|however)\b[^\n.]{0,60}(?:\b(?:needs?|should|must|not|wrong|fails?)\b|n't)|≠|\\neq?\b).)"
)
_NOTES: Final = re.compile(  # under a heading of their own
    r"\n\W{0,9}(?:sanity |let(?:'s| us| me) |(?:quick|double)[ -]|to |here(?:'s| is) (?:the|a) ){0,3}(?:check(?:ing)?"
    r"|verif\w+|comprobación|проверка|prüfung|验证|检验|explanation|key (?:points?|ideas?)|remarks?|breakdown|sources?"
    rf"|tips?|notes?(?=:))(?:\*\*|:|[^\n]{{0,40}}\n){_NO_CLAIM}*\Z"
    rf"|(?<=[.$]) {{1,3}}(?:check|verif\w+): (?:(?!\n){_NO_CLAIM})*\Z"
    r"|, which (?:we|you) can (?:verify|check)\b[^\n]{0,150}\Z|(?<=\$\$|\\\])\s{0,3}with remainder [^\n]{1,30}\Z"
    r"|(?<=[.$!])\s{1,3}(?:check(?:ing)?,|indeed,|(?:in|by) (?:comparison|contrast),|let's (?:verify|check)"
    r"|if [^\n.]{1,120}(?:would|n't) (?:have|be|get)\b|(?:this|it) (?:holds (?:for|when|where)|matches|agrees)"
    r"|(?:we|you) can (?:check|verify) that )(?:[^\n.!?]|\.(?=\d)){1,200}[.!]?\Z"
    r"|(?<=[.$!])\s{1,3}(?:this|that|it)(?: is|'s| equals)? (?:also )?(?:about|approximately|roughly|equivalent to) "
    r"(?![^\n]{0,80}\b(?:per|each|every|total|all|an? (?:day|week|month|year))\b)(?:[^\n.!?]|\.(?=\d)){1,80}[.!]?\Z",
    re.IGNORECASE | re.DOTALL,
)
_DENIED: Final = re.compile(r", (?:and )?not \*\*[^*\n]{1,80}\*\*(?=[.!]?\Z)")
ORNAMENT: Final = re.compile(
    r"\s{0,3}(?:[✓✔✅☑∎■□✨☺❤️\U0001f300-\U0001faff]|\$?\\(?:square|blacksquare|checkmark|qed)\$?|</solution>"
    r"|\n-{3,9}){1,5}\s{0,9}\Z"
)
_ITEM: Final = re.compile(
    r"\s{0,5}(?:[-*•] )?(?:(?P<part>\**\(?(?:part )?\(?(?:(?-i:[a-h])|[ivx]{1,3}|\d{1,2})[).:]{1,2}\**)|(?<=[-*•] )"
    r"|(?=\*\*[^*\n:]{1,40}(?::\*\*|\*\*:))|(?=\$?[a-z]\$? ?=))\s*(?P<said>.*)",
    re.IGNORECASE,
)
_TOTAL: Final = re.compile(r"\W*(?:grand |final )?(?:total|answer|result)\b", re.IGNORECASE)
_PREMISE: Final = re.compile(
    r"\b(?:given(?! by)|known|let|steps|plan|set-?up|suppose|assume|define)\b(?!')[^:,]{0,30}:\W*\Z", re.I
)
_STEP: Final = re.compile(r"\d ?[-+*/×·÷−] ?\d[^=]{0,40}=")
_UNIT: Final = re.compile(r"(?: ?[^\W\d]{1,20}| ?[%°/^\d]){0,4}")
_LABELLED: Final = re.compile(r"\A\**[^\W\d]{2}[^:=\d$\\]{0,60}(?:: ?\**|= ?)")
_LED: Final = re.compile(
    rf"(?:\A|[.!?:\n])\W{{0,5}}{CONCLUDES}[^.!?\n]{{0,60}}\Z"
    r"|(?:\b(?:answer|is|are|be|(?:gives?|yields?|leaves?)(?: us)?|to|which|becomes|get|obtain|so|and|hence|with|equals"
    r"|have|that|then)(?: (?:therefore|thus|then))?|:\**|\A|\.)\Z",
    re.IGNORECASE,
)
_DISPLAY: Final = re.compile(
    r"(?:\\\[|\$\$|\\begin\{(?:align|gather|equation|aligned)\*?\})"
    r"((?:(?!\\\[|\$\$|\\begin\{(?:align|gather|equation)\*?\}).){1,600})"
    r"(?:\\\]|\$\$|\\end\{(?:align|gather|equation|aligned)\*?\})[.,]?(?:,?\s+where [^.=\n]{1,150})?[. ]{0,3}\Z",
    re.DOTALL,
)
_LINE: Final = re.compile(  # of working, which is no sentence
    rf"(?:\W{{0,3}}(?:the )?(?:total|result|sum|answer)(?: [a-z]{{2,20}})?: "
    rf"|(?:[a-zA-Z]|[A-Z]{{2,4}}(?:\([\d, ]{{1,20}}\))|[A-Za-z∠][^=\n+*/<>$\d]{{1,24}})? ?= ?"
    rf"|(?=\$[^$\n=]{{1,60}}=))({VALUE})(?:°?)(?: [a-z]{{1,20}}){{0,2}}",
    re.IGNORECASE,
)
_GOES_ON: Final = re.compile(r"\A\s*(?:=|\\therefore(?![a-z]))")
_SENTENCES: Final = re.compile(
    r"(?<=[.?])(?<!e\.g\.)\s+(?=\S)|(?<=[a-z]!)\s+(?=\S)|\n|(?<=。)(?=.)|(?:(?<=\.\$)|(?<=\.\)))\s+(?=[A-Z])|(?:(?<=\$\$)"
    r"|(?<=\\\]))\s*(?=[A-Z])"
)


def set_apart(reply: str) -> str | None:
    """The values of the list that a reply ends with, or those in bold in its last sentence; None without such."""
    text = _closed(reply.rstrip()[-_MAX_LENGTH:])
    rows = _rows(reversed(text.split("\n")))[::-1]
    return _joined(rows) or bold_values(_SENTENCES.split(text)[-1])


def first_list(text: str) -> str | None:
    """The values of the list that a text begins with; None where it begins otherwise."""
    return _joined(_rows(text[:_MAX_LENGTH].split("\n")))


def conclusion(reply: str) -> str | None:
    """The number or formula that a reply's last display or sentence states; None where it ends otherwise."""
    text = _closed(reply.rstrip()[-_MAX_LENGTH:])
    if text.endswith(("$$", r"\]")) or _DISPLAY.search(text) is not None:
        return _displayed(text)
    lines = [line for line in text.split("\n") if line.strip()]
    if lines and (line := _LINE.fullmatch(lines[-1].strip())) is not None:
        head = next((other for other in reversed(lines) if _LINE.fullmatch(other) is None), "")
        return right_side(line[1], text) if _PREMISE.search(head) is None else None
    return stated(_SENTENCES.split(text)[-1])


def _closed(text: str) -> str:
    """`text` without what only takes leave, checks, remarks or decorates."""
    for _ in range(4):
        before = text
        for pattern in (ORNAMENT, _FAREWELL, _NOTES, ASIDE, _DENIED):
            text = pattern.sub("", text).rstrip()
        if not text or text == before:
            break
    return text


def _rows(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Items with their values, up to the first line that is none, such as a step; none where they are premises."""
    rows: list[tuple[str, str]] = []
    for line in filter(str.strip, lines):
        if _PREMISE.search(line) is not None:
            return []
        item = _ITEM.fullmatch(line)
        if item is None or (rows and ("**" in line) != ("**" in rows[0][0])):
            break
        if (item["part"] or "").strip("*. ").isdigit() and _STEP.search(item["said"]) is not None:
            break
        value = _item_value(item["said"]) or (stated(item["said"]) if item["part"] and "(" in item["part"] else None)
        if value is None:
            break
        rows.append((line.strip("- •"), value))
    return rows


def _joined(rows: list[tuple[str, str]]) -> str | None:
    """At least two items as one answer, the last alone if it is their total; with marks where one is a list itself."""
    if len(rows) > 1 and _TOTAL.match(rows[-1][0]) is not None and _TOTAL.match(rows[0][0]) is None:
        return rows[-1][1]
    several = any("," in value for _, value in rows)
    return ", ".join(item.strip("*") if several else value for item, value in rows) if len(rows) > 1 else None


def _item_value(item: str) -> str | None:
    """`5` of `Apples: **5**`; None of an item that says more."""
    value = _LABELLED.sub("", item, count=1).strip("* .;,")
    found = ONE.match(value)
    if found is None or _UNIT.fullmatch(value, found.end()) is None:
        return None
    return found[0].strip("$") + value[found.end() :]


def _displayed(text: str) -> str | None:
    """What the display says that `text` ends with, where words lead to it; None where there is no such."""
    display = _DISPLAY.search(text) if text.count("$$") % 2 == 0 else None
    if display is None:
        return None
    before = text[: display.start()].rstrip(" ,*\n")
    sentence = re.sub(
        r"\b[Uu]sing\b(?: the [\w ]{1,30}(?:formula|rule))?", "", _SENTENCES.split(before)[-1]
    )  # a rule, whose result is claimed all the same
    goes_on = _GOES_ON.match(display[1]) is not None or text[: display.start()].rstrip().endswith((",", "$$", r"\]"))
    led = goes_on or (UNSETTLED.search(sentence) is None and _LED.search(before[-200:]) is not None)
    return right_side(_GOES_ON.sub("", display[1]), before[-200:]) if led else None
