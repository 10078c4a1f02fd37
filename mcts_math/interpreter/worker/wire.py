"""The bytes between host and states. Plain data only, every length bounded, nothing executed by reading it.

Host to state, on the state's socket, with the descriptor of the child's socket beside it: `ORDER`, to fork. Host to
that child, on the child's own socket: `CELL`, then the code. The child answers there: `REPLY` of kind HELLO when it
exists, of kind PRINTED with what its cell prints, then of kind DONE when its cell is done, then never again. Where the
machine refuses the fork, its parent sends REFUSED there, with the errno in the place of the length: ENOSPC where other
cells have left no room for its folder. So does the child itself where they have left none for the files of its branch.
The host believes nothing in a reply but the text that it shows.
"""

from __future__ import annotations

import struct

ORDER = struct.Struct("<Q32s")  # token of the fork, absolute path of the child's folder
CELL = struct.Struct("<IQ")  # bytes of code, seed
REPLY = struct.Struct("<BI")  # kind, bytes of payload
TOKEN = struct.Struct("<Q")
HELLO, DONE, PRINTED, REFUSED = 1, 2, 3, 4
GREETING = REPLY.pack(HELLO, 0)
FAILED, OK = b"f", b"o"  # first byte of a DONE; the text follows

LISTENER, READY, BROKEN, BUSY = b"L", b"R", b"E", b"B"  # worker's messages on the control sockets; text may follow
"""`BUSY` says that the machine has no room just now."""
NEW, PERMIT = b"N", b"P"  # host's messages on the control sockets
"""`NEW` (to the zygote, with two descriptors) makes a sandbox. `PERMIT` and tokens (to a supervisor): one fork with
the first is allowed; the folders of the others may go, because their cells are done."""
MAX_TOKENS = 100  # in one `PERMIT`
NUM_FILES = 64  # that a cell may have open
SCRATCH = ("/scratch", "/scratch-2")
"""Where temporary files are: file systems of their own, the first of them or all."""
SHARES = 8
"""The cells of one question for whose temporary files there is room at a time in one such place, so that none takes
that of another."""


def folder_of(token: int, num_places: int) -> str:
    """Where the cell whose fork has this token keeps its temporary files; its place follows from the token."""
    return f"{SCRATCH[token % num_places]}/{token:016x}"


def pack_cell(code: str, seed: int) -> bytes:
    """The message that tells a new state what to run; any string survives."""
    data = code.encode("utf-8", "surrogatepass")
    return CELL.pack(len(data), seed & (1 << 64) - 1) + data
