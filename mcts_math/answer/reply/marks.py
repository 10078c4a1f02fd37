"""What marks an answer in a reply (`Final Answer:`, `####`, `The answer is`), and the answer behind it."""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.reply.boxes import Found, is_empty_box
from mcts_math.answer.reply.claims import stated
from mcts_math.answer.reply.conclusions import ORNAMENT, first_list
from mcts_math.answer.reply.sentences import is_aside
from mcts_math.answer.text.habits import habits, rewritten
from mcts_math.answer.text.normalise import without_colour
from mcts_math.answer.text.remarks import NEARLY, REMARK

_BOLD_MARK: Final = r"\s{0,9}(?:(?:\*{1,2}|__)\s{0,9})?"
_ANSWER: Final = (  # in other languages
    r"ответ|réponse|antwort|antwoord|respuesta|resposta|risposta|cevap|jawaban|đáp (?:án|số)|odpowiedź|정답|답|答え|答"
    r"|解答(?!\W{1,5}\n)|endergebnis|ergebnis|resultado|resultaat|svar|vastaus|відповідь|απάντηση|الجواب|الإجابة|उत्तर"
)
MARK: Final = re.compile(
    r"(?:final|correct(?:ed)?|right)\s+(?:answer choice|answer|choice|option|result|value|one)(?: ?\([^()\n]{1,40}\))?"
    rf"{_BOLD_MARK}(?:(?:is|:|=|→|[-=]>)+|[-–—] ){_BOLD_MARK}:?"
    rf"|(?<![^\W_])answers?(?: to (?:the|this) (?:question|problem))?{_BOLD_MARK}"
    r"(?:(?:is|are|equals|(?:must|should|would|will) be)\b(?:\s*:)?|:)\s*(?:\*\*|__)?|(?<![^\W_])ans[.:]"
    r"|(?:^[ #*_]{0,9}|(?<=\d: ))(?:result[*_ ]{0,3}:(?:\*\*)?|answer[*_ ]{0,3}(?:=(?!=)|[-–—] ))"
    r"|(?:(?:最终|正确(?:的)?)?答案|正确(?:的)?选项)(?:选择)?\s?(?:\*\*)?(?:是(?!不)|为|：|:)+|故选\s?[:：]?"
    rf"|(?<!\w)(?:{_ANSWER})(?: \w{{4,9}})?{_BOLD_MARK}"
    r"(?:[:：]|[은는は]| (?:(?:es|est|ist|lautet|è|é|är|هي|هو)\b|है) ?:?)(?:\s?\*\*)?"
    r"|(?<!#)####(?!#)(?!\s{0,9}(?:(?!yes|true|false)[a-z]{3,20}(?:[ :\n]|$)|[^\n]{0,80}[:：][ *_]{0,9}(?:\n|$)))"
    r"|^[ #*_✅✔🎯]{0,9}final answer[ #*_✅✔🎯]{0,9}$|^ {0,3}(?:(?:#|\*\*|__)[ #*_]{0,6})?answer[ #*_.]{0,9}$",
    re.IGNORECASE | re.MULTILINE,
)
_SAID: Final = re.compile(r"\w{1,30} \w{1,30} \w|[\u4e00-\u9fff]{2}")  # a sentence
_VERB: Final = re.compile(r" (?:(?:is|are|be|equals|isn't|es|est|ist|lautet|è|é|är|هي|هو)\b|है)|[은는は]|=")
SUPPOSED: Final = re.compile(  # or quoted
    r"(?:\b(?:if|suppose|assume|assuming|unless|whether)(?: that)?|\w,? [\"“])(?: ?the)? ?\Z", re.IGNORECASE
)
_FENCED: Final = re.compile(r"```[a-z]{0,12}\n?([^`]{1,300})```")
NOTHING: Final = re.compile(  # said where the answer might stand
    r"(?:the |your )?(?:final )?answer(?: to (?:the|this) (?:problem|question))?|\$answer\b.*|as follows|below|above"
    r"|\?+|(?:step|problem|question|part|case|example) \d[^ ]{0,3}|step \d+[:.].*"
    r"|(?:computation|calculation|solution|approach|next steps?|verification|proof|analysis|explanation)s?"
    r"|(?:obtained|given|found|computed) (?:by|from|in|as|below|after|when)\b.*",
    re.IGNORECASE | re.DOTALL,
)
_BOLD: Final = re.compile(r"(?<![\w)*])\*\*([^*\n]{1,80})\*\*(?![\w(*])")
_ONE_WORD: Final = re.compile(rf"answer|{_ANSWER}")
_LINE_START: Final = re.compile(r"(?:^|\n)[ #*_>-]{0,9}(?:the )?\Z", re.IGNORECASE)
_STOP: Final = re.compile(
    r"</(?:p|step|s|answer|solution)>|<(?:eos|end_of_turn)>|<Solution complete>|\n\s*\n|\n(?=[#*-] )"
    r"|I hope it is correct|<\||####",
    re.IGNORECASE,
)
_BULLET: Final = re.compile(r"\A[-*>] (?=\S)")
_ADVERB: Final = re.compile(
    r"\A(?:(?:(?:most )?likely|probably|therefore|thus|hence|then|clearly|obviously|simply|indeed|just|exactly|finally"
    r"|consequently|donc|also),?:?(?:\s+(?=\S)|\Z)"
    r"|(?:given by|(?:equal|found to be equal) to|found to be)(?: approximately| about)?:?(?:\s+(?=[$\\\d-])|\Z)"
    r"|(?:(?:the|la|el|die|le) )?(?:(?:option|opción|choice|antwort|réponse) )?(?=\(?(?-i:[A-Z])\)?(?:\W|\Z)))",
    re.IGNORECASE,
)
_AROUND: Final = habits(  # an answer: what is denied, a copula
    (
        ("not ", r"\Anot [^,\n]{1,40},? but (?=\S)|, not (?=[$\\\d-]|\(?[A-Z]\)?\W{0,3}\Z).*\Z|\Anot [$\\\d-].*\Z", ""),
        ("", r" ?(?:입니다|이다|이에요|です|である|になる)[.。]?$", ""),
    )
)
_CHOICE: Final = re.compile(r"\(?([A-Z])(?:\)?[.:]?|\)?[.:]? ?\(\$[^()$]*\$\))")  # alone, or with its value in brackets
_STRAY: Final = re.compile(r"[^()\[\]]*[)\]]")
_SENTENCE: Final = re.compile(r"[.!]\s+(?=[A-Z]|\([A-Z][a-z]+ )|[.!]$|[。।]")
_ABBREVIATED: Final = re.compile(r"\b(?:[ap]\.m|[AP]\.M|St|Mt|Dr|Mr|Mrs|Ms)\.?$")
_AFTERTHOUGHT: Final = re.compile(
    r",?\s+(?:which|because|since|assuming|though|although|rather than|instead of|as\s+(?:required|desired|expected))\b"
    r"|,?\s+(?:i\.e\.|that is,|or (?:about|approximately|roughly)\b)"
    r"|,\s+(?:(?:and\s+)?so\s+(?=[a-z]{2})|but\s+(?!not\b))"
    rf"|\s\((?:(?:not|i\.e\.,?|that is,?|namely|see|the|to the) |{REMARK}|{NEARLY})[^()\n]{{0,80}}\)"
    r"|\s[–—]\s+(?=[a-z']{2,} [a-z']{2,})|(?<=[\d$)}]):\s+(?=[a-z]{2,} )"
    r"|,? approximately\b|\s\|\s+(?=[A-Z][a-z]+:)"
)
_DISPLAY: Final = re.compile(  # what follows is the end of a sentence, or a clause about it
    r"(?:\\\[((?:(?!(?<!\\)\\\]).)*)\\\]|\$\$((?:(?!\$\$).)*)\$\$|\\\(((?:(?!(?<!\\)\\\)).)*)\\\))"
    r"(?=\s*(?:[.!]|\n|\Z|,\s*\Z|,?\s+(?:which|because|since|as|so|where|for|when)\b))",
    re.DOTALL,
)
_DOLLARS: Final = re.compile(r"\$+([^$]+)\$+\s*(?:[.!]|,(?=[^$\d]*$)|$)")
_UNFINISHED: Final = re.compile(r"\A\$[^$]*\\[a-z]{1,9}\{[^{}$]*\Z| (?:multiplied|divided) by\Z")  # cut in a formula
_MAX_MARKED: Final = 5000  # characters behind a mark
_MAX_TRIED: Final = 100  # marks that nothing follows


