"""Monte Carlo tree search with PUCT and a value head (SPEC A7; AlphaMath, arXiv 2405.03553).

One simulation = selection, expansion, evaluation, backup.

Departures from the published code:
1. A node whose children are all terminal becomes terminal and selection goes on elsewhere; the published search ended
   at its first dead end.
2. Ties of PUCT are broken by a generator seeded from (run seed, task id), not by the process's global one.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from mcts_math.errors import EngineError
from mcts_math.requests import Generation
from mcts_math.search.expand import Expansion, Search, derive_seed, grow, score
from mcts_math.tree import Node, Tree, puct

_TIE_BREAK = -1  # in place of a node id


@dataclass(frozen=True, slots=True)
class MctsOptions:
    """Numbers of the search.

    Attributes:
        iterations: simulations, that is expansions.
        num_samples: children sampled at each expansion.
        c_puct: weight of exploration.
        use_value: nodes are scored by a value head; without one a leaf counts 0 and its answers are not scored.
        update_leaf_value: back up the value of every unvisited child instead of the leaf's.
        is_sampling: the ground truth rewards answers.
        positive_reward: of a right answer.
        negative_reward: of a wrong answer, a failed step, or a prompt that does not fit the context.
    """

    iterations: int
    num_samples: int
    c_puct: float
    use_value: bool
    update_leaf_value: bool = False
    is_sampling: bool = False
    positive_reward: float = 1.0
    negative_reward: float = -1.0


def mcts(tree: Tree, expansion: Expansion, options: MctsOptions) -> Search:
    """Runs simulations until `iterations` are done or nothing is left to expand."""
    tie_break = random.Random(derive_seed(expansion.run_seed, tree.task.id, _TIE_BREAK))
    for _ in range(options.iterations):
        if tree.root.terminal:
            return
        leaf = select(tree, options.c_puct, tie_break)
        yield from _simulate(tree, leaf, expansion, options)


def select(tree: Tree, c_puct: float, tie_break: random.Random) -> Node:
    """Walks from the root to a leaf, at each node to the non-terminal child of highest PUCT."""
    node = tree.root
    while node.children:
        best_score, best = float("-inf"), list[Node]()
        for child in tree.children(node):
            if child.terminal:
                continue
            child_score = puct(child, node.visit_count, c_puct)
            if child_score > best_score:
                best_score, best = child_score, [child]
            elif child_score == best_score:
                best.append(child)
        node = best[0] if len(best) == 1 else tie_break.choice(best)
    return node


def _simulate(tree: Tree, leaf: Node, expansion: Expansion, options: MctsOptions) -> Search:
    """Expands and evaluates one leaf, and backs up what is learned.

    The order is the published one, as the first update of a node also sets its value: terminal children, then the
    leaf, then the children that the value head scores.
    """
    (generation,) = yield [expansion.generate(tree, leaf, options.num_samples, want_value=True)]
    assert isinstance(generation, Generation)
    if generation.too_long:
        tree.backup(leaf, options.negative_reward)
        tree.close(leaf)
        return
    children = yield from grow(expansion, tree, leaf, generation)
    for child in children:
        reward = _reward(child, options)
        if reward is not None:
            tree.backup(child, reward)
    if not options.update_leaf_value:
        tree.backup(leaf, _leaf_value(generation, options))
    if options.use_value:
        yield from _score_children(tree, children, expansion, options)
    if all(child.terminal for child in children):
        tree.close(leaf)


def _reward(child: Node, options: MctsOptions) -> float | None:
    """What a terminal child is known to be worth; None where only the value head can tell."""
    if not child.terminal:
        return None
    if child.answer is None:
        return options.negative_reward
    if not options.is_sampling:
        return None
    correct = child.step is not None and child.step.correct
    return options.positive_reward if correct else options.negative_reward


def _leaf_value(generation: Generation, options: MctsOptions) -> float:
    if generation.value is not None:
        return generation.value
    if options.use_value:
        raise EngineError("the engine sent no value with its samples, but need_value_func is true.")
    return 0.0


def _score_children(tree: Tree, children: list[Node], expansion: Expansion, options: MctsOptions) -> Search:
    unvisited = [child for child in children if child.visit_count == 0]
    answers = [child for child in unvisited if child.answer is not None]
    others = [child for child in unvisited if child.answer is None] if options.update_leaf_value else []
    scored = answers + others
    values = yield from score(expansion, tree, scored)
    for child, value in zip(scored, values, strict=True):
        tree.backup(child, options.negative_reward if value is None else value)
        if value is None:
            tree.close(child)
