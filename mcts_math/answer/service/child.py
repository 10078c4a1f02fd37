"""A worker process of the pool as its parent sees it: started by exec, spoken to in JSON lines, killed when late."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from mcts_math.errors import CheckerError

_START_LIMIT_S: Final = 60.0
PATIENCE_S: Final = 0.05  # a pair that takes longer is heavy: the others of its batch go elsewhere
_ROOT: Final = str(Path(__file__).resolve().parents[3])


class CutError(Exception):
    """The worker did not answer in time, or died."""


class Child:
    """One child process and the pipes to it."""

    def __init__(self, memory_mb: int) -> None:
        paths = [_ROOT, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "mcts_math.answer.service.worker", str(memory_mb)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            start_new_session=True,  # an interrupt at the terminal is the parent's to handle
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLIN)
        self._received = b""
        self._unwanted = 0  # replies to come for jobs that were given to another worker
        try:
            greeting = self.receive(_START_LIMIT_S)
        except CutError as error:
            self.kill()
            raise CheckerError(f"a worker of the answer checker did not start: {error}") from error
        if "error" in greeting:
            self.kill()
            raise CheckerError(f"a worker of the answer checker can't run: {greeting['error']}")

    def send(self, jobs: Iterable[dict[str, Any]]) -> None:
        """Hands over jobs; they are answered one after the other."""
        try:
            self._input.write(b"".join(json.dumps(job).encode() + b"\n" for job in jobs))
            self._input.flush()
        except OSError as error:
            raise CutError("the worker died") from error

    def ready(self, wait_s: float) -> bool:
        """Whether a reply is there, at the latest after `wait_s` seconds."""
        deadline = time.monotonic() + wait_s
        while b"\n" not in self._received:
            left = deadline - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                return False
            chunk = os.read(self._output.fileno(), 1 << 16)
            if not chunk:
                raise CutError("the worker died")
            self._received += chunk
        return True

    def receive(self, limit_s: float, waited_s: float = 0.0) -> dict[str, Any]:
        """The next reply, for which `waited_s` seconds have passed; the worker is of no use after `CutError`."""
        if not self.ready(limit_s - waited_s):
            raise CutError(f"cut after {limit_s:g} s")
        line, _, self._received = self._received.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def disown(self, count: int) -> None:
        """The replies to the last `count` jobs are no longer wanted."""
        self._unwanted += count

    def is_free(self) -> bool:
        """Whether it is done, or almost, with the jobs that were given to another worker."""
        try:
            while self._unwanted:
                self.receive(PATIENCE_S)
                self._unwanted -= 1
        except CutError:
            return False
        return True

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._input, self._output):
            try:
                pipe.close()
            except OSError:
                continue  # what was still in the buffer of a dead worker
