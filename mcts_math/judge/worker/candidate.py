"""The process that runs the judged code. It never sees the tests: calls come with their arguments, one by one.

Nothing here protects anything. The code has this process to itself and may spoil all of it; all that it can say to
the examiner is a value or an exception in answer to a call.
"""

from __future__ import annotations

import atexit
import builtins
import contextlib
import functools
import gc
import io
import os
import pathlib
import socket
import sys
import threading
import traceback
from collections.abc import Iterator
from types import ModuleType
from typing import Any
from unittest.mock import patch

from .acts import perform
from .clock import limited
from .peer import Broken, Peer
from .values import pack

_MAX_OUTPUT = 16 << 20
if hasattr(pathlib, "_NormalAccessor"):  # Python 3.10 goes on with the `open` of its import
    pathlib._NormalAccessor.open = staticmethod(lambda *args: open(*args))  # noqa: PTH123, SIM115


class Output(io.BytesIO):
    """What a program prints, in bounded memory."""

    def write(self, data: Any, /) -> int:
        """Takes what there is room for."""
        if self.tell() < _MAX_OUTPUT:
            super().write(data)
        return len(data)

    def close(self) -> None:
        """Stays open: what was printed before still counts."""

    def fileno(self) -> int:
        """Its number, as far as `_standard_files` goes."""
        return 1


def _text(data: io.BytesIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(data, encoding="utf-8", errors="surrogatepass", write_through=True)


def text_of(output: Output) -> str:
    """What was printed, and forgets it."""
    text = output.getvalue().decode("utf-8", "replace")
    if text:
        output.seek(0)
        output.truncate()
    return text


class Program:
    """A whole program, that reads standard input and prints. It is run anew for each case."""

    def __init__(self, sources: list[str]) -> None:
        self._sources = sources
        self._names: dict[str, Any] = {}
        self._error: BaseException | None = None

    def run(self, stdin: str) -> str:
        """Runs it and returns what it printed.

        Raises:
            BaseException: what the program raised; SystemExit where its status says that it failed.
        """
        data, output = _Input(stdin.encode("utf-8", "surrogatepass")), Output()
        atexit._clear()
        try:
            with _standard_files(data, output), _builtins_kept():
                status = self._run()
        except BaseException as error:
            self._error = error
            raise
        if status not in (None, 0):
            raise SystemExit(status)
        return text_of(output)

    def _run(self) -> Any:
        """The status that it leaves with."""
        module, status = new_module("__main__", self._sources), None
        module.__file__ = "solution.py"
        self._names = vars(module)
        try:
            run_sources(module, self._sources)
        except SystemExit as leave:
            status = leave.code
        pools: Any = sys.modules.get("concurrent.futures.thread")
        if pools is not None:  # those that are left open end as Python does; the next run may have others
            pools._python_exit()
            pools._shutdown = False
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and not thread.daemon:
                thread.join()
        atexit._run_exitfuncs()
        sys.stdout.flush()  # what the program has put in the place of its output
        return status

    def forget(self) -> None:
        """Frees what the last run holds, so that the next one has all of the memory. Call it while no clock runs."""
        atexit._clear()
        self._names.clear()  # functions hold their module's names, which hold the functions
        while self._error is not None:
            traceback.clear_frames(self._error.__traceback__)
            self._error = self._error.__context__
        gc.collect()


class _Input(io.BytesIO):
    def fileno(self) -> int:
        """Its number, as far as `_standard_files` goes."""
        return 0


@contextlib.contextmanager
def _standard_files(data: io.BytesIO, output: Output) -> Iterator[None]:
    """Input and output, by name and by number. Programs that want speed use the numbers, and leave in a hurry."""
    open_file, read, write, stat, duplicate = open, os.read, os.write, os.fstat, os.dup
    stdin, stdout = _text(data), _text(output)
    stdin.mode, stdout.mode = "r", "w"  # type: ignore[misc]
    names: dict[Any, Any] = dict.fromkeys((0, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"), (stdin, data))
    names |= dict.fromkeys((1, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"), (stdout, output))
    file_facts = os.stat_result((0o100644, 0, 0, 1, 0, 0, len(data.getvalue()), 0, 0, 0))

    def open_too(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        name = os.fspath(file) if isinstance(file, os.PathLike) else file
        if isinstance(name, (int, str)) and name in names:
            return names[name]["b" in mode]
        return open_file(file, mode, *args, **kwargs)

    by_number = patch.multiple(
        os,
        _exit=sys.exit,
        read=lambda fd, size: data.read(size) if fd == 0 else read(fd, size),
        write=lambda fd, text: output.write(text) if fd == 1 else write(fd, text),
        fstat=lambda fd: file_facts if fd == 0 else stat(fd),
        dup=lambda fd: fd if fd in (0, 1) else duplicate(fd),
    )
    by_name = patch.multiple(sys, stdin=stdin, stdout=stdout, __stdin__=stdin, __stdout__=stdout)
    with by_name, by_number, patch.object(builtins, "open", open_too), patch.object(io, "open", open_too):
        yield


@contextlib.contextmanager
def _builtins_kept() -> Iterator[None]:
    """What a program does to the builtins, and how deep it may go, ends with it."""
    names, depth = dict(vars(builtins)), sys.getrecursionlimit()
    try:
        yield
    finally:
        builtins.__dict__.update(names)  # first: what follows needs them
        for name in vars(builtins).keys() - names.keys():
            delattr(builtins, name)
        sys.setrecursionlimit(depth)


def run_sources(module: ModuleType, sources: list[str]) -> dict[str, Any]:
    """Runs code in a module, one text after the other, and returns its names. Raises what the code raises."""
    for text in sources:
        exec(compile(text, "<solution>", "exec", dont_inherit=True), vars(module))
    return vars(module)


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
    names = run_sources(new_module("solution", program["sources"]), program["sources"])
    roots = [entry["root"] for entry in program["entries"]]
    found = {name: names[name] for name in program["names"] if name in names}
    found |= {f"{name}.seed": sys.modules[name].seed for name in program["seeded"] if name in sys.modules}
    # A class of the library would be the examiner's own there, and nobody would count its calls.
    return {n: functools.partial(v) if n in roots and isinstance(v, type) and pack(v) else v for n, v in found.items()}


def main(examiner: socket.socket) -> None:
    """Serves the examiner until it goes; never returns."""
    leave = os._exit
    output = Output()
    sys.stdout = _text(output)
    peer = Peer(examiner, perform, lambda: text_of(output), careful=False)
    try:
        program = peer.receive()
        whole = Program(program["sources"]) if program["whole"] else None
        try:
            with limited(program["load_s"]):
                found = {"": whole.run} if whole else load(program)
            names = vars(sys.modules["solution"]) if program["shared"] else {}
            peer.shared = {n: names[n] for n in program["shared"] if isinstance(names.get(n), type)}
        except Broken:
            raise
        except BaseException as error:
            peer.answer("raised", error)
        else:
            peer.answer_names(found)
        while True:
            peer.serve(peer.receive())
            if whole:
                whole.forget()
    except BaseException:
        leave(1)
