"""Examples and pairs as tokens.

Tokens are those that the engine sees. It reads the value of a step at the last token of the prompt that ends with it,
and tokenises that prompt by itself, so where a step ends here is found by tokenising the same prefix. Where a tokenizer
merges a step's end with what follows (it then sees other tokens while searching), the last token before the merged one
is taken, and counted. A conversation is shown by the model's own chat template; the policy also learns to end its turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mcts_math.engine.tokenizer import Codec
from mcts_math.errors import RecordError
from mcts_math.files import read_records
from mcts_math.step import Message, Prompt
from mcts_math.train.examples import Example, example_from_json
from mcts_math.train.preference import Pair, pair_from_json

IGNORED = -100  # label of a token that is not learned
_CODE_END = "</code>"
_OBSERVED = "\nObservation:"


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """Tokens that see each other, with what is learned from them.

    Attributes:
        ids: [T] tokens.
        labels: [T] the token itself where the policy learns it, else IGNORED.
        value_at: places whose value is compared with `value_target`.
        value_target: Q of each.
        preference: +1 where the value at the last token is the better one of a pair, -1 the worse, 0 for no pair.
    """

    ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    value_at: tuple[int, ...] = ()
    value_target: tuple[float, ...] = ()
    preference: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """What must stay in one row: an example, or the two sequences of a pair."""

    id: str
    sequences: tuple[TokenSequence, ...]

    @property
    def length(self) -> int:
        return sum(len(sequence.ids) for sequence in self.sequences)


@dataclass(slots=True)
class DataReport:
    """What became of the examples.

    Attributes:
        examples, pairs: taken.
        too_long: left out, as they do not fit a row.
        merged: step ends that the tokenizer merges with what follows.
        tokens, policy_tokens, values: of the taken ones.
        first_too_long: id of one that was left out.
    """

    examples: int = 0
    pairs: int = 0
    too_long: int = 0
    merged: int = 0
    tokens: int = 0
    policy_tokens: int = 0
    values: int = 0
    first_too_long: str = ""

    def __str__(self) -> str:
        lines = [
            f"{self.examples:,} examples and {self.pairs:,} pairs: {self.tokens:,} tokens, of which the policy learns "
            f"{self.policy_tokens:,}; {self.values:,} values"
        ]
        if self.too_long:
            lines.append(f"{self.too_long:,} are longer than max_length and left out (such as {self.first_too_long})")
        if self.merged:
            lines.append(f"{self.merged:,} step ends are merged with what follows by the tokenizer")
        return "\n".join(lines)


class Encoder:
    """Examples and pairs -> items.

    Args:
        codec: the model's tokenizer, as the engine uses it.
        observation_loss: the policy learns what the interpreter wrote, too.
    """

    def __init__(self, codec: Codec, *, observation_loss: bool = True) -> None:
        self._codec = codec
        self._observation_loss = observation_loss
        self.merged = 0

    def example(self, example: Example) -> Item:
        """The tokens of a solution; a wrong one teaches values only."""
        texts = [step.text for step in example.steps]
        ids, end = self._encode_whole(example.prompt, "".join(texts))
        value_at = self._step_ends(example.prompt, texts, ids[:end])
        labels = np.full(len(ids), IGNORED, dtype=np.int32)
        if example.correct:
            for first, last in self._learned(example.prompt, texts, ids):
                labels[first:last] = ids[first:last]
        targets = tuple(step.q for step in example.steps)
        return Item(example.id, (TokenSequence(np.array(ids, np.int32), labels, value_at, targets),))

    def pair(self, pair: Pair) -> Item:
        """The two sequences of a preference pair."""
        sequences = []
        for step, sign in ((pair.chosen, 1), (pair.rejected, -1)):
            ids = self._encode(pair.prompt, step)
            labels = np.full(len(ids), IGNORED, dtype=np.int32)
            sequences.append(TokenSequence(np.array(ids, np.int32), labels, preference=sign))
        return Item(pair.id, tuple(sequences))

    def _encode(self, prompt: Prompt, written: str) -> tuple[int, ...]:
        """Tokens of a prompt and what was written after it, as the engine sees them when it reads a value."""
        if isinstance(prompt, str):
            return self._codec.encode(prompt + written)
        if not written:
            return self._codec.encode_prompt(prompt)
        if prompt[-1].role == "assistant":
            prompt, written = prompt[:-1], prompt[-1].content + written
        return self._codec.encode_prompt((*prompt, Message("assistant", written)))

    def _encode_whole(self, prompt: Prompt, written: str) -> tuple[tuple[int, ...], int]:
        """The same, with the token that ends the turn of a conversation, and how many tokens stand before that one."""
        ids = self._encode(prompt, written)
        if isinstance(prompt, str):
            return ids, len(ids)
        closed = self._codec.encode_prompt((*prompt, Message("assistant", written), Message("user", "?")))
        is_ended = (
            closed[: len(ids)] == ids and closed[len(ids) : len(ids) + 1] and closed[len(ids)] in self._codec.eos_ids
        )
        return (*ids, closed[len(ids)]) if is_ended else ids, len(ids)

    def _step_ends(self, prompt: Prompt, texts: Sequence[str], ids: Sequence[int]) -> tuple[int, ...]:
        """Place of the last token of every step."""
        ends = []
        for count in range(1, len(texts)):
            prefix = self._encode(prompt, "".join(texts[:count]))
            same = _common(ids, prefix)
            self.merged += same < len(prefix)
            ends.append(max(same - 1, 0))
        return (*ends, len(ids) - 1)

    def _learned(self, prompt: Prompt, texts: Sequence[str], ids: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Ranges of tokens [first, last) that the policy learns."""
        if self._observation_loss or not isinstance(prompt, str):  # a reply of a conversation is the model's alone
            yield _common(ids, self._encode(prompt, "")), len(ids)
            return
        before = ""
        for step in texts:
            start, stop = (self._encode(prompt, before + step[:at]) for at in (0, written_by_model(step)))
            yield _common(ids, start), _common(ids, stop)
            before += step


