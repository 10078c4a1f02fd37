"""What a reply ends with that marks no answer: a list of values, a display, bold words, a sentence that states one."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import Final

from mcts_math.answer.reply.equations import right_side

_MAX_LENGTH: Final = 2000  # characters that are looked at

# What follows an answer without being a part of it.
_FAREWELL: Final = re.compile(  # to the user
    r"(?:\A|(?<=\S)\s+)[*_(]{0,3}(?:would you|let me know|do you|feel free|(?:i )?hope|if you|is there anything"
    r"|(?:i'm |i am )?happy to|that(?:'s| is) (?:the|our) (?:final )?(?:solution|answer)\b|this completes|q\.?e\.?d\b"
    r"|as (?:desired|required|claimed|before|above|needed|expected)\b)[^\n]{0,200}\Z",
    re.IGNORECASE,
)
_NOTES: Final = re.compile(  # under a heading of their own
    r"\n\W{0,9}(?:here(?:'s| is) (?:the|a) )?(?:check(?:ing)?|verif\w+|explanation|key (?:points?|ideas?)|remarks?"
    r"|breakdown|takeaways?)"
    r"(?:\*\*|:|[^\n]{0,40}\n).*\Z|(?<=[.$]) {1,3}(?:check|verif\w+): [^\n]*\Z"
    r"|(?<=[.$!])\s{1,3}(?:check(?:ing)?,|indeed,|(?:we|you) can (?:check|verify) that )"
    r"(?:[^\n.!?]|\.(?=\d)){1,200}[.!]?\Z",
    re.IGNORECASE | re.DOTALL,
)
_ASIDE: Final = re.compile(
    r"(?<=[.!$])\s+\([^()]{1,300}\)\Z|\s\((?:[\d.]+\\?%|[^()]{0,80}(?<![\\a-z])[a-z]{2,}[^()]{0,80})\)(?=\W{0,3}\Z)"
)
_DENIED: Final = re.compile(r", (?:and )?not \*\*[^*\n]{1,80}\*\*(?=[.!]?\Z)")
ORNAMENT: Final = re.compile(
    r"\s{0,3}(?:[✓✔✅☑∎■□✨☺❤️\U0001f300-\U0001faff]|\$?\\(?:square|blacksquare|checkmark|qed)\$?){1,5}\s{0,9}\Z"
)
_REASON: Final = re.compile(
    r",? (?:because|since|of which|which (?:occurs|happens|is (?:attained|achieved|obtained))) .*\Z|, for which .*\Z"
    r"|, (?:attained|achieved|reached|occurring) (?:at|when|for|by) .*\Z|, as (?=[\d$(]).*\Z|, with [^=]*\\ne.*\Z"
    r"|(?:,? and|,) not (?=[$\d-])[^,]*\Z",
    re.DOTALL,
)

# What may be an answer.
_AMOUNT: Final = (
    r"[-−]?(?:\\?\$|[€£¥])?(?:\d{1,9} (?=\d{1,9}/\d))?\d{1,30}(?:,\d{3}){0,9}(?:\.\d{1,30})?"
    r"(?:/\d{1,30}|(?::\d{1,6}){1,3}(?: [AaPp]\.?[Mm])?| ?[×x] ?10\^\{?-?\d{1,3}\}?)?"
    r"(?:\\?%| (?:percent|thousand|million|billion|trillion)(?![a-z]))?"
)
_VALUE: Final = (
    rf"(?:[a-zA-Z] ?= ?)?(?:[(\[]{_AMOUNT}(?:, ?{_AMOUNT}){{1,3}}[)\]]|(?<!\\)\$\$?[^$\n]{{1,300}}\$\$?"
    rf"|\\\((?:(?!\\\))[^\n]){{1,300}}\\\)|(?:[\d(.$][\d ()+*/×·÷$%,.x-]{{0,80}}= ?){{0,3}}{_AMOUNT}(?![A-Za-z0-9_.!]))"
)
_ONE: Final = re.compile(rf"(?<![A-Za-z0-9_.=+*/^×·÷<>≤≥≠-])(?<![<>≤≥≠] )(?<![<>!]= ){_VALUE}")
_SEVERAL: Final = rf"{_VALUE}(?:(?:, and|,| and| or) {_VALUE}){{0,9}}"
_BOLD: Final = re.compile(r"\*\*(?=\S)((?=[^*\n]*(?:\d|[$\\]))[^*\n]{1,120}|\(?[A-Z]\)?)(?<=\S)\*\*")
_BESIDE: Final = re.compile(r"[,;(]| (?:since|because|out of|for|when|if|as)\b")
_JOINT: Final = re.compile(r"(?:,|, and|, or| and| or|、|和|) ?")
_ITEM: Final = re.compile(
    r"\s{0,5}(?:[-*•] )?(?:(?P<part>\**\(?(?:part )?\(?(?:(?-i:[a-h])|[ivx]{1,3}|\d{1,2})[).:]{1,2}\**)|(?<=[-*•] )"
    r"|(?=\*\*[^*\n:]{1,40}(?::\*\*|\*\*:))|(?=\$?[a-z]\$? ?=))\s*(?P<said>.*)",
    re.IGNORECASE,
)
_TOTAL: Final = re.compile(r"\W*(?:grand |final )?(?:total|answer|result)\b", re.IGNORECASE)
_PREMISE: Final = re.compile(
    r"\b(?:given(?! by)|known|let|steps|plan|suppose|assume|define)\b(?!')[^:,]{0,30}:\W*\Z", re.I
)
_STEP: Final = re.compile(r"\d ?[-+*/×·÷−] ?\d[^=]{0,40}=")
_UNIT: Final = re.compile(r"(?: ?[^\W\d]{1,20}| ?[%°/^\d]){0,4}")
_LABELLED: Final = re.compile(r"\A\**[^\W\d]{2}[^:=\d$\\]{0,60}(?:: ?\**|= ?)")

# What a sentence does.
_CONCLUDES: Final = (
    r"(?:(?:therefore|thus|so|hence|then|consequently|in conclusion|finally|overall|altogether|in total)\b"
    r"|it follows that\b|(?:decision|conclusion|verdict|solution|final|tl;dr|result)(?=:)|this (?:gives|means)\b"
    r"|we (?:get|find|obtain|have|conclude)\b|(?:donc|also|somit|por (?:lo )?tanto|portanto|quindi|dus)\b"
    r"|因此|所以|故|综上)"
)
_START: Final = re.compile(rf"\W{{0,4}}(?:{_CONCLUDES}[,:，]{{0,2}}\s*(?:that )?){{1,2}}", re.IGNORECASE)
_LED: Final = re.compile(
    rf"(?:\A|[.!?:\n])\W{{0,5}}{_CONCLUDES}[^.!?\n]{{0,60}}\Z"
    r"|(?:\b(?:answer|result|is|are|gives?|yields?|get|obtain|so|equals|becomes|have|that|then)|:\**|\A|\.)\Z",
    re.IGNORECASE,
)
_CLAUSE: Final = re.compile(r"(?:,| and)? (?:so|therefore|hence|thus|consequently|then)\b[,:]? ")
_STATES: Final = re.compile(r"(?:the|its|our|adding|dividing|multiplying)\b|[\w ]{1,40} gives\b", re.IGNORECASE)
_UNSETTLED: Final = re.compile(  # no claim, or one on a condition
    r"\b(?:let|consider|suppose|assum\w+|(?:we|you) need|need to|want|must|if|would|maybe|perhaps|try|next|first|not"
    r"|never|cannot|can't|isn't|don't|cases?|steps?|known?|knew|given(?! by)|where|when|unless|except|least|most"
    r"|more|less|fewer|greater|smaller|larger than|between|attained|remainder when|using|formula|example)\b|\?"
    r"|\b(?:i|we)(?:'ll| will)\b|\bsuffices\b|设|如果|若|\A(?:plug|use|write|apply|integrate|substitute)\b",
    re.IGNORECASE,
)
_UNREAL: Final = re.compile(
    r"\b(?:[Ww]ould|[Cc]ould|[Mm]ight|may|contradiction|impossible)\b(?! be left)"
    r"|\A(?:we )?(?:add|subtract|multiply|divide|plug|substitute|compute|solve|take|square)\b"
    r"(?!.*(?:=|\b(?:get|gives?|giving|obtain|is|yields?)\b))"
)
_LIMITED: Final = re.compile(
    rf"{_VALUE},? (?:when|where|at|if|attained)\b"
    rf"|(?<!,)(?<!but) (?:not|cannot|can't|isn't)(?: (?:be|equal(?: to)?))? {_VALUE}\Z"
)
_SUBJECT: Final = re.compile(
    rf"{_VALUE} (?:is|are|was|has|have|divides?|holds?|must|can|does|lies?|\w+verges)\b(?! the only)"
    rf"|{_VALUE}(?: \w+){{1,4}} is [A-Z]"
)
_ADVERBS: Final = r"(?: that| worth| approximately| about| roughly| exactly| only| therefore| then)*"
_ENDS: Final = re.compile(
    r"(?:\A(?![^ ]{1,300} (?!and |or )[a-z])"
    r"|\b(?:(?:is|are|be)(?: at| given by)?|equals|get|gives?|yield|find|obtain)\b:?"
    rf"{_ADVERBS}|(?<![<>!])=) ?({_SEVERAL})(?: [a-z/]{{1,20}}){{0,4}}\Z"
)

_DISPLAY: Final = re.compile(
    r"(?:\\\[|\$\$|\\begin\{(?:align|gather|equation|aligned)\*?\})"
    r"((?:(?!\\\[|\$\$|\\begin\{(?:align|gather|equation)\*?\}).){1,600})"
    r"(?:\\\]|\$\$|\\end\{(?:align|gather|equation|aligned)\*?\})[.,]?(?:\s+where [^.=\n]{1,150})?[. ]{0,3}\Z",
    re.DOTALL,
)
_COMPUTED: Final = re.compile(  # 240/60 = 4 hours
    rf"[=≈] ?({_AMOUNT})(?![A-Za-z0-9_.=])(?: of)?(?:[ -][A-Za-z'’]{{1,20}}){{0,12}}"
    r"(?<! to)(?<! the)(?<! a)(?<! of)(?<! and)(?<! is)[.!]?\Z"
)
_OPERATION: Final = re.compile(r"\d[^=\n]{0,60}?[-+*/×·÷x–−] ?[($]{0,2}\.?\d[^=\n]*\Z")
_UNKNOWN: Final = re.compile(r"(?<![A-Za-z'’])[a-wyzA-Z](?![A-Za-z'’])|\dx|\bx(?! ?[\d$(])|\$[^$]*[a-zA-Z\\]|\?")
_FORMULA: Final = re.compile(r"(?<!\$)(\$[^$\n=]{1,200}=[^$\n]{1,300}\$)(?: [a-z]{1,20}){0,4}\Z")
_LETTER: Final = re.compile(r"\$?(?:\\[a-z]{2,9}|[A-Za-z]|\([a-z, ]{3,9}\))(?:_\{?\w{1,5}\}?)?(?:\([A-Za-z]\))? ?=")
_INDEX: Final = re.compile(r"_(?:\{[^{}]{0,30}\}|\w)")
_SENTENCES: Final = re.compile(
    r"(?<=[.?])\s+(?=\S)|(?<=[a-z]!)\s+(?=\S)|\n|(?<=。)(?=.)|(?<=\.\$)\s+(?=[A-Z])|(?:(?<=\$\$)|(?<=\\\]))\s*(?=[A-Z])"
)
_COMPLETE: Final = (".", "!", "。", "$", r"\)", "**")


def set_apart(reply: str) -> str | None:
    """The values of the list that a reply ends with, or those in bold in its last sentence; None without such."""
    text = _closed(reply.rstrip()[-_MAX_LENGTH:])
    rows = _rows(reversed(text.split("\n")))[::-1]
    return _joined(rows) or _bold_values(_SENTENCES.split(text)[-1])


def first_list(text: str) -> str | None:
    """The values of the list that a text begins with; None where it begins otherwise."""
    return _joined(_rows(text[:_MAX_LENGTH].split("\n")))


def conclusion(reply: str) -> str | None:
    """The number or formula that a reply's last display or sentence states; None where it ends otherwise."""
    text = _closed(reply.rstrip()[-_MAX_LENGTH:])
    if text.endswith(("$$", r"\]")) or _DISPLAY.search(text) is not None:
        return _displayed(text)
    return stated(_SENTENCES.split(text)[-1])


