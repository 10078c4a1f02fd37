"""The final answer in what a model wrote: it must be marked as one, no number that merely occurs will do."""

from __future__ import annotations

import json
import re
from typing import Final

from mcts_math.answer.text.boxes import Found, is_empty_box, last_box
from mcts_math.answer.text.conclusions import ORNAMENT, conclusion, first_list, set_apart, stated
from mcts_math.answer.text.normalise import without_colour
from mcts_math.answer.text.remarks import NEARLY, REMARK
from mcts_math.answer.text.sentences import is_aside, is_supposed, set_right, taken_back

_BOLD_MARK: Final = r"\s{0,9}(?:(?:\*{1,2}|__)\s{0,9})?"
_HEADINGS: Final = (  # what a heading of fourth level is about, where it marks no answer
    r"step|part|case|verif\w*|check\w*|(?:final )?answer|solution|conclusion|explanation|summary|calculat\w*|approach"
    r"|method|result|note|given|find|problem|question|proof|analysis|reasoning"
)
_ANSWER: Final = (  # in other languages
    r"ответ|réponse|antwort|antwoord|respuesta|resposta|risposta|cevap|jawaban|đáp (?:án|số)|odpowiedź|정답|답|答え|答"
    r"|解答(?!\W{1,5}\n)|endergebnis|ergebnis|resultado|resultaat|svar|vastaus|відповідь|απάντηση|الجواب|الإجابة|उत्तर"
)
_MARK: Final = re.compile(
    r"(?:final|correct(?:ed)?|right)\s+(?:answer|choice|option|result|value)(?: ?\([^()\n]{1,40}\))?"
    rf"{_BOLD_MARK}(?:(?:is|:|=|→|[-=]>)+|[-–—] ){_BOLD_MARK}:?"
    r"|\banswer (?:is not|isn't) [^.;\n]{1,60}[;.,—–-]{1,2} ?(?:it is|it's|but)\b|答案不是[^，。\n]{1,20}，?而?是"
    rf"|(?<![^\W_])answers?(?: to (?:the|this) (?:question|problem)(?: [\"“][^\"”\n]{{1,80}}[\"”])?)?"
    rf"(?:, then,)?{_BOLD_MARK}"
    r"(?:(?:is|are|equals|(?:must|should|would|will) be)\b(?:\s*:)?|:)\s*(?:\*\*|__)?|(?<![^\W_])ans[.:]"
    r"|(?:^[ #*_]{0,9}|(?<=\d: ))(?:result[*_ ]{0,3}:(?:\*\*)?|answer[*_ ]{0,3}(?:=(?!=)|[-–—] ))"
    r"|(?:最终)?答案(?:选择)?\s?(?:\*\*)?(?:是(?!不)|为|：|:)+|故选\s?[:：]?"
    rf"|(?<!\w)(?:{_ANSWER})(?: \w{{4,9}})?{_BOLD_MARK}"
    r"(?:[:：]|[은는は]| (?:(?:es|est|ist|lautet|è|é|är|هي|هو)\b|है) ?:?)(?:\s?\*\*)?"
    rf"|(?<!#)####(?!#)(?!\s{{0,9}}(?:{_HEADINGS})\b|[^\n]{{0,80}}[:：][ *_]{{0,9}}(?:\n|$))"
    r"|^[ #*_✅✔🎯]{0,9}final answer[ #*_✅✔🎯]{0,9}$|^ {0,3}answer {0,3}\n[=-]{3,90}$"
    r"|^ {0,3}(?:#|\*\*|__)[ #*_]{0,6}answer[ #*_]{0,9}$",
    re.IGNORECASE | re.MULTILINE,
)
_FOREIGN: Final = re.compile(_ANSWER, re.IGNORECASE)
_SAID: Final = re.compile(r"\w{1,30} \w{1,30} \w|[\u4e00-\u9fff]{2}")  # a sentence
_VERB: Final = re.compile(r" (?:(?:is|are|be|equals|isn't|es|est|ist|lautet|è|é|är|هي|هو)\b|है)|[은는は]|=")
_SUPPOSED: Final = re.compile(r"\b(?:if|suppose|assume|assuming|unless|whether)(?: that)?(?: the)? ?\Z", re.IGNORECASE)
_FENCED: Final = re.compile(r"```[a-z]{0,12}\n?([^`]{1,300})```")
_CHOSEN: Final = re.compile(  # what is called the answer by its sentence
    r"(?:^|[.,;:!?] |\b(?:[Ss]o|[Tt]hus|[Hh]ence|[Tt]herefore|that),? )(?:[Tt]he )?"
    r"(?:[Oo]ption |[Cc]hoice |[Aa]nswer )?\(?([A-Z])\)? is (?:the )?(?:correct|right)\b"
    r"|(?:\b(?:choose|pick|select|go with)\s(?:option |choice |answer )?|选(?:择)?\s?[:：]?\s?)\(?([A-Z])\)?"
    r"(?=[.,。]| (?:because|since|as|选项)\b|\s*$)"
    r"|(?:\b[Oo]nly |\b(?:[Tt]herefore|[Ss]o|[Tt]hus|[Hh]ence),? (?:it (?:is|must be) )?|\bit (?:is|must be) )"
    r"(?:option |choice )?\(?([A-Z])\)?(?=(?: (?:matches|works|is true))?\.?\s*\Z)"
    r"|^(?:[Cc]hoice|[Oo]ption):? \(?([A-Z])\)?(?=\W{0,2}\Z|,)"
    r"|\A([A-Z]), (?:since|because|as)\b|选项 ?([A-Z]) ?是?正确"
    r"|\b(?:leaves|[Ii]t is|[Ii]t must be) (?:option )?\(?([A-Z])\)?(?=\.?\s*\Z|, not\b)"
    r"|(?<![\w.$-])(-?[\d.,/]{1,30}|\$[^$\n]{1,80}\$|\([A-Z]\)) (?:is the|as (?:the|my|our))"
    r" (?:final |correct )?answer\b"
    r"|\banswer ((?:cannot|can't) be determined|does not exist|doesn't exist)\b"
    r"|\A\s*\(?([A-Z])[.)](?: [^\n]{1,100})?(?=\n\s*\n|\s*\Z)(?!.*(?:^|\. )\(?[A-Z][.)])",
    re.MULTILINE | re.DOTALL,
)
_HEADING: Final = re.compile(  # of LaTeX
    r"(\$?)(?<!\{)\\(?:text(?:bf|it)?|emph|(?P<section>(?:sub){0,2}section\*?))\s?\{\s{0,3}((?:final )?answer)"
    r"\s{0,3}(?::\s{0,3}\}|\}(?(section)|(?=:))) ?:?",
    re.IGNORECASE,
)
_OUTPUT: Final = re.compile(  # of a program, at the very end
    r"(?:\A|\n)(?:```(?:output|text|plaintext)?\n([^\n`]{1,300})\n```|output: ?([^\n]{1,300}))\Z", re.IGNORECASE
)
_VERDICT: Final = re.compile(
    r"\**(yes|no|true|false)(?:\**\.|\.?\*\*|, (?:because|since)\b"
    r"|, (?:the|it|this|they|there|(?!i\b)[a-z]\b|\$)[^\n]*\Z)",
    re.IGNORECASE,
)
_NOTHING: Final = re.compile(  # said where the answer might stand
    r"(?:the |your )?(?:final )?answer|as follows|below|above|(?:easy|hard|simple) to \w+|\?+"
    r"|(?:step|problem|question|theorem|part|case|example) \d[^ ]{0,3}"
    r"|(?:obtained|given|found|shown|computed) (?:by|from|in|as|below)\b.*",
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
_THOUGHT: Final = re.compile(
    r"[<\[◁](?P<closed>/)?think(?:ing)?[>\]▷]|<(?P<ended>/)?(?:thought|reasoning|scratchpad|analysis)>"
    r"|<\|(?:begin|(?P<over>end))_of_thought\|>",
    re.IGNORECASE,
)
_CHANNEL: Final = re.compile(r"<\|channel\|>(\w+)(?:[^<]{0,80})<\|message\|>")
_FIELD: Final = re.compile(
    r'"(?:(?:final[_ ]?)?answer|choice|result(?=[^{}]{1,500}\}[\s`]{0,9}\Z))" ?: ?'
    r'("(?:[^"\\]|\\.){1,500}"|\[[^\[\]{}]{1,300}\]|-?\d[\d.eE+-]{0,30})'
    r'(?=\s*(?:\}|,\s*["\n]|$))'
)  # of JSON
_CODE: Final = re.compile(r"```(?:python|py|c|cpp|java)\b.*?(?:```|\Z)", re.DOTALL)
_NEXT_TURN: Final = re.compile(
    r"(?<=\S)(?:\n\s?\n(?:(?:Human|User):|### Instruction)"
    r"|(?:<\|(?:im_end|eot_id|end)\|>|</s>)\s{0,3}(?=<\||<s>|\[INST))"
)
_BARE: Final = re.compile(
    r"(?=.*[A-Za-z\d])(?:[^\w\n#]|[_\d]|\\[a-zA-Z]{1,20}|(?<![A-Za-z])[A-Za-z](?![A-Za-z])){1,60}"
)
_TAG: Final = re.compile(r"</?(?:b|strong|i|em|p|u|span|div)>")
_COPULA: Final = re.compile(r" ?(?:입니다|이다|이에요|です|である|になる)[.。]?$")
_DENIED: Final = re.compile(
    r"\Anot [^,\n]{1,40},? but (?=\S)|, not (?=[$\\\d-]|\(?[A-Z]\)?\W{0,3}\Z).*\Z|\Anot (?=[$\\\d-]).*\Z", re.DOTALL
)
_LAST_WORD: Final = re.compile(r"\*\*([^*\n]*[^*\n:])\*\*\.?\s*$")
_BULLET: Final = re.compile(r"\A[-*] (?=\S)")
_ADVERB: Final = re.compile(
    r"\A(?:(?:therefore|thus|hence|then|clearly|simply|indeed|just|donc|also|somit|entonces|quindi|dunque|portanto),?"
    r" (?=\S)|given by (?=[$\\\d])|(?:一共|总共|共)有? ?(?=\d)"
    r"|(?:(?:the|la|el|die|das|le|de|a|o) )?(?:(?:option|opción|opzione|opção|choice|antwort|réponse) )?"
    r"(?=\(?(?-i:[A-Z])\)?(?:\W|\Z)))",
    re.IGNORECASE,
)
_OTHER_CHOICE: Final = re.compile(r"\(?\b[A-Z]\)(?=\W|$)|^\s*[<>=+*/^-]")  # (B) or (C), (A) < 5
_CHOICE: Final = re.compile(
    r"\$?(?:([A-Z]) (?=\(\$)"
    r"|\\(?:text|textbf|mathrm|mathbf)\{\(([A-Z])\)\.?\}|\(?([A-Z])\)(?=\s|$|[.:])|\(?([A-Z])\)?[.:]?$)"
)
_STRAY: Final = re.compile(r"[^()\[\]]*[)\]]")
_SENTENCE: Final = re.compile(r"[.!]\s+(?=[A-Z]|\([A-Z][a-z]+ )|[.!]$|。")
_ABBREVIATED: Final = re.compile(r"\b(?:[ap]\.m|[AP]\.M|St|Mt|Dr|Mr|Mrs|Ms)\.?$")
_AFTERTHOUGHT: Final = re.compile(
    r",?\s+(?:which|because|since|assuming|rather than|instead of|as\s+(?:required|desired|expected))\b"
    r"|,?\s+(?:i\.e\.|that is,|or (?:about|approximately|roughly)\b)|,? approximately\b"
    r"|,\s+(?:and\s+)?so\s+(?=[a-z]{2})"
    rf"|\s\((?:(?:not|i\.e\.,?|that is,?|namely|the|to the|it|this) |{REMARK}|{NEARLY})[^()\n]{{0,80}}\)"
    r"|\s[–—]\s+(?=[a-z']{2,} [a-z']{2,})|(?<=\$) of (?:the|an?|her|his|its|their|all)\b"
    r"|(?<=[\d$)}]):\s+(?=[a-z]{2,} )|\s\|\s+(?=[A-Z][a-z]+:)"
)
_DISPLAY: Final = re.compile(  # what follows is the end of a sentence, or a clause about it
    r"(?:\\\[((?:(?!(?<!\\)\\\]).)*)\\\]|\$\$((?:(?!\$\$).)*)\$\$|\\\(((?:(?!(?<!\\)\\\)).)*)\\\))"
    r"(?=\s*(?:[.!]|\n|\Z|,\s*\Z|,?\s+(?:which|because|since|as|so|where|for|when|after|this|since|and so)\b))",
    re.DOTALL,
)
_DOLLARS: Final = re.compile(r"\$+([^$]+)\$+\s*(?:[.!]|,(?=[^$\d]*$)|$)")
_PLAIN: Final = re.compile(
    r"\W{0,9}(?:\d|[$\\({\[<>=]|[a-z](?:\W{0,2}\Z| ?=)|(?:yes|no|true|false)\W{0,2}\Z)", re.IGNORECASE
)
_MAX_MARKED: Final = 5000  # characters behind a mark
_MAX_TRIED: Final = 100  # marks that nothing follows


def extract_answer(text: str, *, cut: bool = False) -> str | None:
    """The answer that `text` marks as final or ends with, or None where it does neither.

    Marks are a box (`\\boxed{…}`, `<answer>…</answer>`), `Final Answer: …` or that heading, `#### …`; the last of these
    in the text counts. Boxes that `and`, `or` or a comma joins, and those of parts, are a list; a sign or factor beside
    a box in its formula belongs to it, and one in a check, a remark or a question gives way to any other. A JSON field
    `answer` marks one too, and so does "answer:" in other languages. Failing these, the last `the answer is …`, then
    what the reply ends with: a list of values, bold text, a choice called correct, a display that concludes, a sentence
    that computes or states one value; or all of a reply that has no words. What takes an answer back (`Wait, …: the
    answer is 6`) counts instead. A choice letter in front (`(B) 12`) is the answer. A thought (`<think>`) marks
    nothing, and a last box that does not end gives no answer.

    Args:
        text: a reply.
        cut: it was cut at a limit, so that only what is marked is an answer, and not what it ends with.
    """
    reply = _without_thoughts(text)
    head = _NEXT_TURN.split(reply, maxsplit=1)[0]
    return _answer(head if len(head) < len(reply) and _marked(head) else reply, cut)


def _answer(reply: str, cut: bool) -> str | None:
    """The answer of one turn."""
    reply = _HEADING.sub(r"\3: \1", reply)
    for body in (_CODE.sub("", reply), reply):
        if found := _marked(body):
            best = max(found, key=lambda item: (item.rank, item.start))
            return best.answer and (_corrected(body, best.start) or best.answer)
    if cut:
        return None
    if "\\boxed" not in reply and (apart := set_apart(_CODE.sub("", reply))) is not None:
        return None if _NOTHING.fullmatch(apart) else _clean(apart)
    last = _LAST_WORD.search(reply.rstrip())
    if last is not None and (answer := _clean(last.group(1))) and not _NOTHING.fullmatch(answer):
        return answer
    plain = reply.replace("**", "")
    chosen = [match for match in _CHOSEN.finditer(plain) if not _SUPPOSED.search(plain[: match.start()][-30:])]
    if chosen:
        return "".join(chosen[-1].groups("")).strip("$")
    bare = reply.strip()
    if "\\boxed" in bare:
        return None
    output = _OUTPUT.search(bare)
    said = bare if output is None else output.group(1) or output.group(2)
    if _BARE.fullmatch(said):
        return _clean(said)
    verdict = _VERDICT.match(bare)
    return verdict.group(1) if verdict is not None else conclusion(_CODE.sub("", bare))


def _corrected(reply: str, start: int) -> str | None:
    """The plain answer that a correction behind the answer at `start` says instead."""
    for rest in taken_back(reply, start):
        said = [item for item in _marked(rest) if item.rank and not is_supposed(rest, item.start)]
        answer = max(said, key=lambda item: (item.rank, item.start)).answer if said else _clean(set_right(rest))
        if answer is not None and _PLAIN.match(answer) is not None:
            return answer
    return None


def _marked(reply: str) -> list[Found]:
    """What the last box, the last mark and the last JSON field say, as far as there are any."""
    box = last_box(reply, lambda inside: (_last_mark(inside) or Found(0, _clean(inside))).answer or "")
    fields = list(_FIELD.finditer(reply))
    found = [_last_mark(reply), box]
    found += [Found(field.start(), _decoded(field.group(1)), 1 + _ends(reply, field)) for field in fields[-1:]]
    return [item for item in found if item is not None]


def _ends(reply: str, field: re.Match[str]) -> bool:
    """Whether no more is said after the JSON of a field."""
    return reply.rstrip(" \n`").endswith("}") and _MARK.search(reply, field.end()) is None


def _decoded(value: str) -> str:
    try:
        decoded = json.loads(value)
        return ", ".join(map(str, decoded)) if isinstance(decoded, list) else str(decoded)
    except ValueError:  # backslashes of LaTeX that are not escaped
        return value.strip('"')


def _without_thoughts(text: str) -> str:
    """The reply itself: without thoughts, finished or not, and of channels only the final one."""
    channels = list(_CHANNEL.finditer(text))
    if channels:
        last = channels[-1]
        text = text[last.end() :] if last.group(1) == "final" else ""
    kept: list[str] = []
    start, depth = 0, 0
    for match in _THOUGHT.finditer(text):
        if any(match.groups()):
            if not depth:
                kept.clear()  # the template had opened the thought
            depth = max(depth - 1, 0)
            start = match.end()
        else:
            if not depth:
                kept.append(text[start : match.start()])
            depth += 1
    return "".join([*kept, text[start:] if not depth else ""])


def _last_mark(text: str) -> Found | None:
    marks = [match for match in _MARK.finditer(text) if not _SUPPOSED.search(text[: match.start()][-30:])]
    marks = [match for match in marks if not is_aside(text, match.end(), match.end())] or marks
    strong = {match.start() for match in marks if _is_strong(text, match)}
    marks.sort(key=lambda match: (match.start() in strong, match.start()), reverse=True)
    for match in marks[:_MAX_TRIED]:
        after = text[match.end() : match.end() + _MAX_MARKED]
        rest = after.lstrip()
        if "\n" in match.group() + after[: len(after) - len(rest)]:  # on a line of its own, perhaps as a list's item
            rest = _BULLET.sub("", rest)
        if (fenced := _FENCED.match(rest)) is not None:
            rest = fenced.group(1)
        elif (listed := first_list(after)) is not None:
            rest = listed
        stop = _STOP.search(rest)
        rest = rest[: stop.start()] if stop is not None else rest.rstrip()
        inner = _MARK.match(rest[4:] if rest[:4].lower() == "the " else rest)
        answer = _clean(rest if inner is None else rest[rest.index(inner.group()) + len(inner.group()) :])
        if answer and _FOREIGN.match(match.group()) and _SAID.search(answer) is not None:
            answer = stated(f"{answer}.") or answer
        if answer and not is_empty_box(answer) and not _NOTHING.fullmatch(answer):
            return Found(match.start(), answer, 1 + (match.start() in strong))
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


def _clean(text: str) -> str | None:
    """The answer in the rest of a marked line: without what follows its sentence, bold marks and enclosing dollars."""
    text = ORNAMENT.sub("", _BOLD.sub(r"\1", without_colour(_TAG.sub("", text)).strip()))
    if text.count("**") == 1:  # the other one was part of the mark
        text = re.sub(r"\*\*(?: \(.*)?", "", text, flags=re.DOTALL)
    text = _ADVERB.sub("", text.strip("*_").strip(), count=1)
    text = _COPULA.sub("", _DENIED.sub("", text, count=1))
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
    choice = _CHOICE.match(text)
    if choice is None or _OTHER_CHOICE.search(text[choice.end() :]) is not None:
        return text or None
    return "".join(choice.groups(""))
