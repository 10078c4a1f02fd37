"""What the scheduler and the search cost by themselves: microseconds a request, bytes a node, as trees in flight grow.

    python benchmarks/scheduler.py [--json]

The policy is scripted, interpreter and checker answer at once, so all time that is measured is ours and the stand-ins';
the stand-ins' own share is measured in the same run and shown beside.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from stand_ins import EchoInterpreter, EqualChecker

from mcts_math.engine.scripted import RandomPolicy
from mcts_math.evaluate.table import render_table
from mcts_math.requests import Generate, Sampling
from mcts_math.solver import solve

CONFIG = {
    "mode": "mcts",
    "prompt_wrap": "react_sft",
    "iterations": 20,
    "n_generate_sample": 5,
    "max_depth": 8,
    "need_value_func": True,
    "errors_threshold": 3,
}


def measure(in_flight: int, num_questions: int) -> dict[str, float]:
    """Seconds and requests of one run."""
    tasks = [{"question": f"question {i}", "answer": "3"} for i in range(num_questions)]
    begun = time.perf_counter()
    solved = solve(
        CONFIG | {"batch_size": in_flight},
        tasks,
        policy=RandomPolicy(1),
        interpreter=EchoInterpreter(),
        checker=EqualChecker(),
    )
    seconds = time.perf_counter() - begun
    requests = sum(s.cost.requests for s in solved)
    return {"in_flight": in_flight, "requests": requests, "us_per_request": seconds / requests * 1e6}


def policy_share(samples: int = 5) -> float:
    """Microseconds that the stand-in policy itself takes for a request."""

    async def run(count: int = 3000) -> float:
        policy = RandomPolicy(1)
        begun = time.perf_counter()
        for i in range(count):
            await policy.generate(Generate(f"<question> {i} </question>\n" + "x" * 600, samples, Sampling(), i))
        return (time.perf_counter() - begun) / count * 1e6

    return asyncio.run(run())


def bytes_per_node() -> float:
    """Memory that finished trees hold, for each node, its texts included."""
    tasks = [{"question": f"question {i}", "answer": "3"} for i in range(100)]
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    solved = solve(CONFIG, tasks, policy=RandomPolicy(1), interpreter=EchoInterpreter(), checker=EqualChecker())
    held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return held / sum(len(s.tree.nodes) for s in solved)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = [measure(in_flight, max(in_flight, 300)) for in_flight in (1, 10, 100, 1000)]
    result: dict[str, Any] = {"runs": rows, "policy_us": policy_share(), "bytes_per_node": bytes_per_node()}
    if args.json:
        print(json.dumps(result))
        return
    table = [[str(r["in_flight"]), str(r["requests"]), f"{r['us_per_request']:.1f}"] for r in rows]
    print(render_table(["trees in flight", "requests", "us per request"], table))
    print(f"of which the stand-in policy takes {result['policy_us']:.1f} us for a request of 5 samples")
    print(f"{result['bytes_per_node']:.0f} bytes a node, texts included")


if __name__ == "__main__":
    main()
