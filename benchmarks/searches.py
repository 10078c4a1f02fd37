"""What AB-MCTS costs by itself: microseconds a node of our search and of the package treequest's, in one run.

    python benchmarks/searches.py [--nodes 200] [--batch 5] [--repeats 20] [--json]

Writer and scorer answer at once, the same on both sides. treequest, of the extra `originals`, is driven as its own
documentation shows: ask for a batch, tell the results. Our search is driven without the scheduler, but it renders
prompts, reads samples and keeps the record of each attempt, as in every run; what the choices alone take stands beside.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Sequence
from typing import Any

import numpy
import treequest

from mcts_math.evaluate.table import render_table
from mcts_math.formats import FormatOptions, make_format
from mcts_math.messages import Sample, Sampling
from mcts_math.requests import Evaluate, Evaluation, Generate, Generation, Reply, Request, Spent
from mcts_math.run.program import run_script
from mcts_math.search.ab_mcts import AbMctsOptions, ab_mcts
from mcts_math.search.expansion import Expansion
from mcts_math.search.thompson import BELIEFS, Chooser
from mcts_math.tasks import Task
from mcts_math.tree import new_tree

ATTEMPT = "<p>\nDone.\n</p>\n<p>\nFinal Answer: 7\n</p>"


def theirs(nodes: int, batch: int, belief: Any, seed: int) -> float:
    """Seconds of treequest."""
    rng = random.Random(seed)
    numpy.random.seed(seed)
    algorithm = treequest.ABMCTSA(dist_type=belief)
    state = algorithm.init_tree()
    begun = time.process_time()
    for _ in range(nodes // batch):
        state, trials = algorithm.ask_batch(state, batch, ["write"])
        for trial in trials:
            state = algorithm.tell(state, trial.trial_id, (ATTEMPT, rng.random()))
    return time.process_time() - begun


def ours(nodes: int, batch: int, belief: Any, seed: int) -> float:
    """Seconds of our whole search."""
    rng = random.Random(seed)
    expansion = Expansion(make_format("react_sft", FormatOptions()), Sampling(), 4, run_seed=seed, use_values=True)
    options = AbMctsOptions(trials=nodes, n_generate_sample=batch, belief=belief)
    begun = time.process_time()
    parts = ab_mcts(new_tree(Task("t", "What is 3 + 4?")), expansion, options)
    replies: Sequence[Reply] | None = None
    while True:
        try:
            requests = next(parts) if replies is None else parts.send(replies)
        except StopIteration:
            return time.process_time() - begun
        replies = [answer(request, rng) for request in requests]


def answer(request: Request, rng: random.Random) -> Reply:
    match request:
        case Generate():
            return Generation((Sample(ATTEMPT, -1.0, 9),) * request.num_samples)
        case Evaluate():
            return Evaluation(2 * rng.random() - 1)
    return Spent()


def choices(nodes: int, batch: int, belief: str, seed: int) -> float:
    """Seconds of our choices, without a tree."""
    rng, chooser, made = random.Random(seed), Chooser(0, BELIEFS[belief], random.Random(~seed)), 0
    begun = time.process_time()
    for _ in range(nodes // batch):
        for parent in [chooser.choose() for _ in range(batch)]:
            made += 1
            chooser.tell(parent, made, rng.random())
    return time.process_time() - begun


def measure(nodes: int, batch: int, belief: str, repeats: int) -> dict[str, Any]:
    """Mean microseconds a node over trees of different seeds, since a wide tree costs more than a deep one.

    The three take turns, so that all have the same neighbours on the machine.
    """
    taken: dict[str, list[float]] = {"treequest": [], "ours": [], "choices": []}
    for seed in range(repeats):
        for name, run in (("treequest", theirs), ("ours", ours), ("choices", choices)):
            taken[name].append(run(nodes, batch, belief, seed) / nodes * 1e6)
    means = {name: statistics.mean(each) for name, each in taken.items()}
    return {"belief": belief, "nodes": nodes} | means | {"ratio": means["ours"] / means["treequest"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=200, help="attempts of a tree")
    parser.add_argument("--batch", type=int, default=5, help="attempts that are chosen at a time")
    parser.add_argument("--repeats", type=int, default=20, help="trees, each with its own seed")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = [measure(args.nodes, args.batch, belief, args.repeats) for belief in BELIEFS]
    if args.json:
        print(json.dumps(rows))
        return
    table = [
        [r["belief"], *(f"{r[key]:.0f}" for key in ("treequest", "ours", "choices")), f"{r['ratio']:.3f}"] for r in rows
    ]
    print(f"microseconds a node, trees of {args.nodes} in batches of {args.batch}, mean of {args.repeats}")
    print(render_table(["belief", "treequest", "ab_mcts", "its choices alone", "ratio"], table))


if __name__ == "__main__":
    run_script(main)
