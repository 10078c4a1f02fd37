"""Step-level preference pairs: two steps after the same partial solution, one of clearly higher Q (SVPO).

What SVPO (step-level value preference optimisation) learns from. Only visited steps are compared: the Q of others says
nothing. A pair is exported as `prompt`, `chosen`, `rejected`, which TRL's DPO trainer reads, with ids and Qs beside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

from mcts_math.errors import RecordError
from mcts_math.formats import StepFormat
from mcts_math.messages import Message, Prompt
from mcts_math.step import Outcome
from mcts_math.tasks import JsonObject
from mcts_math.train.examples import prompt_from_json, prompt_to_json
from mcts_math.tree import Node, Tree


@dataclass(frozen=True, slots=True)
class Pair:
    """Two steps that follow one prompt.

    Attributes:
        id: of the question and, behind a "/", the tag of their parent and the numbers of the two.
        prompt: question and steps so far, delimiter included.
        chosen, rejected: the better and the worse step, delimiter included.
        q_chosen, q_rejected: their Qs in [-1, 1].
    """

    id: str
    prompt: Prompt
    chosen: str
    rejected: str
    q_chosen: float
    q_rejected: float

    @property
    def margin(self) -> float:
        """Q of the better step less that of the worse one, in (0, 2]."""
        return self.q_chosen - self.q_rejected

    def to_json(self) -> JsonObject:
        """As TRL reads pairs: texts, or messages where the prompt is a conversation."""
        texts = {"id": self.id, "prompt": prompt_to_json(self.prompt)}
        for key in ("chosen", "rejected"):
            text = getattr(self, key)
            texts[key] = text if isinstance(self.prompt, str) else [Message("assistant", text).to_json()]
        return texts | {"margin": self.margin, "q_chosen": self.q_chosen, "q_rejected": self.q_rejected}


def pair_from_json(data: JsonObject, where: str) -> Pair:
    """Reads a line of a pairs file; Qs are optional. Raises RecordError, naming `where`."""
    try:
        prompt = prompt_from_json(data["prompt"])
        chosen, rejected = (_text_of(prompt_from_json(data[key])) for key in ("chosen", "rejected"))
        q_chosen, q_rejected = (float(data.get(key, math.nan)) for key in ("q_chosen", "q_rejected"))
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{where}: not a preference pair: {error!r}.") from None
    if not prompt or not (chosen and rejected):
        raise RecordError(f"{where}: prompt, chosen and rejected must be texts that are not empty.")
    return Pair(str(data.get("id", where)), prompt, chosen, rejected, q_chosen, q_rejected)


def _text_of(step: Prompt) -> str:
    return step if isinstance(step, str) else step.messages[-1].content


def pairs_of(tree: Tree, form: StepFormat, *, margin: float, most: int) -> list[Pair]:
    """The pairs of a tree, widest margins first.

    Args:
        tree: of a search for training data.
        form: of its steps.
        margin: least difference of Q.
        most: how many at most.
    """
    tags = {node.id: tag for tag, node in tree.tags()}
    found: list[Pair] = []
    for parent in tree.nodes:
        visited = [child for child in tree.children(parent) if child.visit_count and _is_shown(child)]
        for better, worse in product(visited, visited):
            if better.q_value - worse.q_value < margin:
                continue
            prompt, chosen = _continued(tree, better, form)
            _, rejected = _continued(tree, worse, form)
            if chosen and rejected and chosen != rejected:
                names = f"{tags[better.id].rpartition('.')[2]}>{tags[worse.id].rpartition('.')[2]}"
                name = f"{tree.task.id}/{tags[parent.id]}/{names}"
                found.append(Pair(name, prompt, chosen, rejected, better.q_value, worse.q_value))
    return sorted(found, key=lambda pair: -pair.margin)[:most]


def _continued(tree: Tree, node: Node, form: StepFormat) -> tuple[Prompt, str]:
    """What a training would show before a node's step, and the step; thoughts that lead to it are a part of it."""
    *before, step = form.training_texts(tree.steps(node))
    prompt, written = form.for_training().prompt(tree.task, []), "".join(before)
    if not written:
        return prompt, step
    return prompt + written if isinstance(prompt, str) else prompt.followed_by(Message("assistant", written)), step


def _is_shown(node: Node) -> bool:
    """Whether a prompt may show the step: what can't be read has no place in one."""
    return node.step is not None and node.step.outcome is not Outcome.UNPARSABLE
