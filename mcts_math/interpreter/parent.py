"""The host's end of a clean parent process: starts it, asks it for sandboxes, notices when it is gone."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import platform
import select
import socket
import struct
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mcts_math.errors import InterpreterError
from mcts_math.interpreter.losses import MachineBusyError
from mcts_math.interpreter.options import SandboxLimits
from mcts_math.interpreter.orders import ENVIRONMENT, Layers, has_folders, require_files, require_inputs, rules_json
from mcts_math.interpreter.worker import wire

_WORKER = Path(__file__).parent / "worker" / "__main__.py"
_START = "exec(compile(open({worker!r}).read(), 'sandbox', 'exec'))"  # a cell can see the name of what was started
_START_TIMEOUT_S = 120.0
_SANDBOX_TIMEOUT_S = 30.0
_END_TIMEOUT_S = 10.0
_MAX_ASKING = 16  # one process forks them all: more would wait in its socket, each with two descriptors
_BUSY_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
_UCRED_BYTES = 12


def no_room(error: OSError, what: str = "a cell can't be run or looked after") -> InterpreterError:
    """What is raised where the machine refuses this process a descriptor, or something else that `what` needs."""
    is_short = error.errno in (errno.EMFILE, errno.ENFILE)
    return InterpreterError(f"{what}: {error}{'. Allow more open files (ulimit -n)' if is_short else ''}")


def require_platform() -> None:
    """Raises InterpreterError on a machine whose system calls are not known here, before anything is started."""
    system, machine, bits = platform.system(), platform.machine(), 8 * struct.calcsize("P")
    if (system, bits) != ("Linux", 64) or machine not in ("x86_64", "aarch64"):
        raise InterpreterError(
            f"the interpreter can lock code in on 64-bit Linux on x86-64 or arm64 only; this is {bits}-bit {system} on "
            f"{machine}. Run it in a Linux virtual machine or container."
        )


def hang_up(sock: socket.socket) -> None:
    """Closes a connection, whoever else has a copy of our end: a fork of this program (`multiprocessing`) has."""
    if sock.fileno() >= 0:
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


def socket_pair(kind: socket.SocketKind) -> tuple[socket.socket, socket.socket]:
    """Our end, which does not block and is told who sends (`receive_with_pid`), and theirs."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    ours.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return ours, theirs


