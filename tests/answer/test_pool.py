"""Workers: time and memory limits, order, threads, event loops, the checker of the scheduler."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hostile import HOSTILE

from mcts_math.answer import CheckerPool, PoolChecker, Status, check
from mcts_math.answer.service.pool import easy_verdict
from mcts_math.answer.verdict import DEFAULT_POLICY, Policy
from mcts_math.errors import CheckerError
from mcts_math.requests import Check, Checker

SLOW = "+".join(f"sin({i}x)^{i + 2}cos({i}x+1)" for i in range(200))
ENDLESS = "+".join(rf"\sum_{{n=1}}^{{\infty}}\frac{{{i}x}}{{n\sqrt{{n}}}}" for i in range(1, 100))


@pytest.fixture(scope="module")
def pool() -> Iterator[CheckerPool]:
    with CheckerPool(num_workers=2) as pool:
        yield pool


def test_verdicts_are_those_of_the_pure_function(pool: CheckerPool) -> None:
    for gold, pred in ((r"\frac12", "0.5"), ("[0,1)", "(0,1)"), ("5", r"\foo{"), ("x", "y")):
        assert pool.check(gold, pred) == check(gold, pred)


def test_check_many_keeps_the_order(pool: CheckerPool) -> None:
    pairs = [(f"x+{i}", f"{i if i % 3 else i + 1}+x") for i in range(400)]
    assert [verdict.equal for verdict in pool.check_many(pairs)] == [bool(i % 3) for i in range(400)]


def test_check_many_streams(pool: CheckerPool) -> None:
    def endless() -> Iterator[tuple[str, str]]:
        while True:
            yield ("1/2", "0.50")

    verdicts = pool.check_many(endless())
    assert all(next(verdicts).equal for _ in range(1000))


def test_a_list_of_golds(pool: CheckerPool) -> None:
    assert pool.check([r"\frac13", r"\frac12"], "0.5").equal
    assert not pool.check([r"\frac13", r"\frac14"], "0.5").equal
    assert pool.check([], "5").status is Status.UNPARSED


def test_easy_pairs_need_no_worker() -> None:
    pool = CheckerPool(num_workers=1)
    for i in range(1000):
        assert pool.check("42", "42.0").equal
        assert not pool.check("42", str(i + 43)).equal
        assert pool.check(SLOW, SLOW).equal
    assert not pool._threads
    pool.close()


def test_easy_verdicts_agree_with_check() -> None:
    for gold in ("5", "5.0", "-3", "0.50", ["4", "5"], "x"):
        for pred in ("5", "5.00", "-3.0", "0.5", "7", " ", "x"):
            verdict = easy_verdict(gold, pred, DEFAULT_POLICY)
            assert verdict is None or verdict.status == check(gold, pred).status


def test_policy_reaches_the_workers() -> None:
    with CheckerPool(num_workers=1, policy=Policy(percent="fraction", letter_case=True)) as pool:
        assert not pool.check(r"10\%", "10").equal
        assert pool.check(r"10\%", "0.1").equal
        assert not pool.check(r"\text{Monday}", "monday").equal


def test_time_limit_cuts_and_the_pool_goes_on() -> None:
    with CheckerPool(num_workers=1, limit_s=0.05) as pool:
        assert pool.check("x+1", "1+x").status in (Status.EQUAL, Status.TIMEOUT)
        heavy = pool.check(ENDLESS, ENDLESS + "+1")
        assert heavy.status is Status.TIMEOUT
        assert "0.05 s" in heavy.reason
    with CheckerPool(num_workers=1, limit_s=5) as pool:
        assert pool.check("x+2", "2+x").equal


def test_a_killed_worker_is_replaced(pool: CheckerPool) -> None:
    assert pool.check("a+b", "b+a").equal
    for pid in worker_pids():
        os.kill(pid, 9)
    statuses: list[Status] = []
    while statuses[-2:] != [Status.EQUAL] * 2 and len(statuses) < 60:  # a new one takes seconds on a busy machine
        statuses.append(pool.check(f"a+{len(statuses)}b", f"{len(statuses)}b+a").status)
    assert statuses[-2:] == [Status.EQUAL] * 2
    assert set(statuses) <= {Status.EQUAL, Status.TIMEOUT}


def worker_pids() -> list[int]:
    """Children of this process that are workers."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes()
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            except (OSError, IndexError):
                continue
            if parent == os.getpid() and b"mcts_math.answer.service.worker" in command:
                found.append(int(entry.name))
    return found


def test_heavy_pairs_cost_their_neighbours_nothing() -> None:
    others = set(worker_pids())
    with CheckerPool(num_workers=2, limit_s=60) as pool:
        for begun in [pool.submit(f"{i}x+z", f"z+{i}x") for i in range(2)]:
            assert begun.result().equal  # each has started a worker
        heavy = pool.submit(ENDLESS, ENDLESS + "+1")
        for i in range(20):
            assert pool.check(f"{i}x+y", f"y+{i}x").equal
        assert not heavy.done()  # they did not wait for it
        for worker in set(worker_pids()) - others:  # either has it
            os.kill(worker, signal.SIGKILL)  # nobody waits for its limit
        assert not heavy.result().equal


