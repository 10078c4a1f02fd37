"""Step-level preference pairs: two steps after the same partial solution, one of clearly higher Q (SVPO).

What SVPO (step-level value preference optimisation) learns from. Only visited steps are compared: the Q of others says
nothing. A pair is exported as `prompt`, `chosen`, `rejected`, which TRL's DPO trainer reads, with ids and Qs beside.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

from mcts_math.errors import RecordError
from mcts_math.step import Outcome, SftFormat
from mcts_math.tasks import JsonObject
from mcts_math.train.examples import step_writer
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
    prompt: str
    chosen: str
    rejected: str
    q_chosen: float
    q_rejected: float

    @property
    def margin(self) -> float:
        """Q of the better step less that of the worse one, in (0, 2]."""
        return self.q_chosen - self.q_rejected

    def to_json(self) -> JsonObject:
        texts = {"id": self.id, "prompt": self.prompt, "chosen": self.chosen, "rejected": self.rejected}
        return texts | {"margin": self.margin, "q_chosen": self.q_chosen, "q_rejected": self.q_rejected}


def pair_from_json(data: JsonObject, where: str) -> Pair:
    """Reads a line of a pairs file; Qs are optional. Raises RecordError, naming `where`."""
    try:
        texts = [data[key] for key in ("prompt", "chosen", "rejected")]
        numbers = [float(data.get(key, math.nan)) for key in ("q_chosen", "q_rejected")]
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{where}: not a preference pair: {error!r}.") from None
    if not all(isinstance(text, str) and text for text in texts):
        raise RecordError(f"{where}: prompt, chosen and rejected must be texts that are not empty.")
    return Pair(str(data.get("id", where)), *texts, *numbers)


def pairs_of(tree: Tree, *, margin: float, most: int, step_delim: str | None = None) -> list[Pair]:
    """The pairs of a tree, widest margins first.

    Args:
        tree: of a search for training data.
        margin: least difference of Q.
        most: how many at most.
        step_delim: between the steps of the tree; None: what its format has.
    """
    tags = {node.id: tag for tag, node in tree.tags()}
    show = step_writer(tree, step_delim)
    found: list[Pair] = []
    for parent in tree.nodes:
        visited = [child for child in tree.children(parent) if child.visit_count and _is_shown(child)]
        for better, worse in product(visited, visited):
            if better.q_value - worse.q_value >= margin and _text(better) != _text(worse):
                prompt = SftFormat().prompt(tree.task.question, []) + "".join(map(show, tree.path(parent)))
                names = f"{tags[better.id].rpartition('.')[2]}>{tags[worse.id].rpartition('.')[2]}"
                name = f"{tree.task.id}/{tags[parent.id]}/{names}"
                found.append(Pair(name, prompt, show(better), show(worse), better.q_value, worse.q_value))
    return sorted(found, key=lambda pair: -pair.margin)[:most]


def _is_shown(node: Node) -> bool:
    """Whether a prompt may show the step: what can't be read has no place in one."""
    return node.step is not None and node.step.outcome is not Outcome.UNPARSABLE


def _text(node: Node) -> str:
    return "" if node.step is None else node.step.text
