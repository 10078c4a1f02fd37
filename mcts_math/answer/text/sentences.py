"""What a sentence of a reply does: it says something by the way, takes back what was said, or concludes."""

from __future__ import annotations

import re
from typing import Final

_BOUNDARY: Final = re.compile(r"[.!?。;]\s|\n")
_ASIDE: Final = re.compile(
    r"\A\W{0,6}(?:as an? )?(?:sanity )?(?:check(?:ing)?|remark|verification|verify(?:ing)?|example|e\.g\.)\b"
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
_TURN: Final = re.compile(  # what was said before it may be taken back
    r"(?:\A|[.!?;)\]$*}]\s|\n)[\s*_(#>-]{0,6}(?:(?:oh|hmm|ah|but),? )?"
    r"(?:wait|hold on|actually|on second thoughts?|correction|edit(?=:)|sorry|oops|scratch that|no(?=[,.:!]))\b"
    r"|\b(?:I|we) (?:have )?made (?:an?|some) (?:\w{1,20} )?(?:error|mistake|slip)s?\b|\bI (?:misread|meant)\b"
    r"|\b(?:that|this|which)(?:'s| is| was) (?:wrong|incorrect|not (?:right|correct))\b(?! (?:for|if|when)\b)",
    re.IGNORECASE,
)
_SUPPOSING: Final = re.compile(r"\b(?:if|suppose|assum(?:e|ing)|whether|unless)\b[^.!?\n]{0,80}\Z", re.IGNORECASE)
_RIGHT: Final = re.compile(
    r"\b(?:it|this|that|answer|value|result|total) (?:should|must) (?:\w{4,9}ly |instead )?(?:be|have been) |\bI meant "
    r"|\b(?:no|actually|sorry|correction)[,:]? (?:(?:it|this|that)(?:'s| is) )?"
    r"(?=(?:[$\d\\-]|\(?[A-Z]\)?\W)\S{0,80}(?:\s*\Z|\n|(?<=[.;!])\s|(?<=,) not))",
    re.IGNORECASE,
)
_AMOUNT: Final = r"[-−]?[$€£]?\d{1,30}(?:,\d{3}){0,9}(?:\.\d{1,30})?(?:/\d{1,30})?%?"
_VALUE: Final = (
    r"(?:[a-zA-Z] ?= ?)?"
    rf"(?:\$\$?[^$\n]{{1,300}}\$\$?|\\\((?:(?!\\\))[^\n]){{1,300}}\\\)|{_AMOUNT}(?![\w.]))"
)
_ONE: Final = re.compile(rf"(?<![\w.=+*/^-]){_VALUE}")
_SEVERAL: Final = rf"{_VALUE}(?:(?:,| and|, and| or) {_VALUE}){{0,9}}"
_LIMITED: Final = re.compile(rf"{_VALUE},? (?:when|where|at|if|attained|since|because)\b")
_SUBJECT: Final = re.compile(rf"{_VALUE} (?:is|are|was|has|have|divides?|holds?|must|can|does|lies?|\w+verges)\b")
_CONCLUDES: Final = (
    r"(?:(?:therefore|thus|so|hence|consequently|in conclusion|finally|overall|altogether|in total|it follows that)\b"
    r"|(?:decision|conclusion|verdict|solution|final|tl;dr|result)(?=:)|this (?:gives|means)\b"
    r"|we (?:get|find|obtain|have|conclude)\b)"
)
_START: Final = re.compile(rf"\W{{0,4}}(?:{_CONCLUDES}[,:]{{0,2}}\s*){{1,2}}", re.IGNORECASE)
_LED: Final = re.compile(
    rf"(?:\A|[.!?:\n])\W{{0,5}}{_CONCLUDES}[^.!?\n]{{0,60}}\Z|\b(?:answer|result|solutions? (?:is|are))\Z", re.I
)
_CLAUSE: Final = re.compile(r"(?:,| and)? (?:so|therefore|hence|thus|consequently)\b[,:]? ")
_STATES: Final = re.compile(r"(?:the|its|our|adding|dividing|multiplying)\b|[\w ]{1,40} gives\b", re.IGNORECASE)
_ENDS: Final = re.compile(
    r"(?:\A(?![^ ]{1,300} (?!and |or )[a-z])|\b(?:(?:is|are|be)(?: at)?|equals|get|gives?|yield|find|obtain)\b:?"
    rf"|(?<![<>!])=) ?({_SEVERAL})(?: [a-z]{{1,20}}){{0,4}}\Z"
)
_DISPLAY: Final = re.compile(
    r"(?:\\\[|\$\$|\\begin\{(?:align|gather)\*?\})((?:(?!\\\[|\$\$|\\begin\{(?:align|gather)\*?\}).){1,600})"
    r"(?:\\\]|\$\$|\\end\{(?:align|gather)\*?\})[. ]{0,3}\Z",
    re.DOTALL,
)
_NAME: Final = re.compile(  # of what is computed, an operator's value, or numbers alone
    r"\s*(?:\([\w, ]{1,20}\)|\\angle ?\w{1,3}|(?:\\[a-z]{2,10} ?|[A-Za-z]|[A-Z]{2,3})(?:_\{?\w{1,5}\}?|\^\{-1\}|')?"
    r"(?:\([^()=]{1,30}\))?|[^A-Za-z]*|\\(?:int|sum|lim|prod|frac\{d)\b.*)\s*",
    re.DOTALL,
)
_INDEX: Final = re.compile(r"_(?:\{[^{}]{0,30}\}|\w)")
_ROWS: Final = re.compile(r"\\(?:begin|end)\{(?:aligned|split|gathered)\}|&")
_SENTENCES: Final = re.compile(r"(?<=[.?])\s+(?=\S)|(?<=[a-z]!)\s+(?=\S)|\n")
_BRACKET: Final = re.compile(r"\s\([^()]{1,200}\)\Z")


def is_aside(text: str, start: int, end: int) -> bool:
    """Whether what stands from `start` to `end` is a check, a remark, a question, or called wrong: no claim."""
    sentence = _BOUNDARY.split(text[max(start - 160, 0) : start])[-1]
    return _ASIDE.search(sentence) is not None or _DISMISSED.match(text, end) is not None


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


def conclusion(reply: str) -> str | None:
    """The number or formula that a reply without any mark plainly ends with; None where it ends otherwise."""
    text = reply.rstrip()[-2000:].replace("**", "")
    if (display := _DISPLAY.search(text)) is not None:
        before = text[: display.start()].rstrip(" ,:\n")
        return _right_side(display.group(1)) if not before or _LED.search(before[-200:]) is not None else None
    sentence = _SENTENCES.split(text)[-1]
    start = _START.match(sentence)
    headed = start is not None and ":" in start.group()
    if not headed and not sentence.endswith((".", "!", "。", "$", r"\)")):
        return None
    clauses = _CLAUSE.split(_BRACKET.sub("", sentence[start.end() if start is not None else 0 :].rstrip(".!。 ")))
    concluded = len(clauses) > 1 or start is not None
    ended = _ENDS.search(clauses[-1]) if concluded or _STATES.match(clauses[-1]) is not None else None
    if _LIMITED.search(clauses[-1]) is not None:
        return None
    if ended is not None:
        sides = list(map(_right_side, _ONE.findall(ended.group(1))))
        return ", ".join(sides if "=" not in "".join(sides) else sides[-1:])
    values = _ONE.findall(clauses[-1]) if concluded and _SUBJECT.search(clauses[-1]) is None else []
    if len(values) == 1 and re.search(r"\d", _INDEX.sub("", values[0])) is not None:
        return _right_side(values[0])
    return clauses[-1] if headed and len(clauses[-1].split()) < 6 else None


def _right_side(formula: str) -> str:
    """What a chain of equations ends with; an equation itself where its left side is no name of the right one."""
    formula = formula.strip("$").removeprefix(r"\(").removesuffix(r"\)")
    formula = formula if r"matrix}" in formula else _ROWS.sub("", formula)
    ends, depth = [], 0
    for place, char in enumerate(formula):
        depth += (char in "([{") - (char in ")]}")
        if char == "=" and not depth and formula[place - 1 : place] not in ("<", ">", "!"):
            ends.append(place)
    if not ends or (len(ends) == 1 and _NAME.fullmatch(formula[: ends[0]]) is None):
        return formula.strip(" \n.,")
    return formula[ends[-1] + 1 :].strip(" \n.,")
