"""The host's end of a clean parent process: starts it, asks it for sandboxes, notices when it is gone."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import select
import site
import socket
import struct
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mcts_math.errors import InterpreterError
from mcts_math.interpreter.options import Limits
from mcts_math.interpreter.worker import wire

_WORKER = Path(__file__).parent / "worker" / "__main__.py"
_START_TIMEOUT_S = 120.0
_SANDBOX_TIMEOUT_S = 30.0
_MAX_ASKING = 16  # one process forks them all: more would wait in its socket, each with two descriptors
_NOBODY = 65534
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "PATH": "",
    "HOME": "/",
}
_WARM_UP = """\
import sys
if "numpy" in sys.modules:
    import numpy.random  # numpy itself loads it late
    numpy.random.seed(0)
import collections, contextlib, dataclasses, datetime, decimal, fractions, functools, heapq, itertools, json, math
import operator, random, re, statistics, string, typing
if "sympy" in sys.modules:
    from sympy import *
    x, y = symbols("x y")
    str(solve(x**2 - 5*x + 6, x)), str(solve([x + y - 3, x - y - 1], [x, y])), str(simplify((x**2 - 1)/(x - 1)))
    str(expand((x + 1)**3)), str(factor(x**2 - 1)), str(diff(sin(x), x)), str(integrate(x**2, x))
    str(limit(sin(x)/x, x, 0)), str(Rational(1, 3) + sqrt(8)), str(N(pi, 20)), str(Matrix([[1, 2], [3, 4]]).det())
    str(Eq(x, 1)), latex(x**2), str(summation(x, (x, 1, 10))), nsimplify(0.5), solveset(x**2 - 2, x), binomial(5, 2)
    factorint(60), isprime(97)
    float(sqrt(2)), gcd(12, 18), lcm(4, 6), floor(Rational(7, 2)), ceiling(Rational(7, 2)), str(sympify("x + 1"))
"""


@dataclass(frozen=True, slots=True)
class Layers:
    """Which of the kernel's fences are used."""

    namespaces: bool
    landlock: bool
    seccomp: bool


def search_path() -> list[str]:
    """The standard library and the site-packages folders; not the project or other places that happen to be shown."""
    own = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    roots = {Path(p).resolve() for p in {*own, *folders}}
    entries = [Path(entry).resolve() for entry in sys.path if entry]
    path = [e for e in entries if any(e.is_relative_to(r) for r in roots) or e.suffix == ".zip"]
    return list(dict.fromkeys(str(p) for p in [*path, *sorted(roots)] if p.exists()))


def _open_to_all(path: str) -> bool:
    """Whether a user without any right of its own may read below `path`."""
    parts = [Path(path), *Path(path).parents]
    return all(part.stat().st_mode & 0o5 == 0o5 or (part != parts[0] and part.stat().st_mode & 1) for part in parts)


def require_platform() -> None:
    """Refuses machines whose system calls are not known here, before anything is started.

    Raises:
        InterpreterError: this is not 64-bit Linux on x86-64 or arm64.
    """
    system, machine, bits = platform.system(), platform.machine(), 8 * struct.calcsize("P")
    if (system, bits) != ("Linux", 64) or machine not in ("x86_64", "aarch64"):
        raise InterpreterError(
            f"the interpreter can lock code in on 64-bit Linux on x86-64 or arm64 only; this is {bits}-bit {system} on "
            f"{machine}. Run it in a Linux virtual machine or container."
        )


def rules_json(limits: Limits, layers: Layers, warm: bool) -> str:
    """The orders to a clean parent; see `worker.confine.Rules`."""
    path = search_path()
    hidden = not layers.namespaces and not all(_open_to_all(p) for p in path if Path(p).is_dir())
    return json.dumps(
        {
            "path": path,
            "modules": list(limits.modules) if warm else [],
            "warm_up": _WARM_UP if warm and limits.modules else "",
            "namespaces": layers.namespaces,
            "landlock": layers.landlock,
            "seccomp": layers.seccomp,
            # Where root's own folders hold Python, another user could not import: stay root, without its powers.
            "uid": 0 if hidden else _NOBODY,
            "memory_bytes": limits.memory_bytes,
            "cpu_s": limits.cpu_seconds,
            "num_threads": limits.max_threads,
            "show_chars": limits.truncate,
            "output_bytes": limits.output_bytes,
        }
    )


@dataclass(slots=True)
class Connection:
    """The host's two sockets to a new sandbox, and who made it."""

    control: socket.socket
    root: socket.socket
    supervisor_pid: int
    owner: Parent


