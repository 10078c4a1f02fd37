"""Feedback as tokens: the conversation that a rule learns from, and the solution that should be written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcts_math.engine.tokenizer import Codec
from mcts_math.errors import RecordError
from mcts_math.requests import LossTerm
from mcts_math.train.feedback import FEEDBACK, Feedback
from mcts_math.train.reading import showing


@dataclass(frozen=True, slots=True)
class Example:
    """One example as tokens."""

    id: str  # of the line
    conversation: tuple[int, ...]  # question, attempt and feedback; () for a baseline
    target: tuple[int, ...]  # question and gold solution, with the token that ends it
    start: int  # where in `target` the solution begins


def load_lessons(
    codec: Codec, paths: Sequence[str | Path], max_length: int, *, with_attempts: bool
) -> tuple[list[Example], str]:
    """The examples of feedback files, and in words what became of the lines.

    Args:
        max_length: most tokens of a conversation, and of a question with its solution.
        with_attempts: for a rule: a line an example. Else a question is one example, whatever its attempts.

    Raises:
        RecordError: a broken line, one without an attempt where one is needed, or nothing that fits.
    """
    examples, too_long = list[Example](), list[str]()
    seen: set[tuple[str, str]] = set()
    for line in FEEDBACK.read(paths):
        if with_attempts and line.attempt is None:
            raise RecordError(f"the line {line.id!r} holds no attempt, from which kind: rule learns.")
        key = (repr(line.question), line.solution)
        if not with_attempts and key in seen:
            continue
        seen.add(key)
        with showing(line.id):
            example = encode(codec, line, with_attempts=with_attempts)
        if max(len(example.conversation), len(example.target)) > max_length:
            too_long.append(line.id)
        else:
            examples.append(example)
    tokens = sum(len(example.conversation) + len(example.target) for example in examples)
    report = f"{len(examples):,} examples of {tokens:,} tokens"
    if too_long:
        report += f"; {len(too_long):,} are too long and left out (such as {too_long[0]})"
    if not examples:
        raise RecordError(f"{', '.join(map(str, paths))}: nothing to train on ({report}).")
    return examples, report


def encode(codec: Codec, line: Feedback, *, with_attempts: bool) -> Example:
    """The tokens of a line. Raises RefusedError where the model's tokenizer or template can't show it."""
    target, start = codec.encode_reply(line.question, line.solution)
    conversation: tuple[int, ...] = ()
    if with_attempts and line.attempt is not None:
        conversation, _ = codec.encode_term(LossTerm(line.attempt, line.feedback))
    return Example(line.id, conversation, target, start)
