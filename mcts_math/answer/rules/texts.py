"""Words against words, and against what they may be the name of."""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.rules.collections import compare_letters
from mcts_math.answer.rules.compare import Decision
from mcts_math.answer.text.spelled import plain_words
from mcts_math.answer.text.verdicts import verdict
from mcts_math.answer.values.nodes import Const, Group, Node, Prod, Sym, Text
from mcts_math.answer.values.shapes import letters
from mcts_math.answer.verdict import Policy

_JOINTS: Final = re.compile(r"[\s_]+|(?<=[^\W\d])-(?=[^\W\d])")  # white space, and a hyphen between letters

_GENOTYPE: Final = re.compile(r"(?![IVXivx]+$)(?:([A-Za-z])(?i:\1))+")  # AaBb: the case tells the alleles
_ELEMENT: Final = re.compile(r"[A-Z][a-z]")  # Co is no CO

# What a property is said of: `odd function` is odd.
_HEADS: Final = frozenset({"function", "triangle", "number", "series", "sequence", "integral", "wins", "it"})


def compare_texts(text: Text, other: Node, policy: Policy) -> Decision:
    if isinstance(other, Text):
        return Decision(texts_equal(text, other, policy), "words")
    if isinstance(other, Prod) and all(isinstance(item, (Sym, Const)) for item in other.items):
        name = "".join(item.name for item in other.items if isinstance(item, (Sym, Const)))
        return Decision(texts_equal(text, Text(name), policy), "letters")
    if isinstance(other, (Sym, Const)):
        return Decision(texts_equal(text, Text(other.name), policy), "a letter or word")
    if isinstance(other, Group) and len(capitals := letters(text)) > 1:
        return compare_letters(capitals, other, policy)
    return Decision(False, "words against something else")


def texts_equal(left: Text, right: Text, policy: Policy) -> bool:
    """Whether two phrases are the same words; a choice letter may be followed by its text."""
    a, b = plain_words(left.words), plain_words(right.words)
    if not policy.letter_case and not _case_tells(a, b):
        a, b = a.lower(), b.lower()
    if a == b or (len(a) > 1 and len(b) > 1 and _JOINTS.sub("", a) == _JOINTS.sub("", b)):
        return True
    if a.islower() and b.islower():
        a, b = verdict(a), verdict(b)
    fewer, more = sorted((a.split(), b.split()), key=len)
    if fewer == ["neither"] == more[:1] and "nor" in more:
        return True
    return a == b or (len(more) > len(fewer) > 0 and [word for word in more if word not in _HEADS] == fewer)


def _case_tells(left: str, right: str) -> bool:
    """Whether two words are of a kind in which the case of the letters tells: alleles, and names of elements."""
    if _GENOTYPE.fullmatch(left) and _GENOTYPE.fullmatch(right):
        return True
    names = sorted((left, right))
    return len(left) == len(right) == 2 and names[0].isupper() and _ELEMENT.fullmatch(names[1]) is not None
