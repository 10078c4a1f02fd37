"""Cleaning an answer's text before it is read: one alphabet, no decoration.

The result still is LaTeX, Python or plain text, whatever it was; only habits that carry no meaning are gone.
"""

from __future__ import annotations

import html
import re
from typing import Final

from mcts_math.answer.text.alphabet import balanced, matching, plain_alphabet
from mcts_math.answer.text.habits import habits, rewritten
from mcts_math.answer.text.notations import rewrite, rewrite_spaced
from mcts_math.answer.text.units import UNITS

MAX_LENGTH: Final = 50_000  # longer answers are compared as text only

# A C-style escape that was interpreted once too often: "\t" + "frac" was \tfrac.
_LOST_ESCAPE: Final = re.compile(
    "\t(?=(?:frac|ext|imes|heta|an)(?![a-z]))|\x0c(?=rac(?![a-z]))|\x08(?=(?:inom|egin|oxed|eta)(?![a-z]))"
    "|\r(?=(?:ight|angle|floor|ceil|ho)(?![a-z]))|\n(?=(?:eq|e|u)(?![a-z]))"
)
_ESCAPES: Final = {"\t": r"\t", "\x0c": r"\f", "\x08": r"\b", "\r": r"\r", "\n": r"\n"}
_TWO_BACKSLASHES: Final = re.compile(r"\\\\(?=[a-zA-Z()\[\]{}$%,!;:])")
_SPACING: Final = re.compile(
    r"(?<!\\)\\(?:[,;:>]|quad(?![a-zA-Z])|qquad(?![a-zA-Z])|hspace\*?\{[^{}]*\}|enspace|thinspace)|~|(?<!\\)\\(?=\s)"
)
_NO_EFFECT: Final = re.compile(
    r"(?<=\\\\) ?\[-?[\d.]+ ?(?:pt|em|ex|mm|cm|in)\]|\\(?:left|right) ?\.(?!\d)|"
    r"\\(?:left|right|middle|[bB]igg?[lrm]?|displaystyle|textstyle|scriptstyle|limits|nolimits|mathstrut|strut|hfill?|"
    r"scriptscriptstyle|nonumber|notag|allowbreak|relax|boldmath|m?kern ?-?\d{1,2}(?:mu|pt|em)|"
    r"noindent|centering|rm|it|bf|tiny|small|normalsize|large|Large|LARGE|huge|Huge|angle|triangle|measuredangle|[hv]?phantom\{[^{}]*\}|label\{[^{}]*\}|tag\{[^{}]*\})"
    r"(?![a-zA-Z])"
)
_COLOURED: Final = re.compile(
    r"\\(?:text|font|background)?color(?:box)? {0,3}(?:\[[^\[\]]{0,20}\])? {0,3}\{[^{}]{0,60}\}"
)
_DOLLAR: Final = re.compile(r"(?<!\\)\$")
_ENCLOSED: Final = re.compile(r"(\$\$?|\*{1,3}|`)(.+)\1|\\\((.+)\\\)|\\\[(.+)\\\]", re.DOTALL)
_DELIMITER: Final = re.compile(r"(?<!\\)\\[()\[\]]")  # of a formula among others: \\(5\\) or \\(6\\)
_BOX: Final = re.compile(r"(?<!\^\{)\\(?:boxed|fbox|ensuremath|underline)\s*\{")
_LEAD: Final = re.compile(
    r"^(?:\\text ?\{ ?)?(?:so|thus|hence|therefore),?(?:\s+| ?\} ?)(?=[a-z]\s?[=<>\\]|[-\d\\$])"
    r"|^(?:(?:so|thus|hence|therefore|and|the),?\s+)*(?:final\s+)?(?:answer|result|solution|value)s?(?:\s+(?:is|are)(?:\s*:)?|\s*[:=])\s*"
    r"|^(?:\\(?:therefore|implies|Rightarrow|Longrightarrow|to|sim(?= ?\d))(?![a-zA-Z])|[∴⇒⟹]|=>)\s*(?=\S)"
    r"|^(?:\\text ?\{ ?)?(?:所以|故)?(?:(?:最终)?答案(?:是|为|：|:)\s*|选(?:择|项)? ?[：:]? ?(?=[A-Z]))",
    re.IGNORECASE,
)
_WRAPPING: Final = re.compile(
    r"^\s{0,9}#{1,6}\s{1,3}|<(?:b|i|em|strong|span|p)>(?=(?:[^<]|<[a-z]{1,6}>){0,99}</)|<answer>"
    r"|</(?:answer|b|i|em|strong|span|p)>|^\s{0,9}\*\*(?=[A-Za-z ]{3,20}:\*\*)|(?<=[a-z]:)\*\*"
)
_JOINTS: Final = habits(  # in other languages
    (
        ("\\text", r"\\text ?\{\s?(且|及|和|与|或|или|и|und|oder|et|ou|또는|그리고)\s?\}", r" \1 "),
        *(
            ("", rf"(?<=[A-Za-z0-9)}}\]$])\s*(?:{words})\s*(?=[-A-Za-z0-9(\\{{\[$])", meaning)
            for words, meaning in (
                ("、", ", "),
                (r"并且|且|及|和|与|かつ|および|그리고|이고|(?<=\s)(?:и|und|et|và)(?=\s)", " and "),
                (r"或者|或|または|あるいは|또는|(?<=\s)(?:или|oder|ou|veya|hoặc)(?=\s)", " or "),
            )
        ),
    )
)
_MARKUP: Final = habits(  # entities of HTML, what is struck out, and stars around a number
    (
        ("&", r"&(?:#\d{2,5}|[a-zA-Z]{2,8});", lambda entity: html.unescape(entity[0])),
        ("~~", r"(?<![\w\\$~])~~(?=\S)[^~\\$]{1,200}?(?<=\S)~~(?![\w~])", ""),
        ("", r"(?<![\w)*])(\*\*|__)(-?[\d.,]{1,20})\1(?![\w(*])", r"\2"),
    )
)
_SPACES: Final = habits(  # that say nothing: at braces, around what is raised or lowered, and behind a font
    (
        ("\\", r"\\(math(?:bb|rm|bf|cal)|boldsymbol|bm|text|vec)(?: |(?=\d)) ?([A-Za-z\d])", r"\\\1{\2}"),
        (" ", r"(?<=[{^_]) | (?=[}^_])|(?<=[a-zA-Z}]) (?=\{)", ""),
    )
)
_STYLES: Final = habits(  # one after another: what is a class of symbols may hold a comma
    (
        ("\\", r"\{ ?\\(rm|bf|it|sf|tt)(?![a-z]) ?([^{}\\$]{1,40})\}", r"\\math\1{\2}"),
        ("\\", r"\\math(?:op|bin|rel) ?(?:\{((?:[^{}]|\{[^{}]*\})*)\})?|\\(?:mathord|smash(?:\[[bt]\])?)", r"\1"),
        (r"\text", r"\\text\{,\}", "{,}"),
        ("{:}", r"\{:\}", ":"),
        (",", r"(?<=\d)(?<!\b0)(?:\{,\}|,\s*\\!|\\!\s*,|\\!\s*,\\!)\s*(?=\d{3}(?!\d))", ""),
        ("{,}", r"(?<=\d)\{,\}(?=\d)", "."),
        (r"\!", r"\\!", ""),
    )
)
_BEHIND_FORMULA: Final = re.compile(r"(\$[^$]+\$) ?([A-Za-z]{1,3})(\^?[23])?[. ]{0,2}")  # a unit: `$\frac12$ m`
_SCALED: Final = re.compile(r"(?<=\d)\s*([百千]?[万萬만亿億억]|[百千](?![克米瓦卡帕伏焦赫分]))")
_RAY: Final = re.compile(r"\\(?:vec|overrightarrow) ?\{ ?([A-Z]) ?([A-Z]) ?\}")
_ANGLE: Final = re.compile(r"(?:\bm ?)?\\(?:measured)?angle ?\{? ?([A-Z]) ?([A-Z]) ?([A-Z])\b ?\}?")
_LENGTHS: Final = re.compile(r"(?<![A-Za-z\\{])([A-Z]{2})(?![A-Za-z])")
_TIMES: Final = re.compile(
    r"(?<![A-Za-z\\{])[A-Z]{2} ?(?:\\cdot|\\times|\*) ?[A-Z]{2}(?![A-Za-z])"
)  # of lengths AB and CD
_PLAIN_SET: Final = re.compile(r"(?<![\^_\w])\{([^{}]*)\}")
_NUMPY_ROW: Final = re.compile(r"(?<=[\d.j\]])\s+(?=[-+\d.\[])")
_NUMPY: Final = re.compile(r"^\[[\[\]\s\d.eE+\-]*\]$")


