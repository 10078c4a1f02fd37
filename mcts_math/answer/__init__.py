"""The answer checker: is this answer equal to that one?

`check` and `is_equiv` compare in the calling process, with bounded work; `CheckerPool` and `PoolChecker` compare in
worker processes that are killed at a time limit. Text is only ever read, never run.
"""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mcts_math.errors import CheckerError

if find_spec("mpmath") is None:
    raise CheckerError("the answer checker needs mpmath >= 1.3: pip install mpmath")

from mcts_math.answer.rules.check import check, is_equiv, math_is_equiv
from mcts_math.answer.rules.classes import AnswerClass, answer_classes, canonical_key, majority
from mcts_math.answer.service.pool import CheckerPool, PoolChecker
from mcts_math.answer.verdict import DEFAULT_POLICY, Policy, Status, Verdict

if TYPE_CHECKING:
    from mcts_math.answer.reply.extract import extract_answer

__all__ = [
    "DEFAULT_POLICY", "AnswerClass", "CheckerPool", "Policy", "PoolChecker", "Status", "Verdict", "answer_classes",
    "canonical_key", "check", "extract_answer", "is_equiv", "majority", "math_is_equiv",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name != "extract_answer":
        raise AttributeError(f"module 'mcts_math.answer' has no attribute {name!r}")
    from mcts_math.answer.reply import extract  # late: its patterns compile for long, and no worker needs them

    return extract.extract_answer
