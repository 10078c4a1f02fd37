"""From an answer's text to its value: normalise, recognise phrases, parse, tidy."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from mcts_math.answer.parse.grammar import parse_tokens
from mcts_math.answer.parse.numbers import decimal_value
from mcts_math.answer.parse.tidy import reject_prose, tidy
from mcts_math.answer.parse.tokenise import tokenise
from mcts_math.answer.parse.tokens import UnreadableError
from mcts_math.answer.text.normalise import MAX_LENGTH, normalise
from mcts_math.answer.text.phrases import Sentence, labelled, listed, notation, sentence
from mcts_math.answer.text.remarks import conditioned, replied, without_remarks
from mcts_math.answer.text.runs import is_word
from mcts_math.answer.text.spelled import plain_words, words_value
from mcts_math.answer.text.vocabulary import MARKS, meanings
from mcts_math.answer.values.matrices import components
from mcts_math.answer.values.nodes import Call, Group, Node, Num, Relation, Sym, Text
from mcts_math.answer.values.shapes import with_words

_MAX_REMEMBERED: Final = 2000  # characters
_FIGURES: Final = re.compile(
    r"(?:\\|\b)(?:angle|measuredangle|triangle|vec|overrightarrow|overleftrightarrow)(?![a-z])|[∠△]"
    r"|\\overline(?= ?\{ ?[A-Z] ?[A-Z] ?\})"
)
_FIGURE_NAMES: Final = meanings(
    "angle: measuredangle ∠; triangle: △; ray: vec overrightarrow; line: overleftrightarrow; segment: overline"
)
_VECTOR: Final = r"\\(?:vec|mathbf|boldsymbol|bm|overrightarrow|hat)\s*\{?[A-Za-z]{1,2}\}?"
_PRODUCT: Final = re.compile(rf"{_VECTOR}\s*\\(times|cdot)\s*\(?{_VECTOR}")
_PLAIN_NUMBER: Final = re.compile(r"\s*[-+]?(?:\d+(?:\.\d+)?|\.\d+)\s*")
_UNTEXT: Final = re.compile(r"\\(?:text|mbox|textbf|textit|textrm|mathrm|mathbf|operatorname)\s*\{([^{}]*)\}")
_PROSE: Final = re.compile(r"[A-Za-z][a-z]*(?:[ '-]+[A-Za-z][a-z]*)*")
_LETTERS: Final = re.compile(r"[a-z]{2}(?:-[a-z]{2})+")  # ad-bc, a difference of products
_NAME: Final = re.compile(
    r"[A-Z]{3,9}|(?=[A-Z]{2})(?=[CDLM]*[IVX])M*(?:C[MD]|D?C{0,3})(?:X[CL]|L?X{0,3})(?:I[XV]|V?I{0,3})"
)
_CAPITALS: Final = re.compile(r"\(?[A-Z]{1,9}\)?(?:\s*(?:,\s*and|,\s*or|,|and|or|&)\s*\(?[A-Z]{1,9}\)?)*")
_CHOICE: Final = re.compile(
    r"(?:\(([A-Z])\)|(?:\b(?:[Oo]ption|[Cc]hoice)\s+)?([A-Z])[.):])\s*(?=[^\s+*/^=<>-])(.+)", re.DOTALL
)
_CHOICES: Final = re.compile(r"(?:or|and|[/&,])?\s{0,3}(?:\([A-Z]\)|[A-Z](?:[.):]|(?<!I)$))")  # more than one
_PART: Final = re.compile(
    r"(?:^|[ ,;]+)\(?(?:part )?([a-hA-H]|[iv]{1,3}|\d)"
    r"(?:\)(?: |$)|[.:](?: |(?=[A-Z](?!\d)|[a-z]{2}))|(?<=\d)(?=[A-Z](?:[ ,;]+\d|$)))"
)
_NOTATION: Final = re.compile(r"[\\{}^_]|\w\(")  # of what was meant to be a formula
_QUOTED: Final = re.compile(r"""(['"])([A-Za-z]{2,60})\1""")  # a string of Python, no product of letters
_WORDLIKE: Final = re.compile(r"[^\W\d_]{2,}|[^\W\d_a-zA-Z]")
_CONGRUENCE: Final = re.compile(
    r"(?P<label>[a-zA-Z]\s*(?:\\equiv|=)\s*)?(?P<residue>[^=\s](?:[^=]{0,198}?[^=\s])??)"
    r"\s*(?:\\pmod|\(\s*\\?mod|(?(label)\\mod|(?!))|(?(label)\bmod|(?!)))\s*(?:\{\s*)?(?P<modulus>\d+|[a-zA-Z])\s*(?:\}\s*)?\)?"
)


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer as it was read."""

    text: str  # normalised
    node: Node | None
    problem: str = ""  # why there is no node
    figures: frozenset[str] = frozenset()  # of points: angle, triangle, ray, line; products of vectors: times, cdot
    beside: str = ""  # what is said beside yes or no


def read(text: str) -> Reading:
    """The value of an answer; never raises for any text."""
    if len(text) < 40 and _PLAIN_NUMBER.fullmatch(text):
        text = text.strip()
        value, digits, places = decimal_value(text.lstrip("+-"))
        return Reading(text, Num(-value if text[0] == "-" else value, digits, places))
    return _remembered(text) if len(text) <= _MAX_REMEMBERED else _read(text)


@lru_cache(maxsize=8192)
def _remembered(text: str) -> Reading:
    reading = _read(text)
    marks = [mark.lstrip("\\") for mark in _FIGURES.findall(text)]
    figures = frozenset(_FIGURE_NAMES.get(mark, mark) for mark in (*marks, *_PRODUCT.findall(text)))
    return replace(reading, figures=figures) if figures else reading


def forget() -> None:
    """Drops the readings that are remembered."""
    _remembered.cache_clear()
    read_as_list.cache_clear()


def _read(text: str) -> Reading:
    if len(text) > MAX_LENGTH:
        return Reading(text.strip(), None, f"longer than {MAX_LENGTH} characters")
    quoted = _QUOTED.fullmatch(text.strip())
    if quoted is not None and words_value(quoted[2]) is None and not is_word(quoted[2]):
        return Reading(quoted[2], Text(quoted[2]))
    clean = normalise(text)
    if not clean:
        return Reading("", None, "empty")
    if clean == "E":  # a choice, hardly the constant that Python prints so
        return Reading(clean, Text(clean, choice=True))
    words = " ".join(_UNTEXT.sub(r" \1 ", clean).split())
    short, beside = replied(notation(conditioned(without_remarks(words))))
    if short != words:
        clean = words = short
    try:
        marked = _FIGURES.search(text) is not None
        return Reading(clean, (None if marked else _capitals(words)) or _said(words) or parse(clean), beside=beside)
    except UnreadableError as error:
        problem = str(error)
    except RecursionError:
        problem = "nested too deeply for the caller's stack"
    plain = plain_words(words)
    if _WORDLIKE.search(plain) and not _NOTATION.search(words):
        return Reading(clean, Text(plain))
    return Reading(clean, None, problem)


def _said(words: str) -> Node | None:
    """What words, sentences and labels say; None for what is to be read as a formula."""
    if len(words) < 200 and (phrase := words_value(words)) is not None:
        return phrase
    if (parts := _enumerated(words)) is not None:
        return parts
    if (choice := _CHOICE.match(words)) is not None and _CHOICES.match(choice.group(3)) is None:
        rest = read(choice.group(3)).node
        label = Text(choice.group(1) or choice.group(2), choice=True)
        return Relation(("=",), (label, rest)) if rest is not None else label
    if (several := labelled(words)) is not None:
        return Group("", "", tuple(map(_statement, several)))
    if (items := listed(words)) is not None:
        return Group("", "", tuple(words_value(item) or Text(item) for item in items))
    if (said := sentence(words)) is not None:
        return _statement(said)
    alternatives = words.split(" or ")
    residues = map(_CONGRUENCE.fullmatch, alternatives if all(map(_CONGRUENCE.fullmatch, alternatives)) else [words])
    congruences = [None if residue is None else _congruence(residue) for residue in residues]
    if all(congruences):
        return congruences[0] if len(congruences) == 1 else Group("", "", tuple(filter(None, congruences)))
    if _PROSE.fullmatch(words) and _LETTERS.fullmatch(words) is None and any(map(is_word, words.split())):
        return Text(plain_words(words))
    return None


def _capitals(words: str) -> Node | None:
    """`SAS`, `IV`, and lists with such: no products, unlike a segment AB; None for anything else."""
    items = re.findall(r"[A-Z]+", words) if len(words) < 200 and _CAPITALS.fullmatch(words) is not None else []
    if not any(map(_NAME.fullmatch, items)):
        return None
    nodes = [words_value(item) or (None if _NAME.fullmatch(item) else read(item).node) or Text(item) for item in items]
    return nodes[0] if len(nodes) == 1 else Group("", "", tuple(nodes))


def _enumerated(words: str) -> Node | None:
    """`(a) 3 (b) 4` and `1. True 2. False` as a tuple; None for anything else."""
    first, *rest = _PART.split(words) if len(words) < 400 else [words]
    marks, parts = [mark.lower() for mark in rest[::2]], rest[1::2]
    row = next((row.split()[: len(marks)] for row in MARKS if {*row.split()[: len(marks)]} == {*marks}), [])
    if first or len(parts) < 2 or not all(parts) or len(row) < len(marks):
        return None
    parts = [parts[marks.index(mark)] for mark in row]
    return Group("(", ")", tuple(read(part).node or Text(plain_words(part)) for part in parts))


def _congruence(match: re.Match[str]) -> Node | None:
    """`x \\equiv 3 \\pmod 7` as the residue 3 modulo 7; several residues are a list."""
    residue, modulus = read(match.group("residue")).node, read(match.group("modulus")).node
    if residue is None or modulus is None:
        return None
    letter = (match.group("label") or "")[:1]
    if isinstance(residue, Group) and not residue.left:
        value: Node = Group("", "", tuple(Call("pmod", (item, modulus)) for item in residue.items))
    else:
        value = Call("pmod", (residue, modulus))
    return Relation(("=",), (Sym(letter), value)) if letter else value


def _statement(said: Sentence) -> Node:
    """`The sum is 5` as an equation with words on its left; what `it` is, as that value alone."""
    value = read(said.value).node or Text(plain_words(said.value))
    return Relation(("=",), (Text(plain_words(said.subject)), value)) if said.subject else value


def parse(clean: str, thousands: bool = True) -> Node:
    """The value of a normalised text by the grammar alone. Raises UnreadableError where it has none."""
    try:
        node = parse_tokens(tokenise(clean, thousands), spaced="\\" not in clean and ", " in clean)
    except UnreadableError:
        numbers = clean.split()
        if len(numbers) < 2 or not all(map(_PLAIN_NUMBER.fullmatch, numbers)):
            raise
        node = Group("", "", tuple(number for text in numbers if (number := read(text).node) is not None))
    reject_prose(node)
    return components(tidy(with_words(node)))


@lru_cache(maxsize=1024)
def read_as_list(text: str) -> Node | None:
    """`text` with every comma between items (`1,234` is 1 and 234); None where that is no list."""
    try:
        node = parse(normalise(text), thousands=False)
    except UnreadableError:
        return None
    return node if isinstance(node, Group) else None
