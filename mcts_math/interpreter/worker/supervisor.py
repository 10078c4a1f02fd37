"""The first process of a question's sandbox. It runs no snippet; it judges forks, and when it goes, all go.

In its pid namespace it is process 1: the kernel kills everything there with it. Without namespaces all its processes
are one process group that they can't leave, and it kills that. It hears from the host (permits) and the kernel
(notifications), never from a node.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import select
import signal
import socket

from . import confine, fork, kernel, node, seccomp, wire

_MAX_PIDS = 4096


def main(control: socket.socket, root_fd: int, rules: confine.Rules) -> None:
    """Runs a sandbox; never returns.

    Args:
        control: connection to the host: READY or BROKEN is sent, permits are received.
        root_fd: socket of the question's first node, whose state is empty.
        rules: the host's orders.
    """
    try:
        os.setsid()
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
        kernel.drop_capabilities()
        kernel.prctl(kernel.PR_SET_DUMPABLE, 0)
        listener = _start_root(control, root_fd, rules)
        control.send(wire.READY)
        Supervisor(control, listener, rules.num_threads).run()
    except BaseException as error:
        report_broken(control, error)
    finally:
        end()


def end() -> None:
    """Kills this process and all nodes."""
    os.killpg(0, signal.SIGKILL)
    os._exit(1)


def report_broken(control: socket.socket, error: BaseException) -> None:
    """Tells the host why there will be no sandbox, if it still listens."""
    with contextlib.suppress(OSError):  # nobody is left to tell
        control.send(wire.BROKEN + f"{type(error).__name__}: {error}".encode()[:4000])


def _start_root(control: socket.socket, root_fd: int, rules: confine.Rules) -> int:
    """Forks the question's first node and returns its seccomp listener (-1 without seccomp)."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if fork.clone(0) == 0:
        try:
            control.close()
            ours.close()
            confine.lock(rules, lambda listener: _send_listener(theirs, listener))
            node.serve(root_fd, rules.show_chars, rules.output_bytes)
        except BaseException as error:
            report_broken(theirs, error)
        finally:
            os._exit(1)
    theirs.close()
    os.close(root_fd)
    with ours:
        message, fds, _, _ = socket.recv_fds(ours, 4096, 1)
    if message != wire.LISTENER or len(fds) != int(rules.seccomp):
        raise OSError(message[1:].decode(errors="replace") or "the first node died")
    return fds[0] if fds else -1


def _send_listener(channel: socket.socket, listener: int) -> None:
    if listener < 0:
        channel.send(wire.LISTENER)
        return
    socket.send_fds(channel, [wire.LISTENER], [listener])
    os.close(listener)


class Supervisor:
    """Decides on the calls that nodes may not make unasked.

    Args:
        control: connection to the host.
        listener: the seccomp listener, or -1.
        num_threads: threads that one process may start.
    """

    def __init__(self, control: socket.socket, listener: int, num_threads: int) -> None:
        self._control, self._listener, self._num_threads = control, listener, num_threads
        self._permits: set[int] = set()
        self._threads: dict[int, int] = {}

    def run(self) -> None:
        """Serves until the host or the last node goes."""
        self._control.setblocking(False)
        poll = select.poll()
        # Permits are read when a fork asks for one: no need to wake for each.
        poll.register(self._control, 0)
        if self._listener >= 0:
            poll.register(self._listener, select.POLLIN)
        while True:
            for fd, event in poll.poll():
                if fd != self._listener or event & select.POLLHUP:
                    return
                self._answer()

    def _answer(self) -> None:
        buffer = bytearray(seccomp.NOTIFICATION_BYTES)
        try:
            fcntl.ioctl(self._listener, seccomp.NOTIF_RECV, buffer)
            fcntl.ioctl(self._listener, seccomp.NOTIF_SEND, self._judge(seccomp.parse_notification(buffer)))
        except OSError as error:
            if error.errno != errno.ENOENT:  # who asked has been killed meanwhile
                raise

    def _judge(self, asked: seccomp.Notification) -> bytes:
        if asked.flags & kernel.CLONE_THREAD:
            if len(self._threads) > _MAX_PIDS:
                self._threads.clear()
            count = self._threads[asked.pid] = self._threads.get(asked.pid, 0) + 1
            return seccomp.allow(asked) if count <= self._num_threads else seccomp.refuse(asked, seccomp.EAGAIN)
        self._read_permits()
        if asked.token not in self._permits:
            return seccomp.refuse(asked, seccomp.EPERM)
        self._permits.remove(asked.token)
        return seccomp.allow(asked)

    def _read_permits(self) -> None:
        while True:
            try:
                message = self._control.recv(64)
            except BlockingIOError:
                return
            if not message:
                end()
            self._permits.add(int.from_bytes(message[1:], "little"))
