"""Rewritings of habits in writing answers into the notation that the grammar reads.

Each rule is general and keeps the meaning; text that no rule matches is left as it is. The rules see single spaces.
"""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.text.habits import habits, in_other_words, rewritten, turns
from mcts_math.answer.text.unit_habits import MEASURES
from mcts_math.answer.text.vocabulary import GREEK, meanings

MAX_REWRITTEN: Final = 1000  # characters; the patterns take time with the square of the length

_JOINTS: Final = re.compile(r"((?:[,;]|\\text\{ ?(?:and|or) ?\}|\b(?:and|or)\b) *)(?![^()=]{0,40}\))")  # of equations
_D: Final = r"(?:\\(?:mathrm|text)\{)?d\}?"
_POWER: Final = r" ?(?:\^\{?(\d)\}?)?"
_NOT: Final = re.compile(
    r"(?:^|(?<=[( &|∧∨]))[~!] ?(?=[p-s](?![A-Za-z])|\([^()]{0,40}(?:\\lor|\\land|\\vee|\\wedge|[&|∧∨]))"
)
_DISTRIBUTED: Final = re.compile(
    r"^[A-Z] ?(?:\\sim ?(?=\\?[A-Za-z])|~ ?(?=[A-Z]\w{0,15} ?\())(?:([A-Z]\w{0,15})(?= ?\())?"
)
_MEASURE: Final = re.compile(r"(?<![a-zA-Z\\])m ?\\angle(?![a-z])")
_SET_NAME: Final = re.compile(r"(\\mathbb\{?[RZQNC]\}?|\bReals) ?(?:\\ |- ?)\\?\{([^{}]*?)\\?\}")
_FOREIGN: Final = meanings(
    "tan: tg; cot: ctg cotg; sin: sen; csc: cosec; arctan: arctg; arccot: arcctg; arcsin: arcsen; "
    "sinh: sh; cosh: ch; coth: cth; arsinh: arsh; arcosh: arch"
)
_FIELDS: Final = meanings(r"\Xi: grad; \Upsilon: div \cdot; \Upsilon_{1}: curl rot \times")  # names of the labels
_BRACED: Final = r"(?:[^{}]|\{[^{}]{0,60}\}){1,80}?"
_GREEK: Final = rf"\\(?:{'|'.join(sorted(GREEK - {'phi', 'psi'}))}) ?"
_ENTRIES: Final = r"[^()]{1,60}?,[^()]{1,60}"  # of a vector
_ITEM: Final = r"[^,;()\[\]]*(?:\d,\d[^,;()\[\]]*)?"
_CONDITION: Final = r"[a-z] ?\\in ?\\mathbb\{[ZN]\}(?: ?[\^_]?\{?[*+]\}?)?"


def _dot(match: re.Match[str]) -> str:
    """A product of two tuples as the sum that it is."""
    first, second = match[1].split(","), match[2].split(",")
    products = (f"({a})({b})" for a, b in zip(first, second, strict=False))
    return f"({'+'.join(products)})" if len(first) == len(second) else match[0]


def _combination(upper: str, kind: str, lower: str) -> str:
    if kind == "C":
        return rf"\binom{{{upper}}}{{{lower}}}"
    return rf"\frac{{({upper})!}}{{({upper}-{lower})!}}"


def _form(match: re.Match[str]) -> str:
    """`dy \\wedge dx` as one name, the letters in order, with the sign that ordering them costs."""
    letters = re.findall(r"(?<![a-z])d ?([a-z])", match[0])
    swaps = sum(a > b for place, a in enumerate(letters) for b in letters[place + 1 :])
    name = f"d_{{{''.join(sorted(letters))}}}" if len(set(letters)) == len(letters) else "0"
    return f"(-{name})" if swaps % 2 else f"({name})"


def _positive(match: re.Match[str]) -> str:
    """`\\mathbb{R}_{\\ge 0}` as an interval, `\\mathbb{Z}^+` and `\\mathbb{N}^*` as the natural numbers."""
    name, sign, *numbers = match.groups("")
    number = "".join(numbers)
    if name != "R":
        return r"\mathbb{N}" if number == "+" or sign == ">" or (name == "N" and number == "*") else match[0]
    if number == "+" or sign == ">":
        return r"(0,\infty)"
    return r"[0,\infty)" if sign else match[0]