def test_hostile_texts_from_threads(pool: CheckerPool, tmp_path: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    verdicts: dict[int, Status] = {}
    slowest = [0.0]

    def judge(part: int) -> None:
        for index in range(part, len(HOSTILE), 4):
            start = time.perf_counter()
            verdicts[index] = pool.check("(x+1)^{100000}", HOSTILE[index]).status
            slowest[0] = max(slowest[0], time.perf_counter() - start)

    threads = [threading.Thread(target=judge, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(verdicts) == len(HOSTILE) >= 100
    assert slowest[0] < 60  # four threads share two workers, each with a limit of 2 s, and those a machine with others
    assert not Path("pwned").exists()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def _children() -> set[int]:
    tasks = Path("/proc/self/task").glob("*/children")
    return {int(pid) for task in tasks for pid in task.read_text().split()}


@pytest.mark.skipif(sys.platform != "linux", reason="finds the worker in /proc")
def test_a_heavy_pair_costs_its_neighbours_nothing() -> None:
    light = [(f"x+{i}", f"{i}+x") for i in range(60)]
    known = _children()
    with CheckerPool(num_workers=1, limit_s=60) as pool:  # another worker starts in less, whatever runs beside
        assert pool.check("x+y", "y+x").equal  # the worker has started
        (worker,) = _children() - known
        os.kill(worker, signal.SIGSTOP)  # whatever it gets now takes for ever
        heavy = pool.submit("x+z", "z+x")
        assert all(verdict.equal for verdict in pool.check_many(light))
        assert not heavy.done()  # they did not wait for it, though the pool has but one worker
        os.kill(worker, signal.SIGKILL)  # nobody waits for its limit
        assert heavy.result().status is Status.TIMEOUT


def test_a_pool_closed_beside_a_heavy_pair_answers_all() -> None:
    with CheckerPool(num_workers=1, limit_s=1) as pool:
        futures = [pool.submit(SLOW, SLOW + "+3-3"), *(pool.submit(f"x+{i}", f"{i}+x") for i in range(20))]
    assert all(future.result(timeout=0).equal for future in futures[1:])


def test_memory_limit() -> None:
    with CheckerPool(num_workers=1, memory_mb=64) as pool:
        verdict = pool.check("{" + ",".join(f"x^{i}" for i in range(900)) + "}", "y+1")
        assert verdict.status in (Status.DIFFERENT, Status.UNPARSED, Status.TIMEOUT)


def test_the_scheduler_checker() -> None:
    async def scenario() -> None:
        checker = PoolChecker(num_workers=2)
        assert isinstance(checker, Checker)
        replies = await asyncio.gather(
            *(checker.check(Check(f"{i}+x", (f"x+{i}", "7"))) for i in range(50)),
            *(checker.check(Check("(x+1)^{100000}", (text,))) for text in HOSTILE[:20]),
            checker.check(Check("5", ("5",))),
        )
        assert all(replies[:50])
        assert replies[-1]
        assert not any(replies[50:-1][:4])
        await checker.close()
        await checker.close()
        with pytest.raises(CheckerError, match="closed"):
            await checker.check(Check("x+1", ("x-1",)))

    asyncio.run(scenario())


def test_a_cancelled_check_is_dropped() -> None:
    async def scenario() -> None:
        checker = PoolChecker(num_workers=1)
        task = asyncio.create_task(checker.check(Check(ENDLESS + "+1", (ENDLESS,))))
        await asyncio.sleep(0)
        task.cancel()
        assert await checker.check(Check("x+1", ("1+x",)))
        await checker.close()

    asyncio.run(scenario())


def test_known_verdicts_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcts_math.answer.service.pool.MAX_REMEMBERED", 3)
    with CheckerPool(num_workers=1) as pool:
        for i in range(10):
            pool.check(f"x+{i}", f"{i}+x")
        assert len(pool._cache) == 3


@pytest.mark.parametrize("arguments", [{"num_workers": 0}, {"limit_s": 0}, {"memory_mb": 1}])
def test_wrong_arguments(arguments: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be"):
        CheckerPool(**arguments)  # type: ignore[arg-type]


def test_a_worker_that_cannot_run_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "mpmath.py").write_text("raise ImportError('broken')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with CheckerPool(num_workers=1) as pool, pytest.raises(CheckerError, match="mpmath"):
        pool.check("x+1", "1+x")


def test_easy_pairs_behind_a_hard_one_do_not_block(pool: CheckerPool) -> None:
    pairs = [("k+1", "1+k"), *[("5", "5.0")] * 2000, ("k+2", "2+k")]
    assert all(verdict.equal for verdict in pool.check_many(pairs))


def test_a_batch_outlives_the_pair_that_hangs() -> None:
    others = set(worker_pids())
    with CheckerPool(num_workers=1, limit_s=2) as pool:
        assert pool.check("x+1", "1+x").equal
        for pid in set(worker_pids()) - others:
            os.kill(pid, signal.SIGSTOP)  # hangs from now on
        statuses = [verdict.status for verdict in pool.check_many((f"{i}x+y", f"y+{i}x") for i in range(12))]
    assert statuses[0] is Status.TIMEOUT
    assert statuses.count(Status.EQUAL) == 11
