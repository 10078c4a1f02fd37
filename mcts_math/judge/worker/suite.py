"""The tests of a problem as code: read, made ready, and found again in the names that they leave.

What is run is what public suites use: asserts at the margin and in `check(candidate)`, functions and classes named
`test…`, `unittest.TestCase`, doctests, all of them plain, `async` or as generators. A test that can't be run is the
problem's fault.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
import types
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any, NamedTuple

from .source import Verdict, defined

_CHECKS = ("assert", "fail", "raises", "expect", "verify", "check")
_PYTEST_MODULES = ("_pytest", "pytest")


class Suite(NamedTuple):
    """The tests, read.

    Attributes:
        code: what is run first; it leaves names.
        module: the tests as they were written.
        examples: texts with doctests: (name, text).
        source: all of it.
    """

    code: CodeType
    module: ast.Module
    examples: list[tuple[str, str]]
    source: str


class _Rewriter(ast.NodeTransformer):
    """Puts each assert into `with __tests__.case(line)`, and comparisons into the hands of `__tests__`."""

    def __init__(self, compares: bool, guarded: set[str]) -> None:
        self._compares, self._guards = compares, guarded
        self._depth = 0  # within functions other than `check`

    def _function(self, node: Any) -> Any:
        inner = node.name != "check"
        self._depth += inner
        self.generic_visit(node)
        self._depth -= inner
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _function  # noqa: N815 - names of ast

    def visit_Assert(self, node: ast.Assert) -> Any:
        self.generic_visit(node)
        arguments: list[ast.expr] = [ast.Constant(node.lineno), ast.Constant(self._depth == 0)]
        item = ast.withitem(_call("case", arguments))
        return ast.copy_location(ast.With([item], [node]), node)

    def visit_Compare(self, node: ast.Compare) -> Any:
        self.generic_visit(node)
        if not (self._compares or self._guards):
            return node
        ops = ast.Tuple([ast.Constant(type(op).__name__) for op in node.ops], ast.Load())
        values = ast.Tuple([node.left, *node.comparators], ast.Load())
        return ast.copy_location(_call("compare", [ops, values]), node)

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in self._guards:
            node.func = ast.copy_location(_call("kept", [node.func]), node.func)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        called = any(isinstance(child, ast.Call) for child in ast.walk(node))
        self.generic_visit(node)
        if not (self._guards and called):
            return node
        arguments = [ast.Constant(type(node.op).__name__), node.left, node.right]
        return ast.copy_location(_call("operate", arguments), node)


def _call(name: str, args: list[ast.expr]) -> ast.Call:
    return ast.Call(ast.Attribute(ast.Name("__tests__", ast.Load()), name, ast.Load()), args, [])


def read(source: str, compares: bool, guarded: set[str]) -> Suite:
    """The tests as code. Raises Verdict where they are none.

    Args:
        source: text of the tests.
        compares: `==` goes by the problem's tolerance.
        guarded: names of the code, where it runs in this process: what it returns is looked at.
    """
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        if any(line.lstrip().startswith(">>>") for line in source.split("\n")):
            return Suite(compile("", "<tests>", "exec"), ast.Module([], []), [("doctest", source)], source)
        raise Verdict("bad_problem", f"`test` is not Python: {error}") from None
    examples = [
        (f"doctest in line {node.lineno}", node.value.value)
        for node in ast.walk(module)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        if ">>>" in node.value.value
    ]
    try:
        changed = ast.fix_missing_locations(_Rewriter(compares, guarded).visit(ast.parse(source)))
        code = compile(changed, "<tests>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise Verdict("bad_problem", f"`test` is not Python: {error}") from None
    return Suite(code, module, examples, source)


def imported(module: ast.Module, names: tuple[str, ...]) -> set[str]:
    """Names that the tests take from modules that stand for the code: imported, or written behind a dot."""
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module in names:
            found |= {alias.name for alias in node.names} - {"*"}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            found.add(node.attr)
    return found


def checks_something(module: ast.Module, prompt: str | None) -> bool:
    """Whether there is anything in the tests that a wrong value could make fail."""
    trees = [module]
    if prompt is not None:
        trees.append(ast.parse(prompt))
    for node in itertools.chain.from_iterable(map(ast.walk, trees)):
        if isinstance(node, (ast.Assert, ast.Raise)):
            return True
        called = node.func if isinstance(node, ast.Call) else None
        name = getattr(called, "id", None) or getattr(called, "attr", "")
        if name and (name.lower().lstrip("_").startswith(_CHECKS) or name == "exit"):
            return True
    return False


def calls(module: ast.Module, name: str) -> bool:
    """Whether the tests call a function of theirs by themselves, outside all functions."""
    nodes = [node for node in module.body if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    found = (child for node in nodes for child in ast.walk(node) if isinstance(child, ast.Call))
    return any(isinstance(call.func, ast.Name) and call.func.id == name for call in found)


Unit = tuple[str, Callable[[], Any]]
"""Name of a test, and what runs it."""


def units(names: dict[str, Any], suite: Suite, candidate: Any) -> Iterator[Unit]:
    """The tests among the names that the tests' code left, in their order.

    Raises:
        Verdict: one of them can't be run here.
    """
    own = {name: names[name] for name in names if name in defined(suite.module)}
    for name, value in own.items():
        if name == "check" and callable(value) and not calls(suite.module, "check"):
            yield name, _with_candidate(name, value, candidate)
        elif name.startswith("test") and inspect.isfunction(value):
            yield from _parametrized(name, value, candidate)
        elif inspect.isclass(value) and not _is_unittest(value) and name.startswith("Test"):
            yield from _of_class(name, value, candidate)


def cases(names: dict[str, Any]) -> list[Any]:
    """The `unittest.TestCase` classes that the tests define."""
    return [v for v in names.values() if inspect.isclass(v) and _is_unittest(v) and v.__module__ == names["__name__"]]


def _is_unittest(kind: type[Any]) -> bool:
    unittest = sys.modules.get("unittest")
    return unittest is not None and issubclass(kind, unittest.TestCase)


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
        import asyncio

        async def wait() -> Any:
            return await value

        finish(asyncio.run(wait()))
    elif type(value) is types.AsyncGeneratorType:
        import asyncio

        async def exhaust() -> None:
            async for item in value:
                finish(item)

        asyncio.run(exhaust())
    elif type(value) is types.GeneratorType:
        for item in value:
            if isinstance(item, tuple) and item and callable(item[0]):
                finish(item[0](*item[1:]))
            else:
                finish(item)