def _common(ids: Sequence[int], prefix: Sequence[int]) -> int:
    """How many tokens are the same from the start."""
    if tuple(ids[: len(prefix)]) == tuple(prefix):
        return len(prefix)
    differing = (place for place, (one, other) in enumerate(zip(ids, prefix, strict=False)) if one != other)
    return next(differing, min(len(ids), len(prefix)))


def written_by_model(step: str) -> int:
    """Characters of a step that the model wrote, its stop string included; the rest is the interpreter's output."""
    for end in (_CODE_END, _OBSERVED):
        found = step.find(end)
        if found >= 0:
            return found + len(end)
    return len(step.rstrip())


def read_examples(paths: Iterable[str | Path]) -> Iterator[Example]:
    """Streams examples files. Raises RecordError, naming file and line."""
    for path in paths:
        for where, record in read_records(path):
            yield example_from_json(record, where)


def read_pairs(paths: Iterable[str | Path]) -> Iterator[Pair]:
    """Streams pairs files. Raises RecordError, naming file and line."""
    for path in paths:
        for where, record in read_records(path):
            yield pair_from_json(record, where)


def encode_files(
    encoder: Encoder, examples: Sequence[str | Path], pairs: Sequence[str | Path], max_length: int
) -> tuple[list[Item], DataReport]:
    """All items that fit a row, and what became of the rest.

    Raises:
        RecordError: a broken line, or nothing that fits.
    """
    items: list[Item] = []
    report = DataReport()
    for kind, stream in (
        ("examples", map(encoder.example, read_examples(examples))),
        ("pairs", map(encoder.pair, read_pairs(pairs))),
    ):
        for item in stream:
            if item.length > max_length:
                report.too_long += 1
                report.first_too_long = report.first_too_long or item.id
                continue
            items.append(item)
            setattr(report, kind, getattr(report, kind) + 1)
            report.tokens += item.length
            report.policy_tokens += sum(int((s.labels[1:] != IGNORED).sum()) for s in item.sequences)
            report.values += sum(len(s.value_at) for s in item.sequences)
    report.merged = encoder.merged
    if not items:
        files = ", ".join(map(str, [*examples, *pairs])) or "no file"
        raise RecordError(
            f"{files}: nothing to train on ({report.too_long} examples are longer than {max_length} tokens)."
        )
    return items, report
