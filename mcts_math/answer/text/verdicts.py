"""Sentences in one wording: what is said in other words, denied by another word, or said of a formula in between."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from mcts_math.answer.text.habits import habits, rewritten
from mcts_math.answer.text.runs import is_word
from mcts_math.answer.text.vocabulary import meanings, names

_MAX_LENGTH: Final = 300  # characters
_OPPOSITES: Final = meanings(
    "independent: dependent; bounded: unbounded; continuous: discontinuous; invertible: singular; rational: "
    "irrational; true: false; countable: uncountable; connected: disconnected; consistent: inconsistent; biased: "
    "unbiased; stable: unstable; correlated: uncorrelated; solvable: unsolvable; possible: impossible"
)
_OTHER_WORDS: Final = {
    **meanings(
        "converges: convergent converge; diverges: divergent diverge; injective: one-to-one; surjective: onto; "
        "skewed: skew skewness; h_0: h0; right: right-angled; above: these"
    ),
    **{word: f"not {opposite}" for word, opposite in _OPPOSITES.items()},
}
_WORD_OR_NAME: Final = re.compile(r"\w+(?:-\w+)*")
_BEFORE_WORDS: Final = habits(
    (
        ("skew", r"\b(left|right)-(?=skew)", r"\1 "),
        ("non", r"\bnon-?(?=[a-z]{4})", "not "),
        ("one", r"\bone to one\b", "injective"),
        ("not", r"\b(?:(?:do|does|is|are) )?not (?:converge(?:nt)?)\b", "diverges"),
    )
)
_TURNS: Final = habits(
    (
        ("", r"\bpositively skewed|\bright skewed|\bskewed to right", "skewed right"),
        ("", r"\bnegatively skewed|\bleft skewed|\bskewed to left", "skewed left"),
        ("", r"\b(absolutely|conditionally|uniformly|pointwise) (converges)\b", r"\2 \1"),
        ("", r"\b(\w+ly) not\b", r"not \1"),
        ("", r"\bnot not ", ""),
        ("", r"\brelative (?=m[ai][xn]|extrem)", "local "),
        ("", r"\bsimple (pole|root|zero)\b", r"\1 of order 1"),
        ("", r"\bdouble (pole|root|zero)\b", r"\1 of order 2"),
        ("", r"\bon (?:open |closed )?interval (?=@)", "on "),
        ("", r"\bright isosceles\b", "isosceles right"),
        ("", r"\bif and only if\b|\b(?:exactly|precisely) (?:when|if)\b", "iff"),
        ("", r"\b(?:first|1st) player\b|\bplayer one\b", "player 1"),
        ("", r"\b(?:second|2nd) player\b|\bplayer two\b", "player 2"),
        ("", r"\b(?:do|does|did|can) ?not reject\b|\bfail(?:s|ed)? to reject\b", "fail to reject"),
        ("", r"^we (?:(?:should|must|would) )?(?=(?:fail to )?reject)", ""),
        ("", r"^(@\d) (?:is|are) (.+)", r"\2 at \1"),
    )
)
_STYLE: Final = re.compile(r"\\(?:text|mbox|textbf|textit|textrm|mathrm|operatorname\*?) ?\{([^{}]*)\}|\$")
_NULL: Final = re.compile(r"(?:the )?null hypothesis(?: H_?\{?0\}?)?", re.IGNORECASE)
_LEVEL: Final = re.compile(r" at (?:the |a )?(\d{1,2}\\?%|0\.\d{1,3}) (?:significance )?level(?: of significance)?$")
_ARTICLE: Final = re.compile(r"(?<![\w\\])(?:a|an|the|A|An|The) (?=[A-Za-z]{2})")
_COUNT: Final = re.compile(r"\d{1,2}")
_RUN: Final = re.compile(r"(?<![\\\w{^])[A-Za-z]{2,30}(?:-[A-Za-z]{2,30})*(?![\w(])")
_SMALL: Final = frozenset(
    names("is are of to on at in by as no not or and it we do does fail for if than but with from nor iff onto span")
)


class Phrase(NamedTuple):
    """A sentence: its words, with `@` for each formula, the formulas in order, and the level of a test (or "")."""

    words: str
    formulas: tuple[str, ...]
    level: str = ""


def verdict(words: str) -> str:
    """Lower-case words without articles in one wording, such as `not bounded` for `unbounded`."""
    words = rewritten(words, _BEFORE_WORDS)
    words = _WORD_OR_NAME.sub(lambda word: _OTHER_WORDS.get(word[0], word[0]), words)
    return rewritten(words, _TURNS)


@lru_cache(maxsize=1024)
def phrase(text: str) -> Phrase | None:
    """A normalised text as words and formulas; None where it has no words, or no formulas, or is too long."""
    if len(text) > _MAX_LENGTH:
        return None
    text = _NULL.sub(" H_0 ", _STYLE.sub(r" \1 ", text))
    text, *levels = _LEVEL.split(" ".join(text.split()), maxsplit=1)
    text = _ARTICLE.sub("", text)
    words: list[str] = []
    formulas: list[str] = []
    start = 0
    runs = [run for run in _RUN.finditer(text) if run[0].lower() in _SMALL or is_word(run[0].partition("-")[0])]
    for run in [*runs, None]:
        between = text[start : run.start() if run else len(text)].strip(" .:;")
        value = between.strip(" ,")
        if _COUNT.fullmatch(value):
            words.append(value)
        elif value:
            words.append(f"@{len(formulas)}")
            formulas.append(value)
        if run is not None:
            words += ["and"] if between.endswith(",") and run[0] != "and" else []
            words.append(run[0].lower())
            start = run.end()
    if not runs or not formulas or len(formulas) > 9:
        return None
    said = verdict(" ".join(words))
    order = [int(place[1]) for place in re.findall(r"@\d", said)]
    return Phrase(re.sub(r"@\d", "@", said), tuple(formulas[place] for place in order), *levels[:1])
