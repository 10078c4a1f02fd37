"""Calls between two processes over one socket: each side may call what the other has shown it.

A frame is 4 bytes of length and JSON. `request` sends a call and serves the other side's calls until the reply comes.
What the other side says is data; whoever says what is not a frame has broken the connection, and it stays broken.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from typing import Any

from .values import BadValue, Decoder, Encoder

MAX_FRAME_BYTES = 16 << 20
_MAX_TEXT = 1000
_ERRORS = {
    error.__name__: error
    for error in (
        ArithmeticError,
        AssertionError,
        AttributeError,
        EOFError,
        FileNotFoundError,
        FloatingPointError,
        ImportError,
        IndexError,
        KeyError,
        LookupError,
        MemoryError,
        ModuleNotFoundError,
        NameError,
        NotImplementedError,
        OSError,
        OverflowError,
        PermissionError,
        RecursionError,
        RuntimeError,
        SyntaxError,
        TimeoutError,
        TypeError,
        UnboundLocalError,
        UnicodeError,
        ValueError,
        ZeroDivisionError,
    )
}
"""Exceptions that arrive as what they are. `StopIteration` is not one of them: it would end a loop over `map` early,
and with it an `all(map(...))` that had yet to see the failing case."""


class Broken(BaseException):
    """The connection is gone, or what came over it was no frame. No `except Exception` may swallow it."""


class RemoteExit(BaseException):
    """The other side raised what is not an `Exception`: SystemExit and the like."""


class RemoteError(Exception):
    """The other side raised an `Exception` that is not one of `_ERRORS`, nor derived from one but that."""


class Remote:
    """An object of the other side. It is equal to itself alone: no comparison is left to the other side."""

    def __init__(self, peer: Peer, number: int) -> None:
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_number", number)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name not in ("__name__", "__doc__"):
            raise AttributeError(name)
        return self._ask("get", name)

    def __setattr__(self, name: str, value: Any) -> None:
        self._ask("set", name, value)

    def __iter__(self) -> Any:
        return self._ask("iter")

    def __next__(self) -> Any:
        found = self._ask("next")
        if not found:
            raise StopIteration
        return found[0]

    def __len__(self) -> int:
        return int(self._ask("len"))

    def __bool__(self) -> bool:
        return bool(self._ask("bool"))

    def __getitem__(self, key: Any) -> Any:
        return self._ask("item", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self._ask("put", key, value)

    def __str__(self) -> str:
        return str(self._ask("str"))

    __repr__ = __str__

    def _ask(self, how: str, *args: Any) -> Any:
        peer: Peer = object.__getattribute__(self, "_peer")
        return peer.request(object.__getattribute__(self, "_number"), how, args, {})


class RemoteFunction(Remote):
    """A callable of the other side."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        peer: Peer = object.__getattribute__(self, "_peer")
        return peer.request(object.__getattribute__(self, "_number"), "call", args, kwargs)


