"""Why a step has no result."""

from __future__ import annotations

from mcts_math.errors import InterpreterError


class MachineBusyError(InterpreterError):
    """The machine has no room for another process just now: to fork `what`, for a reason that the kernel gave."""

    def __init__(self, what: str, reason: object) -> None:
        super().__init__(
            f"the machine refuses to fork {what}: {reason}. Allow more processes (ulimit -u, pids.max of the cgroup) "
            "or memory, or lower max_sandboxes and max_snapshots"
        )


class StateLost(Exception):  # noqa: N818 - an event, not an error
    """The state that a step should start from is gone; nothing was run, or its sandbox died under it."""


class NotRebuilt(StateLost):
    """The state was put away, and could not be made again: one of its cells was cut this time."""


class NoGreeting(StateLost):
    """A state took an order and no child of it said hello. What it forked nobody knows, so its sandbox is closed."""


class Refused(NoGreeting):
    """The machine had no room for the fork, or so a state says; one `at_root` has run no code, and is believed."""

    at_root = False


class Crowded(StateLost):
    """Other cells of the question left no room for a cell's folder, or the files of its branch; it has not begun."""


class Preempted(StateLost):
    """A cell was stopped to make room for those that came before it; it may run again."""


class TimeUp(Exception):  # noqa: N818
    """A cell's time is used up."""