def last_mark(text: str) -> Found | None:
    """What the last mark of a reply says, one that is no part of a sentence first; None where no answer follows any."""
    marks = [match for match in MARK.finditer(text) if not SUPPOSED.search(text[: match.start()][-30:])]
    marks = [match for match in marks if not is_aside(text, match.end(), match.end())] or marks
    strong = {match.start() for match in marks if _is_strong(text, match)}
    marks.sort(key=lambda match: (match.start() in strong, match.start()), reverse=True)
    for match in marks[:_MAX_TRIED]:
        after = text[match.end() : match.end() + _MAX_MARKED]
        rest = _ADVERB.sub("", after.lstrip(), count=1)
        if "\n" in match.group() + after[: len(after) - len(rest)]:  # on a line of its own, perhaps as a list's item
            rest = _BULLET.sub("", rest)
        if (fenced := _FENCED.match(rest)) is not None:
            rest = fenced.group(1)
        elif (listed := first_list(after)) is not None:
            rest = listed
        stop = _STOP.search(rest)
        rest = rest[: stop.start()] if stop is not None else rest.rstrip()
        inner = MARK.match(rest[4:] if rest[:4].lower() == "the " else rest)
        answer = clean(rest if inner is None else rest[rest.index(inner.group()) + len(inner.group()) :])
        if answer and _SAID.search(answer) is not None and " and " not in answer:
            answer = stated(f"{answer}.") or answer
        if answer and not is_empty_box(answer) and not NOTHING.fullmatch(answer):
            whole = _UNFINISHED.search(answer) is None
            return Found(match.start(), answer if whole else None, 1 + (match.start() in strong))
    return None


