"""How fast the sandbox is, side by side with the published way (replaying all ancestors in one process).

    python benchmarks/interpreter.py [--json] [--quick]

Run it on a quiet machine. On a busy one the median says how long others were let go first; the fastest tenth says more
about this program, and of ratios those of the fastest rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import itertools
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import psutil

from mcts_math.interpreter import SandboxInterpreter, SandboxLimits
from mcts_math.interpreter.worker import cell
from mcts_math.requests import Cell, Execute
from mcts_math.run.program import run_script

NUM_CHILDREN, DEPTH = 3, 8  # of the comparison with replay
EXPENSIVE = (
    "import time\nend = time.process_time() + 0.06\nwhile time.process_time() < end: pass\nx{i} = {i}\nprint(x{i})"
)
LIGHT = "from sympy import *\nx = symbols('x')\ny{i} = expand((x + {i})**3)\nprint(solve(x**2 - {i}*x, x))"
Times = list[float]


def median_ms(times: Times) -> float:
    """Milliseconds."""
    return round(1000 * statistics.median(times), 3)


async def step(interpreter: SandboxInterpreter, session: str, history: tuple[Cell, ...], made: Cell) -> float:
    """Runs a cell and returns how long the caller waited."""
    start = time.perf_counter()
    seen = await interpreter.execute(Execute(session, history, made))
    if seen.status.value != "ok":
        raise RuntimeError(f"{made.code!r} gave {seen}")
    return time.perf_counter() - start


async def trivial(interpreter: SandboxInterpreter, repeats: int) -> dict[str, float]:
    """The wait for a trivial step at each depth."""
    by_depth: dict[int, Times] = {depth: [] for depth in range(1, 25)}
    for repeat in range(repeats):
        history: tuple[Cell, ...] = ()
        for depth, times in by_depth.items():
            made = Cell(f"x{depth} = {depth}\nprint(x{depth})", repeat)
            times.append(await step(interpreter, f"trivial {repeat % 4}", history, made))
            history += (made,)
    result = {f"p50 at depth {d}, ms": median_ms(by_depth[d]) for d in (1, 2, 8, 16, 24)}
    everything = list(itertools.chain.from_iterable(by_depth.values()))
    fastest = 1000 * statistics.quantiles(everything, n=10)[0]
    return {"p50, ms": median_ms(everything), "fastest tenth, ms": round(fastest, 3), **result}


async def throughput(num_parents: int, num_questions: int, repeats: int) -> dict[str, float]:
    """Trivial steps a second with many questions at a time, each one step after the other."""
    async with SandboxInterpreter(SandboxLimits(num_parents=num_parents)) as interpreter:

        async def question(name: str, chains: int) -> None:
            for chain in range(chains):
                history: tuple[Cell, ...] = ()
                for depth in range(8):
                    made = Cell(f"x{depth} = {depth}\nprint(x{depth})", chain)
                    await step(interpreter, name, history, made)
                    history += (made,)

        await asyncio.gather(*(question(f"q{i}", 1) for i in range(num_questions)))
        host, start = time.process_time(), time.perf_counter()
        await asyncio.gather(*(question(f"q{i}", repeats) for i in range(num_questions)))
        num_steps = num_questions * repeats * 8
        return {
            "steps/s": round(num_steps / (time.perf_counter() - start)),
            "host CPU per step, ms": round(1000 * (time.process_time() - host) / num_steps, 3),
        }


def replay_server(connection: Connection) -> None:
    """The published way: one warm process that runs all ancestors again for every child."""
    import numpy  # noqa: F401
    import sympy  # noqa: F401

    for codes in iter(connection.recv, None):
        state: dict[str, object] = {}
        with contextlib.redirect_stdout(io.StringIO()):
            text = [cell.run(code, state, cell.Style()).text for code in codes][-1]
        connection.send(text)


def by_replay(template: str) -> float:
    """Seconds for a beam of one: at each depth a few children, the first of which goes on."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=replay_server, args=(theirs,))
    process.start()
    ours.send(["1"])
    ours.recv()
    start = time.perf_counter()
    history: list[str] = []
    for depth in range(DEPTH):
        for child in range(NUM_CHILDREN):
            ours.send([*history, template.replace("{i}", str(depth * NUM_CHILDREN + child))])
            ours.recv()
        history.append(template.replace("{i}", str(depth * NUM_CHILDREN)))
    seconds = time.perf_counter() - start
    ours.send(None)
    process.join()
    return seconds


async def by_snapshot(interpreter: SandboxInterpreter, template: str, name: str) -> float:
    """The same work by snapshots."""
    await step(interpreter, name, (), Cell("1"))
    start = time.perf_counter()
    history: tuple[Cell, ...] = ()
    for depth in range(DEPTH):
        made = [Cell(template.replace("{i}", str(depth * NUM_CHILDREN + child))) for child in range(NUM_CHILDREN)]
        await asyncio.gather(*(step(interpreter, name, history, m) for m in made))
        history += (made[0],)
    return time.perf_counter() - start


