"""The process that runs the judged code. It never sees the tests: calls come with their arguments, one by one.

Nothing here protects anything. The code has this process to itself and may spoil all of it; all that it can say to
the examiner is a value or an exception in answer to a call.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import io
import os
import socket
import sys
import threading
from collections.abc import Iterator
from types import ModuleType
from typing import Any, cast
from unittest.mock import patch

from .acts import perform
from .peer import Broken, Peer
from .values import pack

_MAX_OUTPUT = 16 << 20


class Output(io.BytesIO):
    """What a program prints, in bounded memory."""

    def write(self, data: Any, /) -> int:
        """Takes what there is room for."""
        if self.tell() < _MAX_OUTPUT:
            super().write(data)
        return len(data)

    def close(self) -> None:
        """Stays open: what was printed before still counts."""


def captured() -> io.TextIOWrapper:
    """A new `sys.stdout`."""
    return io.TextIOWrapper(Output(), encoding="utf-8", errors="surrogatepass", write_through=True)


def text_of(output: io.TextIOWrapper) -> str:
    """What was printed, and forgets it."""
    buffer = cast(Output, output.buffer)
    text = buffer.getvalue().decode("utf-8", "replace")
    if text:
        buffer.seek(0)
        buffer.truncate()
    return text


def run_program(sources: list[str], stdin: str) -> str:
    """Runs a whole program and returns what it printed.

    Raises:
        BaseException: what the program raised; SystemExit where its status says that it failed.
    """
    module = new_module("__main__", sources)
    data = io.BytesIO(stdin.encode("utf-8", "surrogatepass"))
    sys_stdin = io.TextIOWrapper(data, encoding="utf-8", errors="surrogatepass")
    output = captured()
    try:
        with patch.multiple(sys, stdin=sys_stdin, stdout=output), _by_number(sys_stdin, output):
            for source in sources:
                exec(compile(source, "<solution>", "exec", dont_inherit=True), vars(module))
            for thread in threading.enumerate():
                if thread is not threading.current_thread() and not thread.daemon:
                    thread.join()
    except SystemExit as leave:
        if leave.code not in (None, 0):
            raise
    return text_of(output)


@contextlib.contextmanager
def _by_number(stdin: io.TextIOWrapper, stdout: io.TextIOWrapper) -> Iterator[None]:
    """Programs that want speed use the descriptors, and leave without a clean-up: both mean the same here."""
    open_file, read, write = open, os.read, os.write

    def open_too(file: Any, *args: Any, **kwargs: Any) -> Any:
        if file in (0, "/dev/stdin"):
            return stdin.buffer if "b" in (args[0] if args else kwargs.get("mode", "r")) else stdin
        return open_file(file, *args, **kwargs)

    by_number = patch.multiple(
        os,
        _exit=sys.exit,
        read=lambda fd, size: stdin.buffer.read(size) if fd == 0 else read(fd, size),
        write=lambda fd, data: stdout.buffer.write(data) if fd == 1 else write(fd, data),
    )
    with patch.object(builtins, "open", open_too), by_number:
        yield


def new_module(name: str, sources: list[str]) -> ModuleType:
    """An empty module in its place: dataclasses, pickle, typing and inspect look there."""
    import linecache

    module = ModuleType(name)
    sys.modules[name] = module
    text = "\n".join(sources)
    linecache.cache["<solution>"] = (len(text), None, text.splitlines(keepends=True), "<solution>")
    return module


def load(program: dict[str, Any]) -> dict[str, Any]:
    """Runs the judged code and returns those of its names that the tests use."""
    if program["whole"]:
        return {"": lambda stdin: run_program(program["sources"], stdin)}
    names = vars(new_module("solution", program["sources"]))
    for source in program["sources"]:
        exec(compile(source, "<solution>", "exec", dont_inherit=True), names)
    roots = [entry["root"] for entry in program["entries"]]
    found = {name: names[name] for name in program["names"] if name in names}
    # A class of the library would be the examiner's own there, and nobody would count its calls.
    return {n: functools.partial(v) if n in roots and isinstance(v, type) and pack(v) else v for n, v in found.items()}


def main(examiner: socket.socket) -> None:
    """Serves the examiner until it goes; never returns."""
    leave = os._exit
    sys.stdout = output = captured()
    peer = Peer(examiner, perform, lambda: text_of(output))
    try:
        program = peer.receive()
        try:
            answer: Any = ("value", load(program), text_of(output), None)
        except Broken:
            raise
        except BaseException as error:
            answer = ("raised", error, "")
        peer.send(answer)
        while True:
            peer.serve(peer.receive())
    except BaseException:
        leave(1)
