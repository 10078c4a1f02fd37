"""The tests of a problem as code: read, made ready to be judged, and looked at for what they check."""

from __future__ import annotations

import ast
import doctest
import itertools
import re
from collections.abc import Iterator
from types import CodeType
from typing import Any, NamedTuple, TypeGuard

from .formats import FORMATS
from .source import Names, Verdict, names_of

_ARRAYS = re.compile(r"\b(?:numpy|np)\b|\.(?:all|any|sum|max|min|mean|shape|size|dtype)\b")
_CATCHERS = ("raises", "assertraises", "suppress", "warns", "assertwarns")
_FINAL = ("assert", "fail")
_RAISES = ("raises", "assertraises")
_CHECKS = ("assert", "fail", "raises", "warns", "expect", "verify", "check")


class Suite(NamedTuple):
    """The tests, read.

    Attributes:
        code: what is run first; it leaves names.
        module: the tests as they were written.
        examples: texts with doctests: (name, text).
        source: all of it.
        names: that the tests bind and read.
    """

    code: CodeType
    module: ast.Module
    examples: list[tuple[str, str]]
    source: str
    names: Names


class _Rewriter(ast.NodeTransformer):
    """Puts asserts into `with __tests__.case(line)` or `.final()`, and comparisons into the hands of `__tests__`."""

    def __init__(self, compares: bool, guarded: set[str], module: ast.Module) -> None:
        self._compares, self._guards, self._looped = compares, guarded, set(_looped(module))
        self._depth = 0  # within what may catch a failure: functions other than `check`, `try`, `with raises(…)`

    def _within(self, node: Any) -> Any:
        inner = getattr(node, "name", "") != "check" and _catches(getattr(node, "items", []))
        self._depth += inner
        self.generic_visit(node)
        self._depth -= inner
        return node

    visit_FunctionDef = visit_AsyncFunctionDef = _within  # noqa: N815 - names of ast
    visit_Try = visit_TryStar = visit_AsyncWith = _within  # noqa: N815

    def visit_With(self, node: ast.With) -> Any:
        self._within(node)
        return _finally(node) if any(_named(item.context_expr).startswith(_RAISES) for item in node.items) else node

    def visit_If(self, node: ast.If) -> Any:
        self.generic_visit(node)
        return [ast.copy_location(ast.Expr(_call("count", [])), node), node] if node in self._looped else node

    def visit_Raise(self, node: ast.Raise) -> Any:
        self.generic_visit(node)
        return _finally(node) if _name(getattr(node.exc, "func", node.exc)) == "assertionerror" else node

    def visit_Assert(self, node: ast.Assert) -> Any:
        self.generic_visit(node)
        if not can_fail(node):
            return node
        arguments: list[ast.expr] = [ast.Constant(node.lineno), ast.Constant(self._depth == 0)]
        item = ast.withitem(_call("case", arguments))
        return ast.copy_location(ast.With([item], [node]), node)

    def visit_Expr(self, node: ast.Expr) -> Any:
        self.generic_visit(node)
        return node if _final(node) is None else _finally(node)

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

    def visit_MatchValue(self, node: ast.MatchValue) -> Any:
        return node  # a pattern has no calls

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        if node.attr not in FORMATS or not isinstance(node.ctx, ast.Load):
            return node
        return ast.copy_location(_call("template", [node.value, ast.Constant(node.attr)]), node)

    def visit_BinOp(self, node: ast.BinOp) -> Any:
        called = any(isinstance(child, ast.Call) for child in ast.walk(node))
        self.generic_visit(node)
        if not ((self._guards and called) or (self._compares and isinstance(node.op, (ast.Sub, ast.Div)))):
            return node
        arguments = [ast.Constant(type(node.op).__name__), node.left, node.right]
        return ast.copy_location(_call("operate", arguments), node)


def _catches(items: list[ast.withitem]) -> bool:
    """Whether a `with` is there to catch something, by its name: what the code gives may not catch a failed assert."""
    words = [word.lower() for item in items for word in re.findall(r"\w+", ast.unparse(item))]
    return not items or any(word.startswith(_CATCHERS) for word in words)


def _call(name: str, args: list[ast.expr]) -> ast.Call:
    return ast.Call(ast.Attribute(ast.Name("__tests__", ast.Load()), name, ast.Load()), args, [])


def _finally(node: ast.stmt) -> ast.With:
    """A statement within `__tests__.final()`."""
    return ast.copy_location(ast.With([ast.withitem(_call("final", []))], [node]), node)


