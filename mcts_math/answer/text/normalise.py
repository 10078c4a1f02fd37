"""Cleaning an answer's text before it is read: one alphabet, no decoration.

The result still is LaTeX, Python or plain text, whatever it was; only habits that carry no meaning are gone.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from mcts_math.answer.text.braces import matching
from mcts_math.answer.text.notations import rewrite, rewrite_spaced

MAX_LENGTH: Final = 50_000  # longer answers are compared as text only

_SUPERSCRIPTS: Final = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ", "0123456789+-=()ni")
_SUBSCRIPTS: Final = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₒₓₙₘₖᵢⱼ", "0123456789+-=()aeoxnmkij")
_SUPER_RUN: Final = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ]+")
_SUB_RUN: Final = re.compile("[₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₒₓₙₘₖᵢⱼ]+")
_VULGAR: Final = re.compile("[¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]")

_SYMBOLS: Final = str.maketrans(
    {
        "−": "-",
        "–": "-",
        "—": "-",
        "‐": "-",
        "‑": "-",
        "‒": "-",
        "﹣": "-",
        "×": r"\times ",
        "✕": r"\times ",
        "·": r"\cdot ",
        "⋅": r"\cdot ",
        "∙": r"\cdot ",
        "∗": "*",
        "÷": r"\div ",
        "⁄": "/",
        "∕": "/",
        "√": r"\sqrt ",
        "∛": r"\cbrt ",
        "π": r"\pi ",
        "∞": r"\infty ",
        "≤": r"\le ",
        "⩽": r"\le ",
        "≥": r"\ge ",
        "⩾": r"\ge ",
        "≠": r"\ne ",
        "≈": r"\approx ",
        "≃": r"\approx ",
        "∪": r"\cup ",
        "⋃": r"\cup ",
        "∩": r"\cap ",
        "∖": r"\setminus ",
        "∈": r"\in ",
        "∉": r"\notin ",
        "∅": r"\emptyset ",
        "ø": r"\emptyset ",
        "Ø": r"\emptyset ",
        "±": r"\pm ",
        "∓": r"\mp ",
        "°": r"^\circ ",
        "º": r"^\circ ",
        "˚": r"^\circ ",
        "∘": r"^\circ ",
        "′": "'",
        "’": "'",
        "‘": "'",
        "“": '"',
        "”": '"',
        "∠": r"\angle ",
        "∫": r"\int ",
        "∑": r"\sum ",
        "∏": r"\prod ",
        "≡": r"\equiv ",
        "∥": r"\parallel ",
        "⊥": r"\perp ",
        "ℤ": r"\mathbb{Z}",
        "ℕ": r"\mathbb{N}",
        "△": r"\triangle ",
        "⌜": r"\lceil ",
        "⌝": r"\rceil ",
        "⌞": r"\lfloor ",
        "⌟": r"\rfloor ",
        "…": r"\dots ",
        "→": r"\to ",
        "∧": r"\land ",
        "∨": r"\lor ",
        "ℝ": r"\mathbb{R}",
        "ⅈ": "i",
        "ⅇ": "e",
        "¢": r"\text{ cents}",
        "⌊": r"\lfloor ",
        "⌋": r"\rfloor ",
        "⌈": r"\lceil ",
        "⌉": r"\rceil ",
        "⟨": r"\langle ",
        "⟩": r"\rangle ",
        "α": r"\alpha ",
        "β": r"\beta ",
        "γ": r"\gamma ",
        "δ": r"\delta ",
        "ε": r"\epsilon ",
        "θ": r"\theta ",
        "λ": r"\lambda ",
        "μ": r"\mu ",
        "ρ": r"\rho ",
        "σ": r"\sigma ",
        "τ": r"\tau ",
        "φ": r"\phi ",
        "ϕ": r"\phi ",
        "ω": r"\omega ",
        "ψ": r"\psi ",
        "ξ": r"\xi ",
        "η": r"\eta ",
        "ζ": r"\zeta ",
        "κ": r"\kappa ",
        "χ": r"\chi ",
        "ν": r"\nu ",
        "Δ": r"\Delta ",
        "Ω": r"\Omega ",
        "，": ",",
        "。": ".",
        "：": ":",
        "；": ";",
        "（": "(",
        "）": ")",
        "％": "%",
        "\u00a0": " ",
    }
)

# A C-style escape that was interpreted once too often: "\t" + "frac" was \tfrac.
_LOST_ESCAPES: Final = (
    (re.compile("\t(?=(frac|ext|imes|heta|an)(?![a-z]))"), r"\\t"),
    (re.compile("\x0c(?=rac(?![a-z]))"), r"\\f"),
    (re.compile("\x08(?=(inom|egin|oxed|eta)(?![a-z]))"), r"\\b"),
    (re.compile("\r(?=(ight|angle|floor|ceil|ho)(?![a-z]))"), r"\\r"),
    (re.compile("\n(?=(eq|e|u)(?![a-z]))"), r"\\n"),
)

_SPACING: Final = re.compile(
    r"(?<!\\)\\(?:[,;:>]|quad(?![a-zA-Z])|qquad(?![a-zA-Z])|hspace\*?\{[^{}]*\}|enspace|thinspace)|~|(?<!\\)\\(?=\s)"
)
_NO_EFFECT: Final = re.compile(
    r"\\(?:left|right|middle|bigl|bigr|Bigl|Bigr|biggl|biggr|Biggl|Biggr|big|Big|bigg|Bigg|displaystyle|textstyle|"
    r"scriptstyle|limits|nolimits|mathstrut|strut|hfill|hfil|noindent|centering|rm|it|bf|angle|triangle|measuredangle"
    r"|phantom\{[^{}]*\}|label\{[^{}]*\}|tag\{[^{}]*\})(?![a-zA-Z])"
)
_GLUE: Final = re.compile(r"(?<=\d)(?:\{,\}|,\s*\\!|\\!\s*,|\\!\s*,\\!)\s*(?=\d{3})")
_COLOUR: Final = re.compile(r"\{ {0,3}\\color {0,3}\{[^{}]{0,60}\} {0,3}(?!\{)")
_COLOURED: Final = re.compile(
    r"\\(?:text|font|background)?color(?:box)? {0,3}(?:\[[^\[\]]{0,20}\])? {0,3}\{[^{}]{0,60}\}"
)
_BOX: Final = re.compile(r"\\(?:boxed|fbox|ensuremath)\s*\{")
_LEAD: Final = re.compile(
    r"^(?:approximately|about|roughly|exactly)\s+(?=[\d$\\-])|^(?:so|thus|hence|therefore),?\s+(?=[a-z]\s?[=<>\\]|[-\d\\$])|^(?:(?:so|thus|hence|therefore|and|the),?\s+)*(?:final\s+)?(?:answer|result|solution|value)s?(?:\s+(?:is|are)(?:\s*:)?|\s*[:=])\s*",
    re.IGNORECASE,
)
_WRAPPING: Final = re.compile(
    r"^\s{0,9}#{1,6}\s{1,3}|</?answer>|\\underline(?=\s?\{)|^\s{0,9}\*\*(?=[A-Za-z ]{3,20}:\*\*)|(?<=[a-z]:)\*\*"
)
_ASIDE: Final = re.compile(r"(?<=[\w}])\s?\((?:since|because|as|where|note|after)\s[^()]{0,200}\)$")
_OHM: Final = re.compile(r"(?<=[\d\s}])(?:\\(?:text|mathrm)\s?\{\s?)?([kMGmμ])(?:\s?\})?\s?\\Omega(?![a-zA-Z])")
_QUOTED_FLOAT: Final = re.compile(r"""(?:float|Decimal|Float|mpf|Symbol)\(\s*['"]([^'"()]*)['"]\s*\)""")
_TEXT_NUMBER: Final = re.compile(
    r"\\(?:text|mbox|textbf|textit|textrm|mathrm|mathbf)\s*\{\s*"
    r"((?:\\?\$)?[-.,/:;]*\d[-\d.,/:;]*(?:\\?%)?|[A-Z]*\d[\dA-Z]*(?=\s*\}\s*_))\s*\}"  # 12, and 4A7 before its base
)
_FRACTIONS: Final = re.compile(r"\\[dtc]frac(?![a-zA-Z])")
_PLAIN_SET: Final = re.compile(r"(?<![\^_\w])\{([^{}]*)\}")
_TEXT_AMOUNT: Final = re.compile(r"^\\(?:text|mbox|textbf|textrm|mathrm)\s*\{([^{}\\$\d]*\d[^{}\\$]*)\}$")
_ELLIPSIS: Final = re.compile(r"(\d\.\d+)\s*(?:\.{3}|…|\\[lc]?dots\b)")
_CYCLE: Final = re.compile(r"(?<![\d\w])(\d+\.\d*)\((\d+)\)(?!\d)")
_ORDINAL: Final = re.compile(
    r"(?<=\d)\s*(?:(?:\^\{?|\{)(?:\\(?:text|mathrm)\s*\{)?\s*|\\(?:text|mathrm)\s*\{\s*)?(?:st|nd|rd|th)\b\s*\}?\}?()"
)
_NUMPY_ROW: Final = re.compile(r"(?<=[\d.j\]])\s+(?=[-+\d.\[])")
_NUMPY: Final = re.compile(r"^\[[\[\]\s\d.eE+\-]*\]$")


def normalise(text: str) -> str:
    """`text` in one alphabet and without decoration (dollar signs, boxes, spacing, markdown, a final full stop)."""
    for pattern, command in _LOST_ESCAPES:  # before white space is taken off: a tab may be half of a command
        text = pattern.sub(command, text)
    if not text.isascii() and "\\" not in (text := _unwrap(text)):
        text = _PLAIN_SET.sub(r"\{\1\}", text)  # its symbols become LaTeX, its braces are a set's
    text = _unwrap(_alphabet(without_colour(text.strip())))
    if _WRAPPING.search(text):
        text = _unwrap(_WRAPPING.sub("", text))
    text = _ASIDE.sub("", _OHM.sub(r"\\text{ \1ohm}", text))
    if (lead := _LEAD.match(text)) is not None:
        text = _unwrap(text[lead.end() :])
    text = _FRACTIONS.sub(r"\\frac", text)
    if _NUMPY.match(text) and "," not in text:
        text = _NUMPY_ROW.sub(", ", text)
    text = _GLUE.sub("", text.replace(r"\text{,}", "{,}"))
    text = text.replace("\\!", "")
    text = _NO_EFFECT.sub(" ", rewrite_spaced(_collapse(text)))
    text = _collapse(_SPACING.sub(" ", text))
    text = rewrite(_LEAD.sub("", text))
    text = _TEXT_NUMBER.sub(r"\1", text)
    text = _ELLIPSIS.sub(r"\1", text)
    text = _CYCLE.sub(r"\1\\overline{\2}", text)
    text = _ORDINAL.sub(r"\1", text)
    text = re.sub(r"\b(sq|cu)\. ?(?=[a-z])", r"\1 ", text)
    text = _TEXT_AMOUNT.sub(r"\1", text)
    text = _QUOTED_FLOAT.sub(r"\1", text)
    return _trim(_collapse(text))


def without_colour(text: str) -> str:
    """`text` without commands that colour a part of it."""
    if "color" not in text:
        return text
    text = _COLOURED.sub("", _COLOUR.sub("{", text)).strip()
    return text[1:-1] if text.startswith("{") and matching(text, 0) == len(text) - 1 else text


def _collapse(text: str) -> str:
    """`text` with single spaces: what follows may look for several optional spaces in a row."""
    return " ".join(text.split())


def _alphabet(text: str) -> str:
    if not text.isascii():
        text = _SUPER_RUN.sub(lambda match: "^{" + match.group().translate(_SUPERSCRIPTS) + "}", text)
        text = _SUB_RUN.sub(lambda match: "_{" + match.group().translate(_SUBSCRIPTS) + "}", text)
        text = _VULGAR.sub(_vulgar, text)
        text = re.sub("(\\d)\u0307", r"\\dot{\1}", text)
        text = text.translate(_SYMBOLS)
        text = unicodedata.normalize("NFKC", text).translate(_SYMBOLS)
        text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    if "\\\\" in text and ("\\\\begin" in text or "\\begin" not in text):
        text = re.sub(r"\\\\(?=[a-zA-Z()\[\]{}$%,!;:])", r"\\", text)
    return text


def _vulgar(match: re.Match[str]) -> str:
    above, below = unicodedata.normalize("NFKD", match.group()).split("⁄")
    return rf"\frac{{{above}}}{{{below}}}"


def _unwrap(text: str) -> str:
    """Without enclosing $…$, \\(…\\), \\[…\\], boxes, markdown, code fences."""
    for _ in range(8):
        before = text
        text = _trim(text.strip())
        for left, right in (("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), ("**", "**"), ("`", "`")):
            if len(text) > len(left) + len(right) and text.startswith(left) and text.endswith(right):
                inner = text[len(left) : -len(right)]
                if left not in inner and not inner.endswith("\\"):
                    text = inner
        box = _BOX.search(text)
        if box is not None:
            end = matching(text, box.end() - 1)
            if end > 0:
                text = text[: box.start()] + text[box.end() : end] + text[end + 1 :]
        if text == before:
            break
    return _drop_dollars(text)


def _drop_dollars(text: str) -> str:
    """Unescaped dollar signs that delimit mathematics go; one before a number is money."""
    if "$" not in text:
        return text
    if len(re.findall(r"(?<!\\)\$", text)) % 2 == 0:
        return re.sub(r"(?<!\\)\$", " ", text)
    return re.sub(r"(?<!\\)\$", r"\\$", text)


def _trim(text: str) -> str:
    """Without surrounding space, a leading `=`, and final punctuation that ends a sentence."""
    text = text.strip()
    while text and text[-1] in ".,;:" and not text.endswith(("\\,", "\\;", "\\:", "...")):
        if re.search(r"\b[ap]\.m\.$", text[-5:], re.IGNORECASE):
            break
        text = text[:-1].rstrip()
    if text.startswith(("= ", "=\\", "=-")) or re.match(r"=\s*[\d(\[{a-zA-Z]", text):
        text = text[1:].lstrip()
    for quote in ("'", '"'):
        if len(text) > 2 and text[0] == quote == text[-1] and quote not in text[1:-1]:
            text = text[1:-1].strip()
    return text
