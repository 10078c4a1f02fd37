"""The process that runs the tests, and says what came of it. The judged code never runs here.

Where the tests call the judged code, the call goes to the process that has it, and a plain value comes back. So what
that code does to its own process (an early exit, other builtins, a look at the stack) can't make a test pass: only
the right values can. See `docs/judge.md` for what that does not exclude.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import importlib
import json
import os
import socket
import sys
from types import CodeType, ModuleType, TracebackType
from typing import Any

from .peer import Broken, Peer, RemoteError, RemoteExit, RemoteFunction, describe

_HOST_FD = 63  # as `interpreter.worker.node` leaves it
_GREETING_BYTES = 5  # the first bytes from a new node, `wire.REPLY`
_MAX_CUTS = 50
_MAX_RESULT = 1000


class Verdict(BaseException):
    """What came of it: the end of the examination, from wherever it is known.

    Attributes:
        kind: passed, failed, no_code (nothing to judge), bad_problem (the tests themselves are not sound) or
            no_candidate (the other process never came up).
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
    for text in (prompt, prompt + "\n    pass\n"):
        try:
            ast.parse(text)
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            continue
        return text
    return None


def choose(prompt: str, entry_point: str, readings: list[dict[str, Any]]) -> list[str]:
    """The sources to run, one after the other, of the first reading of the completion that is code.

    Raises:
        Verdict: no reading is.
    """
    fault = ""
    for reading in readings:
        code, is_body = reading["code"], reading["body"]
        source = prompt.rstrip("\n") + "\n" + code if is_body else code
        num_given = len(prompt.rstrip("\n").split("\n")) if is_body else 0
        try:
            text, module = parse_prefix(source, num_given, reading["open"])
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            fault = fault or f"{type(error).__name__}: {error}"
            continue
        if not is_body:
            before = stub(prompt)
            return [text] if before is None else [before, text]
        # It must go on with the function that the prompt begins: text that happens to be Python does not.
        for node in module.body:
            if getattr(node, "name", None) == entry_point and (getattr(node, "end_lineno", 0) or 0) > num_given:
                return [text]
    if fault and any(reading["sure"] for reading in readings):
        raise Verdict("failed", f"failed: {fault}")
    raise Verdict("no_code", "no code was found in the completion")


def compile_tests(problem: dict[str, Any]) -> tuple[CodeType, ast.Module]:
    """The tests as code. Raises Verdict where they are none."""
    try:
        module = ast.parse(problem["test"])
        return compile(problem["test"], "<tests>", "exec", dont_inherit=True), module
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise Verdict("bad_problem", f"`test` is not Python: {error}") from None


def free_names(module: ast.Module) -> set[str]:
    """Names that the tests read and nowhere bind."""
    read: set[str] = set()
    bound: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Name):
            (read if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).partition(".")[0])
    return read - bound


