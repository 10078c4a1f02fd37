"""Whether two phrases name one kind of thing: what is counted, and what a label is the label of."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from mcts_math.answer.text.vocabulary import NUMBER_WORDS, meanings, names

# Words that say nothing about what the thing is.
_EMPTY: Final = frozenset(names(
    "the a an of in on at to is are was were that there this its it and answer result solution value number "
    "total final all possible different distinct required exact exactly about approximately"
))  # fmt: skip
# Words that make another thing of it, when only one of the phrases has them.
_TELLING: Final = frozenset(
    names("not no non without except more less fewer than minus plus per or other only first second last each "
          "equal repeated coincident base binary octal hexadecimal power "
          "increase decrease profit loss gain early late before after below above under over")
)  # fmt: skip
# Nouns that have no plural of their own, and what may be said behind a noun: `18 dollars left`.
_UNCOUNTED: Final = frozenset(
    names("fish sheep deer aircraft series species percent full o'clock money water milk bread candy food fruit "
          "laundry rice sugar oil fuel paper wood fabric tape mail clothing furniture gold sleep homework exercise")
)  # fmt: skip
_PEOPLE: Final = ("people", "children", "men", "fish")  # how plurals end that are no plurals by their letters
_BEHIND: Final = frozenset(names(
    "left remaining altogether overall each apiece old long tall high wide deep large away apart today daily "
    "weekly yearly"
))  # fmt: skip
_PREPOSITIONS: Final = frozenset(names("of per in on at for from to by with as each every a an the total all"))
# Words in -s that name nothing which is counted, and those that make other numbers.
_NO_NOUNS: Final = frozenset(
    names("is was has does as yes always perhaps besides towards twins doubles triples halves thirds quarters "
          "fifths sixths eighths tenths hundreds thousands millions billions dozens "
          "contradictions guesses errors mistakes lies backwards downwards upwards inwards")
)  # fmt: skip
# They say that the value is not meant.
_REJECTING: Final = frozenset(
    names("wrong incorrect false untrue invalid impossible never nope nothing maybe negative owed lost debt bogus "
          "rejected excluded rounded less younger halved doubled tripled")
)  # fmt: skip
# Counters of Chinese, Japanese and Korean, each of which names what is counted.
_COUNTERS: Final = frozenset(
    "个個人名位只条本张枚次元岁歳年天週小时時分秒组题页家户台円点人斤つ개명살원권번장대초년월일주세"
)
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
def is_counted(phrase: str, is_one: bool = True) -> bool:
    """Whether words beside a number only name what it counts: `red apples`, `dollars left`, `apples in total`.

    `is_one`: the number may be one, or less, so that a noun need not be in the plural.
    """
    parts = phrase.replace("left over", "left").split()
    words = [word.partition("^")[0].strip(".,;:!?'\"()").lower() for word in parts if "^-" not in word]  # per page
    if not phrase.isascii():
        return len(words) == 1 and words[0] in _COUNTERS
    told = {singular(word) for word in words} | set(words)
    if (_TELLING - {"more"}) & told or rejects(" ".join(words)) or told & NUMBER_WORDS.keys():
        return False
    if all(word in _BEHIND or word in _PREPOSITIONS for word in words):
        return True  # in total
    nouns = [place for place, word in enumerate(words) if _is_noun(word, is_one)]
    behind = words[nouns[0] + 1 :] if nouns else []
    return bool(nouns) and all(
        word in _BEHIND or word in _PREPOSITIONS or place + nouns[0] + 1 in nouns or _PREPOSITIONS & {*behind[:place]}
        for place, word in enumerate(behind)
    )


def rejects(phrase: str) -> bool:
    """Whether words say of a value that it is not meant: `wrong`, `dollars owed`."""
    return bool(_REJECTING & set(phrase.lower().split()))


def _is_noun(word: str, is_one: bool) -> bool:
    if word in _NO_NOUNS or not word.isalpha() or word.endswith("ths"):
        return False
    plural = (word.endswith("s") and not word.endswith(("ss", "us"))) or word in _IRREGULAR or word in _UNCOUNTED
    plural = plural or word.endswith(_PEOPLE)
    return plural or (is_one and len(word) > 2 and word not in _BEHIND | _PREPOSITIONS)


@lru_cache(maxsize=1024)
def same_things(left: str, right: str) -> bool:
    """Whether two phrases name one kind of thing: one may say more about it (`red apples`), but nothing else."""
    mine, theirs = _content(left), _content(right)
    if mine == theirs:
        return _bearing(left) == _bearing(right)
    fewer, more = (mine, theirs) if len(mine) < len(theirs) else (theirs, mine)
    return fewer <= more and not (more - fewer) & _TELLING


def _bearing(phrase: str) -> list[str]:
    """Points of the compass in their order: north of east is not east of north."""
    return [word for word in phrase.lower().split() if word in ("north", "east", "south", "west")]


def _content(phrase: str) -> frozenset[str]:
    words = [singular(word.strip(".,;:!?'\"()")) for word in phrase.split()]
    kept = [word for word in words if word and word not in _EMPTY]
    return frozenset(kept)