def _labelled(text: str) -> str:
    """`text` with what its equations call functions and derivatives in one form; a function that is alone is f."""
    equations = _JOINTS.split(text) if "=" in text else [text]
    table = _LABELS + _ALONE * (sum("=" in equation for equation in equations) == 1)
    for place, equation in enumerate(equations):
        label, equals, value = equation.partition("=")
        form = in_other_words(label.rstrip(), table) if equals else None
        equations[place] = equation if form is None else f"{form} ={value}"
    return "".join(equations)


_LABELS: Final = turns(
    (
        (rf"\\frac\{{{_D}{_POWER} ?([a-zA-Z])(?: ?\([a-z]\))?\}}\{{{_D} ?[a-z]{_POWER}\}}",
         lambda m: m[2] + "'" * int(m[1] or 1)),
        (r"(?:\\nabla ?(\\cdot|\\times)?|\\(?:operatorname|mathrm|text)\{(grad|div|curl|rot)\})"
         r" ?(?:\\(?:mathbf|vec|boldsymbol)\{)?[A-Za-z]\}?(?: ?\([\w, ]{1,12}\))?",
         lambda m: _FIELDS[m[1] or m[2] or "grad"]),
        (r"([abcstuAST])\(([nkm])\)", r"\1_\2"),
        (r"([uvwxyz])('{0,3})\((-?\d{1,4})\)", lambda m: f"{m[1]}_{{{'d' * len(m[2])}at{m[3]}}}"),
        (r"P ?\( ?([A-Z][^|()=,]{0,20}?) ?(?:\||\\(?:mid|vert)(?![a-z])) ?([A-Z][^|()=,]{0,20}?) ?\)", r"P(\1, \2)"),
        (r"\\(?:operatorname|text|mathrm)\{(rank|nullity|trace|tr|deg|dim)\} ?[A-Z]|\\(dim|deg) ?[A-Zf]",
         r"\\text{\1\2}"),
        (r"\\(max|min|gcd|lcm|det|arg|lim|dim|ker|Pr)(?:_\{[^{}]{1,20}\})?(?: ?f\(x\))?", r"\\text{\1}"),
    )
)  # fmt: skip
_ALONE: Final = turns(
    (
        (rf"[a-eg-wA-Z]\(([a-z]|{_GREEK})\)|{_GREEK}\(([a-jlo-z]|{_GREEK})\)", r"f(\1\2)"),
        (rf"(?:[a-eg-w]|{_GREEK})\(([a-z], ?[a-z])\)", r"f(\1)"),
        (r"\\(?:mathbf|vec)\{[a-eg-wA-Z]\} ?\(([a-z])\)", r"f(\1)"),
    )
)
_OWN: Final = habits(
    (
        (r"\cdot", rf"(?<![\w}}])\(({_ENTRIES})\) ?\\cdot ?\(({_ENTRIES})\)", _dot),
        ("frac", r"\\[dtc]frac(?![a-zA-Z])", r"\\frac"),
        ("10", r"(?<=\d)(?<!\b0) ?[xX] ?(?=10(?:\^| ?\*\*))", r" \\times "),
        ("o", r"(?<=\d)\^(?:o(?![a-z])|\{o\}|\{\\(?:text|mathrm)\{o\}\})", r"^\\circ "),
        # commands that lost their backslash, have other names, or say nothing
        ("{", r"(?<![A-Za-z\\])(?:[dt]?(frac(?=\{))|(sqrt(?=(?:\[\d\])?\{)))", r"\\\1\2"),
        ("d", r"(?<![A-Za-z\\])(d[r-z])(?=d[r-z](?![a-z]))", r"\1 "),  # dx dy
        ("\\", rf"\\(?:operatorname|mathrm|text)\{{({'|'.join(_FOREIGN)})\}}|\\({'|'.join(_FOREIGN)})(?![a-z])",
         lambda m: rf"\{_FOREIGN[m[1] or m[2]]} "),
        ("\\", r"(?<=\S) ?\\(?:blacksquare|checkmark|square|Box|qed)$", ""),
        ("circled", r"\\(?:text)?circled ?\{?(\d{1,2})\}?( ?(?=\\))?",
         lambda m: f"{m[1]}{', ' * (m[2] is not None)}"),
        ("_", r"(?<=\d)_\{\((\d{1,2})\)\}", r"_{\1}"),
        ("\\", r"\\(?:mathrm|text)\{([ACP])\}(?=_|\^\{?\w\}?_)|(?:(?<=\+)|(?<=\+ ))\\text\{(C)\}$", r"\1\2"),
        ("choose", rf"\{{({_BRACED}) ?\\choose(?![a-z])({_BRACED})\}}", r"\\binom{\1}{\2}"),
        ("over", rf"\{{({_BRACED}) ?\\over(?![a-z])({_BRACED})\}}", r"\\frac{\1}{\2}"),
        ("mL", r"(?<=\d)mL(?=\^\{?2)", "m L"),  # a mass and a length
        (r"\bmod", r"(?<=\\equiv)([^,;]{1,40}?)\\bmod(?![a-z])", r"\1\\pmod "),
        # derivatives and differentials
        ("^", r"(?<![A-Za-z\\])([yuvwfgh])\^\{\(([1-7])\)\}(?! ?\()", lambda m: m[1] + "'" * int(m[2])),
        ("/", r"(?<![A-Za-z\\])(d|\\partial)((?:\^\{?\d\}?)?) ?([A-Za-z]) ?/ ?\1 ?([a-z](?:\^\{?\d\}?)?)(?![A-Za-z])",
         r"\\frac{\1\2 \3}{\1 \4}"),
        ("dot", r"\\(d{0,2})dot(?![a-z])(?: |\{)?([a-zA-Z]|\\[a-z]{2,8})\}?",
         lambda m: m[2] + "'" * (len(m[1]) + 1)),
        (r"\wedge", r"(?<![A-Za-z\\])d ?[a-z](?: ?\\wedge ?d ?[a-z](?![A-Za-z])){1,4}", _form),
        ("d", r"^(?!.*(?:\\int|\\frac\{d|d ?[a-z]? ?/ ?d))(?=.*(?:(?<=[\w)}] )"
         r"|(?<![A-Za-z\\])d ?[x-z](?![A-Za-z_^]).*(?<![A-Za-z\\]))" r"d ?[x-z](?![A-Za-z_^])).*$",
         lambda m: re.sub(r"(?<![A-Za-z\\])d ?([x-z])(?![A-Za-z_^])", r" d_{\1} ", m[0])),
        (r"\partial", r"(?<![^ ,])\\frac\{\\partial ?([a-zA-Z])\}\{\\partial ?([a-zA-Z])\} ?=", r"\1_\2 ="),
        ("underbrace", r"\\underbrace\{(\d)\1{0,9} ?\\[lc]?dots ?\1{1,9}\}_\{"
         r"(?:\\text\{)?([a-zA-Z\d+-]{1,9})(?: ?\\text\{[^{}]{0,40}\}|[^{}\\_^*/+-]{0,40}\}?)\}",
         r"(\1 \\cdot (10^{\2} - 1)/9)"),
        # functions
        (r"\equiv", r"(?<![A-Za-z\\])([fghP](?:\([a-z]\))?) ?\\equiv(?!.*mod)", r"\1 ="),
        ("\\", r"^(?:[a-zA-Z] ?: ?([a-z]) ?\\to|(?:[a-zA-Z] ?: ?)?([a-z]) ?\\mapsto)(?![a-z])", r"f(\1\2) ="),
        ("(", r"(?<![\w\\)}])([xyz])\([a-z]\)(?= ?=)|(?<=Eq\()([xyz])\([a-z]\)(?=, )", r"\1\2"),
        # numbers of combinations and permutations
        ("_", r"(?<![A-Za-z])([ACP])\^\{?(\d+)\}?_\{?(\d+)\}?(?!\d)", r"\1_{\3}^{\2}"),
        ("_", r"([ACP]_\{?\d+\}?\^\{?\d+\}?) ?(?=[ACP]_)", r"\1\\cdot "),
        ("_", r"(?:\{\})?[\^_]\{?(\w+)\}? ?([CP])_\{?(\w+)\}?(?!\w)", lambda m: _combination(m[1], m[2], m[3])),
        ("_", r"(?<![A-Za-z\d)}])([ACP])_(\{)?(\d+)(?(2)\})\^(\{)?(\d+)(?(4)\})",
         lambda m: _combination(m[3], m[1], m[5]) if int(m[3]) >= int(m[5]) else m[0]),
        ("_", r"(?<!\\)C_(\{)?(\d?[nm])(?(1)\})\^(\{)?(\d|[nmkr])(?(3)\})(?!\w)", r"\\binom{\2}{\4}"),
        ("", r"^(\d{1,4}) ?([CP]) ?(\d{1,4})$", lambda m: _combination(m[1], m[2], m[3])),
        # systems, sets and families
        ("", r"^(\\[gl]e(?:q|qslant)? ?|[<>]=? ?)(?=[-\d\\])", r"x \1"),
        (r"\begin", r"\\\{ ?\\begin\{(?:array|aligned|matrix)\}(?:\{[^{}]*\})?(.*?)\\end\{(?:array|aligned|matrix)\}"
         r"(?! ?\\\})\.?", r"\\begin{cases}\1\\end{cases}"),
        (r"\begin", r"\\begin\{(aligned|align\*?|gathered|split)\}(.*?)\\end\{\1\}",  # a system, or one equation
         lambda m: (rf"\begin{{cases}}{m[2]}\end{{cases}}" if "\\\\" in m[2] else m[2]).replace("&", "")),
        (r"\in", r"(?<![A-Za-z\\])([a-z] ?\\in ?)([ZN])(?=(?:[\^_]?\{?[*+]\}?)? ?[)}]? ?$)", r"\1\\mathbb{\2}"),
        (r"\in", rf" ?(?:\\,|\\ )? ?\( ?({_CONDITION}) ?\)$", r", \1"),
        (r"\mathbb", r"\\mathbb\{([RZN])([\^_]\{?[*+]\}?)\}", r"\\mathbb{\1}\2"),
        (r"\mathbb", r"\\mathbb\{([RZN])\} ?(?:[\^_](?:\{(\\geq?|\\geqslant|>)? ?([*+0])\}|([*+]))"
         r"|(?<=N\}) ?([*+])(?=[)}]? ?$))", _positive),
        (r"\mid", r"(\\\{[^|:]*?)\\mid(?= ?[a-z] ?(?:=|\\in ?(?:\\\{|\\mathbb\{[ZN])))", r"\1:"),
        ("{", r"^\\?\{\(x, ?y(?:, ?z)?\) ?(?:\\mid|\||:) ?([^{}:|]*=[^{}:|]*)\\?\}$", r"\1"),  # points of a curve
        (r"\mathbb", r"\\mathbb\{Z\} ?/ ?\(?(\w{1,4}) ?\\mathbb\{Z\}\)?", r"\\mathbb{Z}_{\1}"),
        ("", r"^[^()\[\]{}]*(?:[<>]|\\[lg][et])[^()\[\]{}]*$",  # a union of conditions, not of sets
         lambda m: m[0].replace("\\cup", " or ").replace("\\cap", " and ")),
        (";", r"^ ?([a-z]) ?=[^;,]*,[^;=]*=[^;]*(?:; ?\1 ?=[^;]*)+$", lambda m: m[0].replace(";", r" \text{ or } ")),
        (";", rf"^[\[(]?{_ITEM}(?:;{_ITEM})+[\])]?$",  # -0,5; 3: no rows of a matrix
         lambda m: m[0] if all("," in item for item in m[0].split(";")) else m[0].replace(",", ".")),
    )
)  # fmt: skip
HABITS: Final = _OWN + MEASURES


def rewrite_spaced(text: str) -> str:
    """The habits in which spacing commands count: `R \\ {0}` is a difference of sets, `m\\angle A` an angle.

    What a random variable is distributed as stands alone, its letter as a name: `X ~ B(3, p)` as `\\text{B}(3, p)`.
    """
    if len(text) > MAX_REWRITTEN:
        return text
    text = _DISTRIBUTED.sub(lambda found: rf"\text{{{found[1]}}}" if found[1] else "", text)
    return _SET_NAME.sub(r"\1\\setminus \\{\2\\}", _MEASURE.sub(" ", _NOT.sub(r"\\neg ", text)))


def rewrite(text: str) -> str:
    """`text` with every habit rewritten; a long text as it is."""
    if len(text) > MAX_REWRITTEN:
        return text
    return _labelled(rewritten(text, HABITS))
