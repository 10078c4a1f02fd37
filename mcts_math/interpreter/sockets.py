"""The host's ends of the sockets that it speaks with sandboxes by."""

from __future__ import annotations

import os
import socket
import sys

_UCRED_BYTES = 12


def hang_up(sock: socket.socket) -> None:
    """Closes a connection, whoever else has a copy of our end: a fork of this program (`multiprocessing`) has."""
    if sock.fileno() >= 0:
        sock.shutdown(socket.SHUT_RDWR)
    sock.close()


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
