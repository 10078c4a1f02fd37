"""Runs tests, one after the other, and keeps what came of each."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from . import equal, suite, units
from .acts import RemoteError, calls_of, describe
from .clock import limited
from .guard import Guard
from .peer import BadArgument, Broken, Peer
from .settled import settle
from .source import Verdict
from .values import deep

_MAX_KEPT = 1000
_MAX_TEXT = 200
_NAMES = (
    "Eq:eq NotEq:ne Lt:lt LtE:le Gt:gt GtE:ge Is:is_ IsNot:is_not Add:add Sub:sub Mult:mul Div:truediv Mod:mod "
    "FloorDiv:floordiv Pow:pow MatMult:matmul LShift:lshift RShift:rshift BitAnd:and_ BitOr:or_ BitXor:xor"
)
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    **{name: getattr(operator, known) for name, known in (pair.split(":") for pair in _NAMES.split())},
    "In": lambda a, b: a in b,
    "NotIn": lambda a, b: a not in b,
}
"""By their names in `ast`."""
_ORDERS = ("Lt", "LtE", "Gt", "GtE")


class Failed(BaseException):
    """A test failed, and no other is to run."""


class Runner:
    """The results of one problem's tests. The tests know it as `__tests__`.

    Args:
        problem: every_test, tolerance, timeout_s.
        tests: of the problem.
        place: where the judged code runs.
    """

    def __init__(self, problem: dict[str, Any], tests: suite.Suite, place: Peer | Guard) -> None:
        self._every, self._tolerance = problem["every_test"], problem["tolerance"]
        self._limit_s: float | None = problem["timeout_s"]
        self._tests, self._lines = tests, tests.source.split("\n")
        self._place, self._guard = place, place if isinstance(place, Guard) else None
        self.tests: list[tuple[str, bool, str]] = []
        self.num_tests = self.num_passed = self.num_checks = 0
        self.failure = ""
        self.template: Callable[[Any, str], Any] = getattr  # `x.format` of the tests
        self._left: BaseException | None = None  # what left a check of the test that runs

    def record(self, name: str, error: BaseException | None) -> None:
        """Keeps what came of a test. Raises Failed where it is the last one."""
        detail = ""
        if error is not None:
            if self._imports_nothing(error):
                raise Verdict("bad_problem", f"`test` can't be run: {error}")
            with self.begin():  # the code may have a word in it
                detail = self.explain(error)
        self.num_tests += 1
        self.num_passed += error is None
        if len(self.tests) < _MAX_KEPT:
            self.tests.append((_told(name), error is None, _told(detail)))
        if error is not None:
            self.failure = self.failure or f"failed: {detail}"
            if not self._every:
                raise Failed

    def _imports_nothing(self, error: BaseException) -> bool:
        """Whether an error came of an import that stands in the tests: what the code gives may be such an error too."""
        if type(error) is not ModuleNotFoundError or [file for file, _ in calls_of(error)][-1:] != ["<tests>"]:
            return False
        return error.name in suite.modules(self._tests.module)

    def begin(self) -> AbstractContextManager[None]:
        """Starts the clock of a test."""
        if isinstance(self._place, Guard):
            return limited(self._limit_s)
        if self._limit_s is not None:
            self._place.begin(self._limit_s)
        return nullcontext()

    def run(self, name: str, test: Callable[[], Any]) -> None:
        """Runs a test; the asserts of `check` that were recorded on the way stand for it."""
        before, given, self._left = self.num_tests, self._place.given, None
        try:
            with self.begin():
                units.finish(test())
        except (Broken, BadArgument, Failed, Verdict):
            raise
        except BaseException as error:
            if not units.is_skip(error):
                self.record(name, error)
        else:
            if self.num_tests == before or self.lost() is not None:
                self.record(name, self.lost())
        finally:
            self._end(given)

    def _end(self, given: int) -> None:
        """Of what a test asked the code for nothing is left, and nothing later made of it; nor is its clock."""
        self._place.given = given
        self.begin()

    def lost(self) -> BaseException | None:
        """What left a check of the test that has run, where a class of the code may have caught it."""
        return self._left if self._place.gave_catcher else None

    def explain(self, error: BaseException) -> str:
        """An exception, and the innermost line of the tests that it went through."""
        lines = [
            self._lines[n - 1].strip() for file, n in calls_of(error) if file == "<tests>" and 0 < n <= len(self._lines)
        ]
        return ": ".join(part for part in (describe(error), *lines[-1:]) if part)

    @contextmanager
    def case(self, line: int, is_test: bool) -> Iterator[None]:
        """What an assert of the tests runs in; `is_test`: it stands for a test of its own."""
        if not is_test:
            with self.final():
                yield
            return
        self.num_checks += 1
        failure, given = None, self._place.given
        try:
            with self.begin():
                yield
        except (Broken, BadArgument, Failed, Verdict):
            raise
        except BaseException as error:
            failure = error
        finally:
            self._end(given)
        self.record(self._lines[line - 1].strip(), failure)

    def count(self) -> None:
        """Notes that a check is run that the tests have written as an `if`."""
        self.num_checks += 1

    @contextmanager
    def final(self) -> Iterator[None]:
        """What a check of the tests runs in that is no test of its own: the code can't catch what leaves it."""
        self.num_checks += 1
        given = self._place.given
        try:
            yield
        except BaseException as error:
            settle(error)
            self._left = self._left or error
            raise
        finally:
            self._place.given = given  # see `_end`

    @deep()
    def compare(self, names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
        """A comparison of the tests."""
        result: Any = True
        for name, left, right in zip(names, values, values[1:], strict=False):
            result = self._compare(name, left, right)
            if len(names) > 1 and not result:
                return result
        return result

    def _compare(self, name: str, left: Any, right: Any) -> Any:
        if self._guard is not None and name in ("In", "NotIn"):
            left, right = self._guard.fair_membership(left, right)
        elif self._guard is not None and name not in ("Is", "IsNot"):
            left, right = self._guard.fair(left, right)
        if name in ("Eq", "NotEq") and equal.is_one_empty(left, right):
            return name == "NotEq"
        if name in _ORDERS:
            equal.require_values(left, right)
        if self._tolerance is not None and name in ("Eq", "NotEq") and not hasattr(left, "dtype"):
            return equal.close(left, right, self._tolerance) == (name == "Eq")
        return _OPERATORS[name](left, right)

    def kept(self, function: Any) -> Callable[..., Any]:
        """The code's function; that it raises StopIteration ends no loop of the tests."""

        def call(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except (StopIteration, StopAsyncIteration) as error:
                raise RemoteError(f"{type(error).__name__}: {error}") from error

        return call

    def operate(self, name: str, left: Any, right: Any) -> Any:
        """A calculation of the tests with what a call returned, or of how far two values are from each other."""
        if name in ("Sub", "Div"):
            equal.require_values(left, right)
        if self._guard is None:
            return _OPERATORS[name](left, right)
        operands = self._guard.fair_operands(left, right)
        return self._guard.fair_result(name, operands, _OPERATORS[name](*operands))

    def check(self, case: Any, candidate: Any, wrapped: bool) -> None:
        """Judges one case: text to standard input, or arguments to a call. Raises what a test raises."""
        self.num_checks += 1
        expected = case["output"]
        if isinstance(case["input"], str):
            found = candidate(case["input"])
            if type(found) is not str or not equal.same_output(expected, found, self._tolerance):
                raise AssertionError(f"printed {_shown(found)}, expected {_shown(expected)}")
            return
        found = candidate(*case["input"])
        wanted = [expected, *expected] if wrapped else [expected]
        with deep():
            found = equal.as_json(found)
            if self._guard is not None:
                found = self._guard.fair(expected, found)[1]
            if not any(equal.close(value, found, self._tolerance or 0.0, nan_is_nan=True) for value in wanted):
                raise AssertionError(f"returned {_shown(found)}, expected {_shown(expected)}")


def _told(text: str) -> str:
    """A text as it may be written anywhere: of limited length, without halves of surrogate pairs."""
    return text[:_MAX_TEXT].encode("utf-8", "replace").decode()


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:40]}…{text[-15:]}"