class Peer:
    """One end of the connection.

    Args:
        sock: connected stream socket.
        shows: whether an object of this side may go out by reference.
        perform: does what the other side asks with one of this side's objects: (object, how, args, kwargs) -> result.
    """

    def __init__(
        self,
        sock: socket.socket,
        shows: Callable[[Any], bool],
        perform: Callable[[Any, str, Any, Any], Any],
    ) -> None:
        self._sock, self._shows, self._perform = sock, shows, perform
        self._shown: list[Any] = []
        self._numbers: dict[int, int] = {}
        self._remotes: dict[int, Remote] = {}
        self._lock = threading.RLock()
        self.broken = ""

    def fail(self, reason: str) -> Broken:
        """Marks the connection as broken, for good."""
        self.broken = self.broken or reason
        return Broken(self.broken)

    def send(self, message: Any) -> None:
        """Sends a frame. Raises Broken, or ValueError where it is too large."""
        data = json.dumps(message).encode()
        if len(data) > MAX_FRAME_BYTES:
            raise ValueError(f"{len(data)} bytes are too many to hand over")
        try:
            self._sock.sendall(len(data).to_bytes(4, "big") + data)
        except OSError as error:
            raise self.fail(f"does not listen: {error}") from None

    def receive(self) -> Any:
        """Receives a frame. Raises Broken."""
        size = int.from_bytes(self.receive_bytes(4), "big")
        if size > MAX_FRAME_BYTES:
            raise self.fail("sent more than may be sent")
        try:
            return json.loads(self.receive_bytes(size))
        except (ValueError, RecursionError):
            raise self.fail("sent what is no message") from None

    def receive_bytes(self, size: int) -> bytes:
        """Receives so many bytes. Raises Broken."""
        data = bytearray()
        while len(data) < size:
            try:
                chunk = self._sock.recv(min(size - len(data), 1 << 16))
            except OSError:
                chunk = b""
            if not chunk:
                raise self.fail("ended: an exit, a crash, or out of memory")
            data += chunk
        return bytes(data)

    def encode(self, value: Any) -> Any:
        """JSON of a value."""
        return Encoder(self._refer).encode(value)

    def decode(self, data: Any) -> Any:
        """The value of JSON from the other side. Raises Broken where there is none."""
        try:
            return Decoder(self._resolve).decode(data)
        except (BadValue, RecursionError) as error:
            raise self.fail(f"sent what is no value: {error}") from None

    def request(self, number: int, how: str, args: Any, kwargs: Any) -> Any:
        """Asks the other side to do something with an object of its own; raises what that raised."""
        with self._lock:
            if self.broken:
                raise Broken(self.broken)
            self.send({"on": number, "how": how, "args": self.encode([list(args), kwargs])})
            while True:
                message = self.receive()
                if not isinstance(message, dict) or "on" not in message:
                    return self.result(message)
                self.serve(message)

    def serve(self, message: Any) -> None:
        """Does what the other side asks, and replies."""
        try:
            number = message["on"]
            if not isinstance(number, int) or not 0 <= number < len(self._shown):
                raise self.fail("asked for an object that it was not shown")
            args, kwargs = self.decode(message["args"])
            result = self._perform(self._shown[number], message["how"], args, kwargs)
            reply = {"value": self.encode(result)}
        except Broken:
            raise
        except BaseException as error:
            reply = {"raised": describe(error)}
        try:
            self.send(reply)
        except ValueError as error:
            self.send({"raised": describe(error)})

    def result(self, message: Any) -> Any:
        """The value of a reply; raises what it says was raised, or Broken."""
        if not isinstance(message, dict):
            raise self.fail("sent what is no message")
        if "value" in message:
            return self.decode(message["value"])
        raised = message.get("raised")
        if not (isinstance(raised, list) and len(raised) == 3):
            raise self.fail("sent what is no message")
        name, base, text = (str(part)[:_MAX_TEXT] for part in raised)
        full = f"{name}: {text}" if text else name
        if base == "BaseException":
            raise RemoteExit(full)
        error = _ERRORS.get(base, RemoteError)
        raise error(text if name == base else full)

    def _refer(self, value: Any) -> Any:
        if isinstance(value, Remote) and object.__getattribute__(value, "_peer") is self:
            return ["yours", object.__getattribute__(value, "_number")]
        if not self._shows(value):
            raise TypeError(f"a {type(value).__name__} can't be handed over to the judged code")
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = len(self._shown)
            self._shown.append(value)
        return ["function" if callable(value) else "object", number]

    def _resolve(self, kind: Any, content: Any) -> Any:
        if not isinstance(content, int) or content < 0:
            raise BadValue(f"{kind!r}")
        if kind == "yours":
            return self._shown[content]
        if kind not in ("function", "object"):
            raise BadValue(f"{kind!r}")
        if content not in self._remotes:
            self._remotes[content] = (RemoteFunction if kind == "function" else Remote)(self, content)
        return self._remotes[content]


def describe(error: BaseException) -> list[str]:
    """Name, nearest exception that both sides know ("Exception" or "BaseException" where there is none), and text."""
    names = [c.__name__ for c in type(error).__mro__]
    other = "Exception" if isinstance(error, Exception) else "BaseException"
    try:
        text = str(error)[:_MAX_TEXT]
    except Exception:
        text = ""
    return [names[0], next((n for n in names if n in _ERRORS), other), text]
