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

from . import confine, files, fork, kernel, seccomp, state, wire


def main(control: socket.socket, root_fd: int, rules: confine.Rules) -> None:
    """Runs a sandbox; never returns.

    Args:
        control: connection to the host: READY or BROKEN is sent, permits are received.
        root_fd: socket of the question's first process, whose state is empty.
    """
    try:
        os.setsid()
        kernel.prctl(kernel.PR_SET_PDEATHSIG, signal.SIGKILL)
        if rules.temp_bytes:
            files.mount(rules.proc_fd, rules.uid, rules.temp_bytes, rules.temp_places)
        kernel.drop_rights(1 << kernel.CAP_DAC_OVERRIDE if rules.temp_bytes else 0)
        listener = _start_root(control, root_fd, rules)
        control.send(wire.READY)
        Supervisor(control, listener, rules.max_threads, len(rules.writable)).run()
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
    busy = isinstance(error, OSError) and error.errno in (errno.EAGAIN, errno.ENOMEM)
    place, where = error.__traceback__, ""
    while isinstance(error, OSError) and place is not None:  # "Permission denied" alone tells nobody what to mend
        where, place = f" ({place.tb_frame.f_code.co_name}, line {place.tb_lineno})", place.tb_next
    with contextlib.suppress(OSError):  # nobody is left to tell
        control.send((wire.BUSY if busy else wire.BROKEN) + f"{type(error).__name__}: {error}{where}".encode()[:4000])


def _start_root(control: socket.socket, root_fd: int, rules: confine.Rules) -> int:
    """Forks the question's first node and returns its seccomp listener (-1 without seccomp)."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if fork.clone(0) == 0:
        try:
            control.close()
            ours.close()
            confine.lock(rules, lambda listener: _send_listener(theirs, listener))
            state.serve(root_fd, rules)
        except BaseException as error:
            report_broken(theirs, error)
        finally:
            os._exit(1)
    theirs.close()
    os.close(root_fd)
    with ours:
        message, fds, _, _ = socket.recv_fds(ours, 4096, 1)
    if message != wire.LISTENER or len(fds) != int(rules.seccomp):
        number = errno.EAGAIN if message[:1] == wire.BUSY else 0
        raise OSError(number, message[1:].decode(errors="replace") or "the first process died")
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
        listener: the seccomp listener, or -1.
        num_threads: threads that one process may start.
        num_places: make a folder for each cell's temporary files in one of so many; 0 for none.
    """

    def __init__(self, control: socket.socket, listener: int, num_threads: int, num_places: int) -> None:
        self._control, self._listener, self._num_threads = control, listener, num_threads
        self._num_places = num_places
        self._permits: set[int] = set()
        self._threads: dict[int, int] = {}  # started so far, by process

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
            return seccomp.allow(asked) if self._allows_thread(asked.pid) else seccomp.refuse(asked, errno.EAGAIN)
        while asked.token not in self._permits:
            if not self._read_permit():
                return seccomp.refuse(asked, errno.EPERM)
        self._permits.remove(asked.token)
        if self._num_places and not files.make(wire.folder_of(asked.token, self._num_places)):
            return seccomp.refuse(asked, errno.ENOSPC)
        return seccomp.allow(asked)

    def _read_permit(self) -> bool:
        """Takes the host's next message, if there is one."""
        try:
            message = self._control.recv(len(wire.PERMIT) + wire.TOKEN.size * wire.MAX_TOKENS)
        except BlockingIOError:
            return False
        if not message:
            end()
        (permitted,), *ended = wire.TOKEN.iter_unpack(message[len(wire.PERMIT) :])
        self._permits.add(permitted)
        if self._num_places:
            for (token,) in ended:
                files.remove(wire.folder_of(token, self._num_places))
        return True

    def _allows_thread(self, tid: int) -> bool:
        """Counts the threads that a process starts; `tid` is the thread that asks, which waits meanwhile."""
        pid = tid
        if not kernel.is_thread_of(tid, tid):
            # The first who asks is always a process's only thread, whose number is the process's: so that is known.
            pid = next((known for known in self._threads if kernel.is_thread_of(known, tid)), -1)
        elif tid not in self._threads:
            self._threads = {known: n for known, n in self._threads.items() if kernel.is_thread_of(known, known)}
        if pid < 0 or self._threads.get(pid, 0) >= self._num_threads:
            return False
        self._threads[pid] = self._threads.get(pid, 0) + 1
        return True
