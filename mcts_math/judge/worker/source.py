"""From the ways to take a completion to the sources that are run: here it is found out what is Python."""

from __future__ import annotations

import ast
import builtins
import re
import symtable
import textwrap
import typing
from typing import Any

_MAX_CUTS = 50
_PRINTS = re.compile(r"print|write|stdout")
_NOT_PYTHON = (SyntaxError, ValueError, MemoryError, RecursionError)
_TYPING = {name for name in typing.__all__ if name[0].isupper()} - {"Counter", "OrderedDict", "ChainMap", "Text"}


class Verdict(BaseException):
    """What came of it: the end of the examination, from wherever it is known.

    Attributes:
        kind: passed, failed, no_code (nothing to judge) or bad_problem (the tests themselves are not sound).
        result: why, in a line.
    """

    def __init__(self, kind: str, result: str) -> None:
        super().__init__(kind)
        self.kind, self.result = kind, result


def parse_prefix(source: str, keep: int, shorten: bool) -> tuple[str, ast.Module]:
    """Parses code; with `shorten`, cuts off what follows the code.

    Args:
        source: the code, perhaps with text after it.
        keep: number of lines that must stay.
        shorten: lines from the first one that is not Python on may be cut off.

    Raises:
        SyntaxError: of the whole source, where no cut helps. Also ValueError, MemoryError, RecursionError.
    """
    lines = source.split("\n")
    first: SyntaxError | None = None
    for _ in range(_MAX_CUTS):
        text = "\n".join(lines)
        try:
            return text, ast.parse(text)
        except SyntaxError as error:
            first = first or error
            end = min(error.lineno or 1, len(lines)) - 1
            if not shorten or end <= keep:
                break
            del lines[end:]
    raise first if first is not None else SyntaxError("no code")


def stub(prompt: str) -> str | None:
    """The prompt as code of its own, its last function without a body if need be; None where it is no such code."""
    for text in (prompt, prompt + "\n    pass\n", prompt + "\n        pass\n"):
        if _parse(text) is not None:
            return text
    return None


def _parse(text: str) -> ast.Module | None:
    try:
        names_of(text)
        return ast.parse(text)
    except _NOT_PYTHON:
        return None


class Names(typing.NamedTuple):
    """Names that code binds at its margin, and those that it reads and nobody binds, but for Python's own."""

    bound: set[str]
    free: set[str]


def names_of(code: str | ast.AST) -> Names:
    """The names of a module, or of one of its statements. Raises SyntaxError."""
    top = symtable.symtable(code if isinstance(code, str) else ast.unparse(code), "<code>", "exec")
    bound: set[str] = set()
    read: set[str] = set()
    tables = [top]
    for table in tables:
        tables += table.get_children()
        for symbol in table.get_symbols():
            is_module = table is top or symbol.is_declared_global()
            if is_module and (symbol.is_assigned() or symbol.is_imported()):
                bound.add(symbol.get_name())
            if symbol.is_referenced() and (table is top or symbol.is_global()):
                read.add(symbol.get_name())
    return Names(bound, read - bound - set(dir(builtins)))


class Chosen(typing.NamedTuple):
    """What is run: `sources` one after the other, and `code`, what the completion gave of it."""

    sources: list[str]
    code: str


def choose(problem: dict[str, Any]) -> Chosen:
    """The first way to take the completion that is code and defines what is asked for, or runs; else the first that is
    code.

    Raises:
        Verdict: none is.
    """
    roots = {path["root"] for path in problem["entries"]}
    fault, other = "", None
    for reading in problem["readings"]:
        try:
            found = _body(problem, roots, reading) if reading["body"] else _program(problem, reading)
        except _NOT_PYTHON as error:
            fault = fault or f"{type(error).__name__}: {error}"
            continue
        if found is None:
            continue
        if reading["body"] or (_acts(found[0].code) if problem["whole"] else roots <= found[1]):
            return found[0]
        other = other or found[0]
    if other is not None:
        return other
    if fault and any(reading["sure"] for reading in problem["readings"]):
        raise Verdict("failed", f"failed: {fault}")
    raise Verdict("no_code", "no code was found in the completion")


