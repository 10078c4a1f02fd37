"""Examples and pairs as tokens, those that the engine sees: it reads the value of a step at the last token of the
prompt that ends with it, so where a step ends is found by tokenising the same prefix. Where a tokenizer merges a
step's end with what follows, the last token before the merged one is taken, and counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mcts_math.engine.tokenizer import Codec, common_prefix
from mcts_math.errors import RecordError
from mcts_math.messages import Message, Prompt
from mcts_math.train.examples import EXAMPLES, PAIRS, Example, ExampleStep, Pair, own_prompt, own_turns, showing

IGNORED = -100  # label of a token that is not learned
_CODE_END = "</code>"
_OBSERVED = "\nObservation:"


@dataclass(frozen=True, slots=True)
class TokenSequence:
    """Tokens that see each other, with what is learned from them."""

    ids: NDArray[np.int32]  # [T] tokens
    labels: NDArray[np.int32]  # [T] the token itself where the policy learns it, else IGNORED
    values: Mapping[int, float] = field(default_factory=dict)  # place -> Q; of steps that end together the last counts
    preference: int = 0  # +1 where the value at the last token is the better one of a pair, -1 the worse, 0 for no pair


@dataclass(frozen=True, slots=True)
class Item:
    """What must stay in one row: an example, or the two sequences of a pair."""

    id: str
    sequences: tuple[TokenSequence, ...]
    question: str = ""  # of an example

    @property
    def length(self) -> int:
        return sum(len(sequence.ids) for sequence in self.sequences)


@dataclass(slots=True)
class DataReport:
    examples: int = 0  # taken
    pairs: int = 0
    too_long: int = 0  # left out, as they do not fit a row
    merged: int = 0  # step ends that the tokenizer merges with what follows
    tokens: int = 0  # of the taken ones
    policy_tokens: int = 0
    values: int = 0
    first_too_long: str = ""  # id of one that was left out

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
    """Examples and pairs -> items. `observation_loss`: the policy learns what the interpreter wrote, too."""

    def __init__(self, codec: Codec, *, observation_loss: bool = True) -> None:
        self._codec = codec
        self._observation_loss = observation_loss
        self.merged = 0

    def example(self, example: Example) -> Item:
        """The tokens of a solution; a wrong one teaches values only."""
        steps = tuple(replace(step, turns=own_turns(self._codec, step.turns)) for step in example.steps)
        example = replace(example, steps=steps)
        stages = _stages(example)
        ids = self._codec.encode_prompt(stages[-1])
        ends = self._step_ends(stages, ids)
        ids += self._end_of_turn(stages[-1], ids)
        labels = np.full(len(ids), IGNORED, dtype=np.int32)
        if example.correct:
            for first, last in self._learned(example, stages, ids):
                labels[first:last] = ids[first:last]
        values = dict(zip(ends, (step.q for step in example.steps), strict=True))
        return Item(example.id, (TokenSequence(np.array(ids, np.int32), labels, values),), example.question)

    def pair(self, pair: Pair) -> Item:
        sequences = []
        for step, sign in ((pair.chosen, 1), (pair.rejected, -1)):
            ids = self._codec.encode_prompt(own_prompt(self._codec, _followed(pair.prompt, step)))
            labels = np.full(len(ids), IGNORED, dtype=np.int32)
            sequences.append(TokenSequence(np.array(ids, np.int32), labels, preference=sign))
        return Item(pair.id, tuple(sequences))

    def _end_of_turn(self, prompt: Prompt, ids: tuple[int, ...]) -> tuple[int, ...]:
        """The token that ends the last turn of a conversation, if it was sampled; where that is not known, anyhow."""
        if isinstance(prompt, str) or prompt.messages[-1].role != "assistant":
            return ()
        sampled = prompt.messages[-1].pieces[-1].tokens[-1:]
        if sampled:
            return sampled if sampled[0] in self._codec.eos_ids else ()
        closed = self._codec.encode_prompt(prompt.followed_by(Message("user", "?")))
        end = closed[len(ids) : len(ids) + 1]
        return end if closed[: len(ids)] == ids and end and end[0] in self._codec.eos_ids else ()

    def _step_ends(self, stages: Sequence[Prompt], ids: Sequence[int]) -> tuple[int, ...]:
        """Place of the last token of every step."""
        ends = []
        for prompt in stages[1:-1]:
            prefix = self._codec.encode_prompt(prompt)
            same = common_prefix(ids, prefix)
            self.merged += same < len(prefix)
            ends.append(max(same - 1, 0))
        return (*ends, len(ids) - 1)

    def _learned(self, example: Example, stages: Sequence[Prompt], ids: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Ranges of tokens [first, last) that the policy learns: of a conversation what the model wrote alone."""
        if isinstance(example.prompt, str) and self._observation_loss:
            yield common_prefix(ids, self._codec.encode_prompt(example.prompt)), len(ids)
            return
        for prompt, step in zip(stages[:-1], example.steps, strict=True):
            for start, stop in _parts(prompt, step):
                first, last = (common_prefix(ids, self._codec.encode_prompt(part)) for part in (start, stop))
                yield first, self._turn_end(stop, ids, first, last)
        if not isinstance(example.prompt, str):
            yield common_prefix(ids, self._codec.encode_prompt(stages[-1])), len(ids)  # the end of the last turn

    def _turn_end(self, stop: Prompt, ids: Sequence[int], first: int, last: int) -> int:
        """Where a part ends: with the token that ends the turn, if the model wrote it, and never behind it."""
        if isinstance(stop, str):
            return last
        sampled = stop.messages[-1].pieces[-1].tokens
        if sampled and sampled[-1] not in self._codec.eos_ids:
            return last
        return next((i + 1 for i in range(first, min(last + 1, len(ids))) if ids[i] in self._codec.eos_ids), last)


