"""The process that runs the tests, and says what came of it.

As a rule the judged code never runs here. Where the tests call it, the call goes to the process that has it, and a
plain value comes back: so what the code does to its own process (an early exit, other builtins, a look at the stack)
can't make a test pass, only the right values can. `guard` is for problems that ask for one process. "Passed" is said
where the tests ran to their end, called the code, and checked something. See `docs/judge.md`.
"""

from __future__ import annotations

import builtins
import contextlib
import importlib
import json
import os
import socket
import sys
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from . import remote, source, suite, units
from .acts import describe, perform
from .candidate import new_module, run_program
from .guard import Guard
from .peer import BadArgument, Broken, Peer
from .runner import Failed, Runner
from .source import Verdict

_NONCE_BYTES = 16
_MAX_RESULT = 1000
_STAND_INS = ("solution", "main", "submission", "candidate")
"""Modules that tests import the code from."""
_OPEN = ("__name__", "__qualname__", "__doc__")
"""What `functools.wraps` reads of a function of the tests."""


class Examination:
    """Runs the tests of one problem.

    Args:
        problem: what `mcts_math.judge.judge` sends.
        peer: the connection to the judged code; None where it is to run here.
    """

    def __init__(self, problem: dict[str, Any], peer: Peer | None) -> None:
        self._problem, self._peer = problem, peer
        self._entries: list[dict[str, Any]] = problem["entries"]
        self.code = ""
        self.runner: Runner | None = None
        self._guard: Guard | None = None
        self._skipped = False

    def run(self) -> None:
        """Never returns. Raises Verdict."""
        guarded = {entry["root"] for entry in self._entries} | {"candidate"} if self._peer is None else set()
        tests = suite.read(self._problem["test"], self._problem["tolerance"] is not None, guarded)
        chosen = source.choose(self._problem)
        self.code = chosen.code
        names = self._names()
        self._silence(tests.source)
        try:
            given = self._load(chosen.sources, tests, names)
            candidate = self._bind(given, names)
        except Broken:
            raise self._broken() from None
        self._run(tests, names, candidate)
        self._conclude(tests)

    def _run(self, tests: suite.Suite, names: dict[str, Any], candidate: Any) -> None:
        runner = self.runner = Runner(self._problem, tests.source, self._guard, self._set_deadline)
        names["__tests__"] = runner
        try:
            self._run_module(tests, names)
            for name, test in units.find(names, tests, candidate):
                runner.run(name, test)
            for number, case in enumerate(self._problem["cases"]):
                runner.run(f"case {number}", partial(runner.check, case, candidate, self._problem["is_json"]))
        except (BadArgument, Failed):
            pass  # `peer.rejected` and `runner.failure` say why, whoever else caught it
        except Broken:
            raise self._broken() from None

    def _run_module(self, tests: suite.Suite, names: dict[str, Any]) -> None:
        assert self.runner is not None
        try:
            with self.runner.begin():
                exec(tests.code, names)
        except (Broken, BadArgument, Failed, Verdict):
            raise
        except BaseException as error:
            self._skipped = units.is_skip(error)
            if not self._skipped:
                self.runner.record("the tests", error)

    def _conclude(self, tests: suite.Suite) -> None:
        runner, peer = self.runner, self._peer
        assert runner is not None
        if peer is not None and peer.rejected:
            raise Verdict("bad_problem", f"`test` can't be run in two processes: {peer.rejected}")
        if peer is not None and peer.broken:
            raise self._broken()
        if self._guard is not None and not runner.failure:
            runner.failure = self._guard.tampered()
        if runner.failure:
            raise Verdict("failed", runner.failure)
        if self._skipped:
            raise Verdict("bad_problem", "`test` can't judge anything: the tests skip themselves")
        if not runner.num_tests:
            runner.record("the tests", None)
        called = self._guard.called if self._guard is not None else bool(peer and peer.calls)
        entry = self._problem["entry_point"] or "the program"
        if not called:
            raise Verdict("bad_problem", f"`test` can't judge anything: the tests never call {entry}")
        if not runner.num_checks and not suite.checks_something(tests, source.stub(self._problem["prompt"])):
            raise Verdict("bad_problem", f"`test` can't judge anything: the tests call {entry}, and check nothing")
        raise Verdict("passed", "passed")

    def _broken(self) -> Verdict:
        return Verdict("failed", f"failed: the code's process {self._peer.broken if self._peer else ''}")

    def _set_deadline(self, deadline: float | None) -> None:
        if self._peer is not None:
            self._peer.deadline = deadline

    def _names(self) -> dict[str, Any]:
        """The namespace of the tests: what stands in the prompt beside the entry point may be used by them."""
        module = new_module("tests", [])
        names = vars(module)
        helpers = source.stub(self._problem["prompt"])
        if helpers is not None and not self._problem["whole"]:
            try:
                exec(compile(helpers, "<prompt>", "exec", dont_inherit=True), names)
            except Exception as error:
                raise Verdict("bad_problem", f"`prompt` can't be run: {type(error).__name__}: {error}") from None
        names["__name__"] = "__main__"  # tests may stand behind a guard
        sys.modules["__main__"] = module
        return names

    def _silence(self, text: str) -> None:
        """The tests are found and run here: their own runners would end this process, or run them twice."""
        for name, function in (("unittest", "main"), ("pytest", "main"), ("doctest", "testmod")):
            if name in text:
                with contextlib.suppress(ImportError):  # then the tests say so
                    setattr(importlib.import_module(name), function, lambda *args, **kwargs: 0)

    def _load(self, sources: list[str], tests: suite.Suite, names: dict[str, Any]) -> dict[str, Any]:
        """Has the code run, and returns those of its names that the tests use."""
        free = source.free_names(tests.module) - names.keys() - set(dir(builtins))
        for _, text in tests.examples:
            free |= {entry["root"] for entry in self._entries if entry["root"] in text}
        for name in free & sys.stdlib_module_names:
            with contextlib.suppress(ImportError):  # then the tests say so
                names[name] = importlib.import_module(name)
        roots = [entry["root"] for entry in self._entries]
        wanted = {*free, *suite.imported(tests.module, _STAND_INS)} - names.keys() - {"candidate", *roots}
        program = {"sources": sources, "names": [*roots, *sorted(wanted)], "roots": roots}
        program["whole"] = self._problem["whole"]
        found = self._load_there(program) if self._peer is not None else self._load_here(program)
        names.update(found)
        for name in _STAND_INS:
            if name not in sys.modules:
                sys.modules[name] = ModuleType(name)
                vars(sys.modules[name]).update(found)
        return found

    def _load_there(self, program: dict[str, Any]) -> dict[str, Any]:
        peer = self._peer
        assert peer is not None
        try:
            peer.receive_bytes(self._problem["greeting_bytes"])
        except Broken:
            raise Verdict("no_candidate", peer.broken) from None
        try:
            peer.send(program)
            found = peer.result(peer.receive())
        except Broken:
            raise
        except BaseException as error:
            raise Verdict("failed", f"failed: {describe(error)}") from None
        if not isinstance(found, dict):
            raise peer.fail("sent what is no message")
        return {name: found[name] for name in program["names"] if name in found} or ({"": found.get("")})

    def _load_here(self, program: dict[str, Any]) -> dict[str, Any]:
        if program["whole"]:
            self._guard = Guard({})
            return {"": self._guard.counted(lambda stdin: run_program(program["sources"], stdin))}
        module = new_module("solution", program["sources"])
        self._guard = Guard(vars(module))
        try:
            for text in program["sources"]:
                exec(compile(text, "<solution>", "exec", dont_inherit=True), vars(module))
        except BaseException as error:
            raise Verdict("failed", f"failed: {describe(error)}") from None
        finally:
            self._guard.arm(self._entries)
        for name in _STAND_INS:
            sys.modules[name] = module
        return {name: vars(module)[name] for name in program["names"] if name in vars(module)}

    def _bind(self, found: dict[str, Any], names: dict[str, Any]) -> Any:
        """Checks that the code defines what is asked for, and returns what `check` and the cases call."""
        if self._problem["whole"]:
            function = names.pop("", None)
            if not callable(function):
                raise Verdict("failed", "failed: the code defines no program")
            if self._peer is not None:
                self._peer.watched[remote.number_of(function)] = "the program"
            return function
        candidates = [self._candidate(entry, found.get(entry["root"])) for entry in self._entries]
        names.setdefault("candidate", candidates[0])
        return candidates[0]

    def _candidate(self, entry: dict[str, Any], value: Any) -> Any:
        is_class = isinstance(value, remote.RemoteType if self._peer is not None else type)
        kind = "class" if entry["method"] else "function"
        known = self._peer is None or is_class or remote.is_object(value)
        if not callable(value) or not known or (entry["method"] and not is_class):
            raise Verdict("failed", f"failed: the code defines no {kind} {entry['root']}")
        if self._peer is not None:
            number = value.__dict__["_class_number"] if is_class else remote.number_of(value)
            if entry["method"]:
                self._peer.methods |= {entry["method"]}
            else:
                self._peer.watched[number] = entry["text"]
                if is_class and entry["root"][0].isupper():
                    value._trusted = True
        if not entry["method"]:
            return value
        return _method(value, entry["made"], entry["method"])


