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
import sys
import types
import unittest
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from unittest.mock import DEFAULT

from .access import of_class
from .acts import calls_of, describe
from .remote import RemoteType, is_object
from .source import Verdict
from .suite import Suite, is_exit
from .values import PLAIN


def calls(module: ast.Module, name: str) -> bool:
    """Whether the tests call a function of theirs by themselves, outside all functions."""
    nodes = [node for node in module.body if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    found = (child for node in nodes for child in ast.walk(node) if isinstance(child, ast.Call))
    return any(isinstance(call.func, ast.Name) and call.func.id == name for call in found)


Unit = tuple[str, Callable[[], Any]]
"""Name of a test, and what runs it."""


def find(names: dict[str, Any], suite: Suite, candidate: Any, given: Callable[[], bool]) -> Iterator[Unit]:
    """The tests among the names that the tests' code left, in their order; then the doctests.

    Args:
        names, suite: of the tests.
        candidate: what `check` is given.
        given: whether the code gave anything that the tests may be made of.

    Raises:
        Verdict: one of them can't be run here.
    """
    try:
        yield from _find(names, suite, candidate)
    except Exception as error:  # of what frameworks allow and nobody here knows
        reason = f"`test` can't be taken apart: {describe(error)}"
        raise (Verdict("failed", f"failed: {reason}") if given() else Verdict("bad_problem", reason)) from None


def _find(names: dict[str, Any], suite: Suite, candidate: Any) -> Iterator[Unit]:
    own = {name: names[name] for name in names if name in suite.names.bound}
    _refuse_fixtures(own)
    module = sys.modules[names["__name__"]]

    @functools.cache
    def begin() -> None:
        for before in ("setUpModule", "setup_module"):
            _maybe(own.get(before), module)

    defined = {node.name for node in suite.module.body if isinstance(node, _DEFINES) and node.decorator_list}
    used = {node.id for node in ast.walk(suite.module) if isinstance(node, ast.Name)}
    defined -= used
    for name, value in own.items():
        if name in defined and name.lower().startswith("test") and _is_of_code(value):
            yield name, functools.partial(_run_replaced, value)
        elif name == "check" and callable(value) and not calls(suite.module, "check"):
            yield name, _with_candidate(name, value, candidate)
        elif name.startswith("test") and type(value) is types.FunctionType and _is_own(name, value, defined):
            for title, run in _parametrized(name, value, candidate, own.get("pytestmark", ())):
                yield title, functools.partial(_run_after, begin, own.get("setup_function"), value, run)
        elif inspect.isclass(value) and issubclass(value, unittest.TestCase):
            if value.__module__ == names["__name__"]:
                yield from _of_unittest(name, value, begin)
        elif inspect.isclass(value) and name.startswith("Test") and value.__module__ != "solution":
            yield from _of_class(name, value, candidate)
    for name, text in suite.examples:
        try:
            test = doctest.DocTestParser().get_doctest(text, names, name, "<tests>", 0)
        except ValueError as error:
            raise Verdict("bad_problem", f"`test` has a doctest that can't be read: {error}") from None
        for example in test.examples:
            yield example.source.strip(), functools.partial(_run_example, test, example)


_DEFINES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _is_of_code(value: Any) -> bool:
    """Whether a value came from the code: what its decorator has put in the place of a test."""
    return type(value) in PLAIN or isinstance(value, RemoteType) or is_object(value)


def _is_own(name: str, function: Any, defined: set[str]) -> bool:
    """Whether a function is one of the tests, or what a decorator of the code has made of one."""
    return function.__module__ != "solution" or name in defined


def _run_replaced(value: Any) -> Any:
    if isinstance(value, RemoteType) or not callable(value):
        raise AssertionError("the code gave no test for the one that it was to decorate")
    return value()


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
        is_wrapped = not is_object(getattr(function, "__wrapped__", None))  # an object of the code: it says anything
        parameters = inspect.signature(function, follow_wrapped=is_wrapped).parameters.values()
    except (TypeError, ValueError):
        parameters = ()  # type: ignore[assignment]
    needed = [
        p.name for p in parameters if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    mocks = [patch for patch in getattr(function, "patchings", ()) if patch.new is DEFAULT and not patch.attribute_name]
    open_names = [n for n in needed[len(mocks) :] if n not in given]
    if not open_names:
        return lambda: function(**given)
    if len(open_names) > 1 or (name != "check" and open_names != ["candidate"]):
        raise Verdict("bad_problem", f"`{name}` needs {', '.join(open_names)}, and nobody here can give it that")
    if not given:
        return lambda: function(candidate)
    return lambda: function(**given, **{open_names[0]: candidate})


def _parametrized(name: str, function: Any, candidate: Any, of_all: Any) -> Iterator[Unit]:
    """A test function by its marks of pytest; `of_all`: those of its class or module."""
    marks = [*getattr(function, "pytestmark", ()), *(of_all if isinstance(of_all, (list, tuple)) else [of_all])]
    if any(mark.name == "usefixtures" for mark in marks):
        raise Verdict("bad_problem", f"`{name}` needs fixtures, and nobody here can give it these")
    if any(map(_is_left_out, marks)):
        return
    tables = [_table(*mark.args, **mark.kwargs) for mark in marks if mark.name == "parametrize"]
    for number, chosen in enumerate(itertools.product(*tables)):
        given = {key: value for row in chosen for key, value in row.items()}
        yield f"{name}[{number}]" if tables else name, _with_candidate(name, function, candidate, given)


def _is_left_out(mark: Any) -> bool:
    """Whether a mark says that a test does not count; of one that may fail (xfail) nothing can be learnt."""
    if mark.name not in ("skipif", "xfail"):
        return bool(mark.name == "skip")
    conditions = [*mark.args, *([mark.kwargs["condition"]] if "condition" in mark.kwargs else [])]
    if any(isinstance(condition, str) for condition in conditions):  # pytest would work them out in the module
        raise Verdict(
            "bad_problem", f"`{mark.name}` has a condition in quotes, {conditions}; write it as an expression"
        )
    return not conditions or any(conditions)


def _table(
    argnames: Any, argvalues: Any, indirect: bool = False, ids: Any = None, scope: Any = None
) -> list[dict[str, Any]]:
    """The arguments that `pytest.mark.parametrize` lists."""
    if indirect:
        raise Verdict("bad_problem", f"`test` gives {argnames} to fixtures, and nobody here can run these")
    keys = [k.strip() for k in argnames.split(",")] if isinstance(argnames, str) else list(argnames)
    rows = []
    for row in argvalues:
        is_set = type(row).__name__ == "ParameterSet"
        if not (is_set and any(map(_is_left_out, row.marks))):
            rows.append(dict(zip(keys, row.values if is_set else row if len(keys) > 1 else (row,), strict=True)))
    return rows


def _refuse_fixtures(members: Mapping[str, Any]) -> None:
    """Refuses fixtures that pytest would run unasked. A test that asks for one is refused where it does."""
    for name, value in members.items():
        if type(value) is types.FunctionType or type(value).__module__ == "_pytest.fixtures":
            marker = getattr(value, "_fixture_function_marker", getattr(value, "_pytestfixturefunction", None))
            if getattr(marker, "autouse", False):
                raise Verdict("bad_problem", f"`{name}` is a fixture, and nobody here can run it")


def _of_class(name: str, kind: type[Any], candidate: Any) -> Iterator[Unit]:
    _refuse_fixtures(vars(kind))
    for method in [m for m in dir(kind) if m.startswith("test") and callable(getattr(kind, m))]:

        def run(method: str = method) -> Iterator[Any]:
            found = kind()
            for before in ("setup_class", "setUpClass", "setup_method", "setUp"):
                _maybe(getattr(found, before, None), getattr(kind, method))
            try:
                for _, one in _parametrized(method, getattr(found, method), candidate, getattr(kind, "pytestmark", ())):
                    yield one()
            finally:
                for after in ("teardown_method", "tearDown", "teardown_class"):
                    _maybe(getattr(found, after, None), getattr(kind, method))

        yield f"{name}.{method}", run


def _maybe(function: Any, argument: Any) -> None:
    if function is not None:
        function(*([argument] if inspect.signature(function).parameters else []))


def _run_after(begin: Callable[[], None], setup: Any, function: Any, run: Callable[[], Any]) -> Any:
    begin()
    _maybe(setup, function)
    return run()


def is_skip(error: BaseException) -> bool:
    """Whether an exception of the tests, and not of the code, says that a test does not count here."""
    if "<solution>" in (file for file, _ in calls_of(error)):
        return False
    name, module = (of_class(type(error), what) for what in ("__name__", "__module__"))
    return name in ("SkipTest", "Skipped") and module.startswith(("unittest", "_pytest", "pytest"))


def is_success(error: BaseException, module: ast.Module) -> bool:
    """Whether an exception is an exit of the tests, which they wrote down, with a status of success."""
    if type(error) is not SystemExit or error.code not in (None, 0):
        return False
    file, line = [call for call in calls_of(error) if "_sitebuiltins" not in call[0]][-1]  # `exit` of `site`
    exits = filter(is_exit, ast.walk(module))
    return file == "<tests>" and any(node.lineno <= line <= (node.end_lineno or 0) for node in exits)


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
