"""Answers that are sentences: what they say about what, as far as words tell it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from mcts_math.answer.text.runs import is_word
from mcts_math.answer.text.spelled import spelled_number

_NUMBER: Final = r"(-?\d+(?:\.\d+)?)"
_SENTENCE: Final = re.compile(
    r"(?P<subject>[^=<>]{0,200}?[A-Za-z$)}][^=<>]{0,40}?)\s+(?P<verb>is|are|was|were|will\s+be|equals?|becomes|has|have|costs|converges\s+to)\s+"
    r"(?:(?:equal\s+to|approximately|about|exactly|only)\s+|:\s*)*(?P<value>\S.*)",
    re.DOTALL,
)
_LABEL: Final = re.compile(
    r"(?P<subject>[A-Za-z][A-Za-z ]{2,60}?)(?:\s*[:=]\s*|\s+(?=\())(?P<value>[-\d(\[\\].*)", re.DOTALL
)
_VERB_ONLY: Final = re.compile(
    r"(?:converges\s+to|equals?|equal\s+to|on|at)\s+(?P<value>\S.*)", re.DOTALL | re.IGNORECASE
)
_PRONOUNS: Final = frozenset({"it", "this", "that", "there", "they", "he", "she", "we"})
_YES_NO: Final = re.compile(r"(yes|no|true|false)\s*[,;:]\s*(?=[a-z])", re.IGNORECASE)
_BETWEEN: Final = re.compile(
    rf"(?:[a-z]\s+is\s+)?between\s+{_NUMBER}\s+and\s+{_NUMBER}(?:,?\s+(inclusive|exclusive))", re.IGNORECASE
)
_OF: Final = re.compile(rf"{_NUMBER}\s+(?:out\s+of|in)\s+{_NUMBER}")
_COMPARISONS: Final = (
    ("greater than or equal to", ">="),
    ("less than or equal to", "<="),
    ("no less than", ">="),
    ("no more than", "<="),
    ("more than", ">"),
    ("at least", ">="),
    ("at most", "<="),
    ("greater than", ">"),
    ("less than", "<"),
)
_COMPARED: Final = re.compile(
    r"(?:(?:(?:all|any)\s+)?(?:real\s+)?numbers?\s+|(?P<name>[a-z])\s+is\s+)?(?:that\s+are\s+|[a-z]\s+)?"
    r"(?P<phrase>(?:greater|more|less|no\s+more|no\s+less)\s+than(?:\s+or\s+equal\s+to)?|at\s+(?:least|most))\s+"
    r"(?P<value>[-\d.\\].*)",
    re.IGNORECASE,
)
_SIGNED: Final = re.compile(
    r"(?:all\s+|the\s+)?(non-?negative|positive|non-?positive|negative)\s+(?:real\s+numbers|reals)", re.IGNORECASE
)
_SIGNED_SETS: Final = {
    "nonnegative": r"[0,\infty)",
    "positive": r"(0,\infty)",
    "nonpositive": r"(-\infty,0]",
    "negative": r"(-\infty,0)",
}
_MINUS: Final = re.compile(r"(?:minus|negative)\s+(?=[\d\\])", re.IGNORECASE)
_CHOOSE: Final = re.compile(r"(\w{1,4})\s+choose\s+(\w{1,4})")
_TO: Final = re.compile(rf"{_NUMBER}\s+to\s+{_NUMBER}")
_BUT: Final = re.compile(
    r"(?:all\s+)?(?:real\s+numbers|reals)\s*(?:\w\s+)?,?\s*(?:except|other\s+than|but|excluding|without)\s*(?:for\s+)?(?:[a-z]\s*=\s*)?(?P<points>[-\d].*)",
    re.IGNORECASE,
)
_NOT_THERE: Final = re.compile(r".*\bdoes\s+not\s+exist", re.IGNORECASE | re.DOTALL)


_ITEM: Final = re.compile(
    r"(?:and\s+)?(?P<subject>[^\W\d_][^=<>:,;\d\\]{0,60}?)\s*"
    r"(?:[:=]|\b(?:is|are|has|have|gets?|was|were)\b:?| (?=\d))\s*(?P<value>[^=:]*\S)"
)
_ITEM_ENDS: Final = re.compile(r"\s*[,;]\s*(?:and\s+)?(?=[^\W\d_])|\s+and\s+(?=[^\W\d_])")


_OR_MORE: Final = re.compile(rf"{_NUMBER}\s+or\s+(more|greater|above|higher|less|fewer|below|lower)", re.IGNORECASE)
_THAN: Final = re.compile(
    r"([\w+*/.\\{}-]{1,12}) (more|less|fewer) than (?!x?\d+$)([\w+*/.\\{}-]{1,12})|(\d{1,9}) (more|less) than (\d{1,9})"
)
_MULTIPLE: Final = re.compile(r"(twice|thrice|double|triple) ([\w.\\{}^]{1,12})", re.IGNORECASE)
_ROOT: Final = re.compile(r"(?:the )?(square|cube) root of ([\w.]{1,12})", re.IGNORECASE)
_SHARE: Final = re.compile(
    r"((?:a |one |two |three |four |five )?[a-z]{4,8}) of (\d{1,9}(?:\.\d{1,9})?)", re.IGNORECASE
)
_CHANGE: Final = re.compile(
    r"(?:an? |the )?(increase|decrease|rise|drop|reduction|profit|loss|gain|discount|total|tip|tax) of "
    r"(\\?\$?-?\d[\d.,]{0,20}(?: ?(?:\\?%|percent))?)",
    re.IGNORECASE,
)
_DIVISIBLE: Final = re.compile(
    r"([a-z]) is (?:an )?(?:(odd|even)|(?:a multiple of|divisible by) (\d{1,9}))(?: number| integer)?"
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
    named = all(not said.subject.isascii() or any(map(_is_name, said.subject.split())) for said in found)
    return found if named and 1 < len(found) == len(items) else None


def _is_name(word: str) -> bool:
    """A word, a name of three letters or more such as Bob, or max and min."""
    return is_word(word) or word.lower() in ("max", "min") or (len(word) > 2 and word.istitle() and word.isalpha())


def sentence(words: str) -> Sentence | None:
    """`The sum is 5` as subject and value; None for anything that is no such sentence."""
    if len(words) > 400:
        return None
    if (match := _YES_NO.match(words)) is not None:
        return Sentence("", match.group(1))
    if (match := _VERB_ONLY.fullmatch(words)) is not None:
        return Sentence("", match.group("value"))
    if (match := _LABEL.fullmatch(words)) is not None and is_word(match.group("subject").split()[-1]):
        return Sentence(match.group("subject"), match.group("value"))
    match = _SENTENCE.fullmatch(words)
    if match is None:
        return None
    subject = match.group("subject").strip(" $,:")
    value = match.group("value")
    if not re.search(r"[A-Za-z]", subject) or "\\" in subject.replace("\\$", ""):
        return None
    return Sentence("" if subject.lower() in _PRONOUNS else subject, value)


def notation(words: str) -> str:
    """Fixed turns of phrase in the notation that the grammar reads (`3 to 2` is `3:2`); other text as it is."""
    if len(words) > 200:
        return words
    if (match := _BETWEEN.fullmatch(words)) is not None:
        left, right = ("(", ")") if match.group(3).lower() == "exclusive" else ("[", "]")
        return f"{left}{match.group(1)},{match.group(2)}{right}"
    if (match := _OF.fullmatch(words)) is not None:
        return f"{match.group(1)}/{match.group(2)}"
    if (match := _COMPARED.fullmatch(words)) is not None:
        sign = next(op for phrase, op in _COMPARISONS if phrase in " ".join(match.group("phrase").lower().split()))
        return f"{match.group('name') or 'x'}{sign}{match.group('value')}"
    if (match := _SIGNED.fullmatch(words)) is not None:
        return _SIGNED_SETS[match.group(1).lower().replace("-", "")]
    if (match := _MINUS.match(words)) is not None:
        return f"-{words[match.end() :]}"
    if (match := _CHOOSE.fullmatch(words)) is not None:
        return rf"\binom{{{match.group(1)}}}{{{match.group(2)}}}"
    if (match := _TO.fullmatch(words)) is not None:
        return f"{match.group(1)}:{match.group(2)}"
    if (match := _BUT.fullmatch(words)) is not None:
        points = re.sub(r"\s+(?:and|or)\s+", ",", match.group("points"))
        return rf"\mathbb{{R}}\setminus\{{{points}\}}"
    if (match := _OR_MORE.fullmatch(words)) is not None:
        return f"x{'>=' if match.group(2).lower() in ('more', 'greater', 'above', 'higher') else '<='}{match.group(1)}"
    if (match := _THAN.fullmatch(words)) is not None:
        first, kind, second = match.groups()[:3] if match.group(1) else match.groups()[3:]
        return f"({second}){'+' if kind == 'more' else '-'}({first})"
    if (match := _MULTIPLE.fullmatch(words)) is not None:
        return rf"{2 if match.group(1).lower() in ('twice', 'double') else 3}({match.group(2)})"
    if (match := _ROOT.fullmatch(words)) is not None:
        return rf"\sqrt{'[3]' if match.group(1).lower() == 'cube' else ''}{{{match.group(2)}}}"
    if (match := _SHARE.fullmatch(words)) is not None and (part := spelled_number(match.group(1))) is not None:
        return rf"\frac{{{part.numerator}}}{{{part.denominator}}}*{match.group(2)}"
    if (match := _CHANGE.fullmatch(words)) is not None:
        return f"{match.group(2)} {match.group(1)}"
    if (match := _DIVISIBLE.fullmatch(words)) is not None:
        name, parity, divisor = match.groups()
        return rf"{name}\equiv{int(parity == 'odd')}\pmod{{{divisor or 2}}}"
    return "undefined" if _NOT_THERE.fullmatch(words) else words
