"""Judges completions in the project's own sandbox, in two processes that can't reach each other: code and tests.

The code's process gets the code, and the arguments of the calls that the tests make; the tests' process gets the tests,
and the values that come back, as plain data (`worker.values`). What is said of a completion comes from the tests'
process alone, on a socket that the code's does not have. A problem that asks for one process gets one, and less
protection. See `docs/judge.md`.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field

from mcts_math.errors import InterpreterError, JudgeError, TaskError
from mcts_math.interpreter import Level, SandboxLimits, probe
from mcts_math.interpreter.levels import require
from mcts_math.interpreter.parent import Parent
from mcts_math.judge.code import readings
from mcts_math.judge.problem import NO_CODE, ONE_PROCESS, Judgement, Problem
from mcts_math.judge.sandbox import CELLS, WARM_UP, Examined, Lost

_MAX_TRIES, _PAUSE_S = 3, 0.3


def _default_running() -> int:
    return 2 * max(2, os.cpu_count() or 1)  # half of them wait for the kernel to make or end a sandbox


@dataclass(frozen=True, slots=True)
class JudgeLimits:
    """What one judgement may use.

    Attributes:
        timeout_s: wall-clock seconds of one completion, loading the code and all tests together; > 0.
        total_timeout_s: the same where the problem has a limit for each test of its own; more where its cases need
            more, a second beyond that limit for each.
        max_total_timeout_s: most that the cases of one problem get together.
        memory_bytes: memory that each of the two processes may allocate beyond Python's own.
        max_code_chars: longer completions fail unread.
        max_threads: threads that the code may start.
        max_running: judgements at a time; more wait, and their clocks do not run meanwhile.
        modules: imported once, before any completion.
        allow_unsafe_exec: judge even where the kernel gives neither seccomp nor a file system fence.
    """

    timeout_s: float = 5.0
    total_timeout_s: float = 60.0
    max_total_timeout_s: float = 900.0
    memory_bytes: int = 512 << 20
    max_code_chars: int = 256 << 10
    max_threads: int = 64
    max_running: int = field(default_factory=_default_running)
    modules: tuple[str, ...] = ("numpy",)
    allow_unsafe_exec: bool = False

    def time_for(self, problem: Problem) -> float:
        """Seconds of one completion."""
        if problem.timeout_s is None:
            return self.timeout_s
        return max(self.total_timeout_s, min(problem.needed_s, self.max_total_timeout_s))

    def sandbox_limits(self) -> SandboxLimits:
        """The same for one sandbox. Raises ValueError where a limit could not work."""
        for name in ("timeout_s", "total_timeout_s", "max_total_timeout_s"):
            if not getattr(self, name) > 0:
                raise ValueError(f"JudgeLimits.{name} is {getattr(self, name)!r}; it must be above 0")
        return SandboxLimits(
            step_timeout_s=max(self.timeout_s, self.total_timeout_s, self.max_total_timeout_s),
            memory_bytes=self.memory_bytes,
            max_threads=self.max_threads,
            max_running=len(CELLS) * self.max_running,
            modules=self.modules,
            allow_unsafe_exec=self.allow_unsafe_exec,
        )


@contextmanager
def written_as_json() -> Iterator[None]:
    """Raises TaskError where what is written within is no JSON: cases may hold any value."""
    try:
        yield
    except RecursionError:
        raise TaskError("the problem's cases hold lists within lists, too deep to be handed over") from None
    except (TypeError, ValueError) as error:
        raise TaskError(f"the problem's cases can't be handed over as JSON: {error}") from None


class Judge:
    """Judges completions here; the protocol `CodeJudge`.

    Use it as `async with Judge() as judge`, or call `close`. It starts on first use, and belongs to one event loop.

    Args:
        limits: what one judgement may use.
        level: isolation to use, from `interpreter.probe`; probed at the start when None.
    """

    def __init__(self, limits: JudgeLimits | None = None, level: Level | None = None) -> None:
        self.limits = limits or JudgeLimits()
        self.level = level
        self._sandbox_limits = self.limits.sandbox_limits()
        self._parent: Parent | None = None
        self._running = asyncio.Semaphore(self.limits.max_running)
        self._starting = asyncio.Lock()
        self._closed = False

    async def __aenter__(self) -> Judge:
        try:
            await self._start()
        except BaseException:
            await self.close()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def _start(self) -> Parent:
        """The clean parent; a new one at first, and where it has died. Probes the machine once.

        Raises:
            InterpreterError: this machine can't lock code in, and `allow_unsafe_exec` is not set.
            JudgeError: the judge was closed.
        """
        async with self._starting:
            if self._closed:
                raise JudgeError("the judge was closed")
            if self.level is None:
                self.level = await probe(self._sandbox_limits)
            require(self.level, self.limits.allow_unsafe_exec)
            if self._parent is not None and not self._parent.alive:
                dead, self._parent = self._parent, None
                await dead.close()
            if self._parent is None:
                self._parent = await Parent.start(
                    self._sandbox_limits, self.level.layers, warm_up=WARM_UP, temp_places=len(CELLS)
                )
            return self._parent

    async def judge(self, problem: Problem, completion: str) -> Judgement:
        """Runs the tests of a problem on the code in a completion.

        Raises:
            TaskError: the problem's own prompt or tests can't be run, or its cases are no JSON.
            InterpreterError: this machine can't lock code in.
            JudgeError: the sandbox keeps breaking down, through no fault of the completion; or the judge was closed.
        """
        if len(completion) > self.limits.max_code_chars:
            return Judgement(False, f"failed: more than {self.limits.max_code_chars} characters of code")
        found = readings(completion, problem.names)
        if not found:
            return Judgement(False, NO_CODE)
        more = {
            "entries": problem.entries,
            "whole": not problem.entry_point,
            "readings": [asdict(reading) for reading in found],
            "load_s": None if problem.timeout_s is None else max(problem.timeout_s, self.limits.timeout_s),
        }
        with written_as_json():
            request = json.dumps(asdict(problem) | more).encode()
        async with self._running:
            return await self._judge(problem, request)

    async def _judge(self, problem: Problem, request: bytes) -> Judgement:
        num_cells = 1 if problem.isolation == ONE_PROCESS else 2
        for attempt in range(1, _MAX_TRIES + 1):
            await asyncio.sleep((attempt - 1) * _PAUSE_S)  # others end meanwhile, if the machine has no room
            sandbox = Examined(await self._start(), num_cells)
            try:
                said = await sandbox.run(request, self.limits.time_for(problem))
            except (Lost, InterpreterError, OSError) as error:  # OSError: no descriptors are left, say
                if attempt == _MAX_TRIES or self._closed:
                    raise JudgeError(f"the judge's sandbox keeps breaking down: {error}") from error
                continue
            finally:
                sandbox.close()
            kind, judgement = said or ("failed", Judgement(False, "timed out", num_tests=len(problem.cases)))
            if kind == "bad_problem":
                raise TaskError(f"the problem's {judgement.result}. Mend the problem: no completion could pass.")
            return Judgement(False, NO_CODE) if kind == "no_code" else judgement
        raise AssertionError("unreachable")

    async def close(self) -> None:
        """Ends all processes; judgements that still run fail."""
        self._closed = True
        async with self._starting:
            if self._parent is not None:
                await self._parent.close()
                self._parent = None


async def judge_all(judge: Judge, cases: Iterable[tuple[Problem, str]]) -> list[Judgement]:
    """Judges (problem, completion) pairs, as many at a time as the judge's limits allow, and keeps their order."""
    return list(await asyncio.gather(*(judge.judge(problem, completion) for problem, completion in cases)))
