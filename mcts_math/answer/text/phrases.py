"""Answers that are sentences: what they say about what, as far as words tell it."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, NamedTuple

from mcts_math.answer.text.habits import Meaning, in_other_words, turns
from mcts_math.answer.text.runs import is_word
from mcts_math.answer.text.spelled import spelled_number
from mcts_math.answer.text.things import singular
from mcts_math.answer.text.units import UNITS
from mcts_math.answer.text.vocabulary import PART_WORDS, SCALE_WORDS, names

# What is done with what is counted: `Tom needs 18 bags`.
_DEEDS: Final = (
    r"(?:will\s+|can\s+|must\s+)?(?:need|take|get|make|sell|spend|earn|pay|save|eat|buy|receive|give|use|read|collect"
    r"|walk|run|drive|hold|score|win|weigh|work|travel|catch|plant|drink)(?:e?s)?|got|took|made|sold|spent|earned|paid"
    r"|saved|ate|bought|received|gave|used|collected|walked|ran|drove|held|scored|won|weighed|worked|needed|had"
)
_SENTENCE: Final = re.compile(
    r"(?P<subject>(?![-+]?[\d.]+\W)[^=<>]{0,200}?[A-Za-z$)}][^=<>]{0,40}?)\s+(?:(?:is|are|was|were|will\s+be|equals?"
    r"|becomes|has|have|costs|converges\s+to)\s+(?:(?:equal\s+to|approximately|about|exactly|only)\s+|:\s*)*"
    rf"|(?:{_DEEDS})\s+(?:(?:h(?:er|im)|them|us|you|it|exactly|only|another"
    rf"|a\s+total\s+of)\s+)?(?=\\?\$?\d))(?P<value>\S.*)",
    re.DOTALL,
)
_LABEL: Final = re.compile(
    r"(?P<subject>(?:[xyz]-)?[A-Za-z][A-Za-z ]{2,60}?|[\u4e00-\u9fff]{2,9}(?=[为是:=]))"
    r"(?P<sign>\s*[:=为是]\s*|\s+(?=\())(?P<value>[-\d(\[\\].*)",
    re.DOTALL,
)
_CLAUSE: Final = re.compile(r"\b(?:that|which|who|whose|whom|where|when|with|of|for|if)\b|\(", re.IGNORECASE)
_DENIAL: Final = re.compile(
    r"[不非未没]|错误|至[少多]|^(?:no(?!\.)|not|none|nobody|nothing|neither|never|impossible|false)\b|\bcannot\b|n't\b"
    r"|^(?:all|any|every)\w* except\b|\b(?:not|never)$"
    r"|\b(?:do|does|did|is|are|was|were|can|could|will|would|must|may|might|should|has|have|had) (?:not|never)\b",
    re.IGNORECASE,
)
_PLACED: Final = frozenset(  # before brackets
    names(
        "point vertex center centre focus foci coordinate intersection interval domain pair tuple triple solution "
        "answer vector direction position location origin midpoint endpoint corner centroid orthocenter circumcenter "
        "incenter intercept maximum minimum extremum root eigenvector eigenvalue normal gradient velocity image foot"
    )
)
_MAX_TURN: Final = 300  # characters
_PRONOUNS: Final = frozenset({"it", "this", "that", "there", "they", "he", "she", "we"})
_MOMENT: Final = re.compile(  # E[X] = 5
    r"\\?(?:mathbb ?\{?)?(?P<name>E|Pr|Var|SD|[VD](?= ?[\[(][A-Z][\])])|Cov)\}? ?[\[(](?P<of>[^\[\]()]{1,40})[\])] ?= ?"
    r"(?P<value>[^=]+)"
)
_LISTED: Final = re.compile(r"[A-Za-z]{3,20}(?:(?:, and |, | and )[A-Za-z]{3,20}){1,9}[.!]?")
_ITEM: Final = re.compile(
    r"(?:and\s+)?(?P<subject>[^\W\d_][^=<>:,;\d\\]{0,60}?)\s*"
    r"(?:[:=为是]|\b(?:is|are|has|have|gets?|was|were)\b:?| (?=-?\d)|(?<=quotient) |(?<=remainder) )\s*"
    r"(?P<value>[^=:]*\S)"
)
_SHORT: Final = re.compile(r"[A-Za-z]{2,5}")  # sd, beside a word such as mean
_FUNCTION: Final = re.compile(r"[A-Za-z]'*\([a-z](?:, ?[a-z])?\)")
_ITEM_ENDS: Final = re.compile(r"\s*[,;]\s*(?:and\s+)?(?=[^\W\d_])|\s+and\s+(?=[^\W\d_])")

# Turns of phrase in the notation that the grammar reads. N: a number; T: a term without spaces; V: a value to the end;
# O: a letter or Roman numeral to choose; X: what a comparison may begin with.
_PLACES: Final = {
    "N": r"(-?\d+(?:\.\d+)?)",
    "T": r"([\w+*/.\\{}^-]{1,12})",
    "V": r"([-\d.\\].*)",
    "O": r"(?:(?-i:[IVX]{1,4})|[A-Z])",
    "X": r"(?:(?:(?:all|any) )?(?:real )?numbers? |([a-z]) is )?(?:that are |[a-z] )?",
}
_COMPARED: Final = {
    **dict.fromkeys(("greater than or equal to", "more than or equal to", "at least", "no less than"), ">="),
    **dict.fromkeys(("less than or equal to", "at most", "no more than"), "<="),
    **dict.fromkeys(("greater than", "more than"), ">"),
    "less than": "<",
}
_QUADRANTS: Final = ("1 i first 1st one", "2 ii second 2nd two", "3 iii third 3rd three", "4 iv fourth 4th four")
_WRITTEN: Final[tuple[tuple[str, Meaning], ...]] = (
    (r"(?:[a-z] is )?between N and N,? (?:in|(ex))clusive",
     lambda m: f"({m[1]},{m[2]})" if m[3] else f"[{m[1]},{m[2]}]"),
    (r"([a-z]) (?:must|has to) (?:be|equal) V", r"\1=\2"),
    (r"([a-z]) (?:(?:is|does|can|could|will|must|may|should) ?(?:not|n't)|can't|won't|(?:is |can |will )?never)"
     r"(?: (?:be|equals?|equal to))* V", r"\1\\ne \2"),
    (r"(rank|nullity|dimension|slope|radius|diameter|period|mean|median|mode) ([-\d.\\][^,;]{0,30})", r"\\text{\1}=\2"),
    (r"N (?:out of|in|over) N", r"\1/\2"),
    (rf"X({'|'.join(_COMPARED)}) V", lambda m: f"{m[1] or 'x'}{_COMPARED[m[2].lower()]}{m[3]}"),
    (r"([a-z]) (?:is|must be) (non-?)?(?:(negative)|positive)",
     lambda m: f"{m[1]}{'<' if bool(m[2]) != bool(m[3]) else '>'}{'=' * bool(m[2])}0"),
    (r"(?:for )?all (?:positive |natural |real )?(?:integers|numbers) (?=([nmkpqN])\b)(.*(?:[<>≥≤]|\\[gl]e).*)",
     r"\2, \1\\in\\mathbb{Z}"),
    (r"N or (?:(more|greater|above|higher)|less|fewer|below|lower)", lambda m: f"x{'>=' if m[2] else '<='}{m[1]}"),
    (r"(?:all |the )?(non-?)?(?:positive|(negative)) (?:real numbers|reals|numbers)",
     lambda m: _half_line(at_zero=bool(m[1]), upwards=bool(m[1]) == bool(m[2]))),
    (r"(?:all )?(?:real numbers|reals) ?(?:\w )?,? ?(?:except|other than|but|excluding|without) ?(?:for )?"
     r"(?:[a-z] ?= ?)?([-\d].*)", lambda m: rf"\mathbb{{R}}\setminus\{{{re.sub(' (?:and|or) ', ',', m[1])}\}}"),
    (r"(?:minus|negative) ([\d\\].*)", r"-\1"),
    (r"(\w{1,4}) choose (\w{1,4})", r"\\binom{\1}{\2}"),
    (r"N (?:vs\.?|versus) N", r"\1:\2"),
    (r"N to N(?: to N)?", lambda m: ":".join(filter(None, m.groups()))),
    (r"(\d{1,9}) more than (\d{1,9})|T more than (?!x?\d+$)T", lambda m: f"({m[2] or m[4]})+({m[1] or m[3]})"),
    (r"(\d{1,9}) less than (\d{1,9})|T less than (?!x?\d+$)T", lambda m: f"({m[2] or m[4]})-({m[1] or m[3]})"),
    (r"(\d{1,9}/\d{1,9}) of (?:an?|the) ([a-z]+)", r"\1 \2"),
    (r"(?:the )?(?:(\w{1,6}) quadrant|quadrant (\w{1,6}))", lambda m: _quadrant(m[1] or m[2])),
    (r"(?:the )?(?:square|(cube)) root of ([\w.]{1,12})", lambda m: rf"\sqrt[{3 if m[1] else 2}]{{{m[2]}}}"),
    (r"(?:an? |the )?(increase|decrease|rise|drop|reduction|profit|loss|gain|discount|total|tip|tax)[sd]? (?:of|by) "
     r"(\\?\$?-?\d[\d.,]{0,20}(?: ?(?:\\?%|percent))?)", r"\2 \1"),
    (r"(?:all )?(odd|even)(?: integers| numbers)? ([a-z])|([a-eij-z]) (?:is )?(?:an )?(odd|even)(?: number| integer)?",
     lambda m: _parity(m[1] or m[4], m[2] or m[3])),
    (r"(?:all )?(?:the )?(odd|even) (?:integers|numbers)", lambda m: _parity(m[1])),
    (r"(?:for )?all real (?:values of )?[a-z]", "all real numbers"),
    (r"(?:all )?non-?zero (?:real numbers|reals|numbers)", r"x\\ne0"),
    (r"((?-i:[TF])(?:,? and |, ?| )(?:(?-i:[TF])(?:,? and |, ?| ))*(?-i:[TF]))",
     lambda m: m[1].translate({84: "true", 70: "false"})),
    (r"(.{0,60}[^,]) only|(.{1,60}=.{1,60}) is the only (?:solution|answer|possibility|one)"
     r"|(?:only|exactly|just) (?:(?:for|when|if|at) )?(.{1,60}=.*)", lambda m: m[1] or m[2] or m[3]),
    (r"(?:(?:[a-z] is )?either|both) (.{1,80} (?:or|and) .{1,80})", r"\1"),
    (r"(?:(?:all |any )?(?:the )?(?:(?:integer )?multiples of|[a-z] divisible by|(?:integers|numbers) divisible by)"
     r"|[a-z] is (?:a multiple of|divisible by)) (\d{1,9})(?: number| integer)?", r"\1k, k\\in\\mathbb{Z}"),
    (r"(?:approx(?:imately|\.)|about|roughly|exactly|around|an? (?:total|probability) of) ([-\d$\\].*)", r"\1"),
    (r"(?:only|just|all|the|an?|another|an additional) (\\?\$?\d[\d.,/%\\]*(?: [a-z].*)?)", r"\1"),
    (r"(?:both |only |(?:options?|choices?|answers?|statements?) )*(O(?:(?:, | and | or |, and |, or )O){0,5})"
     r"(?: (?:is|are) (?:true|correct|right))?", r"\1"),
    (r"(\d{1,9}(?:\.\d{1,9})?(?: [a-z]{1,12})?) by (\d{1,9}(?:\.\d{1,9})?(?: [a-z]{1,12})?)", r"\1 \\times \2"),
    (r"(\d{1,3}):([0-5]\d) ?(?:h|hrs?|hours?)", r"\1 hours \2 minutes"),
    (r"(?:there (?:is|are) |there exists? )?no such [a-z]+(?: exists?)?", "no solution"),
    (r"(?:the )?(?:line|curve|plane|circle|parabola|ellipse|hyperbola) ([\w(].*=.*)", r"\1"),
    (r"N-([a-z]+)(-year-old|-old)?", lambda m: rf"{m[1]}\text{{ {m[2]}}}" if m[2] in UNITS else m[0]),
    (r"(?:(?:the )?limit\b|\\lim)[^,:;]* does not exist", "undefined"),
    (r"(?!.*\b(?:and|m[ai][xn]\w*|left|right)\b)[^\d,:;=]{0,60} does not exist", "undefined"),
    (r"(.{1,60}) (?:has|have) (?:a |the )?winning strategy", r"\1 wins"),
    (r"([a-z][a-z -]{2,60}) \(N\)", lambda m: m[2] if spelled_number(m[1]) == Fraction(m[2]) else m[0]),
    (r"(?:(?:con|di)verges to|tends to|equals?|equal to|on|at) (.+)", r"\1"),
    (r"(-?\d+(?:\.\d+| \d+/\d+)?) ([a-z]{3,20}s) of ((?:the )?[a-z]{3,20}(?: [a-z]{3,20})?)",
     lambda m: m[0] if m[2] in {**PART_WORDS, **SCALE_WORDS} else rf"{m[1]}\text{{ {m[2]} of {m[3]}}}"),
)  # fmt: skip


_PLACE: Final = re.compile(r"(?<![A-Za-z\\])[NOTVX](?![A-Z])")
_TURNS: Final = turns(
    ((_PLACE.sub(lambda place: _PLACES[place.group()], written), short) for written, short in _WRITTEN), re.IGNORECASE
)


class Sentence(NamedTuple):
    """What a sentence says: its subject (empty for `it`), and the text of the value."""

    subject: str
    value: str


def labelled(words: str) -> list[Sentence] | None:
    """`boys: 3, girls: 5` as labels with their values; None where not every item has a label that is a word."""
    if len(words) > 400:
        return None
    items = [_ITEM.fullmatch(item) for item in _ITEM_ENDS.split(words)]
    found = [Sentence(item.group("subject"), item.group("value")) for item in items if item is not None]
    names = [not said.subject.isascii() or any(map(_is_name, said.subject.split())) for said in found]
    named = any(names) and all(names[i] or _SHORT.fullmatch(said.subject) for i, said in enumerate(found))
    named = named and not any(_denies(said.subject) or _FUNCTION.fullmatch(said.subject) for said in found)
    return found if named and 1 < len(found) == len(items) else None


def _is_name(word: str) -> bool:
    """A word, a name of three letters or more such as Bob, or max, min and range."""
    known = is_word(word) or word.lower() in ("max", "min", "range")
    return known or (len(word) > 2 and word.istitle() and word.isalpha())


def listed(words: str) -> list[str] | None:
    """The words of `red, blue and green`; None for anything but single words."""
    items = re.split(r", and |, | and ", words.rstrip(".!")) if _LISTED.fullmatch(words) is not None else []
    return items if items and all(map(_is_name, items)) else None


def _names_value(subject: str, sign: str) -> bool:
    """Whether words before a colon, or before brackets, are a label: `the vertex (1, 2)`, but not `span (1, 2)`."""
    last = re.split("[ -]", subject)[-1]
    return not last.isascii() or _is_name(last) if sign.strip() else singular(last) in _PLACED


def _denies(subject: str) -> bool:
    """Whether what is said of a subject is denied: `The sum does not`; not `the number of those that do not win`."""
    main = _CLAUSE.split(subject)[0].strip()
    return any(_DENIAL.search(part) for part in (main, subject.rsplit(" ", 1)[-1]))


def sentence(words: str) -> Sentence | None:
    """`The sum is 5` as subject and value; None for anything that is no such sentence."""
    if len(words) > 400:
        return None
    if (match := _MOMENT.fullmatch(words)) is not None:
        name = "Var" if match.group("name") in ("V", "D") else match.group("name")
        return Sentence(f"{name} {match.group('of')}", match.group("value"))
    if (match := _LABEL.fullmatch(words)) is not None and _names_value(match.group("subject"), match.group("sign")):
        return None if _denies(match.group("subject")) else Sentence(match.group("subject"), match.group("value"))
    match = _SENTENCE.fullmatch(words)
    if match is None:
        return None
    subject = match.group("subject").strip(" $,:")
    value = match.group("value")
    if not re.search(r"[A-Za-z]", subject) or _denies(subject) or "\\" in subject.replace("\\$", ""):
        return None
    return Sentence("" if subject.lower() in _PRONOUNS else subject, value)


def notation(words: str) -> str:
    """Fixed turns of phrase in the notation that the grammar reads (`3 to 2` is `3:2`); other text as it is."""
    if len(words) > _MAX_TURN or (" " not in words and "-" not in words):
        return words
    short = in_other_words(words, _TURNS)
    return words if short is None else short


def _half_line(at_zero: bool, upwards: bool) -> str:
    return f"{'[' if at_zero else '('}0,\\infty)" if upwards else f"(-\\infty,0{']' if at_zero else ')'}"


def _quadrant(which: str) -> str:
    named = (row[0] for row in _QUADRANTS if which.lower() in row.split())
    return f"quadrant {next(named, which)}"


def _parity(kind: str, letter: str = "") -> str:
    """`n is odd` and `all odd integers` as multiples of two, and one more."""
    counter = "m" if letter == "k" else "k"
    return f"{letter}{'=' * len(letter)}2{counter}{'+1' * (kind.lower() == 'odd')}, {counter}\\in\\mathbb{{Z}}"
