"""What the tests put in the place of a function of the library, as by `patch("builtins.input")`, for the code to call.

Each side has a library of its own. Where the code itself calls a function that the tests name so, it is asked first
what they have put there.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import importlib
import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

STAND_INS = ("solution", "main", "submission", "candidate")
"""Modules that tests import the code from."""
_INPUT = "builtins.input"


def patched(tests: ast.Module) -> set[str]:
    """Full names that tests hand to `patch` and `patch.object`, or set: by a name of a module, as it is imported."""
    known = {alias.asname or alias.name.partition(".")[0]: full for alias, full in _imports(tests)}
    found = set()
    for node in ast.walk(tests):
        if isinstance(node, ast.Call) and node.args and "patch" in ast.unparse(node.func):
            owner, *more = node.args
            if isinstance(owner, ast.Constant):
                found.add(str(owner.value))
            elif more and isinstance(more[0], ast.Constant):
                found.add(f"{_full(owner, known)}.{more[0].value!s}")
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(_full(node, known))
    return found | ({_INPUT} if "sys.stdin" in found else set())


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


def functions(names: Iterable[str]) -> dict[str, Callable[..., Any]]:
    """Those of the names that are functions of a module that can be imported."""
    found: dict[str, Callable[..., Any]] = {}
    for full in names:
        module, _, name = full.rpartition(".")
        with contextlib.suppress(ImportError, ValueError):  # then the tests say so
            value = getattr(importlib.import_module(module), name, None)
            if inspect.isroutine(value):
                found[full] = value
    return found


def teller(known: dict[str, Callable[..., Any]]) -> Callable[[str], Any]:
    """What tells the code what stands in a function's place by now; None where nothing does."""
    stdin = sys.stdin

    def tell(full: str) -> Any:
        own = known[full]
        module, _, name = full.rpartition(".")
        found = getattr(sys.modules[module], name)
        if found is own and full == _INPUT and sys.stdin is not stdin:
            return lambda *prompt: builtins.input(*prompt)
        return None if found is own else found

    return tell


def follow(names: Iterable[str], told: list[Callable[[str], Any]]) -> None:
    """Has functions of this process do what the tests have put in their place, where the code calls them.

    Args:
        names: full names of the functions.
        told: holds the other side's `teller`, once it may be asked.
    """

    def stand_in(full: str, own: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(own)
        def call(*args: Any, **kwargs: Any) -> Any:
            is_of_code = sys._getframe(1).f_globals.get("__name__") == "solution"
            found = told[0](full) if told and is_of_code else None
            return (own if found is None else found)(*args, **kwargs)

        return call

    for full, own in functions(names).items():
        module, _, name = full.rpartition(".")
        setattr(sys.modules[module], name, stand_in(full, own))
