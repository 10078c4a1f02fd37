"""`chat`: a conversation in the model's own chat template, where one step is the whole reply."""

from __future__ import annotations

from mcts_math import answer as checker
from mcts_math.formats.base import FormatOptions
from mcts_math.formats.turns import ChatFormat, read_turn
from mcts_math.messages import Sample
from mcts_math.step import Draft


def make_chat(options: FormatOptions) -> ChatFormat:
    return ChatFormat("chat", options, read_whole, runs_code=False)


def read_whole(sample: Sample) -> Draft:
    """A sample that is a whole reply. One of thoughts alone is none."""
    message = read_turn(sample)
    answer = checker.extract_answer(message.content, cut=sample.finish == "length")
    return Draft(message.content, answer=answer, whole=bool(message.content), message=message)
