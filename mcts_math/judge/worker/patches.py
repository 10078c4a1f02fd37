"""What the tests put in the place of a function, as by `patch("builtins.input")`: the code has a library of its own."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import re
import sys
from collections.abc import Iterator

STAND_INS = ("solution", "main", "submission", "candidate")
"""Modules that tests import the code from."""


def patched(tests: ast.Module) -> Iterator[str]:
    """Full names of what the tests patch, or set, of the code, of a library's functions, or `sys.stdin`."""
    known = {alias.asname or alias.name.partition(".")[0]: full for alias, full in _imports(tests)}
    for node in ast.walk(tests):
        full = ""
        if isinstance(node, ast.Call) and node.args and re.search(r"\bpatch\b", ast.unparse(node.func)):
            owner, *more = node.args
            if isinstance(owner, ast.Constant):
                full = str(owner.value)
            elif more and isinstance(more[0], ast.Constant):
                full = f"{_full(owner, known)}.{more[0].value!s}"
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            full = _full(node, known)
        if full == "sys.stdin" or full.partition(".")[0] in STAND_INS or _is_function(full):
            yield full


def _imports(tests: ast.Module) -> Iterator[tuple[ast.alias, str]]:
    """What the tests import, but from the code, and the full name of what that binds."""
    for node in ast.walk(tests):
        if getattr(node, "module", None) in STAND_INS:
            continue
        for alias in node.names if isinstance(node, (ast.Import, ast.ImportFrom)) else ():
            within = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            yield alias, within + (alias.name if within or alias.asname else alias.name.partition(".")[0])


def _full(node: ast.expr, known: dict[str, str]) -> str:
    """The full name of `a.b`; an empty one where `a` is no module."""
    root, dot, rest = ast.unparse(node).partition(".")
    full = known.get(root, root if root in sys.stdlib_module_names else "")
    return f"{full}{dot}{rest}" if full else ""


def _is_function(full: str) -> bool:
    """Whether a name is that of a function of a module that can be imported."""
    module, _, name = full.rpartition(".")
    with contextlib.suppress(ImportError, ValueError):  # then the tests say so
        return inspect.isroutine(getattr(importlib.import_module(module), name, None))
    return False
