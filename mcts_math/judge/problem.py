"""What is judged, and what is said of it."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from mcts_math.errors import TaskError


@dataclass(frozen=True, slots=True)
class Problem:
    """A function to be written, and its tests (the published form).

    Attributes:
        prompt: code that the completion may go on with, and whose other functions it may use; "" where there is none.
        test: Python: asserts, or a function `check(candidate)` that makes them.
        entry_point: name of the function.
    """

    prompt: str
    test: str
    entry_point: str

    @classmethod
    def from_record(cls, record: Mapping[str, Any], where: str = "problem") -> Problem:
        """The problem within a record; further keys are passed over.

        Raises:
            TaskError: naming `where` and the field that is missing or wrong.
        """
        for field in ("prompt", "test", "entry_point"):
            value = record.get(field)
            if not isinstance(value, str):
                found = "is missing" if value is None else f"must be a string, not {type(value).__name__}"
                raise TaskError(f"{where}: the field `{field}` {found}. A problem needs prompt, test and entry_point.")
        name = record["entry_point"]
        if not name.isidentifier() or keyword.iskeyword(name):
            raise TaskError(f"{where}: `entry_point` is {name[:80]!r}; it must be the name of a function.")
        if not record["test"].strip():
            raise TaskError(f"{where}: `test` is empty: any completion would pass. Give the problem its tests.")
        return cls(record["prompt"], record["test"], name)


NO_CODE = "no code was found in the completion"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of it.

    Attributes:
        passed: all tests passed, in time.
        result: "passed", "timed out", "failed: …" or `NO_CODE`.
        code: what was judged; None where there was none, or a service did not say.
    """

    passed: bool
    result: str
    code: str | None = None


class CodeJudge(Protocol):
    """Judges completions: the sandbox here (`Judge`), or a service elsewhere (`JudgeClient`)."""

    async def judge(self, problem: Problem, completion: str) -> Judgement: ...

    async def close(self) -> None: ...
