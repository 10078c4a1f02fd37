"""The tests that the tests' code has left, each as something to call.

What is run is what public suites use: asserts at the margin and in `check(candidate)`, functions and classes named
`test…`, `unittest.TestCase`, doctests, all of them plain, `async` or as generators. A test that can't be run is the
problem's fault.
"""

from __future__ import annotations

import ast
import asyncio
import doctest
import functools
import inspect
import itertools
import types
import unittest
from collections.abc import Callable, Iterator
from typing import Any

from .source import Verdict
from .suite import Suite

_PYTEST_MODULES = ("_pytest", "pytest")


def calls(module: ast.Module, name: str) -> bool:
    """Whether the tests call a function of theirs by themselves, outside all functions."""
    nodes = [node for node in module.body if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    found = (child for node in nodes for child in ast.walk(node) if isinstance(child, ast.Call))
    return any(isinstance(call.func, ast.Name) and call.func.id == name for call in found)


Unit = tuple[str, Callable[[], Any]]
"""Name of a test, and what runs it."""


def find(names: dict[str, Any], suite: Suite, candidate: Any) -> Iterator[Unit]:
    """The tests among the names that the tests' code left, in their order; then the doctests.

    Raises:
        Verdict: one of them can't be run here.
    """
    own = {name: names[name] for name in names if name in suite.names.bound}
    begin = functools.cache(own.get("setUpModule", lambda: None))
    for name, value in own.items():
        if name == "check" and callable(value) and not calls(suite.module, "check"):
            yield name, _with_candidate(name, value, candidate)
        elif name.startswith("test") and inspect.isfunction(value):
            yield from _parametrized(name, value, candidate)
        elif inspect.isclass(value) and issubclass(value, unittest.TestCase):
            if value.__module__ == names["__name__"]:
                yield from _of_unittest(name, value, begin)
        elif inspect.isclass(value) and name.startswith("Test"):
            yield from _of_class(name, value, candidate)
    for name, text in suite.examples:
        try:
            test = doctest.DocTestParser().get_doctest(text, names, name, "<tests>", 0)
        except ValueError as error:
            raise Verdict("bad_problem", f"`test` has a doctest that can't be read: {error}") from None
        for example in test.examples:
            yield example.source.strip(), functools.partial(_run_example, test, example)


def _run_example(test: doctest.DocTest, example: doctest.Example) -> None:
    one = doctest.DocTest([example], {}, test.name, test.filename, test.lineno, None)
    one.globs = test.globs
    try:
        doctest.DebugRunner(verbose=False).run(one, out=lambda _: None, clear_globs=False)
    except doctest.UnexpectedException as error:
        raise error.exc_info[1] from None
    except doctest.DocTestFailure as error:
        source, want, got = example.source.strip(), example.want.strip(), error.got.strip()
        raise AssertionError(f"{source}: expected {want!r}, got {got!r}") from None


def _of_unittest(name: str, kind: type[unittest.TestCase], begin: Callable[[], Any]) -> Iterator[Unit]:
    tests: list[Any] = list(unittest.defaultTestLoader.loadTestsFromTestCase(kind))
    for number, test in enumerate(tests):

        def run(test: Any = test, is_first: bool = not number, is_last: bool = test is tests[-1]) -> None:
            if is_first:
                begin()
                kind.setUpClass()
            try:
                _debug(test)
            finally:
                if is_last:
                    kind.tearDownClass()
                    kind.doClassCleanups()

        yield f"{name}.{test._testMethodName}", run


def _debug(test: Any) -> None:
    method = getattr(test, test._testMethodName)
    must_fail = any(getattr(part, "__unittest_expecting_failure__", False) for part in (test, method))
    try:
        test.debug()
    except Exception:
        if not must_fail:
            raise
    else:
        if must_fail:
            raise AssertionError("it should have failed")


def _with_candidate(name: str, function: Any, candidate: Any, given: dict[str, Any] | None = None) -> Callable[[], Any]:
    """A call of a test function: with what it is parametrized by, and the candidate where it asks for something."""
    given = given or {}
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        parameters = ()  # type: ignore[assignment]
    needed = [
        p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    open_names = [n for n in needed if n not in given]
    if not open_names:
        return lambda: function(**given)
    if len(open_names) > 1 or (name != "check" and open_names != ["candidate"]):
        raise Verdict("bad_problem", f"`{name}` needs {', '.join(open_names)}, and nobody here can give it that")
    if not given:
        return lambda: function(candidate)
    return lambda: function(**given, **{open_names[0]: candidate})


def _parametrized(name: str, function: Any, candidate: Any) -> Iterator[Unit]:
    marks = [
        mark for mark in getattr(function, "pytestmark", []) if mark.name in ("parametrize", "skip", "usefixtures")
    ]
    if any(mark.name == "skip" for mark in marks):
        return
    tables = []
    for mark in marks:
        arguments = mark.args[0]
        keys = [k.strip() for k in arguments.split(",")] if isinstance(arguments, str) else list(arguments)
        rows = [getattr(row, "values", row) if hasattr(row, "marks") else row for row in mark.args[1]]
        tables.append([dict(zip(keys, row if len(keys) > 1 else _alone(row), strict=True)) for row in rows])
    for number, chosen in enumerate(itertools.product(*tables)):
        given = {key: value for row in chosen for key, value in row.items()}
        yield f"{name}[{number}]" if tables else name, _with_candidate(name, function, candidate, given)


def _alone(row: Any) -> tuple[Any, ...]:
    return row if type(row).__name__ == "ParameterSet" else (row,)


def _of_class(name: str, kind: type[Any], candidate: Any) -> Iterator[Unit]:
    for method in [m for m in dir(kind) if m.startswith("test") and callable(getattr(kind, m))]:

        def run(method: str = method) -> Iterator[Any]:
            found = kind()
            for before in ("setup_class", "setUpClass", "setup_method", "setUp"):
                _maybe(found, before, kind, method)
            try:
                for _, one in _parametrized(method, getattr(found, method), candidate):
                    yield one()
            finally:
                for after in ("teardown_method", "tearDown", "teardown_class"):
                    _maybe(found, after, kind, method)

        yield f"{name}.{method}", run


def _maybe(found: Any, name: str, kind: type[Any], method: str) -> None:
    function = getattr(found, name, None)
    if function is not None:
        function(*([getattr(kind, method)] if len(inspect.signature(function).parameters) else []))


def is_skip(error: BaseException) -> bool:
    """Whether an exception of the tests, and not of the code, says that a test does not count here."""
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<solution>":
            return False
        trace = trace.tb_next
    return type(error).__name__ in ("SkipTest", "Skipped") and type(error).__module__.startswith(
        ("unittest", *_PYTEST_MODULES)
    )


def finish(value: Any) -> None:
    """Runs what calling a test has only begun: a coroutine, a generator; a tuple from one is a call."""
    if type(value) is types.CoroutineType:
        finish(asyncio.run(value))
    elif type(value) is types.AsyncGeneratorType:
        asyncio.run(_exhaust(value))
    elif type(value) is types.GeneratorType:
        for item in value:
            is_call = isinstance(item, tuple) and item and callable(item[0])
            finish(item[0](*item[1:]) if is_call else item)


async def _exhaust(values: Any) -> None:
    async for value in values:
        finish(value)
