"""Step-level preference pairs (SVPO): two visited steps after the same partial solution, one of clearly higher Q;
exported as `prompt`, `chosen`, `rejected`, which TRL's DPO trainer reads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Final, TypeAlias

from pydantic import Field, TypeAdapter

from mcts_math.formats import StepFormat
from mcts_math.messages import Message, Prompt
from mcts_math.step import Outcome
from mcts_math.tasks import JsonObject
from mcts_math.train.examples import StoredPrompt
from mcts_math.train.reading import Lines
from mcts_math.tree import Node, Tree

StoredStep: TypeAlias = Annotated[str | tuple[Message, ...], Field(min_length=1)]
"""A step as text, or as the turns that it adds to a conversation."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two steps that follow one prompt."""

    id: str  # of the question and, behind a "/", the tag of their parent and the numbers of the two
    prompt: StoredPrompt  # question and steps so far, delimiter included
    chosen: StoredStep  # the better and the worse step, delimiter included
    rejected: StoredStep
    q_chosen: float = math.nan  # their Qs in [-1, 1]
    q_rejected: float = math.nan

    @property
    def margin(self) -> float:
        """Q of the better step less that of the worse one, in (0, 2]."""
        return self.q_chosen - self.q_rejected

    def to_json(self) -> JsonObject:
        """As TRL reads pairs: texts, or messages where the prompt is a conversation."""
        return PAIRS.dump(self) | {"margin": self.margin}


PAIRS: Final = Lines(TypeAdapter(Pair), "a preference pair")


def pairs_of(tree: Tree, form: StepFormat, *, margin: float, most: int) -> list[Pair]:
    """The `most` pairs of a tree with the widest margins, of those whose Qs differ by `margin` at least."""
    tags = {node.id: tag for tag, node in tree.tags()}
    found: list[Pair] = []
    for parent in tree.nodes:
        visited = [child for child in tree.children(parent) if child.visit_count]
        shown = [child for child in visited if child.step and child.step.outcome is not Outcome.UNPARSABLE]
        for better, worse in product(shown, shown):
            if better.q_value - worse.q_value < margin:
                continue
            prompt, chosen = _continued(tree, better, form)
            _, rejected = _continued(tree, worse, form)
            if chosen and rejected and chosen != rejected:
                names = f"{tags[better.id].rpartition('.')[2]}>{tags[worse.id].rpartition('.')[2]}"
                name = f"{tree.task.id}/{tags[parent.id]}/{names}"
                found.append(Pair(name, prompt, chosen, rejected, better.q_value, worse.q_value))
    return sorted(found, key=lambda pair: -pair.margin)[:most]


def _continued(tree: Tree, node: Node, form: StepFormat) -> tuple[Prompt, str | tuple[Message, ...]]:
    """What a training would show before a node's step, and the step; thoughts that lead to it are a part of it."""
    steps = tree.steps(node)
    prompt = form.for_training().prompt(tree.task, [])
    if not isinstance(prompt, str):
        return form.prompt(tree.task, steps[:-1]), form.turns(steps[-1])
    *before, text = form.training_texts(steps)
    return prompt + "".join(before), text
