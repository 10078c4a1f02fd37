"""What the scheduler and the search cost by themselves: microseconds a request, bytes a node, as trees in flight grow.

    python benchmarks/scheduler.py [--json]
    python benchmarks/scheduler.py --long 100000        # also: that many questions one after another, 1,000 in flight

The policy is scripted, interpreter and checker answer at once, so all time that is measured is ours and the stand-ins';
the stand-ins' own share is measured in the same run and shown beside. `--long` takes the results from the stream and
drops them, as a program does that writes them to a file: what the process holds must not grow with what is done.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import sys
import time
import tracemalloc
from contextlib import aclosing
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from scripted import RandomPolicy
from stand_ins import EchoInterpreter, EqualChecker

from mcts_math.evaluate.table import render_table
from mcts_math.messages import Sampling
from mcts_math.requests import Execute, Generate, Observation
from mcts_math.run.program import run_script
from mcts_math.solver import solve, solve_stream
from mcts_math.tasks import make_tasks

CONFIG = {
    "mode": "mcts",
    "prompt_wrap": "react_sft",
    "iterations": 20,
    "n_generate_sample": 5,
    "max_depth": 8,
    "need_value_func": True,
    "errors_threshold": 3,
}

PARTS = 5  # of the long run


class MuteInterpreter(EchoInterpreter):
    """Keeps no list of what it was asked."""

    async def execute(self, request: Execute) -> Observation:
        return Observation("7")

    async def release(self, session: str) -> None:
        pass


def resident_mib() -> float:
    """Memory of this process."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize() / (1 << 20)


def measure_long(num_questions: int) -> list[dict[str, float]]:
    """Time and memory of each fifth of a long run."""
    tasks = make_tasks({"question": f"question {i}", "answer": "3"} for i in range(num_questions))
    config = CONFIG | {"iterations": 2, "batch_size": 1000}
    rows: list[dict[str, float]] = []

    async def run() -> None:
        done = requests = 0
        wall, cpu = time.perf_counter(), time.process_time()
        stream = solve_stream(
            config, tasks, policy=RandomPolicy(1), interpreter=MuteInterpreter(), checker=EqualChecker()
        )
        async with aclosing(stream):
            async for solved in stream:
                done, requests = done + 1, requests + solved.cost.requests
                if done % max(1, num_questions // PARTS) == 0:
                    seconds = {"us": time.perf_counter() - wall, "cpu_us": time.process_time() - cpu}
                    each = {key: 1e6 * spent / requests for key, spent in seconds.items()}
                    rows.append({"done": done, "requests": requests, **each, "mib": resident_mib()})
                    requests, wall, cpu = 0, time.perf_counter(), time.process_time()

    asyncio.run(run())
    return rows


def measure(in_flight: int, num_questions: int) -> dict[str, float]:
    """Seconds and requests of one run."""
    tasks = [{"question": f"question {i}", "answer": "3"} for i in range(num_questions)]
    begun, cpu = time.perf_counter(), time.process_time()
    solved = solve(
        CONFIG | {"batch_size": in_flight},
        tasks,
        policy=RandomPolicy(1),
        interpreter=EchoInterpreter(),
        checker=EqualChecker(),
    )
    seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    requests = sum(s.cost.requests for s in solved)
    each = {"us_per_request": seconds / requests * 1e6, "cpu_us_per_request": cpu / requests * 1e6}
    return {"in_flight": in_flight, "requests": requests, **each}


def policy_share(samples: int = 5) -> float:
    """CPU microseconds that the stand-in policy itself takes for a request."""

    async def run(count: int = 3000) -> float:
        policy = RandomPolicy(1)
        begun = time.process_time()
        for i in range(count):
            await policy.generate(Generate(f"<question> {i} </question>\n" + "x" * 600, samples, Sampling(), i))
        return (time.process_time() - begun) / count * 1e6

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
    parser.add_argument("--long", type=int, default=0, metavar="N", help="questions of a long run; 0: none")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = [measure(in_flight, max(in_flight, 300)) for in_flight in (1, 10, 100, 1000)]
    result: dict[str, Any] = {"runs": rows, "policy_us": policy_share(), "bytes_per_node": bytes_per_node()}
    result["long"] = measure_long(args.long) if args.long else []
    if args.json:
        print(json.dumps(result))
        return
    table = [
        [str(r["in_flight"]), str(r["requests"]), f"{r['us_per_request']:.1f}", f"{r['cpu_us_per_request']:.1f}"]
        for r in rows
    ]
    print(render_table(["trees in flight", "requests", "us per request", "CPU us per request"], table))
    print(f"of which the stand-in policy takes {result['policy_us']:.1f} us for a request of 5 samples")
    print(f"{result['bytes_per_node']:.0f} bytes a node, texts included")
    if result["long"]:
        head = ["questions done", "requests", "us per request", "CPU us per request", "MiB of the process"]
        table = [
            [f"{r['done']:,}", f"{r['requests']:,}", *(f"{r[key]:.1f}" for key in ("us", "cpu_us", "mib"))]
            for r in result["long"]
        ]
        print(render_table(head, table))


if __name__ == "__main__":
    run_script(main)
