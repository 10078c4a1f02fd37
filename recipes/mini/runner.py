"""Runs short programs in processes that can be killed: the code of demonstrations and of sampled steps.

What it is not: a sandbox. The project's interpreter is; this one only has to give the same observation for the simple
code of `mini` (what single prints show, floats cut to four decimals) and to survive what a small model may write.
"""

from __future__ import annotations

import builtins
import io
import json
import resource
import select
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path

ERROR = "Error"
LIMIT_S = 2.0
MEMORY_BYTES = 2 << 30


def shown(text: str) -> str:
    """Printed text as the tool shows it: a float has four decimals at most where that is shorter; 500 characters."""
    text = text.strip()[:500]
    try:
        rounded = str(round(float(text), 4))
    except (ValueError, OverflowError):
        return text
    return rounded if len(rounded) < len(text) else text


def run_cells(cells: Sequence[str]) -> list[str]:
    """The observation of every cell, run one after another in one namespace; after a failure the rest fail too."""
    space: dict[str, object] = {"__builtins__": builtins}
    seen: list[str] = []
    for cell in cells:
        out = io.StringIO()
        try:
            with redirect_stdout(out):
                exec(compile(cell, "<cell>", "exec"), space)
            seen.append(shown(out.getvalue()))
        except BaseException as error:  # whatever the model wrote, SystemExit too
            seen.append(
                f"{type(error).__name__}{ERROR if not type(error).__name__.endswith(ERROR) else ''}: {error}"[:200]
            )
    return seen


def serve() -> None:
    """Answer programs on standard input (a JSON list of cells a line) with their last observation, until it closes."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    lines, answers = sys.stdin, sys.stdout
    sys.stdin = io.StringIO()  # a program that asks for input must not eat the next program
    answers.write("ready\n")
    answers.flush()
    for line in lines:
        answers.write(json.dumps(run_cells(json.loads(line))[-1]) + "\n")
        answers.flush()


class Runner:
    """A few worker processes; one that takes longer than `LIMIT_S` over a program is killed and replaced."""

    def __init__(self, workers: int = 2) -> None:
        self._workers = [self._start() for _ in range(workers)]

    def _start(self) -> subprocess.Popen[str]:
        # a plain script: a child of multiprocessing would load torch first
        command = [sys.executable, "-I", str(Path(__file__).resolve())]
        worker = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert worker.stdout is not None
        worker.stdout.readline()  # it is ready: its start does not count as a program's time
        return worker

    def last(self, programs: Sequence[Sequence[str]]) -> list[str]:
        """The observation of every program's last cell, in order; a time-out's is an error too."""
        done = [""] * len(programs)
        for start in range(0, len(programs), len(self._workers)):
            batch = range(start, min(start + len(self._workers), len(programs)))
            for slot, index in enumerate(batch):
                self._send(slot, programs[index])
            for slot, index in enumerate(batch):
                done[index] = self._receive(slot)
        return done

    def _send(self, slot: int, program: Sequence[str]) -> None:
        pipe = self._workers[slot].stdin
        assert pipe is not None
        pipe.write(json.dumps(list(program)) + "\n")
        pipe.flush()

    def _receive(self, slot: int) -> str:
        pipe = self._workers[slot].stdout
        assert pipe is not None
        ready, _, _ = select.select([pipe], [], [], LIMIT_S)
        line = pipe.readline() if ready else ""
        if line:
            return str(json.loads(line))
        self._stop(slot)
        self._workers[slot] = self._start()
        return f"Time{ERROR}: no result after {LIMIT_S:g} s"

    def _stop(self, slot: int) -> None:
        self._workers[slot].kill()
        self._workers[slot].communicate()

    def close(self) -> None:
        """End the workers."""
        for slot in range(len(self._workers)):
            self._stop(slot)


if __name__ == "__main__":
    serve()