def _is_strong(text: str, match: re.Match[str]) -> bool:
    """Whether a mark is no part of a sentence: a heading, `####`, `Final Answer:`, `Answer:` in front of a line."""
    mark = match.group().lower()
    if _VERB.search(mark) and ":" not in mark:
        return False
    return (
        "final" in mark
        or not _ONE_WORD.search(mark)
        or _LINE_START.search(text[max(match.start() - 14, 0) : match.start()]) is not None
    )


def clean(text: str) -> str | None:
    """The answer in the rest of a marked line: without what follows its sentence, bold marks and enclosing dollars."""
    text = ORNAMENT.sub("", _BOLD.sub(r"\1", without_colour(text).strip()))
    if text.count("**") == 1:  # the other one was part of the mark
        text = re.sub(r"\*\*(?: \(.*)?", "", text, flags=re.DOTALL)
    text = rewritten(_ADVERB.sub("", text.strip("*_").strip(), count=1), _AROUND)
    for enclosed in (_DISPLAY.match(text), _DOLLARS.match(text)):
        if enclosed is not None:
            return "".join(enclosed.groups("")).strip(" \n.") or None
    if "\\begin" not in text:
        text = text if text.startswith(("[[", "Matrix")) else text.split("\n", 1)[0].strip()
    text = _AFTERTHOUGHT.split(text, maxsplit=1)[0].strip()
    for sentence in _SENTENCE.finditer(text):
        before = max(sentence.start() - 6, 0)
        if not any(_ABBREVIATED.search(text[before:end]) for end in (sentence.start(), sentence.end())):
            text = text[: sentence.start()]
            break
    text = text.strip().strip("*_").strip()
    if _STRAY.fullmatch(text) is not None:  # [Answer: 60]
        text = text[:-1]
    if (whole := _DOLLARS.fullmatch(text)) is not None:
        return whole.group(1).strip() or None
    choice = _CHOICE.fullmatch(text)
    return choice[1] if choice is not None else text or None
