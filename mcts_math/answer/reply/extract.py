"""The final answer in what a model wrote: it must be marked as one, or be what the reply ends with."""

from __future__ import annotations

import json
import re
from typing import Final

from mcts_math.answer.reply.amounts import right_side
from mcts_math.answer.reply.boxes import Found, last_box
from mcts_math.answer.reply.conclusions import conclusion, set_apart
from mcts_math.answer.reply.marks import NOTHING, SUPPOSED, clean, last_mark
from mcts_math.answer.reply.sentences import ADMITTED, is_supposed, set_right, taken_back
from mcts_math.answer.text.habits import habits, rewritten

_CHOSEN: Final = re.compile(  # what is called the answer by its sentence
    r"(?:^|[.,;:!?] |\b(?:[Ss]o|[Tt]hus|[Hh]ence|[Tt]herefore|that),? )(?:[Tt]he )?(?:[Oo]ption )?"
    r"\(?([A-Z])\)?(?: \([^()\n]{1,60}\))? is (?:the )?(?:correct|right|(?:final |best )?answer)\b"
    r"|(?:\b(?:choose|pick|select|go with|lean(?:ing)? towards?)\s(?:option )?|选(?:择)?\s?[:：]?\s?)\(?([A-Z])\)?"
    r"(?=[.,。]| (?:because|since|as|选项)\b|\s*$)"
    r"|(?:\b[Oo]nly |\b(?:[Tt]herefore|[Ss]o|[Tt]hus|[Hh]ence),? (?:it (?:is|must be) )?|\b(?:it|answer) (?:is"
    r"|must (?:therefore |thus )?be) )"
    r"(?:option )?\(?([A-Z])\)?(?=(?: (?:matches|works))?\.?\s*\Z)"
    r"|^(?:[Cc]hoice|[Oo]ption|[Aa]nswer):? \(?([A-Z])\)?(?=\W{0,2}\Z|,)|选项 ?([A-Z]) ?是?正确|([A-Z]) ?选项是?正确"
    r"|\b(?:leaves|is|(?<!not )(?<!n't )be) (?:option )?\(?([A-E])\)?(?=\.?\s*\Z|, not\b)"
    r"|\b(?:is|be|match(?:es)?|corresponds? to) (?:option|choice) \(?([A-Z])\b\)?(?=\.?\s*\Z|\) [^.\n]{1,60}\.?\s*\Z)"
    r"|\b(?:[Oo]nly|left with) (?:option )?\(?([A-Z])\b\)?(?=[.,]|\s*\Z| (?:satisfies|works|fits|matches|is)\b)"
    r"|\A\s{0,9}\(?([A-Z])\)? {0,3}\n\s{0,3}\n(?=[A-Z][a-z])"
    r"|\banswer ((?:cannot|can't) be determined)\b"
    r"|\A\s*\(?([A-Z])[.)](?: (?:(?!\([A-Z]\))[^\n]){1,100})?(?=\n\s*\n|\s*\Z)(?!.*(?:^|\. )\(?[A-Z][.)])",
    re.MULTILINE | re.DOTALL,
)
_OUTPUT: Final = re.compile(r"(?:\A|\n)```(?:output|text)?\n([^\n`]{1,300})\n```\Z")  # of a program, at the very end
_VERDICT: Final = re.compile(
    r"\**(yes|no|true|false)(?:\**\.|\.?\*\*|, (?:because|since)\b"
    r"|, (?!(?:i|wait|let|that|this is not)\b)(?=[a-z$])[^\n]*\Z)",
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
_NO_TEXT: Final = habits(  # programs, the end of the text, GSM8K's calculator (13*2 = <<13*2=26>>26), empty boxes
    (
        ("", r"```(?:python|py|c|cpp|java)\b.*?(?:```|\Z)|\[asy\](?:(?!\[asy\]).)*?\[/asy\]", ""),
        ("<", r"(?i)(?:\s{0,3}(?:<\|(?:im_end|eot_id|end|endoftext)\|>|</s>|<(?:eos|end_of_turn)>)){1,4}\s{0,9}\Z", ""),
        ("<<", r"<<[^<>=\n]{1,120}=[^<>\n]{1,60}>>", ""),
        ("boxed", r"\$?\\boxed ?\{\s{0,9}\}\$?", ""),
    )
)
_NEXT_TURN: Final = re.compile(
    r"(?<=\S)(?:\n\s?\n(?:(?:Human|User|Question|Q|Problem):|### Instruction)"
    r"|(?:<\|(?:im_end|eot_id|end)\|>|</s>)\s{0,3}(?=<\||<s>|\[INST))"
)
_BARE: Final = re.compile(
    r"(?=.*[A-Za-z\d])(?:[^\w\n#\\]|\\(?![a-zA-Z])|[_\dπ²³¹⁰⁴-⁹₀-₉]|\\[a-zA-Z]{1,20}|(?<![A-Za-z])[A-Za-z](?![A-Za-z])){1,60}"
)
_WORKED: Final = re.compile(  # numbers alone, or step by step
    r"[^A-Za-z=]+=|[^=]*=(?:[^→⇒\\]|\\(?!implies|Rightarrow))*(?:→|⇒|\\implies|\\Rightarrow)"
)
_LAST_WORD: Final = re.compile(r"\*\*([^*\n]*[^*\n:])\*\*\.?\s*$")
_MAX_CASES: Final = 9
_NONE: Final = Found(0, None)
_PLAIN: Final = re.compile(
    r"\W{0,9}(?:\d|[$\\({\[<>=]|[a-z](?:\W{0,2}\Z| ?=)|(?:yes|no|true|false)\W{0,2}\Z)", re.IGNORECASE
)


def extract_answer(text: str, *, cut: bool = False) -> str | None:
    """The answer that `text` marks as final or ends with, or None where it does neither.

    Marks are a box (`\\boxed{…}`, `<answer>…</answer>`), `Final Answer: …`, `#### …` or a JSON field `answer`; the last
    of these counts. Failing these, the last `the answer is …`, then what the reply ends with: a list of values, bold
    text, a choice called correct, a display that concludes, a sentence that computes or states one value; or all of a
    reply that has no words. What takes an answer back (`Wait, …: the answer is 6`) counts instead. A thought
    (`<think>`) marks nothing, and a last box that does not end gives no answer. `docs/answer.md` says more.

    Args:
        text: a reply.
        cut: it was cut at a limit, so that only what is marked is an answer, and not what it ends with.
    """
    reply = _without_thoughts(text)
    head = _NEXT_TURN.split(reply, maxsplit=1)[0]
    return (_answer(head, cut) if len(head) < len(reply) else None) or _answer(reply, cut) or None


def _answer(reply: str, cut: bool) -> str | None:
    reply = rewritten(reply, _NO_TEXT)
    ended = max(reply.rfind(end) + len(end) for end in (". ", "! ", "。", "\n"))  # `is 1` may have been cut within 12
    if found := _marked(reply, reply[:ended] if cut else reply):
        best = max(found, key=_weight)
        return best.answer and (_corrected(reply, best.start) or _by_cases(reply, best))
    if cut:
        return None
    reply = reply.strip()
    if (apart := set_apart(reply)) is not None:
        return None if NOTHING.fullmatch(apart) else clean(apart)
    last = _LAST_WORD.search(reply.rstrip())
    if last is not None and (answer := clean(last.group(1))) and not NOTHING.fullmatch(answer):
        return answer
    plain = reply.replace("**", "")
    chosen = [match for match in _CHOSEN.finditer(plain) if not SUPPOSED.search(plain[: match.start()][-30:])]
    if chosen:
        return "".join(chosen[-1].groups("")).strip("$")
    output = _OUTPUT.search(reply)
    said = reply if output is None else output[1]
    if _BARE.fullmatch(said):
        return right_side(said, "equation") if _WORKED.match(said) else clean(said)
    verdict = _VERDICT.match(reply)
    if verdict is not None:
        return verdict.group(1)
    return conclusion(reply)


def _corrected(reply: str, start: int) -> str | None:
    """The plain answer that a correction behind the answer at `start` says instead."""
    for rest in taken_back(reply, start):
        said = [item for item in _marked(rest) if item.rank and not is_supposed(rest, item.start)]
        answer = max(said, key=_weight).answer if said else clean(set_right(rest))
        if not said and answer is None and ADMITTED.match(rest) is not None:
            answer = conclusion(rest)
        if answer is not None and _PLAIN.match(answer) is not None:
            return answer
    return None


def _by_cases(reply: str, last: Found) -> str | None:
    """The answer; those of all cases where the one before holds on another condition: none alone is the answer."""
    said: list[str] = []
    while last.answer and len(said) < _MAX_CASES and is_supposed(reply, last.start):
        said.append(last.answer)
        last = max(_marked(reply[: last.start].rstrip(" $\\([")), key=_weight, default=_NONE)
    return ", ".join(dict.fromkeys(reversed(said))) or last.answer


def _weight(item: Found) -> tuple[int, int]:
    return item.rank, item.start


def _marked(reply: str, complete: str | None = None) -> list[Found]:
    """What the last box, the last mark (of what is `complete`) and the last JSON field say, as far as there are any."""
    box = last_box(reply, lambda inside: (last_mark(inside) or Found(0, clean(inside))).answer or "")
    fields = list(_FIELD.finditer(reply))
    found = [last_mark(reply if complete is None else complete), box]
    found += [Found(field.start(), _decoded(field.group(1)), 2) for field in fields[-1:]]
    return [item for item in found if item is not None]


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
