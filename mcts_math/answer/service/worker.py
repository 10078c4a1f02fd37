"""A worker process of the pool: reads pairs and writes verdicts as JSON lines. Run with `-m`, never imported.

It limits its own memory. The parent limits its time and kills it. So it may ask a second reader about LaTeX that ours
gives up on: latex2sympy2_extended, which reads generously, and sympy to compare; only about formulas in which nothing
can be dropped: no words, no lists, no relations.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import asdict, replace
from typing import Any, Final

from mcts_math.answer.rules.check import check
from mcts_math.answer.text.normalise import normalise
from mcts_math.answer.text.vocabulary import names
from mcts_math.answer.values.approximate import numbers
from mcts_math.answer.verdict import Policy, Status

_MAX_LENGTH: Final = 300
_COMMAND: Final = re.compile(r"\\[a-zA-Z]+")
_COMMANDS: Final = frozenset(names(
    "frac sqrt cdot times left right sin cos tan cot sec csc sinh cosh tanh arcsin arccos arctan ln log exp pi int "
    "sum prod lim to infty binom det alpha beta gamma theta lambda mu phi omega partial circ"
))  # fmt: skip
_PLAIN: Final = re.compile(r"[\s0-9a-zA-Z+\-*/^_(){}!|.\[\]=']*")
_DIFFERENTIALS: Final = frozenset("de")


def _limit_memory(megabytes: int) -> None:
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        wanted = megabytes * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (wanted if hard < 0 else min(wanted, hard), hard))


def _answer(line: str) -> dict[str, Any]:
    job = json.loads(line)
    try:
        verdict = check(job["gold"], job["pred"], Policy(**job["policy"]))
        golds = [job["gold"]] if isinstance(job["gold"], str) else job["gold"]
        if verdict.status is Status.UNPARSED and any(_equal_by_sympy(gold, job["pred"]) for gold in golds):
            verdict = replace(verdict, status=Status.EQUAL, reason="equal to sympy, as the second reader reads them")
    except MemoryError:
        return {"status": "timeout", "reason": "cut at the memory limit", "gold": "", "pred": ""}
    return asdict(verdict)


def _equal_by_sympy(gold: str, pred: str) -> bool:
    """Whether both texts are formulas that sympy proves equal. May take any time and memory."""
    if max(len(gold), len(pred)) > _MAX_LENGTH:
        return False
    first, second = normalise(gold), normalise(pred)
    if not _is_formula(first) or not _is_formula(second) or "\\" not in first + second:
        return False
    left, right = _expression(first), _expression(second)
    if left is None or right is None:
        return False
    import sympy

    difference = left - right
    return bool(sympy.simplify(difference) == 0 and difference.is_finite is not False)


def _is_formula(text: str) -> bool:
    """Whether every sign of the text has a meaning for the second reader."""
    if len(text) > _MAX_LENGTH or text.count("{") > 30 or text.count("(") > 20:
        return False
    bare = _COMMAND.sub(" ", text)
    known = {command[1:] for command in _COMMAND.findall(text)} <= _COMMANDS
    equations = text.count("=") > text.count("_{")  # the starts of sums are no equations
    return known and not equations and _PLAIN.fullmatch(bare) is not None and not re.search(r"[a-zA-Z]{3}", bare)


def _expression(text: str) -> Any:
    """The expression, worked out; None where it can't be read, or is a formula with letters that were lost."""
    from latex2sympy2_extended import latex2sympy  # no types
    from sympy import Derivative, Expr, Integral

    try:
        expression = latex2sympy(text)
    except Exception:  # its parser raises anything for what it can't read: then there is no second opinion
        return None
    if not isinstance(expression, Expr) or any(len(integral.limits[0]) == 1 for integral in expression.atoms(Integral)):
        return None
    if "partial" not in text and any(part.free_symbols - {*part.variables} for part in expression.atoms(Derivative)):
        return None  # of what may depend on the variable
    known = {str(part) for part in expression.free_symbols | expression.atoms()}
    letters = set(re.findall("[a-zA-Z]", _COMMAND.sub(" ", text))) - _DIFFERENTIALS
    return expression.doit() if all(any(letter in name for name in known) for letter in letters) else None


def main() -> int:
    """Serves until standard input ends."""
    try:
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