def receive_with_pid(sock: socket.socket, size: int) -> tuple[bytes, int]:
    """What comes from a socket of `socket_pair`, and the sender's pid as the kernel tells it, -1 at its end."""
    data, ancillary, _, _ = sock.recvmsg(size, socket.CMSG_SPACE(_UCRED_BYTES))
    pid = -1
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            pid = int.from_bytes(content[:4], sys.byteorder, signed=True)
        elif level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            for start in range(0, len(content) // 4 * 4, 4):  # a gift nobody asked for
                os.close(int.from_bytes(content[start : start + 4], sys.byteorder, signed=True))
    return data, pid if data else -1


def refused(message: bytes) -> int:
    """Why no child greets: the errno that a state says its fork met; 0 where this is no such message."""
    kind, number = wire.REPLY.unpack(message) if len(message) == wire.REPLY.size else (0, 0)
    return int(number) if kind == wire.REFUSED else 0


async def receive(sock: socket.socket, timeout_s: float) -> tuple[bytes, int]:
    """A message, and who sent it; see `receive_with_pid`."""
    loop = asyncio.get_running_loop()
    readable: asyncio.Future[None] = loop.create_future()
    loop.add_reader(sock, lambda: None if readable.done() else readable.set_result(None))
    try:
        await asyncio.wait({readable}, timeout=timeout_s)  # `wait_for` loses a cancellation at the same moment
    finally:
        loop.remove_reader(sock)
    if not readable.done():
        return wire.BROKEN + f"no answer for {timeout_s:.0f} s".encode(), -1
    return receive_with_pid(sock, 8192)


@dataclass(slots=True)
class Connection:
    """The host's two sockets to a new sandbox, who made it, and which cells of it are done."""

    control: socket.socket
    root: socket.socket
    supervisor_pid: int
    owner: Parent
    ended: list[int] = field(default_factory=list)

    @property
    def alive(self) -> bool:
        """Whether the sandbox's first process runs."""
        try:
            self.control.recv(64)
        except BlockingIOError:
            return True
        except OSError:  # closed, too
            return False
        return False  # all that it says, once it is there, is that it breaks down

    def order(self, state: socket.socket, theirs: socket.socket, token: int) -> None:
        """Tells a state to fork. Raises OSError where it does not listen, or the sandbox is gone.

        Args:
            state: our end of the state's socket.
            theirs: the child's end of its own, from which it takes its cell (`wire.pack_cell`).
            token: 64 secret bits; append it to `ended` when the cell is done.
        """
        tokens = (token, *self.ended[: wire.MAX_TOKENS - 1])
        del self.ended[: wire.MAX_TOKENS - 1]
        if self.owner.judges_forks:
            self.control.send(wire.PERMIT + b"".join(map(wire.TOKEN.pack, tokens)))
        folder = wire.folder_of(token, self.owner.num_places) if self.owner.num_places else "/"
        socket.send_fds(state, [wire.ORDER.pack(token, folder.encode())], [theirs.fileno()])

    def close(self) -> None:
        """Ends the sandbox: its supervisor goes with the connection, and takes all processes with it."""
        hang_up(self.control)
        hang_up(self.root)


class Parent:
    """A running clean parent. Make one with `start`."""

    def __init__(self, process: subprocess.Popen[bytes], control: socket.socket, errors: IO[bytes]) -> None:
        self._process, self._control, self._errors = process, control, errors
        self.pid = process.pid
        self.judges_forks = False
        self.num_places = 0  # for temporary files
        self._asking = asyncio.Semaphore(_MAX_ASKING)

    @classmethod
    async def start(
        cls, limits: SandboxLimits, layers: Layers, tells: bool = False, warm_up: str = "", temp_places: int = 1
    ) -> Parent:
        """Starts a process and waits until it has imported and locked itself in, or raises InterpreterError.

        Args:
            limits, layers: bounds and fences for all its sandboxes.
            tells: cells send what they print before they are done (`wire.PRINTED`).
            warm_up: trusted code that it runs once, before it locks itself in; all sandboxes have what it imported.
            temp_places: file systems for temporary files in each sandbox, 1 or 2; see `wire.folder_of`.
        """
        require_platform()
        require_inputs(limits.input_files)
        require_files()
        rules = rules_json(limits, layers, tells, warm_up, temp_places)
        with contextlib.ExitStack() as stack:
            try:
                scratch = stack.enter_context(tempfile.TemporaryDirectory())  # packages may write at their import
                parent = cls._launch(rules, {"MPLCONFIGDIR": scratch, "TMPDIR": scratch})
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.ENOMEM):
                    raise MachineBusyError("the interpreter's clean process", error) from error
                raise no_room(error, "the interpreter's clean process did not start") from error
            parent.judges_forks = layers.seccomp
            parent.num_places = temp_places if has_folders(limits, layers) else 0
            try:
                message, _ = await receive(parent._control, _START_TIMEOUT_S)
            except BaseException:
                await parent.close()
                raise
        if message != wire.READY:
            detail = message[1:].decode(errors="replace") or parent._last_words()
            await parent.close()
            raise InterpreterError(f"the interpreter's clean process did not start: {detail}")
        return parent

    @classmethod
    def _launch(cls, rules: str, environment: dict[str, str]) -> Parent:
        """Raises OSError where the machine refuses what it takes."""
        start = [_START.format(worker=str(_WORKER)), rules, str(_WORKER.parent)]
        with contextlib.ExitStack() as opened:
            errors = opened.enter_context(tempfile.TemporaryFile())
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            opened.enter_context(ours)
            ours.setblocking(False)
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-S", "-s", "-B", "-c", *start],
                    stdin=theirs.fileno(),
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    env=ENVIRONMENT | environment,
                    cwd="/",
                    start_new_session=True,
                )
            opened.pop_all()  # they are closed with the process
        return cls(process, ours, errors)

    @property
    def alive(self) -> bool:
        """Whether the process runs. A dying one hangs up before the kernel has done with it and tells of its end."""
        return self._process.poll() is None and not self._has_hung_up()

    async def new_sandbox(self) -> Connection:
        """Forks a sandbox; where the machine has no room just now, tries again for three seconds.

        Raises InterpreterError where the kernel refuses, or the process is gone.
        """
        async with self._asking:
            for pause_s in _BUSY_PAUSES_S:
                try:
                    return await self._new_sandbox()
                except MachineBusyError:
                    await asyncio.sleep(pause_s)
            return await self._new_sandbox()

    async def _new_sandbox(self) -> Connection:
        with contextlib.ExitStack() as opened:
            try:
                control, their_control = socket_pair(socket.SOCK_SEQPACKET)
                opened.callback(hang_up, control)
                with their_control:
                    root, their_root = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
                    opened.callback(hang_up, root)
                    root.setblocking(False)
                    with their_root:
                        socket.send_fds(self._control, [wire.NEW], [their_control.fileno(), their_root.fileno()])
                message, pid = await receive(control, _SANDBOX_TIMEOUT_S)
            except OSError as error:
                raise no_room(error, "a sandbox could not be set up") from error
            reason = message[1:].decode(errors="replace")
            if message[:1] == wire.BUSY or (not message and self.alive):  # where memory is short, the kernel kills
                raise MachineBusyError("a sandbox", reason or "it was killed in its set-up")
            if message != wire.READY:
                raise InterpreterError(f"a sandbox could not be set up: {reason or 'it died; ' + self._last_words()}")
            opened.pop_all()
        return Connection(control, root, pid, self)

    def _has_hung_up(self) -> bool:
        if self._control.fileno() < 0:  # closed by us
            return True
        poll = select.poll()
        poll.register(self._control, 0)  # hang-ups are told unasked
        return bool(poll.poll(0))

    async def close(self) -> None:
        """Ends the process, and with it all its sandboxes."""
        hang_up(self._control)
        end = time.monotonic() + _END_TIMEOUT_S
        while self._process.poll() is None:  # by no thread, which the machine may refuse as well
            if time.monotonic() >= end:
                self._process.kill()
            await asyncio.sleep(0.005)
        self._errors.close()

    def _last_words(self) -> str:
        if self._errors.closed:
            return "it was closed meanwhile"
        self._errors.seek(0)
        text = self._errors.read()[-2000:].decode(errors="replace").strip()
        return text or f"exit status {self._process.poll()}, no message"
