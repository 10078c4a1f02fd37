"""`chat_steps`: plain reasoning in one turn of the assistant, in steps that a delimiter ends (a blank line by default).

The solution ends where the model ends its turn, or with a step that boxes an answer. A thought belongs to the first
step, unless `think: search` makes steps of it too. No engine stops at a regular expression: where the user gives one, a
sample stops at each delimiter, and goes on with the very tokens that it has where it does not match there.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

from mcts_math import answer as checker
from mcts_math.errors import ConfigError
from mcts_math.formats.base import FormatOptions, Resumption
from mcts_math.formats.replies import open_thought, read_reply
from mcts_math.formats.turns import ChatFormat, read_turn, resume_thought, was_stopped
from mcts_math.messages import Sample, Sampling, text_of
from mcts_math.step import Draft


def make_chat_steps(options: FormatOptions) -> ChatFormat:
    delim = options.step_delim or "\n\n"
    search_thoughts = options.search_thoughts
    return ChatFormat(
        "chat_steps",
        options,
        partial(_read, search_thoughts=search_thoughts),
        resumer=partial(_resume, search_thoughts=search_thoughts, end=_compile(options.step_pattern)),
        own_stops=(delim,),
        own_delim=delim,
        runs_code=False,
    )


def _compile(pattern: str | None) -> re.Pattern[str]:
    """What must match at the end of a step; by default anything does. Raises ConfigError."""
    try:
        return re.compile(rf"(?:{re.compile(pattern or '').pattern})\Z")  # alone first: its faults are its own
    except re.error as error:
        raise ConfigError(f"step_pattern is no regular expression: {error}.") from error


def _read(sample: Sample, *, search_thoughts: bool) -> Draft:
    message = read_turn(sample)
    if open_thought(sample.text, sample.opening) is not None:
        return Draft(message.thought, goes_on=search_thoughts and was_stopped(sample), message=message)
    answer = checker.extract_answer(message.content) if "\\boxed" in message.content else None
    if answer is None:
        if was_stopped(sample):
            return Draft(message.content, goes_on=True, message=message)
        reply = read_reply(sample.opening + sample.text).content  # at its end the answer may stand in any step
        answer = checker.extract_answer(reply, cut=sample.finish == "length")
    return Draft(message.content, answer=answer, whole=True, message=message)


def _resume(
    budget: int, sample: Sample, sampling: Sampling, *, search_thoughts: bool, end: re.Pattern[str]
) -> Resumption | None:
    """A step that is empty, or that does not end as the user wants, is none: what follows belongs to it."""
    whole = text_of(sample.written)
    in_thought = open_thought(whole, sample.opening) is not None
    if not (search_thoughts and in_thought):
        resumption = resume_thought(budget, sample, sampling)
        if resumption is not None or in_thought:
            return resumption
    left = sampling.max_tokens - sample.num_tokens
    if not was_stopped(sample) or left <= 0:
        return None
    step = sample.text if in_thought else read_reply(sample.text, sample.opening).content
    if step.strip() and end.search(step + whole[len(sample.text) :]):
        return None
    return Resumption(replace(sampling, max_tokens=left))
