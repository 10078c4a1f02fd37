"""What a comparison says, and the rules it follows where the field disagrees."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal


class Status(str, Enum):
    """How a comparison ended."""

    EQUAL = "equal"
    DIFFERENT = "different"
    UNPARSED = "unparsed"  # an answer could not be read, and the two texts are not the same
    TIMEOUT = "timeout"  # cut by the wall-clock or memory limit of a worker


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of one comparison.

    Attributes:
        status: equal, different, unparsed or timeout.
        reason: the rule that decided, in words.
        gold: the gold answer as it was read.
        pred: the other answer as it was read.
    """

    status: Status
    reason: str
    gold: str
    pred: str

    @property
    def equal(self) -> bool:
        """Whether the answers are equal; unparsed and timeout are not."""
        return self.status is Status.EQUAL


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules on which checkers disagree. The defaults are the ones that `docs/answer.md` argues for.

    Attributes:
        percent: what a plain number must be to equal `10%`: "either" 10 or 0.1, "number" (10), "fraction" (0.1).
        rounding: a decimal of at least `min_digits` significant digits equals a value whose decimal expansion does
            not end there if it is that value rounded (`1.732` is the square root of 3; `5.001` is not 5).
        min_digits: significant digits that a rounded decimal needs, >= 1.
        letter_case: the case of words and choice letters counts (that of variables always does).
        equation_value: `x = 5` equals `5`, and `y = 2x + 1` equals `2x + 1`.
        list_order: the order of a list without brackets counts (`1, -2` against `-2, 1`).
        units: a unit that only one side has is ignored; False: it must be on both sides.
    """

    percent: Literal["either", "number", "fraction"] = "either"
    rounding: bool = True
    min_digits: int = 3
    letter_case: bool = False
    equation_value: bool = True
    list_order: bool = False
    units: bool = True


DEFAULT_POLICY = Policy()
