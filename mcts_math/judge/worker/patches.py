"""What tests do that needs the code beside them: they patch what it calls, or look at more than values."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import re
import sys
from collections.abc import Iterator

from .access import KNOWN

STAND_INS = ("solution", "main", "submission", "candidate")
"""Modules that tests import the code from."""
_NAMES = (
    "inspect.getsource inspect.getsourcelines pytest.warns contextlib.redirect_stderr os.mkdir os.makedirs "
    "tempfile.mkdtemp tempfile.mkstemp tempfile.TemporaryDirectory tempfile.NamedTemporaryFile"
)
_LOOKS = frozenset(_NAMES.split(" "))
"""Functions that show the code's source, what it warns of, or files: each process has its own."""
_LOOKS_OF_CASES = ("assertLogs", "assertNoLogs", "assertWarns", "assertWarnsRegex")
_KINDS = ("isinstance", "assertIsInstance")


def obstacles(tests: ast.Module) -> Iterator[str]:
    """What the tests do that two processes can't: for each, a verb and a full name."""
    known = {alias.asname or alias.name.partition(".")[0]: full for alias, full in _imports(tests)}
    for node in ast.walk(tests):
        patched = used = ""
        if isinstance(node, ast.Call):
            patched, used = _patched(node, known), _used(node, known)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            patched = _full(node, known)
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            patched = _full(node.value, known)
        is_named = patched in ("sys.stdin", "sys.stderr", "os.environ")
        if is_named or patched.partition(".")[0] in STAND_INS or _is_function(patched):
            yield f"patches {patched}"
        if used:
            yield f"uses {used}"


def _patched(call: ast.Call, known: dict[str, str]) -> str:
    """What a call patches; "" where it is none of `unittest.mock`."""
    if not call.args or not re.search(r"\bpatch\b", ast.unparse(call.func)):
        return ""
    owner, *more = call.args
    if isinstance(owner, ast.Constant):
        return str(owner.value)
    name = f".{more[0].value!s}" if more and isinstance(more[0], ast.Constant) else ""
    return f"{_full(owner, known)}{name}"


def _used(call: ast.Call, known: dict[str, str]) -> str:
    """What a call looks at that is no value of the code: files, warnings, its source, or a package's classes."""
    full, name = _full(call.func, known), getattr(call.func, "attr", getattr(call.func, "id", ""))
    if full == "warnings.catch_warnings":
        return full if any(keyword.arg == "record" for keyword in call.keywords) else ""
    if full in _LOOKS or name in _LOOKS_OF_CASES:
        return full or name
    if isinstance(call.func, ast.Name) and name == "open":
        return "" if re.search("dev/?null", ast.unparse(call)) else name
    asked = [full] if ".testing." in full else []
    if name in _KINDS and len(call.args) > 1:
        nodes = (node for node in ast.walk(call.args[1]) if isinstance(node, (ast.Attribute, ast.Name)))
        asked = [_full(node, known) for node in nodes]
    return next((one for one in asked if one and one.partition(".")[0] not in KNOWN), "")


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