def normalise(text: str) -> str:
    """`text` in one alphabet and without decoration (dollar signs, boxes, spacing, markdown, a final full stop)."""
    text = rewritten(text, _MARKUP)
    if (behind := _BEHIND_FORMULA.fullmatch(text)) is not None and behind[2] in UNITS:
        text = rf"{behind[1]}\text{{ {behind[2]}{behind[3] or ''}}}"
    text = _LOST_ESCAPE.sub(lambda match: _ESCAPES[match.group()], text)  # before white space is taken off
    if not text.isascii() and "\\" not in (text := _unwrap(text)):
        text = _PLAIN_SET.sub(r"\{\1\}", text)  # its symbols become LaTeX, its braces are a set's
    text = without_colour(text.strip())
    if not text.isascii():
        text = _SCALED.sub(r" \1 ", plain_alphabet(text))
    text = rewritten(text, _JOINTS) if " " in text or not text.isascii() else text
    if "\\\\" in text and ("\\\\begin" in text or "\\begin" not in text):
        if "\\\\{" not in text:  # a line's end in a box
            text = text.replace("\\\\}", "}")
        text = _TWO_BACKSLASHES.sub(r"\\", text)
    text = _unwrap(text)
    if _WRAPPING.search(text):
        text = _unwrap(_WRAPPING.sub("", text))
    if (lead := _LEAD.match(text)) is not None:
        text = _unwrap(text[lead.end() :])
    if _NUMPY.match(text) and "," not in text:
        text = _NUMPY_ROW.sub(", ", text)
    text = _ordered(rewritten(text, _STYLES))
    text = _NO_EFFECT.sub(" ", rewrite_spaced(_collapse(text)))
    text = balanced(_collapse(_SPACING.sub(" ", text)))
    text = _LEAD.sub("", text)
    return _trim(_collapse(rewrite(rewritten(text, _SPACES) if " " in text else text)))


