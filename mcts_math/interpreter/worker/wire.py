"""The bytes between host and node. Plain data only, every length bounded, nothing executed by reading it.

Host to node, on the node's socket, with the descriptor of the child's socket beside it: `COMMAND`, then the code.
Node to host, on its own socket: `REPLY` of kind HELLO when it exists, then of kind DONE when its cell is done, then
never again. The host believes nothing in a reply but the text that it shows.
"""

from __future__ import annotations

import struct

COMMAND = struct.Struct("<IQQ")  # bytes of code, token of the fork, seed
REPLY = struct.Struct("<BI")  # kind, bytes of payload
HELLO, DONE = 1, 2
FAILED, OK = b"f", b"o"  # first byte of a DONE; the text follows

MAX_CODE_BYTES = 8 << 20
LISTENER, READY, BROKEN = b"L", b"R", b"E"  # worker's messages on the control sockets; text may follow
NEW, PERMIT = b"N", b"P"  # host's messages on the control sockets
"""`NEW` (to the zygote, with two descriptors) makes a sandbox; `PERMIT` + 8 bytes allows one fork (to a supervisor)."""


def encode_code(code: str) -> bytes:
    """Code as bytes; any string survives."""
    return code.encode("utf-8", "surrogatepass")


def decode_code(data: bytes) -> str:
    """The inverse of `encode_code`."""
    return data.decode("utf-8", "surrogatepass")
