"""How long what runs here may take, and what is asked of the other side."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Callable, Iterator

from .settled import OutOfTime

_REAL_TIMES = 3  # a second of CPU time may take so many by the clock
_GRACE_S = 1.0
_TIMERS = ((signal.SIGPROF, signal.ITIMER_PROF, 1), (signal.SIGALRM, signal.ITIMER_REAL, _REAL_TIMES))
_limits: list[float] = []  # of what runs now, the outermost first


@contextlib.contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Ends what runs within by OutOfTime: after so much CPU time, or three times as long by the clock.

    What it stands within has its own time anew afterwards.
    """
    if seconds is None:
        yield
        return
    for number, _, _ in _TIMERS:
        signal.signal(number, _out_of_time)
    _limits.append(seconds)
    _set_timers()
    try:
        yield
    finally:
        _limits.pop()
        _set_timers()


def _set_timers() -> None:
    for _, timer, times in _TIMERS:
        signal.setitimer(timer, times * _limits[-1] if _limits else 0)


def _out_of_time(*_: object) -> None:
    raise OutOfTime("timed out")


def end_after(seconds: float) -> None:
    """Has SIGPROF come after so much CPU time, and the end of this process a second later: C may not listen to it.

    0: nothing ends any more.
    """
    for timer, more_s in ((signal.ITIMER_PROF, 0.0), (signal.ITIMER_VIRTUAL, _GRACE_S)):
        signal.setitimer(timer, seconds + more_s if seconds else 0.0)


class Clock:
    """The clock of a test, which starts where the test first asks the other side.

    Args:
        late: what is raised where a test takes three times its limit and a second of CPU time, whoever needs it.
    """

    def __init__(self, late: Callable[[], BaseException]) -> None:
        self._late = late
        self._limit_s = 0.0  # 0: there is none
        self._begun: float | None = None  # by `time.monotonic`

    def begin(self, limit_s: float) -> None:
        """Sets it back for a test with such a limit."""
        end_after(0)
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGPROF, self._end)
        self._limit_s, self._begun = limit_s, None

    def _end(self, *_: object) -> None:
        raise self._late()

    def start(self) -> None:
        """Starts it, if there is a limit and it does not go."""
        if self._limit_s and self._begun is None:
            self._begun = time.monotonic()
            end_after(self._whole_s())

    def _whole_s(self) -> float:
        return _REAL_TIMES * self._limit_s + _GRACE_S

    def left_s(self) -> float | None:
        """How much the other side has left of the limit; None: there is none."""
        return None if self._begun is None else max(self._begun + self._limit_s - time.monotonic(), 0.01)

    def wait_s(self) -> float | None:
        """How long the other side is waited for; None: for ever."""
        return None if self._begun is None else max(self._begun + self._whole_s() - time.monotonic(), 0.01)

    def is_over(self, since: float) -> bool:
        """Whether the other side, asked at such a time of `time.monotonic`, goes on after all of the limit."""
        now = time.monotonic()
        return self._begun is not None and now > max(self._begun + self._whole_s(), since + _GRACE_S)
