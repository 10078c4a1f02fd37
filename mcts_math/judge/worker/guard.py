"""For problems that ask for one process: what can be kept from code that shares it with its tests.

1. An object of the code's classes is never equal to plain data, nor ordered beside it; what derives from a plain type
   is taken as that type where it meets plain data. An object that agrees with a stranger can't be compared.
2. What the code replaced among the builtins and the methods of `unittest.TestCase` is put back before the tests run,
   and is a failure where it is found replaced at the end.
3. Calls of the entry point are counted by the interpreter, not by a stand-in: the tests have the object itself.

Code that looks for its tests (by frames, by the collector, in `/proc/self/mem`) finds them: `docs/judge_isolation.md`.
"""

from __future__ import annotations

import builtins
import functools
import inspect
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any
from unittest import TestCase

from .acts import Stranger, agrees, describe, holds_all
from .candidate import Program, new_module, run_sources
from .clock import limited
from .parts import is_array
from .remote import UNFAIR
from .source import Verdict
from .values import FROZEN, MUTABLE, PLAIN, base_of

_FAIR = tuple(
    f"assert{name}"
    for name in (
        *("Equal", "NotEqual", "AlmostEqual", "NotAlmostEqual", "In", "NotIn", "Greater", "GreaterEqual", "Less"),
        *("LessEqual", "ListEqual", "TupleEqual", "DictEqual", "SetEqual", "SequenceEqual", "CountEqual"),
    )
)


class Guard:
    """Runs the code in the process of the tests, and watches over both.

    Attributes:
        called: an entry point was called.
        given: as of a `Peer`; here all can be handed over.
        shared: classes of the prompt by name; the tests get the code's, if it has them.
        gave_catcher: as of a `Peer`; here nobody sees what the code gives.
    """

    gave_catcher = False

    def __init__(self) -> None:
        self.called = False
        self.given = 0
        self.shared: dict[str, type[Any]] = {}
        self._known = _all_types()
        self._codes: set[Any] = set()
        self._asked: tuple[type[Any], ...] = ()
        self._kept: list[tuple[str, Any, dict[str, Any]]] = [
            ("the builtin ", builtins, dict(vars(builtins))),
            ("unittest.TestCase.", TestCase, dict(vars(TestCase))),
        ]

    def load(self, program: dict[str, Any]) -> dict[str, Any]:
        """Has the code run, and returns those of its names that the program asks for. Raises Verdict."""
        if program["whole"]:
            return {"": _Counted(self, functools.partial(_run_and_forget, Program(program["sources"])))}
        module = new_module("solution", program["sources"])
        names = vars(module)
        try:
            with limited(program["load_s"]):
                run_sources(module, program["sources"])
        except BaseException as error:
            raise Verdict("failed", f"failed: {describe(error)}") from None
        finally:
            self._arm(names, program["entries"])
        for name in program["stand_ins"]:
            sys.modules[name] = module
        return {name: names[name] for name in program["names"] if name in names}

    def admit(self, entry: dict[str, Any], value: Any) -> bool:
        """Whether a value of the code is what an entry point asks for."""
        return callable(value) and (isinstance(value, type) or not entry["method"])

    def fault(self) -> Verdict | None:
        """What the code is found to have replaced."""
        for where, owner, members in self._kept:
            for name, value in members.items():
                if name != "_" and vars(owner).get(name) is not value:
                    return Verdict("failed", f"failed: the code replaced {where}{name}")
        return None

    def _arm(self, names: dict[str, Any], entries: list[dict[str, Any]]) -> None:
        """Puts back what the code replaced when it was loaded, and waits for the first call of an entry point."""
        for _, owner, members in self._kept:
            for name, value in members.items():
                if vars(owner).get(name) is not value:
                    setattr(owner, name, value)
        for entry in entries:
            value = names.get(entry["root"])
            if isinstance(value, type) and not entry["method"] and entry["root"][0].isupper():
                self._asked += (value,)
            if entry["method"]:
                value = inspect.getattr_static(value, entry["method"], None)
            codes = set(_codes(value))
            self._codes |= codes
            if isinstance(value, type) and value not in self._known and not codes:
                self.called = True  # such as an error: nobody sees its calls, and what stands for it is no class
            elif callable(value) and not codes and not entry["method"]:  # it is none of Python's functions
                names[entry["root"]] = _Counted(self, value)
        for name in _FAIR:
            setattr(TestCase, name, self._fairly(getattr(TestCase, name)))
        self._kept[1] = (*self._kept[1][:2], dict(vars(TestCase)))
        sys.settrace(None)
        threading.setprofile(self._notice)
        sys.setprofile(self._notice)

    def _notice(self, frame: FrameType, event: str, argument: Any) -> None:
        if (event == "call" and frame.f_code in self._codes) or (event == "c_call" and argument in self._codes):
            self.called = True
            sys.setprofile(None)
            threading.setprofile(None)

    def _fairly(self, method: Callable[..., Any]) -> Callable[..., Any]:
        fair = self.fair_membership if method.__name__.endswith("In") else self.fair

        @functools.wraps(method)
        def check(case: Any, first: Any, second: Any, *args: Any, **kwargs: Any) -> Any:
            return method(case, *fair(first, second), *args, **kwargs)

        return check

    def fair(self, left: Any, right: Any) -> tuple[Any, Any]:
        """Two sides of a comparison, without what would let the code decide it.

        Raises TypeError where an object says that it equals a stranger.
        """
        strange_left, strange_right = self._is_strange(left), self._is_strange(right)
        if strange_left and strange_right:
            if agrees(left) or agrees(right):
                raise TypeError(UNFAIR)
            return left, right
        return (self._plain(left) if strange_left else left), (self._plain(right) if strange_right else right)

    def fair_operands(self, left: Any, right: Any) -> tuple[Any, Any]:
        """Two sides of a calculation: objects of the class that the problem asks for do what they do."""
        is_asked = isinstance(left, self._asked) or isinstance(right, self._asked)
        return (left, right) if is_asked else self.fair(left, right)

    def fair_result(self, name: str, operands: tuple[Any, Any], result: Any) -> Any:
        """What an object says of a number. Raises TypeError where that would tell how far it is from it."""
        if name in ("Sub", "Div") and not self._is_strange(result):
            strange = [self._is_strange(operand) for operand in operands]
            other = operands[strange[0]]
            if any(strange) and not (all(strange) or isinstance(other, (str, bytes, dict, set, frozenset))):
                raise TypeError(f"the code says how far its object is from a number, by a {type(result).__name__}")
        return result

    def fair_membership(self, item: Any, container: Any) -> tuple[Any, Any]:
        """Item and container of `in`. Raises TypeError where an object says that it holds a stranger."""
        if not self._is_strange(container):
            return (self._plain(item) if self._is_strange(item) else item), container
        plain = self._plain(container)
        if isinstance(plain, Stranger) and holds_all(container, item):
            raise TypeError(UNFAIR)
        if isinstance(plain, Stranger):
            return item, container
        strange = self._is_strange(item) and not agrees(item)
        return item, container if strange else plain

    def _is_strange(self, value: Any) -> bool:
        """Whether a value is, or holds, an object of a class of the code."""
        held = value
        if type(value) is dict:
            held = [*value, *value.values()]
        elif _holds_objects(value):
            held = value.ravel().tolist()
        if type(held) in (list, tuple, set, frozenset):
            for item in held:  # noqa: SIM110 - not through `any`, see `equal`
                if self._is_strange(item):
                    return True
            return False
        if type(value) in PLAIN:
            return False
        return (type(value) not in self._known and not _is_library(type(value))) or agrees(value)

    def _plain(self, value: Any) -> Any:
        """A value without objects of the code's classes."""
        if type(value) in (list, tuple, set, frozenset):
            return type(value)([self._plain(item) for item in value])
        if type(value) is dict:
            return {self._plain(key): self._plain(item) for key, item in value.items()}
        if not self._is_strange(value):
            return value
        if _holds_objects(value):
            return self._plain(value.tolist())
        return self._plain(base_of(value)) if isinstance(value, (*FROZEN, *MUTABLE)) else Stranger()


