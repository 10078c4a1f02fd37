"""From the command to the first token and the first cell, for each engine; and what is imported for it.

    python benchmarks/startup.py                                   # hf, and vllm where it is installed
    python benchmarks/startup.py --engine-args '{"base_url": "http://HOST:8000/v1"}' --engines openai --model CKPT
    python benchmarks/startup.py --imports solver_demo             # the packages that take longest to import

Each start is a process of its own. `model alone` is the first token of a start whose sandbox is there at
once: what the sandbox adds is what `first token` is above it.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mcts_math.errors import MctsMathError
from mcts_math.evaluate.table import render_table
from mcts_math.run.program import run_script

ROOT = Path(__file__).resolve().parent.parent
STAGES = ("imports", "services", "first token", "first cell")
START = """
import asyncio, json, sys, time
from contextlib import AsyncExitStack
begun, config, has_sandbox = float(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3] == "sandbox"
from mcts_math.config import make_config
from mcts_math.requests import Cell, Execute, Generate, Observation, Sampling
from mcts_math.run import cli
from mcts_math.services import open_services

class Ready:
    async def execute(self, request): return Observation("1")
    async def release(self, session): pass
    async def close(self): pass

async def main():
    seconds = {}
    def note(stage): seconds[stage] = time.time() - begun
    note("imports")
    async with AsyncExitStack() as stack:
        services = await open_services(make_config(config), stack, {} if has_sandbox else {"interpreter": Ready()})
        note("services")
        await services.policy.generate(Generate("<question> 1 + 1 </question>", 1, Sampling(0.0, max_tokens=1), 0))
        note("first token")
        await services.interpreter.execute(Execute("q", (), Cell("print(1)")))
        note("first cell")
    print("seconds", json.dumps(seconds))

if __name__ == "__main__":
    asyncio.run(main())
"""


def run(command: list[str]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        told = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise MctsMathError(f"{' '.join(command)[:200]} failed: {told}")
    return done


def start(program: Path, config: dict[str, object], sandbox: str) -> dict[str, float]:
    """Seconds since the command until each stage was reached."""
    done = run([sys.executable, str(program), str(time.time()), json.dumps(config), sandbox])
    lines = [line for line in done.stdout.splitlines() if line.startswith("seconds ")]
    found: dict[str, float] = json.loads(lines[-1].partition(" ")[2])
    return found


def measure(program: Path, options: argparse.Namespace, engine: str) -> dict[str, float]:
    """Medians of each stage, and of the first token where the sandbox costs nothing."""
    config: dict[str, object] = {"mode": "react", "prompt_wrap": "react_sft", "engine": engine}
    config |= {"model_dir": options.model, "engine_args": options.engine_args}
    runs: dict[str, list[dict[str, float]]] = {"sandbox": [], "none": []}
    for _ in range(options.repeats):
        for sandbox, seen in runs.items():
            seen.append(start(program, config, sandbox))
    medians = {stage: statistics.median(one[stage] for one in runs["sandbox"]) for stage in STAGES}
    return medians | {"model alone": statistics.median(one["first token"] for one in runs["none"])}


def imports(module: str, most: int = 20) -> list[list[str]]:
    """The imports of a module that take longest, with all that they import: (milliseconds, name)."""
    told = run([sys.executable, "-X", "importtime", "-c", f"import {module}"]).stderr
    found = re.findall(r"^import time:\s+\d+ \|\s+(\d+) \|\s+(\S+)$", told, re.MULTILINE)
    return [[f"{int(us) / 1000:.0f}", name] for us, name in sorted(found, key=lambda one: -int(one[0]))[:most]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engines", nargs="+", choices=("hf", "vllm", "openai"))
    parser.add_argument("--model", default="models/mini", help="a checkpoint")
    parser.add_argument("--engine-args", type=json.loads, default={}, metavar="JSON")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--imports", metavar="MODULE", help="show what its import costs, and nothing else")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if options.imports:
        print(render_table(["ms", "import"], imports(options.imports)))
        return 0
    engines = options.engines or ["hf", *(["vllm"] if importlib.util.find_spec("vllm") else [])]
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "start.py"  # a file: vLLM's processes import it again
        program.write_text(START, encoding="utf-8")
        found = {engine: measure(program, options, engine) for engine in engines}
    if options.json:
        print(json.dumps(found))
        return 0
    columns = [*STAGES, "model alone"]
    rows = [[engine, *(f"{seconds[column]:.2f}" for column in columns)] for engine, seconds in found.items()]
    print(render_table(["seconds from the command to", *columns], rows))
    return 0


if __name__ == "__main__":
    run_script(main)