async def against_replay(interpreter: SandboxInterpreter, rounds: int) -> dict[str, dict[str, float]]:
    """Both ways, alternating."""
    result = {}
    for name, template in (("60 ms cells", EXPENSIVE), ("light sympy cells", LIGHT)):
        replayed, forked = [], []
        for i in range(rounds):
            replayed.append(await asyncio.to_thread(by_replay, template))
            forked.append(await by_snapshot(interpreter, template, f"{name} {i}"))
        before, after = statistics.median(replayed), statistics.median(forked)
        result[name] = {
            "replay, s": round(before, 3),
            "snapshots, s": round(after, 3),
            "ratio": round(before / after, 2),
            "ratio of the fastest": round(min(replayed) / min(forked), 2),
        }
    return result


async def many_nodes(num_nodes: int) -> dict[str, float]:
    """Memory of many live states, as the kernel counts it (proportional shares; needs root)."""
    async with SandboxInterpreter(SandboxLimits(max_snapshots=num_nodes)) as interpreter:
        idle = memory()
        for i in range(num_nodes):
            history = (Cell(f"a = {i % 20}"),) if i >= 20 else ()
            made = Cell(f"a = {i}" if i < 20 else f"b = {i}\nprint(b)")
            await step(interpreter, f"q{i % 4}", history, made)
        return {
            "live nodes": interpreter.num_snapshots,
            "estimate, MiB": interpreter.snapshot_bytes >> 20,
            "measured, MiB": (memory() - idle) >> 20,
        }


async def big_states(at_once: bool) -> dict[str, float]:
    """The most memory that is really there while eight cells make 700 MiB of numpy each, under a bound of 1 GiB."""
    cell_of = "import numpy\na{i} = numpy.ones(700 * 2**20 // 8)\nint(a{i}.sum())"
    async with SandboxInterpreter(SandboxLimits(snapshot_bytes=1 << 30)) as interpreter:

        async def work() -> None:
            steps = [step(interpreter, f"q{i % 2}", (), Cell(cell_of.replace("{i}", str(i)))) for i in range(8)]
            if at_once:
                await asyncio.gather(*steps)
            else:
                for one in steps:
                    await one

        task = asyncio.ensure_future(work())
        most = 0
        while not task.done():
            most = max(most, await asyncio.to_thread(memory))
            await asyncio.sleep(0.05)
        await task
        return {"most, MiB": most >> 20, "kept, MiB": memory() >> 20, "estimate, MiB": interpreter.snapshot_bytes >> 20}


def memory() -> int:
    """Bytes of all processes below this one, shared pages divided among their holders."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total


async def set_up(interpreter: SandboxInterpreter, repeats: int) -> dict[str, float]:
    """The first trivial step of a question."""
    times = []
    for i in range(repeats):
        times.append(await step(interpreter, f"new {i}", (), Cell("1")))
        await interpreter.release(f"new {i}")
    return {"first step of a question, p50, ms": median_ms(times)}


async def run(quick: bool) -> dict[str, Any]:
    """All figures."""
    few = 4 if quick else 1
    result: dict[str, Any] = {}
    async with SandboxInterpreter() as interpreter:
        result["isolation"] = {"level": interpreter.level.isolation.value if interpreter.level else ""}
        await trivial(interpreter, 1)
        result["trivial step"] = await trivial(interpreter, 40 // few)
        result["set-up"] = await set_up(interpreter, 40 // few)
        result.update({f"3 x 8, {k}": v for k, v in (await against_replay(interpreter, 7 if not quick else 3)).items()})
    for num_parents, num_questions in ((1, 1), (1, 8), (2, 8)):
        name = f"throughput, {num_questions} questions, {num_parents} parents"
        result[name] = await throughput(num_parents, num_questions, 40 // few)
    result["500 live nodes"] = await many_nodes(500)
    result["8 states of 700 MiB, bound 1 GiB, in turn"] = await big_states(at_once=False)
    result["8 states of 700 MiB, bound 1 GiB, at once"] = await big_states(at_once=True)
    return result


def main(printer: Callable[[str], None] = print) -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    parser.add_argument("--quick", action="store_true", help="a quarter of the repetitions")
    args = parser.parse_args()
    result = asyncio.run(run(args.quick))
    if args.json:
        printer(json.dumps(result))
        return
    for section, figures in result.items():
        printer(section)
        for name, value in figures.items():
            printer(f"    {name:<36} {value}")


if __name__ == "__main__":
    run_script(main)
