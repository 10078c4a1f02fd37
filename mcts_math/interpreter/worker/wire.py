"""The bytes between host and states. Plain data only, every length bounded, nothing executed by reading it.

Host to state, on the state's socket, with the descriptor of the child's socket beside it: `COMMAND`, then the code.
State to host, on its own socket: `REPLY` of kind HELLO when it exists, of kind PRINTED with what its cell prints, then
of kind DONE when its cell is done, then never again. Where the machine refuses the fork, its parent sends REFUSED
there, with the errno in the place of the length. The host believes nothing in a reply but the text that it shows.
"""

from __future__ import annotations

import struct

COMMAND = struct.Struct("<IQQ")  # bytes of code, token of the fork, seed
REPLY = struct.Struct("<BI")  # kind, bytes of payload
HELLO, DONE, PRINTED, REFUSED = 1, 2, 3, 4
FAILED, OK = b"f", b"o"  # first byte of a DONE; the text follows

MAX_CODE_BYTES = 8 << 20
LISTENER, READY, BROKEN, BUSY = b"L", b"R", b"E", b"B"  # worker's messages on the control sockets; text may follow
"""`BUSY` says that the machine has no room just now."""
NEW, PERMIT, ENDED = b"N", b"P", b"D"  # host's messages on the control sockets
"""`NEW` (to the zygote, with two descriptors) makes a sandbox. `PERMIT` + 8 bytes, the fork's token, allows one fork
(to a supervisor); `ENDED` + the token says that its cell is done, so that its folder may go."""


def encode_code(code: str) -> bytes:
    """Code as bytes; any string survives."""
    return code.encode("utf-8", "surrogatepass")


def decode_code(data: bytes) -> str:
    """The inverse of `encode_code`."""
    return data.decode("utf-8", "surrogatepass")