class Parent:
    """A running clean parent. Make one with `start`."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket, errors: IO[bytes]) -> None:
        self._process, self._control, self._errors = process, control, errors
        self._asking = asyncio.Semaphore(_MAX_ASKING)

    @classmethod
    async def start(cls, limits: Limits, layers: Layers, warm: bool = True) -> Parent:
        """Starts a process and waits until it has imported and locked itself in.

        Args:
            limits: bounds for all its sandboxes.
            layers: fences for all its sandboxes.
            warm: import `limits.modules`; a probe does without.

        Raises:
            InterpreterError: with what the process said; or this is no machine for it.
        """
        require_platform()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-S", "-s", "-B", str(_WORKER), rules_json(limits, layers, warm)],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env=_ENVIRONMENT,
                cwd="/",
                start_new_session=True,
            )
        parent = cls(process, ours, errors)
        try:
            message = await parent._receive(ours, _START_TIMEOUT_S)
        except BaseException:
            await parent.close()
            raise
        if message != wire.READY:
            detail = message[1:].decode(errors="replace") or parent._last_words()
            await parent.close()
            raise InterpreterError(f"the interpreter's clean process did not start: {detail}")
        return parent

    @property
    def alive(self) -> bool:
        """Whether the process runs. A dying one hangs up before the kernel has done with it and tells of its end."""
        return self._process.poll() is None and not self._has_hung_up()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def new_sandbox(self) -> Connection:
        """Forks a sandbox.

        Raises:
            InterpreterError: the kernel refused, or the process is gone.
        """
        async with self._asking:
            return await self._new_sandbox()

    async def _new_sandbox(self) -> Connection:
        control, their_control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        root, their_root = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        control.setblocking(False)
        control.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        root.setblocking(False)
        try:
            with their_control, their_root:
                socket.send_fds(self._control, [wire.NEW], [their_control.fileno(), their_root.fileno()])
            message, pid = await self._receive_with_pid(control)
            if message != wire.READY:
                reason = message[1:].decode(errors="replace") or "it died; " + self._last_words()
                raise InterpreterError(f"a sandbox could not be set up: {reason}")
        except BaseException as error:
            control.close()
            root.close()
            if isinstance(error, OSError):
                raise InterpreterError(f"a sandbox could not be set up: {error}") from error
            raise
        return Connection(control, root, pid, self)

    def _has_hung_up(self) -> bool:
        if self._control.fileno() < 0:  # closed by us
            return True
        poll = select.poll()
        poll.register(self._control, 0)  # hang-ups are told unasked
        return bool(poll.poll(0))

    async def close(self) -> None:
        """Ends the process, and with it all its sandboxes."""
        self._control.close()
        try:
            await asyncio.to_thread(self._process.wait, 10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)
        self._errors.close()

    def _last_words(self) -> str:
        self._errors.seek(0)
        text = self._errors.read()[-2000:].decode(errors="replace").strip()
        return text or f"exit status {self._process.poll()}, no message"

    @staticmethod
    async def _receive(sock: socket.socket, timeout_s: float) -> bytes:
        loop = asyncio.get_running_loop()
        try:
            return await asyncio.wait_for(loop.sock_recv(sock, 8192), timeout_s)
        except asyncio.TimeoutError:
            return wire.BROKEN + f"no answer for {timeout_s:.0f} s".encode()

    async def _receive_with_pid(self, sock: socket.socket) -> tuple[bytes, int]:
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[None] = loop.create_future()

        def note() -> None:
            if not readable.done():
                readable.set_result(None)

        loop.add_reader(sock, note)
        try:
            await asyncio.wait_for(readable, _SANDBOX_TIMEOUT_S)
        except asyncio.TimeoutError:
            return wire.BROKEN + b"no answer", -1
        finally:
            loop.remove_reader(sock)
        return receive_with_pid(sock, 8192)


_UCRED_BYTES = 12


def receive_with_pid(sock: socket.socket, size: int) -> tuple[bytes, int]:
    """Receives from a socket with SO_PASSCRED set.

    Returns:
        The data, and the pid of its sender as the kernel tells it (in our pid namespace), -1 at the end of the stream.
    """
    data, ancillary, _, _ = sock.recvmsg(size, socket.CMSG_SPACE(_UCRED_BYTES))
    pid = -1
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            pid = int.from_bytes(content[:4], sys.byteorder, signed=True)
        elif level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            for start in range(0, len(content) // 4 * 4, 4):  # a gift nobody asked for
                os.close(int.from_bytes(content[start : start + 4], sys.byteorder, signed=True))
    return data, pid if data else -1
