"""The process that runs the tests, and says what came of it.

As a rule the judged code never runs here. Where the tests call it, the call goes to the process that has it, and a
plain value comes back: so what the code does to its own process (an early exit, other builtins, a look at the stack)
can't make a test pass, only the right values can. `guard` is for problems that ask for one process. "Passed" is said
where the tests ran to their end, called the code, and checked something. See `docs/judge.md`.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import socket
import sys
from collections.abc import Callable
from doctest import TestResults
from functools import partial
from types import ModuleType, SimpleNamespace
from typing import Any, NoReturn
from unittest import TestResult

from . import equal, source, suite, texts, units
from .acts import allowed, describe
from .candidate import new_module
from .clock import end_after
from .guard import Guard
from .patches import STAND_INS, obstacles
from .peer import BadArgument, Broken, Peer
from .runner import Failed, Runner
from .settled import catches_asserts
from .source import Verdict
from .values import ONE_PROCESS

_NONCE_BYTES = 16
_MAX_RESULT = 1000
_SEEDED = ("random", "numpy.random")
"""Modules with a generator that tests may seed."""
_WHOLE = {"root": "", "method": None}
"""The entry point of a program that reads standard input."""


class Examination:
    """Runs the tests of one problem.

    Args:
        problem: what `mcts_math.judge.judge` sends.
        place: where the judged code runs.
    """

    def __init__(self, problem: dict[str, Any], place: Peer | Guard) -> None:
        self._problem, self._place = problem, place
        self._guard = place if isinstance(place, Guard) else None
        self._entries: list[dict[str, Any]] = problem["entries"]
        self.code = ""
        self._of_code: list[str] = []  # names that the code has given the tests
        self.runner: Runner | None = None
        self._skipped = False

    def verdict(self) -> Verdict:
        """What came of it. Whatever else leaves the tests, nothing has passed."""
        try:
            self._examine()
        except Verdict as verdict:
            return verdict
        except BaseException as error:
            return Verdict("failed", f"failed: the tests broke off: {describe(error)}")

    def _examine(self) -> NoReturn:
        """Raises Verdict."""
        guarded = {entry["root"] for entry in self._entries} | {"candidate"} if self._guard else set()
        has_arrays = "numpy" in sys.modules and suite.uses_arrays(self._problem["test"])
        tests = suite.read(self._problem["test"], has_arrays or self._problem["tolerance"] is not None, guarded)
        chosen = source.choose(self._problem)
        self.code = chosen.code
        if isinstance(self._place, Peer) and (obstacle := next(obstacles(tests.module), "")):
            raise Verdict("bad_problem", f"`test` {obstacle}: {ONE_PROCESS}")
        if self._problem["or_method"]:
            self._entries = _found(self._entries, source.names_of(chosen.code).bound)
        self._prepare(tests.source, has_arrays)
        space = self._names()
        with contextlib.suppress(Broken, BadArgument, Failed):  # the place and the runner say why, whoever caught it
            self._run(tests, space, self._bind(self._load(chosen.sources, tests, space), space))
        end_after(0)
        self._conclude(tests)

    def _run(self, tests: suite.Suite, names: dict[str, Any], candidate: Any) -> None:
        runner = self.runner = Runner(self._problem, tests, self._place)
        names["__tests__"] = runner
        if isinstance(self._place, Peer):
            place = self._place
            runner.template = texts.watch(tests.module, self._of_code, lambda: place.called)
        self._run_module(tests, names)
        for name, test in units.find(names, tests, candidate, lambda: bool(self._place.given)):
            runner.run(name, test)
        for number, case in enumerate(self._problem["cases"]):
            runner.run(f"case {number}", partial(runner.check, case, candidate, self._problem["wrapped"]))
        if not runner.num_tests and not self._skipped:
            runner.record("the tests", None)

    def _run_module(self, tests: suite.Suite, names: dict[str, Any]) -> None:
        assert self.runner is not None
        try:
            with self.runner.begin():
                exec(tests.code, names)
        except (Broken, BadArgument, Failed, Verdict):
            raise
        except BaseException as error:
            self._skipped = units.is_skip(error)
            if self._skipped:
                return
            left = self.runner.lost() if units.is_success(error, tests.module) else error
        else:
            left = self.runner.lost()
        if left is not None:
            self.runner.record("the tests", left)

    def _conclude(self, tests: suite.Suite) -> NoReturn:
        fault = self._place.fault()
        if fault is not None:
            raise fault
        assert self.runner is not None
        if self.runner.failure:
            raise Verdict("failed", self.runner.failure)
        entry = self._problem["entry_point"] or "the program"
        checks = self.runner.num_checks or suite.checks_something(tests, source.stub(self._problem["prompt"]))
        if self._place.called and not checks and suite.counted(tests):
            raise Verdict("failed", "failed: no assert of the tests was run: the code gave no value to check")
        for is_so, what in (
            (self._skipped, "skip themselves"),
            (not self._place.called, f"never call {entry}"),
            (not checks, f"call {entry}, and check nothing"),
        ):
            if is_so:
                raise Verdict("bad_problem", f"`test` can't judge anything: the tests {what}")
        raise Verdict("passed", "passed")

    def _names(self) -> dict[str, Any]:
        """The namespace of the tests: what stands in the prompt beside the entry point may be used by them."""
        module = new_module("tests", [])
        names = vars(module)
        helpers = source.stub(self._problem["prompt"])
        if helpers is not None and not self._problem["whole"]:
            try:
                for text in (*source.imports(source.names_of(helpers).free, ""), helpers):
                    exec(compile(text, "<prompt>", "exec", dont_inherit=True), names)
            except Exception as error:
                raise Verdict("bad_problem", f"`prompt` can't be run: {type(error).__name__}: {error}") from None
        own = {name: value for name, value in names.items() if getattr(value, "__module__", "") == "tests"}
        self._place.shared = {name: kind for name, kind in own.items() if isinstance(kind, type)}
        for entry in self._entries:
            self._place.shared.pop(entry["root"], None)  # what the code is to write
        names["__name__"] = "__main__"  # tests may stand behind a guard
        sys.modules["__main__"] = module
        return names

    def _prepare(self, text: str, has_arrays: bool) -> None:
        """The tests are found and run here: their own runners would end this process, or run them twice."""
        if has_arrays:
            testing = importlib.import_module("numpy.testing") if "testing" in text else None
            fair = (self._guard.fair,) if self._guard else ()
            equal.make_strict(sys.modules["numpy"], testing, *fair)
        well: dict[str, tuple[str, Any]] = {
            "unittest": ("main", SimpleNamespace(result=TestResult())),
            "pytest": ("main", 0),
            "doctest": ("testmod", TestResults(0, 0)),
        }
        for name, (function, answer) in well.items():
            if name in text:
                with contextlib.suppress(ImportError):  # then the tests say so
                    setattr(importlib.import_module(name), function, lambda *_, answer=answer, **kwargs: answer)

    def _load(self, sources: list[str], tests: suite.Suite, names: dict[str, Any]) -> dict[str, Any]:
        """Has the code run, and returns those of its names that the tests use."""
        free = tests.names.free - names.keys()
        for _, text in tests.examples:
            free |= {entry["root"] for entry in self._entries if entry["root"] in text}
        for name in free & {*sys.stdlib_module_names, "numpy", "np"}:
            with contextlib.suppress(ImportError):  # then the tests say so
                names[name] = importlib.import_module("numpy" if name == "np" else name)
        roots = [entry["root"] for entry in self._entries or [_WHOLE]]
        wanted = {*free, *suite.imported(tests.module, STAND_INS)} - names.keys() - {"candidate", *roots}
        shared = sorted(self._place.shared)
        if self._guard:
            wanted |= {*shared}
        program = {"sources": sources, "names": [*roots, *sorted(wanted)], "entries": self._entries, "shared": shared}
        given = {key: self._problem[key] for key in ("whole", "load_s")}
        seeded = [n for n in _SEEDED if "seed(" in tests.source and n in sys.modules and not self._guard]
        found = self._place.load(program | given | {"stand_ins": STAND_INS, "seeded": seeded})
        for name, value in found.items():
            if catches_asserts(value):
                raise Verdict("failed", f"failed: {name} of the code catches failed asserts too")
        for name in seeded:
            _seed_too(sys.modules[name], found.pop(f"{name}.seed", None))
        names.update(found)
        self._of_code = [*found]
        for name in STAND_INS:
            if name not in sys.modules:
                sys.modules[name] = ModuleType(name)
                vars(sys.modules[name]).update(found)
        return found

    def _bind(self, found: dict[str, Any], names: dict[str, Any]) -> Any:
        """Checks that the code defines what is asked for, and returns what `check` and the cases call."""
        candidates = []
        for entry in self._entries or [_WHOLE]:
            value = found.get(entry["root"])
            if not self._place.admit(entry, value):
                kind = "class" if entry["method"] else "function"
                raise Verdict("failed", f"failed: the code defines no {kind} {entry['root']}")
            candidates.append(_method(value, entry["made"], entry["method"]) if entry["method"] else value)
        names.setdefault("candidate", candidates[0])
        return candidates[0]


def _seed_too(module: Any, other: Any) -> None:
    """Has what the tests seed be seeded where the code runs, too."""
    own = module.seed

    def seed(*args: Any, **kwargs: Any) -> None:
        own(*args, **kwargs)
        other(*args, **kwargs)

    module.seed = seed


def _found(entries: list[dict[str, Any]], bound: set[str]) -> list[dict[str, Any]]:
    """The entry points as the code has them: those that it does not define, as methods of its `Solution`."""
    if "Solution" not in bound:
        return entries
    as_methods = ({"root": "Solution", "made": "()", "method": entry["root"]} for entry in entries)
    return [entry if entry["root"] in bound else other for entry, other in zip(entries, as_methods, strict=True)]


def _method(kind: Any, made: bool, name: str) -> Callable[..., Any]:
    def candidate(*args: Any, **kwargs: Any) -> Any:
        return getattr(kind() if made else kind, name)(*args, **kwargs)

    return candidate


def main(host: socket.socket) -> None:
    """Examines, tells the host, and ends; never returns."""
    leave, dumps = os._exit, json.dumps
    size, fds, _, _ = socket.recv_fds(host, 4, 1)  # with the connection to the judged code, if there is one
    problem = json.loads(host.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL))
    place = Peer(socket.socket(fileno=fds[0]), allowed) if fds else Guard()
    examination = Examination(problem, place)
    verdict = examination.verdict()
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