def _acts(code: str) -> bool:
    """Whether a program does more than define what another block calls, or read what another block prints."""
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    run = (node for node in ast.parse(code).body if not isinstance(node, definitions))
    calls = any(isinstance(part, ast.Call) for node in run for part in ast.walk(node))
    return calls and _PRINTS.search(code) is not None


def _body(problem: dict[str, Any], roots: set[str], reading: dict[str, Any]) -> tuple[Chosen, set[str]] | None:
    """The prompt and a body that goes on with it: text that happens to be Python does not."""
    head = problem["prompt"].rstrip("\n")
    header = next((line for line in reversed(head.split("\n")) if line.lstrip().startswith(("def ", "async def "))), "")
    indent = header[: len(header) - len(header.lstrip())]
    num_given = len(head.split("\n"))
    fault: Exception | None = None
    for code in dict.fromkeys((reading["code"], textwrap.indent(reading["code"], indent))):
        try:
            text, module = parse_prefix(f"{head}\n{code}", num_given, reading["open"])
        except _NOT_PYTHON as error:
            fault = fault or error
            continue
        for node in module.body:
            if (getattr(node, "end_lineno", 0) or 0) > num_given and roots & names_of(node).bound:
                return Chosen([*imports(names_of(text).free, problem["test"]), text], text), roots
    if fault is not None:
        raise fault
    return None


def _program(problem: dict[str, Any], reading: dict[str, Any]) -> tuple[Chosen, set[str]]:
    """A program of its own, with what it needs of the completion's other blocks."""
    given_code = reading["code"].lstrip("\n")
    indent = given_code[: len(given_code) - len(given_code.lstrip(" \t"))]
    lines = (line.removeprefix(indent) for line in given_code.split("\n"))
    text, _ = parse_prefix("\n".join(lines), 0, reading["open"])
    before = stub(problem["prompt"])
    given, needed = names_of(before or "")
    context = "\n".join(map(ast.unparse, _context(names_of(text), given, reading["others"])))
    code = f"{context}\n\n{text}" if context else text
    names = names_of(code)
    parts = [part for part in (before, context, text) if part]
    return Chosen([*imports(names.free - given | needed, problem["test"]), *parts], code), names.bound


def _context(names: Names, given: set[str], others: list[str]) -> list[ast.stmt]:
    """Statements of other blocks that bind what a program reads and does not bind, in their order."""
    needed = names.free - given
    if not needed:
        return []
    trees = [tree for tree in map(_parse, others) if tree is not None]
    statements = [node for tree in trees for node in tree.body if not isinstance(node, ast.Expr)]
    last = {name: node for node in statements for name in names_of(node).bound}
    wanted: dict[int, ast.stmt] = {}
    seen = names.bound | given
    while needed:
        name = needed.pop()
        node = last.get(name)
        if node is None or name in seen or id(node) in wanted:
            continue
        seen.add(name)
        wanted[id(node)] = node
        needed |= names_of(node).free - given
    future = [n for n in statements if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
    stars = [n for n in statements if isinstance(n, ast.ImportFrom) and n.names[0].name == "*"]
    found = [node for node in statements if id(node) in wanted or node in stars]
    return [*future, *(node for node in found if node not in future)] if found else []


def imports(free: set[str], test: str) -> list[str]:
    """The imports that a program forgot: of `typing`, and those of its tests, as published judges run both as one."""
    names = sorted(free & _TYPING)
    found = [f"from typing import {', '.join(names)}"] if names else []
    imports = [node for node in getattr(_parse(test), "body", ()) if isinstance(node, (ast.Import, ast.ImportFrom))]
    return [*found, *(ast.unparse(node) for node in imports if names_of(node).bound & free)]