def _method(kind: Any, made: bool, name: str) -> Callable[..., Any]:
    def candidate(*args: Any, **kwargs: Any) -> Any:
        return getattr(kind() if made else kind, name)(*args, **kwargs)

    return candidate


def allowed(value: Any, how: str, args: Any, kwargs: Any) -> Any:
    """What the judged code may do with an object of the tests: use it, and not look behind it."""
    if how in ("get", "set", "del"):
        if str(args[0]).startswith("_") and (how != "get" or args[0] not in _OPEN):
            raise AttributeError(args[0])
        if how != "get" and callable(getattr(value, args[0], None)):
            raise AttributeError(f"{args[0]} of the tests can't be replaced")
    result = perform(value, how, args, kwargs)
    if type(result).__name__ in ("module", "frame", "code", "traceback"):
        raise TypeError(f"a {type(result).__name__} of the tests can't be handed over")
    return result


def receive_problem(host: socket.socket) -> tuple[dict[str, Any], socket.socket | None]:
    """The problem, and the connection to the judged code, if there is one."""
    size, fds, _, _ = socket.recv_fds(host, 4, 1)
    text = bytearray()
    while len(text) < int.from_bytes(size, "big"):
        chunk = host.recv(int.from_bytes(size, "big") - len(text))
        if not chunk:
            os._exit(1)
        text += chunk
    return json.loads(text), socket.socket(fileno=fds[0]) if fds else None


def main(host: socket.socket) -> None:
    """Examines, tells the host, and ends; never returns."""
    leave, dumps = os._exit, json.dumps
    problem, channel = receive_problem(host)
    examination = Examination(problem, Peer(channel, allowed) if channel is not None else None)
    try:
        examination.run()
    except Verdict as verdict:
        runner = examination.runner
        reply = {
            "kind": verdict.kind,
            "passed": verdict.kind == "passed",
            "result": verdict.result.encode("utf-8", "replace").decode()[:_MAX_RESULT],
            "code": examination.code or None,
            "tests": runner.tests if runner else [],
            "num_passed": runner.num_passed if runner else 0,
            "num_tests": max(runner.num_tests if runner else 0, len(problem["cases"])),
        }
        # The nonce lay unread till now: code of the tests' process has not seen it.
        data = host.recv(_NONCE_BYTES) + dumps(reply).encode()
        host.sendall(len(data).to_bytes(4, "big") + data)
    leave(0)