class _Counted:
    """Stands for something to call, so that its calls are noticed."""

    def __init__(self, guard: Guard, value: Callable[..., Any]) -> None:
        self._guard, self._value = guard, value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self._guard.called = True
        return self._value(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._value, name)


def _holds_objects(value: Any) -> bool:
    """Whether a value is an array of numpy with any objects in it."""
    return is_array(type(value)) and value.dtype.kind == "O"


def _run_and_forget(program: Program, stdin: str) -> str:
    try:
        return program.run(stdin)
    finally:
        program.forget()


def _all_types() -> set[type[Any]]:
    """All classes that there are by now."""
    found: set[type[Any]] = set()
    waiting: list[type[Any]] = [object]
    while waiting:
        kind = waiting.pop()
        if kind not in found:
            found.add(kind)
            waiting += type.__subclasses__(kind)
    return found


def _is_library(kind: type[Any]) -> bool:
    """Whether a class is where it says that it is, in a module of a file."""
    found: Any = sys.modules.get(kind.__module__)
    if getattr(found, "__file__", None) is None:
        return False
    for name in kind.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is kind


def _codes(value: Any) -> list[Any]:
    """What the interpreter runs when an object is called: code, or builtin functions."""
    value = getattr(value, "__func__", value)
    value = inspect.unwrap(value) if callable(value) and not isinstance(value, type) else value
    if inspect.isfunction(value):
        return [value.__code__]
    if isinstance(value, type):
        return [member.__code__ for member in vars(value).values() if inspect.isfunction(member)]
    if inspect.isbuiltin(value):
        return [value]
    call = vars(type(value)).get("__call__")
    return [call.__code__] if inspect.isfunction(call) else []
