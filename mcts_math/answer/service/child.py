"""A worker process of the pool as its parent sees it: started by exec, spoken to in JSON lines, killed when late."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from mcts_math.errors import CheckerError

_START_LIMIT_S: Final = 60.0
_PATIENCE_S: Final = 0.05  # a pair that takes longer is heavy
_ROOT: Final = str(Path(__file__).resolve().parents[3])


class CutError(Exception):
    """The worker did not answer in time, or died."""


class Child:
    """One child process and the pipes to it. It is of no use after a `CutError`."""

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
        self._poll = select.poll()
        self._poll.register(self._process.stdout or 0, select.POLLIN)
        self._received = b""
        try:
            greeting = self._receive(_START_LIMIT_S)
        except CutError as error:
            self.kill()
            raise CheckerError(f"a worker of the answer checker did not start: {error}") from error
        if "error" in greeting:
            self.kill()
            raise CheckerError(f"a worker of the answer checker can't run: {greeting['error']}")

    def ask(self, job: dict[str, Any], limit_s: float, heavy: Callable[[], None]) -> dict[str, Any]:
        """The reply to a job; calls `heavy` once where it takes long. Raises CutError after `limit_s` seconds."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(job).encode() + b"\n")
            self._process.stdin.flush()
        except OSError as error:
            raise CutError("the worker died") from error
        if limit_s > _PATIENCE_S and not self._is_ready(_PATIENCE_S):
            heavy()
            return self._receive(limit_s, _PATIENCE_S)
        return self._receive(limit_s)

    def _is_ready(self, wait_s: float) -> bool:
        """Whether a reply is there, at the latest after `wait_s` seconds."""
        assert self._process.stdout is not None
        deadline = time.monotonic() + wait_s
        while b"\n" not in self._received:
            left = deadline - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                return False
            chunk = os.read(self._process.stdout.fileno(), 1 << 16)
            if not chunk:
                raise CutError("the worker died")
            self._received += chunk
        return True

    def _receive(self, limit_s: float, waited_s: float = 0.0) -> dict[str, Any]:
        if not self._is_ready(limit_s - waited_s):
            raise CutError(f"cut after {limit_s:g} s")
        line, _, self._received = self._received.partition(b"\n")
        reply: dict[str, Any] = json.loads(line)
        return reply

    def kill(self) -> None:
        """Ends the process at once."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:
                continue  # what was still in the buffer of a dead worker
