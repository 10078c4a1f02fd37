"""Monte Carlo tree search with PUCT and values (SPEC A7; AlphaMath, arXiv 2405.03553).

One simulation = selection, expansion, evaluation, backup.

Departures from the published code:
1. A node whose children are all terminal becomes terminal and selection goes on elsewhere; the published search ended
   at its first dead end.
2. Ties of PUCT are broken by a generator seeded from (run seed, task id), not by the process's global one.
3. The tree's own solutions are chosen as `offline_inference.py` with `prune` would choose them.

With progressive widening (Couëtoux et al., 2011) a node is expanded again as its visits grow: it may have
widening · N ** widening_exponent children. No node is then ever used up, but where its prompt is too long.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Final

from pydantic import Field

from mcts_math.errors import EngineError
from mcts_math.search.expand import grow
from mcts_math.search.expansion import CONTEXT_LENGTH, Expansion, Search, ask_samples, score
from mcts_math.search.extract import Strategy, extract
from mcts_math.settings import Integer, Real, Settings
from mcts_math.tree import Node, Tree, puct

_TIE_BREAK: Final = -1  # in place of a node id


class PublishedOptions(Settings):
    """Numbers of the search, and of the choice of its solutions, as published files have them (SPEC A2)."""

    iterations: Integer = Field(1, description="number of simulations, that is of expansions", ge=1)
    n_generate_sample: Integer = Field(1, description="B2: samples of each expansion", ge=1)
    c_puct: Real = Field(1.5, description="weight of exploration", ge=0)
    update_leaf_value: bool = Field(False, description="back up every unvisited child's value, not the leaf's")
    is_sampling: bool = Field(False, description="make training data; the ground truth rewards answers")
    positive_reward: Real = Field(1.0, description="reward of a right answer", ge=-1, le=1)
    negative_reward: Real = Field(-1.0, description="reward of a wrong answer or a failed step", ge=-1, le=1)
    errors_threshold: Integer = Field(0, description="code steps in a row that may fail", ge=0)
    remove_duplicate: bool = Field(False, description="keep the first of equal samples only")
    step_beam_width: Integer = Field(1, description="B1: nodes that the choice of solutions keeps", ge=1)
    prune: bool = Field(False, description="offline: first drop subtrees without a valid answer")
    mcts_infer_strategy: Strategy = Field("q_value", description="what ranks nodes in the choice of solutions")


class MctsOptions(PublishedOptions):
    widening: Real = Field(
        0.0,
        description="progressive widening: a node with N visits is expanded again while it has fewer than "
        "widening · N ** widening_exponent children; 0: each node is expanded once",
        ge=0,
    )
    widening_exponent: Real = Field(0.5, description="see widening", gt=0, le=1)


def mcts(tree: Tree, expansion: Expansion, options: MctsOptions) -> Search:
    """Runs simulations until `iterations` are done or nothing is left to expand."""
    expansion = replace(
        expansion,
        errors_threshold=options.errors_threshold,
        remove_duplicate=options.remove_duplicate,
        check_answers=options.is_sampling,
    )
    tie_break = random.Random(expansion.seed(tree, _TIE_BREAK))
    try:
        for _ in range(options.iterations):
            if tree.root.terminal:
                return
            leaf = select(tree, options, tie_break)
            yield from _simulate(tree, leaf, expansion, options)
    finally:  # a tree that is cut short keeps what was found so far
        tree.solutions = extract(
            tree,
            strategy=options.mcts_infer_strategy,
            beam_width=options.step_beam_width,
            c_puct=options.c_puct,
            pruned=True,  # a tree that holds an answer gives one
        )


def select(tree: Tree, options: MctsOptions, tie_break: random.Random) -> Node:
    """Walks from the root to a node to expand, at each node to the non-terminal child of highest PUCT."""
    node = tree.root
    while node.children and not _may_widen(tree, node, options):
        best_score, best = float("-inf"), list[Node]()
        for child in tree.children(node):
            if child.terminal:
                continue
            child_score = puct(child, node.visit_count, options.c_puct)
            if child_score > best_score:
                best_score, best = child_score, [child]
            elif child_score == best_score:
                best.append(child)
        node = best[0] if len(best) == 1 else tie_break.choice(best)
    return node


def _may_widen(tree: Tree, node: Node, options: MctsOptions) -> bool:
    """Whether a node that has children is to get more: it is visited enough, or leads nowhere else."""
    if not options.widening:
        return False
    allowed = options.widening * node.visit_count**options.widening_exponent
    return len(node.children) < allowed or all(child.terminal for child in tree.children(node))


def _close(tree: Tree, node: Node, options: MctsOptions) -> None:
    """Nothing grows from a node any more; what is above it is then used up too, unless it may be widened."""
    if options.widening:
        node.terminal = True
    else:
        tree.close(node)


def _simulate(tree: Tree, leaf: Node, expansion: Expansion, options: MctsOptions) -> Search:
    """Expands and evaluates one leaf, and backs up what is learned. The leaf's value is set before its children are
    made: it never holds what the ground truth said of one of them."""
    request = expansion.generate(tree, leaf, options.n_generate_sample, expansion.use_values)
    generation = yield from ask_samples(request)
    if generation.too_long:
        tree.stopped = CONTEXT_LENGTH
        tree.backup(leaf, options.negative_reward)
        _close(tree, leaf, options)
        return
    value = 0.0
    if expansion.use_values:
        if generation.value is None:
            raise EngineError(
                "values are asked for, but none came with the samples. Load the value head, or set value=none."
            )
        leaf.estimate = value = generation.value
    leaf.value = value
    children = yield from grow(expansion, tree, leaf, generation)
    for child in children:
        reward = _reward(tree, child, options)
        if reward is not None:
            tree.backup(child, reward)
    if not options.update_leaf_value:
        tree.backup(leaf, value)
    if expansion.use_values:
        yield from _score_children(tree, children, expansion, options)
    if not options.widening and all(child.terminal for child in children):
        tree.close(leaf)


def _reward(tree: Tree, child: Node, options: MctsOptions) -> float | None:
    """What a terminal child is known to be worth; None where only a value can tell."""
    if not child.terminal:
        return None
    if not tree.is_solution(child):
        return options.negative_reward
    if not options.is_sampling:
        return None
    correct = child.step is not None and child.step.correct
    return options.positive_reward if correct else options.negative_reward


def _score_children(tree: Tree, children: list[Node], expansion: Expansion, options: MctsOptions) -> Search:
    unvisited = [child for child in children if child.visit_count == 0]
    solutions = [child for child in unvisited if tree.is_solution(child)]
    others = [child for child in unvisited if child not in solutions] if options.update_leaf_value else []
    scored = solutions + others
    values = yield from score(expansion, tree, scored)
    for child, value in zip(scored, values, strict=True):
        tree.backup(child, options.negative_reward if value is None else value)
        if value is None:
            _close(tree, child, options)