def _followed(prompt: Prompt, step: str | tuple[Message, ...]) -> Prompt:
    if isinstance(prompt, str):
        return prompt + step if isinstance(step, str) else prompt + "".join(turn.content for turn in step)
    return prompt.followed_by(*((Message("assistant", step),) if isinstance(step, str) else step))


def _stages(example: Example) -> list[Prompt]:
    """The prompt, and with each step more."""
    stages: list[Prompt] = [example.prompt]
    for step in example.steps:
        stages.append(_followed(stages[-1], step.turns or step.text))
    return stages


def _parts(prompt: Prompt, step: ExampleStep) -> Iterator[tuple[Prompt, Prompt]]:
    """The parts of a step that the model wrote, each as prompts before and after it."""
    if isinstance(prompt, str):
        yield prompt, prompt + step.text[: written_by_model(step.text)]
        return
    turn = step.turns[0] if step.turns else Message("assistant", step.text)
    if turn.calls and not turn.written:  # a server has read it: only the template, with an answer, tells what it wrote
        yield prompt, prompt.followed_by(turn, Message("tool", "", call_id=turn.calls[0].id))
        return
    for piece in turn.pieces if turn.role == "assistant" else ():
        after = prompt.going_on((piece,))
        if not piece.given:
            yield prompt, after
        prompt = after


def written_by_model(step: str) -> int:
    """Characters of a step that the model wrote, its stop string included; the rest is the interpreter's output."""
    for end in (_CODE_END, _OBSERVED):
        found = step.find(end)
        if found >= 0:
            return found + len(end)
    return len(step.rstrip())


def encode_files(
    encoder: Encoder, examples: Sequence[str | Path], pairs: Sequence[str | Path], max_length: int
) -> tuple[list[Item], DataReport]:
    """All items that fit a row, and what became of the rest. Raises RecordError for a line that is broken or can't
    be shown, or where nothing fits."""
    items: list[Item] = []
    report = DataReport()
    streams: tuple[tuple[str, Callable[[Any], Item], Iterator[Any]], ...] = (
        ("examples", encoder.example, EXAMPLES.read(examples)),
        ("pairs", encoder.pair, PAIRS.read(pairs, may_be_empty=True)),
    )
    for kind, encode, stream in streams:
        for one in stream:
            with showing(one.id):
                item = encode(one)
            if item.length > max_length:
                report.too_long += 1
                report.first_too_long = report.first_too_long or item.id
                continue
            items.append(item)
            setattr(report, kind, getattr(report, kind) + 1)
            report.tokens += item.length
            report.policy_tokens += sum(int((s.labels[1:] != IGNORED).sum()) for s in item.sequences)
            report.values += sum(len(s.values) for s in item.sequences)
    report.merged = encoder.merged
    if not items:
        files = ", ".join(map(str, [*examples, *pairs])) or "no file"
        raise RecordError(
            f"{files}: nothing to train on ({report.too_long} examples are longer than {max_length} tokens)."
        )
    return items, report
