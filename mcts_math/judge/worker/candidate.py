"""The process that runs the judged code. It never sees the tests: calls come with their arguments, one by one.

Nothing here protects anything. The code has this process to itself and may spoil all of it; all that it can say to
the examiner is a value or an exception in reply to a call.
"""

from __future__ import annotations

import os
import socket
import sys
from types import ModuleType
from typing import Any

from .peer import Broken, Peer, describe

_SOCKET_FD = 63  # as `interpreter.worker.node` leaves it


def perform(value: Any, how: str, args: Any, kwargs: Any) -> Any:
    """What the tests do with an object of the judged code."""
    if how == "call":
        return value(*args, **kwargs)
    if how == "get":
        return getattr(value, args[0])
    if how == "set":
        return setattr(value, args[0], args[1])
    if how == "iter":
        return iter(value)
    if how == "next":
        try:
            return [next(value)]
        except StopIteration:
            return []
    if how == "put":
        value[args[0]] = args[1]
        return None
    if how == "item":
        return value[args[0]]
    ways: dict[str, Any] = {"len": len, "bool": bool, "str": str}
    return ways[how](value)


def load(program: dict[str, Any]) -> dict[str, Any]:
    """Runs the judged code and returns those of its names that the tests use."""
    module = ModuleType("solution")  # a module in its place: dataclasses, pickle and typing look there
    sys.modules["solution"] = module
    names = vars(module)
    for source in program["sources"]:
        exec(compile(source, "<solution>", "exec", dont_inherit=True), names)
    return {name: names[name] for name in program["names"] if name in names}


def main() -> None:
    """Serves the examiner until it goes; never returns."""
    leave = os._exit
    peer = Peer(socket.socket(fileno=_SOCKET_FD), shows=lambda value: True, perform=perform)
    try:
        program = peer.receive()
        try:
            reply = {"value": peer.encode(load(program))}
        except Broken:
            raise
        except BaseException as error:
            reply = {"raised": describe(error)}
        peer.send(reply)
        while True:
            peer.serve(peer.receive())
    except BaseException:
        leave(1)
