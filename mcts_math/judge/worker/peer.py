"""Calls between two processes over one socket: each side may call what the other has shown it.

A frame is 8 bytes of length and a message (`values`): ("ask", number, how, args, kwargs, limit, changes) is served and
answered by ("value", result, output, after, held, changes), or ("raised", error, …). `after` are the arguments' parts
where the call changed or returned them; `held` numbers what both sides hold from now on: (place, number), -1 being the
result's place; `changes` are of what both sides hold. `request` sends one and serves the other side's until the answer
comes. What the other side says is data; who says what is no message has broken the connection for good.
"""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from . import remote, values
from .acts import describe, untold
from .clock import Clock, limited
from .held import Copies
from .objects import Objects, harmless, is_data
from .parts import SHARED, is_unchanged, parts, renew, shares, snapshot
from .reading import decode
from .settled import is_settled
from .source import Verdict
from .values import BadValue, CannotCross

MAX_FRAME_BYTES = 64 << 20
_CHUNK = 1 << 18


class Broken(BaseException):
    """The connection is gone, or what came over it was no message. No `except Exception` may swallow it."""


class BadArgument(BaseException):
    """The tests hand over what can't be handed over: no program could pass."""


class Peer:
    """One end of the connection.

    Args:
        sock: connected stream socket.
        perform: does what the other side asks with one of this side's objects: (object, how, args, kwargs) -> result.
        output: what this side has printed since it was last asked.
        careful: the other side is not believed.

    Attributes:
        careful: the other side is not believed.
        broken: why nothing can be said here any more; "" where it can.
        called: an entry point was called.
        gave_catcher: a class by which a failed assert is caught has come as a value.
        given: to what runs now, by the code: 0 nothing, 1 objects or None, 2 data; the tests may have made more of it.
        shared: classes of the prompt by name: each side has its own. They cross as that name; their objects pass for
            objects of the receiver's class, whose methods compare them; members of an enum become its members.
    """

    def __init__(
        self,
        sock: socket.socket,
        perform: Callable[[Any, str, Any, Any], Any],
        output: Callable[[], str] = lambda: "",
        careful: bool = True,
    ) -> None:
        self._sock, self._perform, self._output, self.careful = sock, perform, output, careful
        self._objects = Objects(self, names=careful)
        self._received = 0  # bytes so far
        self._lock = threading.RLock()
        self.broken = self._rejected = self._missed = ""
        self._watched: set[int] = set()  # numbers of the entry points
        self._methods: frozenset[str] = frozenset()  # names of entry points that are methods
        self._clock = Clock(lambda: self.fail("gave what the tests take longer for than a test may last"))
        self.called = self.gave_catcher = self._stored = False
        self.given = 0
        self.shared: dict[str, type[Any]] = {}
        self._copies = Copies(self._objects.refer, self._objects.show, tells_all=careful)

    def begin(self, limit_s: float) -> None:
        """Starts the clock of a test, where it first asks the code, or has what the code gave before."""
        self._clock.begin(limit_s)
        if self.given:
            self._clock.start()

    def fail(self, reason: str) -> Broken:
        """Marks the connection as broken, for good."""
        self.broken = self.broken or reason
        return Broken(self.broken)

    def send(self, message: Any) -> None:
        """Sends a message. Raises Broken, or CannotCross where it holds what can't be sent."""
        data = values.encode(message, self._objects.refer)
        if len(data) > MAX_FRAME_BYTES:
            raise CannotCross(f"{len(data)} bytes are too many to hand over", len(data) - MAX_FRAME_BYTES)
        self._sock.settimeout(self._clock.wait_s())  # till the answer begins
        try:
            self._sock.sendall(len(data).to_bytes(8, "big"))
            self._sock.sendall(data)
        except OSError as error:
            raise self.fail(f"does not listen: {error}") from None

    def receive(self) -> Any:
        """Receives a message. Raises Broken."""
        size = int.from_bytes(self.receive_bytes(8), "big")
        if size > MAX_FRAME_BYTES:
            raise self.fail("sent more than may be sent")
        try:
            return decode(self.receive_bytes(size), self._objects.resolve, self.careful)
        except BadValue as error:
            raise self.fail(f"sent what is no value: {error}") from None

    def receive_bytes(self, size: int) -> bytes:
        """Receives so many bytes. Raises Broken."""
        data = bytearray()
        while len(data) < size:
            if data:
                self._sock.settimeout(self._clock.wait_s())
            try:
                chunk = self._sock.recv(min(size - len(data), _CHUNK))
            except TimeoutError:
                raise self.fail("goes on after the time limit of a test") from None
            except OSError:
                chunk = b""
            if not chunk:
                raise self.fail("ended: an exit, a crash, or out of memory")
            data += chunk
        self._received += size
        return bytes(data)

    def request(self, number: int, how: str, args: Any, kwargs: Any) -> Any:
        """Asks the other side to do something with an object of its own; raises what that raised."""
        with self._lock:
            if self.broken:
                raise Broken(self.broken)
            is_call = how == "__call__" or issubclass(type(self._objects.remotes.get(number)), type)
            self.called = self.called or (is_call and number in self._watched)
            self._clock.start()
            missed, olds = self._missed, parts((*args, *kwargs.values()))
            now = time.monotonic()
            try:
                self.send(("ask", number, how, args, kwargs, self._clock.left_s(), self._copies.changed()))
            except CannotCross as error:
                raise self.refused(error) from None
            while True:
                message = self.receive()
                if type(message) is not tuple or message[:1] != ("ask",):
                    try:
                        result = self.result(
                            message, {**dict(enumerate(args)), **kwargs}, olds, ends=how in remote.ENDS
                        )
                    except BaseException:
                        self._missed = missed  # the code passed on what left an assert: the tests see it
                        self.given = 2
                        raise
                    self.given = max(self.given, 1 + is_data(result))
                    if how == "get" and args[0] in self._methods and remote.is_object(result):
                        self._watched.add(remote.number_of(result))
                    return result
                self.serve(message)
                if self._clock.is_over(now):
                    raise self.fail("goes on after the time limit of a test")

    def _update(self, changes: list[tuple[int, Any]]) -> None:
        """Does to what both sides hold what the other one did to it. Raises ValueError, TypeError or KeyError."""
        for number, news in changes:
            self._copies.update(number, [] if self.careful else parts(self._objects.shown[number]), news)

    def refused(self, error: CannotCross) -> BaseException:
        """What is raised where the tests hand over what can't cross: the fault of the side that made it so large."""
        if error.is_large and (self.given > 1 or self._stored or self._received >= error.num_extra):
            return self.fail(f"handed over what can't be handed back: {error}")
        self._rejected = str(error)
        return BadArgument(self._rejected)

    def serve(self, message: Any) -> None:
        """Does what the other side asks, and answers."""
        try:
            _, number, how, args, kwargs, limit_s, changes = message
            _require_plain(message, number, how, args, kwargs, changes)
            limit_s = None if limit_s is None else float.__float__(limit_s)
            value = self._objects.shown[number]
            self._update(changes)
            self._stored = self._stored or bool(args or kwargs)
        except (TypeError, ValueError, KeyError, CannotCross):
            raise self.fail("asked for an object that it was not shown") from None
        given, held = parts((*args, *kwargs.values())), []
        before = snapshot((*args, *kwargs.values()))
        try:
            with limited(None if self.careful else limit_s):  # the code can't cut short what is of the tests
                result = self._perform(value, how, args, kwargs)
            if not self.careful:
                held = self._copies.hold(args, kwargs, given, result, sys.getrefcount(result))
            answer: tuple[str, Any] = ("value", result)
        except Broken:
            raise
        except BaseException as error:
            if self.careful and is_settled(error):
                self._missed = describe(error)
            answer = ("raised", error)
        try:
            if given and not shares(given, answer[1]) and is_unchanged((*args, *kwargs.values()), before):
                given = []
            self.answer(*answer, given, held)
        except (CannotCross, MemoryError, RecursionError) as error:
            if self.careful and not getattr(error, "is_large", True):
                self._rejected = str(error)
            self.answer("raised", ValueError(str(error)))

    def answer_names(self, found: dict[str, Any]) -> None:
        """Tells what the code has by name once it is loaded. Raises Broken, or CannotCross."""
        given = parts(tuple(found.values()))
        self.answer("value", found, held=self._copies.hold((), found, given, None, 0))

    def answer(self, kind: str, value: Any, after: Any = (), held: Any = ()) -> None:
        """Sends an answer. Raises Broken, or CannotCross."""
        self.send((kind, value, self._output(), list(after), list(held), self._copies.changed()))

    def result(self, message: Any, given: Any = None, olds: Any = (), ends: bool = False) -> Any:
        """The value of an answer; raises what it says was raised, or Broken.

        Args:
            message: the answer.
            given: the arguments by place; None: the value holds what the code has by name.
            olds: what can be changed of them.
            ends: StopIteration says that an iterator is at its end.
        """
        try:
            kind, value, output, after, held, changes = message
            _require_plain(message, kind, output, after, held, changes)
            sys.stdout.write(output)
            self._update(changes)
            self._stored = self._stored or bool(after or changes)
            value = renew(olds, after, value) if after else value
            for place, number in held:
                if place != -1:
                    self._copies.keep(number, (value if given is None else given)[place])
                elif type(value) in SHARED:
                    value = self._copies.take(number, value)
        except (TypeError, ValueError, KeyError, IndexError, CannotCross):
            raise self.fail("sent what is no message") from None
        if kind == "value":
            return value
        if kind != "raised" or not isinstance(value, BaseException):
            raise self.fail("sent what is no message")
        raise value if ends and type(value) is StopIteration else harmless(value)

    def load(self, program: dict[str, Any]) -> dict[str, Any]:
        """Has the code run, and returns those of its names that the program asks for. Raises Verdict or Broken."""
        if program["load_s"] is not None:
            self._clock.begin(program["load_s"])
            self._clock.start()
        try:
            self.send(program)
            found = self.result(self.receive())
        except Broken:
            raise
        except BaseException as error:
            raise Verdict("failed", f"failed: {describe(error)}") from None
        if type(found) is not dict:
            raise self.fail("sent what is no message")
        seeds = [f"{name}.seed" for name in program["seeded"]]
        return {name: found[name] for name in (*program["names"], *seeds) if name in found}

    def admit(self, entry: dict[str, Any], value: Any) -> bool:
        """Whether a value of the code is what an entry point asks for; its calls are noticed from now on."""
        is_class = isinstance(value, remote.RemoteType)
        if not callable(value) or not (is_class or (remote.is_object(value) and not entry["method"])):
            return False
        if entry["method"]:
            self._methods |= {entry["method"]}
            return True
        self._watched.add(remote.number_of(value))
        if is_class and entry["root"][0].isupper():
            type.__setattr__(value, "__trusted__", True)
        return True

    def fault(self) -> Verdict | None:
        """What went wrong between the two processes, whoever else caught it."""
        if self._rejected:
            return Verdict("bad_problem", f"`test` can't be run in two processes: {self._rejected}")
        ends = filter(is_settled, untold())
        self._missed = self._missed or next(map(describe, ends), "")
        if self._missed:
            return Verdict("failed", f"failed: the code went on after a failed assert of the tests: {self._missed}")
        return Verdict("failed", f"failed: the code's process {self.broken}") if self.broken else None


def _require_plain(message: Any, *rest: Any) -> None:
    """Raises TypeError unless each part is of the very type that `request` sends: another may lie about itself."""
    for part in (message, *rest):
        if type(part) not in (tuple, int, str, dict, list) or (
            type(part) is dict and any(type(k) is not str for k in part)
        ):
            raise TypeError(f"a {type(part).__name__}")