def _closed(text: str) -> str:
    """`text` without what only takes leave, checks, remarks or decorates."""
    for _ in range(4):
        before = text
        for pattern in (ORNAMENT, _FAREWELL, _NOTES, _ASIDE, _DENIED):
            text = pattern.sub("", text).rstrip()
        if not text or text == before:
            break
    return text


def _rows(lines: Iterable[str]) -> list[tuple[str, str]]:
    """Items with their values, up to the first line that is none; blank lines do not count.

    One in bold among others is no row of them, a numbered step is none, and a part of a question may be a sentence.
    What is given or planned is no answer.
    """
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
    found = _ONE.match(value)
    if found is None or _UNIT.fullmatch(value, found.end()) is None:
        return None
    return found[0].strip("$") + value[found.end() :]


def _displayed(text: str) -> str | None:
    """What the display says that `text` ends with, where words lead to it; None where there is no such."""
    display = _DISPLAY.search(text) if text.count("$$") % 2 == 0 else None
    if display is None:
        return None
    before = text[: display.start()].rstrip(" ,*\n")
    unsettled = _UNSETTLED.search(_SENTENCES.split(before)[-1]) is not None
    return None if unsettled or _LED.search(before[-200:]) is None else right_side(display[1], before[-200:])


def stated(sentence: str) -> str | None:
    """What a sentence comes to: its bold values, or the one number or formula that it states; None without such."""
    sentence = _ASIDE.sub("", sentence)
    if (bold := _bold_values(sentence)) is not None:
        return bold
    complete = sentence.endswith(_COMPLETE)
    sentence = sentence.replace("**", "")
    if (computed := _COMPUTED.search(sentence)) is not None:
        operation = _OPERATION.search(sentence[max(computed.start() - 120, 0) : computed.start()])
        if operation is not None and _UNKNOWN.search(operation[0]) is None:
            return computed[1].strip("$")
    start = _START.match(sentence)
    headed = start is not None and ":" in start[0]
    if not headed and not complete:
        return None
    said = sentence[start.end() if start is not None else 0 :].rstrip(".!。 ")
    *reasons, claim = _CLAUSE.split(_REASON.sub("", said))
    if _LIMITED.search(claim) is not None or _UNREAL.search(claim) is not None:
        return None
    plain = bool(reasons) or start is not None or _UNSETTLED.search(claim) is None
    ended = _ENDS.search(claim) if plain or _STATES.match(claim) is not None else None
    if ended is not None:
        return _several(ended[1], sentence)
    if (formula := _FORMULA.search(claim)) is not None:  # whatever its sentence says before the last comma
        clause = claim[: formula.start()].rsplit(", ", 1)[-1]
        return right_side(formula[1], sentence) if plain or _UNSETTLED.search(clause) is None else None
    values = _ONE.findall(claim) if plain and _SUBJECT.search(claim) is None else []
    if len(values) == 1 and re.search(r"\d", _INDEX.sub("", values[0])) is not None:
        return right_side(values[0], sentence)
    return claim if headed and len(claim.split()) < 6 else None


def _several(said: str, sentence: str) -> str:
    """Values in a row: all of them where all are equations for letters, or none is an equation; else the last."""
    values = _ONE.findall(said)
    labelled = [_LETTER.match(value) is not None for value in values]
    if any("=" in value for value in values) and not all(labelled) and " or " not in said:
        values = values[-1:]
    return (" or " if " or " in said else ", ").join(right_side(value, sentence) for value in values)


def _bold_values(sentence: str) -> str | None:
    """The values that a sentence sets in bold, where it has no other beside them."""
    bold = list(_BOLD.finditer(sentence))
    if not bold or sentence.endswith("?") or _UNSETTLED.search(sentence[: bold[0].start()]) is not None:
        return None
    gaps = [sentence[one.end() : other.start()] for one, other in itertools.pairwise(bold)]
    after = _BESIDE.split(sentence[bold[-1].end() :], maxsplit=1)[0]
    if not all(map(_JOINT.fullmatch, gaps)) or _ONE.search(after) is not None:
        return None
    said = [(stated(f"{run[1]}.") if len(run[1].split()) > 5 else None) or right_side(run[1], sentence) for run in bold]
    return ", ".join(said)