def read(source: str, compares: bool, guarded: set[str]) -> Suite:
    """The tests as code. Raises Verdict where they are none.

    Args:
        source: text of the tests.
        compares: `==` goes by the problem's tolerance, and arrays without values are looked for.
        guarded: names of the code, where it runs in this process: what it returns is looked at.
    """
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        if any(line.lstrip().startswith(">>>") for line in source.split("\n")):
            return Suite(
                compile("", "<tests>", "exec"), ast.Module([], []), [("doctest", source)], source, names_of("")
            )
        raise Verdict("bad_problem", f"`test` is not Python: {error}") from None
    examples = [
        (f"doctest in line {node.lineno}", node.value.value)
        for node in ast.walk(module)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        if ">>>" in node.value.value
    ]
    try:
        tree = ast.parse(source)
        changed = ast.fix_missing_locations(_Rewriter(compares, guarded, tree).visit(tree))
        code = compile(changed, "<tests>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise Verdict("bad_problem", f"`test` is not Python: {error}") from None
    return Suite(code, module, examples, source, names_of(source))


def uses_arrays(source: str) -> bool:
    """Whether tests may hold arrays of numpy: they name it, or what an array has and a list has not."""
    return _ARRAYS.search(source) is not None


def imported(module: ast.Module, names: tuple[str, ...]) -> set[str]:
    """Names that the tests take from modules that stand for the code: imported, or written behind a dot."""
    found = set()
    for node in ast.walk(module):
        if isinstance(node, ast.ImportFrom) and node.module in names:
            found |= {alias.name for alias in node.names} - {"*"}
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            found.add(node.attr)
    return found


def modules(module: ast.Module) -> set[str]:
    """Full names of the modules that the tests import, and of those that hold them."""
    full = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            full |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            full.add(node.module or "")
    return {".".join(name.split(".")[:n]) for name in full for n in range(1, name.count(".") + 2)}


def can_fail(node: ast.Assert) -> bool:
    """Whether an assert is more than a text or a bracket that is true in any case: `assert (f(1) == 2, "message")`."""
    if isinstance(node.test, ast.Constant):
        return not node.test.value
    return not isinstance(node.test, (ast.GeneratorExp, ast.Lambda)) and not getattr(node.test, "elts", None)


def counted(suite: Suite) -> set[ast.AST]:
    """What is counted where it runs: asserts, calls of `assert…` that stand alone, and a loop's `if` that fails.

    What says no more than that the tests have failed (`assert False`, `self.fail()`) is not run for right values. Of
    what the code decorates nobody knows whether it was run.
    """
    found = {node for kept in _decorated(suite) for node in ast.walk(kept) if _may_fail(node)}
    found |= {node for check in _looped(suite.module) for last in check.body for node in ast.walk(last)}
    for node in ast.walk(suite.module):
        if isinstance(node, ast.Assert) and can_fail(node) and not _is_constant(node.test):
            found.add(node)
        elif isinstance(node, ast.Expr) and (call := _final(node)) is not None and not _named(call).startswith("fail"):
            found.add(call)
    return found


def _looped(module: ast.Module) -> Iterator[ast.If]:
    """Statements as `if x != 2: raise ValueError` that are run for each item of a loop.

    Where something is caught, right code may end a loop before its first item.
    """
    catching = [node for node in ast.walk(module) if {"handlers", "items"} & {*node._fields}]  # `try`, `with`
    left_out = {node for outer in catching for node in ast.walk(outer)}
    for loop in ast.walk(module):
        if isinstance(loop, (ast.For, ast.AsyncFor)) and left_out.isdisjoint(ast.walk(loop)):
            for node in loop.body:
                if isinstance(node, ast.If) and any(map(_may_fail, ast.walk(node.body[-1]))):
                    yield node


def _decorated(suite: Suite) -> Iterator[ast.AST]:
    """What a name of the code decorates."""
    for node in ast.walk(suite.module):
        for decorator in getattr(node, "decorator_list", ()):
            if any(isinstance(part, ast.Name) and part.id in suite.names.free for part in ast.walk(decorator)):
                yield node


def _may_fail(node: ast.AST) -> bool:
    is_check = isinstance(node, ast.Call) and _named(node).startswith(_CHECKS)
    if is_check or isinstance(node, ast.Raise) or (isinstance(node, ast.Assert) and can_fail(node)):
        return True
    return is_exit(node) and any(not isinstance(arg, ast.Constant) or arg.value for arg in node.args)


def is_exit(node: ast.AST) -> TypeGuard[ast.Call]:
    """Whether a node is a call that makes an exit of the tests: `sys.exit(…)`, `SystemExit(…)`."""
    return isinstance(node, ast.Call) and _named(node) in ("exit", "quit", "systemexit")


def _is_constant(node: ast.expr) -> bool:
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def _named(call: ast.AST) -> str:
    """The name that is called, in small letters; "" where it has none."""
    return _name(getattr(call, "func", None))


def _name(value: ast.AST | None) -> str:
    """The last name of `a.b` or `b`, in small letters; "" of all else."""
    name: str = getattr(value, "attr", getattr(value, "id", ""))
    return name.lower().lstrip("_")


def _final(node: ast.Expr) -> ast.Call | None:
    """The call of a check, if a statement is one."""
    call = node.value.value if isinstance(node.value, ast.Await) else node.value
    return call if isinstance(call, ast.Call) and _named(call).startswith(_FINAL) else None


def checks_something(suite: Suite, prompt: str | None) -> bool:
    """Whether there is anything in the tests that a wrong value could make fail, but for what is counted."""
    if any(example.want for _, text in suite.examples for example in doctest.DocTestParser().get_examples(text)):
        return True
    passed_over = counted(suite)
    nodes = itertools.chain(ast.walk(suite.module), ast.walk(ast.parse(prompt or "")))
    return any(_may_fail(node) for node in nodes if node not in passed_over)
