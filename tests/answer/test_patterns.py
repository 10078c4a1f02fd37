"""Every regular expression of the checker takes hostile text in about linear time."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

import mcts_math.answer
from mcts_math.answer import check, extract_answer
from mcts_math.answer.text.notations import HABITS, MAX_REWRITTEN

if sys.version_info >= (3, 11):
    compiler, code, parser = (importlib.import_module(f"re._{part}") for part in ("compiler", "constants", "parser"))
else:
    compiler, code, parser = (importlib.import_module(f"sre_{part}") for part in ("compile", "constants", "parse"))

LENGTH = 24_000
SECONDS = 1.0  # of a busy machine; what grows with the square takes many
# These modules look only at texts of bounded length, with single spaces.
BOUNDED = {
    "text.notations": MAX_REWRITTEN,
    "text.unit_habits": MAX_REWRITTEN,
    "reply.conclusions": 2000,
    "reply.claims": 2000,
    "text.phrases": 400,
    "text.remarks": 300,
    "text.verdicts": 300,
    "text.spelled": 400,
}
SEARCHES = ("search", "sub", "findall", "finditer")
CANDIDATES = " a1A(,.-$}]\n"


def patterns() -> Iterator[tuple[str, str, re.Pattern[str], bool]]:
    """Module, name and pattern of every compiled pattern, and whether it is searched for rather than matched."""

    def within(value: object) -> Iterator[re.Pattern[str]]:
        if isinstance(value, re.Pattern):
            yield value
        elif isinstance(value, (tuple, list)):
            for item in value:
                yield from within(item)

    for info in pkgutil.walk_packages(mcts_math.answer.__path__, "mcts_math.answer."):
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        source = inspect.getsource(module)
        for name, value in vars(module).items():
            user = name if isinstance(value, re.Pattern) else "pattern"  # what the loop over a table calls each
            searched = any(f"{user}.{verb}(" in source for verb in SEARCHES) or f"{name}: Final = habits(" in source
            for index, pattern in enumerate(within(value)):
                yield info.name.removeprefix("mcts_math.answer."), f"{name}{index or ''}", pattern, searched


def sample(tree: Any) -> str:
    """A short text that the parsed pattern is likely to match."""
    return "".join(map(_sample_one, tree))


def _sample_one(item: Any) -> str:
    kind, value = item
    if kind is code.LITERAL:
        return chr(value)
    if kind in (code.IN, code.NOT_LITERAL, code.ANY):
        return _members(item)[0]
    if kind is code.BRANCH:
        return sample(value[1][0])
    if kind is code.SUBPATTERN:
        return sample(value[3])
    if kind in (code.MAX_REPEAT, code.MIN_REPEAT):
        return sample(value[2]) * max(value[0], 1)
    return ""


def _members(item: Any) -> list[str]:
    """Characters that the one-character item matches."""
    kind, value = item
    own = (
        [chr(v) if k is code.LITERAL else chr(v[0]) for k, v in value if k in (code.LITERAL, code.RANGE)]
        if (kind is code.IN)
        else []
    )
    compiled = parser.SubPattern(parser.State(), [item])
    matcher = compiler.compile(compiled)
    return [char for char in dict.fromkeys([*CANDIDATES, *own]) if matcher.match(char)] or ["a"]


def pumps(tree: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """What precedes each long repetition, and what it repeats."""
    for item in tree:
        kind, value = item
        if kind in (code.MAX_REPEAT, code.MIN_REPEAT):
            if value[1] >= 10:
                single = len(value[2]) == 1 and value[2][0][0] in (code.IN, code.ANY, code.NOT_LITERAL)
                for body in _members(value[2][0]) if single else [sample(value[2])]:
                    yield before, body
            yield from pumps(value[2], before)
        elif kind is code.SUBPATTERN:
            yield from pumps(value[3], before)
        elif kind is code.BRANCH:
            for branch in value[1]:
                yield from pumps(branch, before)
        before += _sample_one(item)


def attacks(pattern: re.Pattern[str]) -> list[str]:
    """Long texts that nearly match: each repetition pumped, after what precedes it, and both pumped together."""
    tree = parser.parse(pattern.pattern, pattern.flags)
    whole = sample(tree)
    texts = [(("", whole[: len(whole) // 2], "\0")), ("", whole, "\0"), ("", whole[:-1], "\0")]
    for before, body in pumps(tree):
        texts += [(before, body, "\0"), ("1" + before, body, "\0"), ("", before + body * 3, "\0")]
    return list(dict.fromkeys(head + pump * (LENGTH // len(pump)) + tail for head, pump, tail in texts if pump))


@pytest.mark.parametrize(("module", "name", "pattern", "searched"), list(patterns()))
def test_a_pattern_is_about_linear(module: str, name: str, pattern: re.Pattern[str], searched: bool) -> None:
    texts = attacks(pattern)
    if module in BOUNDED:
        texts = list(dict.fromkeys(" ".join(text.split())[: BOUNDED[module]] for text in texts))
    for text in texts:
        start = time.process_time()
        pattern.match(text)
        pattern.fullmatch(text)
        if searched:
            pattern.sub("", text)
        assert time.process_time() - start < SECONDS, (name, text[:40])


@pytest.mark.parametrize(
    "text", [r"\boxed{", "#", "the ", "answer is \n\n", "**a", "final answer" + " " * 24, "1.", ". ", r"\\e", "1"]
)
def test_extraction_is_about_linear(text: str) -> None:
    long = text * (LENGTH // len(text))
    start = time.process_time()
    extract_answer(long)
    check(long, "1")
    assert time.process_time() - start < 2 * SECONDS


def test_nested_tags_are_about_linear() -> None:
    start = time.process_time()
    assert extract_answer("<answer>" * 3000 + "5" + "</answer>" * 3000) == "5"
    assert time.process_time() - start < 2 * SECONDS


def needs(tree: Any, text: str) -> bool:
    """Whether whatever matches the parsed pattern, or stands around a match, holds `text`."""
    run = ""
    for kind, value in tree:
        run = run + chr(value) if kind is code.LITERAL else ""
        if kind is code.SUBPATTERN:
            parts = [value[3]]
        elif kind in (code.MAX_REPEAT, code.MIN_REPEAT):
            parts = [value[2]] if value[0] else []
        elif kind is code.ASSERT:
            parts = [value[1]]
        else:
            parts = value[1] if kind is code.BRANCH else []
        if text in run or (parts and all(needs(part, text) for part in parts)):
            return True
    return text == ""


@pytest.mark.parametrize(("needed", "pattern"), [habit[:2] for habit in HABITS], ids=str)
def test_a_rule_matches_no_text_without_what_it_says_it_needs(needed: str, pattern: re.Pattern[str]) -> None:
    assert needs(parser.parse(pattern.pattern, pattern.flags), needed)