class Examination:
    """Runs the tests of one problem.

    Args:
        peer: the connection to the judged code.
        problem: prompt, test, entry_point, readings.
    """

    def __init__(self, peer: Peer, problem: dict[str, Any]) -> None:
        self._peer, self._problem = peer, problem
        self._entry_point: str = problem["entry_point"]
        self.code = ""

    def run(self) -> None:
        """Never returns. Raises Verdict."""
        code, module = compile_tests(self._problem)
        sources = choose(self._problem["prompt"], self._entry_point, self._problem["readings"])
        self.code = sources[-1]
        names = self._names()
        free = free_names(module) - names.keys() - set(dir(builtins))
        for name in free & sys.stdlib_module_names:
            with contextlib.suppress(ImportError):  # then the tests say so
                names[name] = importlib.import_module(name)
        names |= self._load(sources, [self._entry_point, *sorted(free - names.keys())])
        try:
            exec(code, names)
            self._check(names)
        except Broken:
            raise Verdict("failed", f"failed: the code's process {self._peer.broken}") from None
        except BaseException as error:
            raise Verdict("failed", f"failed: {self._explain(error)}") from None
        if self._peer.broken:
            raise Verdict("failed", f"failed: the code's process {self._peer.broken}")
        raise Verdict("passed", "passed")

    def _names(self) -> dict[str, Any]:
        """The namespace of the tests: what stands in the prompt beside the entry point may be used by them."""
        module = ModuleType("tests")
        sys.modules["tests"] = module
        names = vars(module)
        helpers = stub(self._problem["prompt"])
        if helpers is not None:
            try:
                exec(compile(helpers, "<prompt>", "exec", dont_inherit=True), names)
            except Exception as error:
                raise Verdict("bad_problem", f"`prompt` can't be run: {type(error).__name__}: {error}") from None
        return names

    def _load(self, sources: list[str], names: list[str]) -> dict[str, Any]:
        """Has the code run in its own process, and returns those of its names that the tests use."""
        try:
            self._peer.receive_bytes(_GREETING_BYTES)
        except Broken:
            raise Verdict("no_candidate", self._peer.broken) from None
        try:
            self._peer.send({"sources": sources, "names": names})
            reply = self._peer.receive()
            found = self._peer.result(reply)
        except Broken:
            raise Verdict("failed", f"failed: the code's process {self._peer.broken}") from None
        except BaseException as error:
            raise Verdict("failed", f"failed: {self._explain(error)}") from None
        if not isinstance(found, dict) or not isinstance(found.get(self._entry_point), RemoteFunction):
            raise Verdict("failed", f"failed: the code defines no function {self._entry_point}")
        return {name: value for name, value in found.items() if name in names}

    def _check(self, names: dict[str, Any]) -> None:
        """Calls `check`, where the tests define it; else they ran when they were loaded."""
        check = names.get("check")
        if callable(check) and not isinstance(check, RemoteFunction):
            check(names[self._entry_point])

    def _explain(self, error: BaseException) -> str:
        name, _, text = describe(error)
        name = "" if isinstance(error, (RemoteError, RemoteExit)) else name  # their text begins with the true one
        line = failing_line(error.__traceback__, self._problem["test"])
        return ": ".join(part for part in (name, text.strip(), line) if part)


def failing_line(trace: TracebackType | None, source: str) -> str:
    """The innermost line of the tests that a traceback leads through."""
    number = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<tests>":
            number = trace.tb_lineno
        trace = trace.tb_next
    lines = source.split("\n")
    return lines[number - 1].strip() if 0 < number <= len(lines) else ""


def perform(value: Any, how: str, args: Any, kwargs: Any) -> Any:
    """What the judged code may do with an object of the tests: call a function that it was given."""
    if how != "call":
        raise TypeError("a function of the tests can be called, and nothing else")
    return value(*args, **kwargs)


def receive_problem(host: socket.socket) -> tuple[dict[str, Any], socket.socket]:
    """The problem, and the connection to the judged code."""
    data, fds, _, _ = socket.recv_fds(host, 4, 1)
    channel = socket.socket(fileno=fds[0])
    while len(data) < 4:
        data += host.recv(4 - len(data))
    size = int.from_bytes(data, "big")
    text = bytearray()
    while len(text) < size:
        chunk = host.recv(min(size - len(text), 1 << 16))
        if not chunk:
            os._exit(1)
        text += chunk
    problem: dict[str, Any] = json.loads(text)
    return problem, channel


def main() -> None:
    """Examines, tells the host, and ends; never returns."""
    host = socket.socket(fileno=_HOST_FD)
    problem, channel = receive_problem(host)
    peer = Peer(channel, shows=callable, perform=perform)
    examination = Examination(peer, problem)
    try:
        examination.run()
    except Verdict as verdict:
        result = verdict.result.encode("utf-8", "replace").decode()[:_MAX_RESULT]
        reply = {"kind": verdict.kind, "result": result, "code": examination.code}
        data = json.dumps(reply).encode()
        host.sendall(len(data).to_bytes(4, "big") + data)
    os._exit(0)
