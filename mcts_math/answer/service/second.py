"""The second reader: LaTeX that ours gives up on, read by latex2sympy2_extended and compared by sympy.

Only a worker of the pool asks it, where it can be killed: neither library bounds its time or memory. It reads
generously, so it is asked only about formulas in which nothing can be dropped: no words, no lists, no relations.
"""

from __future__ import annotations

import re
from typing import Any, Final

from mcts_math.answer.text.normalise import normalise
from mcts_math.answer.text.vocabulary import names

_MAX_LENGTH: Final = 300
_COMMAND: Final = re.compile(r"\\[a-zA-Z]+")
_COMMANDS: Final = frozenset(
    names(
        "frac sqrt cdot times left right sin cos tan cot sec csc sinh cosh tanh arcsin arccos arctan ln log exp pi int "
        "sum prod lim to infty binom det alpha beta gamma theta lambda mu phi omega partial circ"
    )
)
_PLAIN: Final = re.compile(r"[\s0-9a-zA-Z+\-*/^_(){}!|.\[\]=']*")
_DIFFERENTIALS: Final = frozenset("de")


def equal_by_sympy(gold: str, pred: str) -> bool:
    """Whether both texts are formulas that sympy proves equal. May take any time and memory."""
    if max(len(gold), len(pred)) > _MAX_LENGTH:
        return False
    first, second = normalise(gold), normalise(pred)
    if not _is_formula(first) or not _is_formula(second) or "\\" not in first + second:
        return False
    left, right = _read(first), _read(second)
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


def _read(text: str) -> Any:
    """The expression, worked out; None where it can't be read, or is a formula with letters that were lost."""
    from latex2sympy2_extended import latex2sympy  # no types
    from sympy import Expr, Integral

    try:
        expression = latex2sympy(text)
    except Exception:  # its parser raises anything for what it can't read: then there is no second opinion
        return None
    if not isinstance(expression, Expr) or any(len(integral.limits[0]) == 1 for integral in expression.atoms(Integral)):
        return None
    names = {str(atom) for atom in expression.free_symbols} | {str(part) for part in expression.atoms()}
    letters = set(re.findall("[a-zA-Z]", _COMMAND.sub(" ", text))) - _DIFFERENTIALS
    return expression.doit() if all(any(letter in name for name in names) for letter in letters) else None
