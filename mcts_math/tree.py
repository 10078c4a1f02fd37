"""The search tree: nodes in a list, parents before children, integer ids, root 0. No links between objects, no models:
all is arithmetic that a test can follow by hand."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mcts_math.step import Outcome, Step, Verdict
from mcts_math.tasks import Task

ROOT = 0
RUN_TOKENS = "max_run_tokens"
"""Why a tree was cut short: by the budget of a run, which a resumed one has anew."""


@dataclass(slots=True)
class Node:
    """One step of a partial solution."""

    id: int  # index in `Tree.nodes`
    parent: int  # id of the parent; -1 at the root
    step: Step | None  # what was written here; None at the root
    depth: int  # number of steps from the root, which has depth 0
    prior: float = 1.0  # exp(mean token log-probability) of the step in (0, 1]; 1 at the root
    # what the published system records: the estimate of the value source, where one was asked before anything was
    # backed up, else the first result that was; None where neither
    value: float | None = None
    estimate: float | None = None  # of the value source, in [-1, 1]; None where it was not asked
    visit_count: int = 0  # N, how often a result was backed up through this node
    value_sum: float = 0.0  # W, the sum of these results
    terminal: bool = False  # nothing grows from here: an answer, a failed step, or a subtree that is used up
    children: list[int] = field(default_factory=list)  # ids in sampling order

    @property
    def q_value(self) -> float:
        """Mean of the results backed up, 0 before the first."""
        return self.value_sum / self.visit_count if self.visit_count else 0.0

    @property
    def answer(self) -> str | None:
        """The final answer, where the step gives a valid one."""
        return self.step.answer if self.step is not None else None


@dataclass(slots=True)
class Attempt:
    """One trial at the question, as it was judged (SPEC B)."""

    node: int  # id of the one that ends it
    verdict: Verdict | None = None  # what the verifier said; None where it was not asked
    answer: str | None = None  # what was judged, or would be voted for; None where there was none
    tokens: int = 0  # generated for it, what came between the attempt before and this one (a reflection) included
    prompt_tokens: int = 0  # of the prompts of the same requests
    adapted_tokens: int = 0  # run through the model for an optimiser step before it
    seconds: float = 0.0  # machine time of the same; attempts made side by side share theirs evenly
    loss: float | None = None  # of the optimiser step that it gave rise to, nats; None where there was none
    note: str = ""  # what went wrong with that step ("" where nothing did)


@dataclass(slots=True)
class Tree:
    """The tree of one task."""

    task: Task
    nodes: list[Node]  # all nodes; `nodes[i].id == i`, a parent stands before its children
    solutions: list[int] = field(default_factory=list)  # ids of the chosen answers, best first
    # whether the first solution equals an accepted answer, or any attempt passed the verifier; None where there is
    # nothing to compare or it was not asked
    correct: bool | None = None
    stopped: str = ""  # why the search was cut short ("" where it ended by itself)
    attempts: list[Attempt] = field(default_factory=list)  # in their order, of a strategy that makes whole ones

    @property
    def root(self) -> Node:
        return self.nodes[ROOT]

    def add_child(self, parent: Node, step: Step, prior: float) -> Node:
        """Appends a child in sampling order; a step that ends the solution makes it terminal."""
        node = Node(len(self.nodes), parent.id, step, parent.depth + 1, prior, terminal=step.is_final)
        self.nodes.append(node)
        parent.children.append(node.id)
        return node

    def children(self, node: Node) -> list[Node]:
        return [self.nodes[child] for child in node.children]

    def path(self, node: Node) -> list[Node]:
        """Nodes from the root (left out) down to `node`."""
        nodes = []
        while node.parent >= 0:
            nodes.append(node)
            node = self.nodes[node.parent]
        return nodes[::-1]

    def steps(self, node: Node) -> list[Step]:
        """The partial solution that ends at `node`."""
        return [n.step for n in self.path(node) if n.step is not None]

    def turn(self, node: Node) -> list[Step]:
        """The model's steps that end at `node`, back to what the user said last: an attempt, or its beginning."""
        steps: list[Step] = []
        while node.step is not None and node.step.outcome is not Outcome.USER:
            steps.append(node.step)
            node = self.nodes[node.parent]
        return steps[::-1]

    def attempt_text(self, node: Node, *more: str) -> str:
        """The attempt that ends at `node` as it was written, observations included: what a verifier is shown. `more`:
        texts of steps that follow and are not in the tree yet."""
        return "\n".join([*(step.text for step in self.turn(node)), *more])

    def is_solution(self, node: Node) -> bool:
        """Whether a node ends with what can be judged: an answer, or where a program is asked for a whole reply."""
        is_reply = node.step is not None and node.step.outcome is Outcome.REPLY
        return node.answer is not None or (is_reply and self.task.is_code)

    def solutions_in(self, nodes: Iterable[Node]) -> list[int]:
        """Ids of those of some nodes that end with what can be judged, in their order."""
        return [node.id for node in nodes if self.is_solution(node)]

    def say(self, node: Node, text: str) -> Node:
        return self.add_child(node, Step(text, Outcome.USER), prior=1.0)

    def backup(self, node: Node, result: float) -> None:
        """Adds one result to `node` and all its ancestors: N += 1, W += result; a first update also sets the value."""
        while True:
            if node.value is None:
                node.value = result
            node.visit_count += 1
            node.value_sum += result
            if node.parent < 0:
                return
            node = self.nodes[node.parent]

    def close(self, node: Node) -> None:
        """Makes `node` terminal, and with it every ancestor whose children are all terminal."""
        node.terminal = True
        while node.parent >= 0:
            node = self.nodes[node.parent]
            if not all(self.nodes[child].terminal for child in node.children):
                return
            node.terminal = True

    def tags(self) -> Iterator[tuple[str, Node]]:
        """(tag, node) in node order; the root is `0` and child i of `t` is `t.i`, counted from 0 in sampling order."""
        tags = ["0"] * len(self.nodes)
        for node in self.nodes:
            for position, child in enumerate(node.children):
                tags[child] = f"{tags[node.id]}.{position}"
            yield tags[node.id], node


def new_tree(task: Task) -> Tree:
    return Tree(task, [Node(ROOT, -1, None, 0)])


def puct(child: Node, parent_visits: int, c_puct: float) -> float:
    """Q + c_puct · prior · sqrt(N(parent)) / (1 + N(child)) (SPEC A7)."""
    return child.q_value + c_puct * child.prior * math.sqrt(parent_visits) / (1 + child.visit_count)
