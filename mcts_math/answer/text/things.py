"""Whether two phrases name one kind of thing: what is counted, and what a label is the label of."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from mcts_math.answer.text.vocabulary import meanings, names

# Words that say nothing about what the thing is.
_EMPTY: Final = frozenset(
    names(
        "the a an of in on at to is are was were that there this its it and answer result solution value number "
        "total final all possible different distinct required exact exactly about approximately"
    )
)
# Words that make another thing of it, when only one of the phrases has them.
_TELLING: Final = frozenset(
    names("not no non without except more less fewer than minus plus per or other only first second last each "
          "equal repeated coincident base binary octal hexadecimal power "
          "increase decrease profit loss gain early late before after below above under over")
)  # fmt: skip
_IRREGULAR: Final = meanings(
    "man: men; woman: women; child: children; person: people; foot: feet; mouse: mice; goose: geese; tooth: teeth; "
    "die: dice; vertex: vertices; half: halves; penny: pennies; discount: off; increase: rise; "
    "decrease: reduction drop; minimum: minima min; maximum: maxima max"
)


@lru_cache(maxsize=4096)
def singular(word: str) -> str:
    """A word in lower case, without the ending of its plural."""
    word = word.lower()
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ses", "xes", "zes", "ches", "shes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word


@lru_cache(maxsize=1024)
def same_things(left: str, right: str) -> bool:
    """Whether two phrases name one kind of thing: one may say more about it (`red apples`), but nothing else."""
    mine, theirs = _content(left), _content(right)
    if mine == theirs:
        return True
    fewer, more = (mine, theirs) if len(mine) < len(theirs) else (theirs, mine)
    return fewer <= more and not (more - fewer) & _TELLING


def _content(phrase: str) -> frozenset[str]:
    words = [singular(word.strip(".,;:!?'\"()")) for word in phrase.split()]
    kept = [word for word in words if word and word not in _EMPTY]
    return frozenset(kept)