def _ordered(text: str) -> str:
    """Angles and vectors within a formula as symbols, as the order of their points tells: BA is minus AB."""
    if _RAY.fullmatch(text.strip()) or _ANGLE.fullmatch(text.strip()):
        return text  # the whole answer: compared point by point
    text = _LENGTHS.sub(lambda found: rf"\xi_{{{''.join(sorted(found[1]))}}}", text) if _TIMES.search(text) else text
    text = _ANGLE.sub(lambda found: rf"\eta_{{{min(''.join(found.groups()), ''.join(found.groups())[::-1])}}}", text)
    return _RAY.sub(lambda found: _ray(*found.groups()), text)


def _ray(start: str, end: str) -> str:
    return rf"\upsilon_{{{start}{end}}}" if start <= end else rf"(-\upsilon_{{{end}{start}}})"


def without_colour(text: str) -> str:
    """`text` without commands that colour a part of it."""
    if "color" not in text:
        return text
    text = _COLOURED.sub("", text).strip()
    return text[1:-1] if text.startswith("{") and matching(text, 0) == len(text) - 1 else text


def _collapse(text: str) -> str:
    """`text` with single spaces: what follows may look for several optional spaces in a row."""
    return " ".join(text.split())


def _unwrap(text: str) -> str:
    """Without enclosing $…$, \\(…\\), \\[…\\], boxes, markdown, code fences, and dollar signs around parts."""
    for _ in range(8):
        before = text
        text = _trim(text.strip())
        if (enclosed := _ENCLOSED.fullmatch(text)) is not None:
            left, inner = enclosed.group(1) or text[:2], next(filter(None, enclosed.groups()[1:]))
            text = inner if left not in inner and not inner.endswith("\\") else text
        if (box := _BOX.search(text)) is not None and (end := matching(text, box.end() - 1)) > 0:
            beside = ", " if _BOX.match(text, end + 1) else ""  # of two boxes, whose digits are no number
            text = text[: box.start()] + text[box.end() : end] + beside + text[end + 1 :]
        if text == before:
            break
    text = _DELIMITER.sub(" ", text)
    if "$" not in text:
        return text
    return _DOLLAR.sub(r"\\$" if len(_DOLLAR.findall(text)) % 2 else " ", text)  # a single one is money


def _trim(text: str) -> str:
    """Without surrounding space, a leading `=`, and final punctuation that ends a sentence."""
    text = text.strip().rstrip("\\")
    while text and text[-1] in ".,;:" and not text.endswith(("\\,", "\\;", "\\:", "...")):
        text = text[:-1].rstrip()
    if text.startswith(("= ", "=\\", "=-")) or re.match(r"=\s*[\d(\[{a-zA-Z]", text):
        text = text[1:].lstrip()
    for quote in ("'", '"'):
        if len(text) > 2 and text[0] == quote == text[-1] and quote not in text[1:-1]:
            text = text[1:-1].strip()
    return text
