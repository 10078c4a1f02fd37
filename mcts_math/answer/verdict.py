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
    """The outcome of one comparison."""

    status: Status
    reason: str  # the rule that decided, in words
    gold: str  # as it was read
    pred: str

    @property
    def equal(self) -> bool:
        """Whether the answers are equal; unparsed and timeout are not."""
        return self.status is Status.EQUAL

    def __bool__(self) -> bool:
        return self.equal


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules on which checkers disagree. The defaults are the ones that `docs/answer.md` argues for."""

    percent: Literal["either", "number", "fraction"] = "either"  # what a plain number must be to equal 10%: 10 or 0.1
    rounding: bool = True  # 1.732 is the square root of 3, whose decimals do not end there; 5.001 is not 5
    min_digits: int = 3  # significant digits that a rounded decimal needs, >= 1
    letter_case: bool = False  # the case of words and choice letters counts (that of variables always does)
    equation_value: bool = True  # x = 5 equals 5, and y = 2x + 1 equals 2x + 1
    list_order: bool = False  # the order of a list without brackets counts
    units: bool = True  # a unit that only one side has is ignored; False: it must be on both sides


DEFAULT_POLICY = Policy()
