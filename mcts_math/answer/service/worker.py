"""A worker process of the pool: reads pairs and writes verdicts as JSON lines. Run with `-m`, never imported.

It limits its own memory. The parent limits its time and kills it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any


def _limit_memory(megabytes: int) -> None:
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))


def _answer(line: str) -> dict[str, Any]:
    from mcts_math.answer.rules.check import check
    from mcts_math.answer.service.second import equal_by_sympy
    from mcts_math.answer.verdict import Policy, Status

    job = json.loads(line)
    try:
        verdict = check(job["gold"], job["pred"], Policy(**job["policy"]))
        golds = [job["gold"]] if isinstance(job["gold"], str) else job["gold"]
        if verdict.status is Status.UNPARSED and any(equal_by_sympy(gold, job["pred"]) for gold in golds):
            verdict = replace(verdict, status=Status.EQUAL, reason="equal to sympy, as the second reader reads them")
    except MemoryError:
        return {"status": "timeout", "reason": "cut at the memory limit", "gold": "", "pred": ""}
    return {"status": verdict.status.value, "reason": verdict.reason, "gold": verdict.gold, "pred": verdict.pred}


def main() -> int:
    """Serves until standard input ends."""
    try:
        from mcts_math.answer.values.approximate import numbers

        numbers()
        _limit_memory(int(sys.argv[1]))
    except (ImportError, OSError, ValueError) as error:
        needed = "it needs mpmath >= 1.3: " if isinstance(error, ImportError) else ""
        print(json.dumps({"error": f"{needed}{error}"}), flush=True)
        return 1
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(_answer(line)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
