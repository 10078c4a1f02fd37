"""Runs all attacks in one configuration and prints what came of them, as JSON. A program of the tests, run by itself.

    python attack_run.py full|no-namespaces FOLDER

FOLDER is world-writable and holds the file `secret`; the host's unchanged state is judged here, before and after.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from mcts_math.interpreter import SandboxInterpreter, SandboxLimits, probe
from mcts_math.interpreter.levels import Isolation, Level
from mcts_math.interpreter.parent import Layers
from mcts_math.requests import Cell, Execute

sys.path.insert(0, str(Path(__file__).parent))
from attacks import ATTACKS, Attack

SECRET = "canary-in-host"  # somewhere on our heap
SIBLING = (
    "import ctypes, numpy, sympy\nc = ctypes.pythonapi.Py_GetCopyright\nc.restype = ctypes.c_char_p\n"
    "canary, len(''), n if 'n' in globals() else 0, int(sympy.Integer(1) + 1), int(numpy.add(1, 1)), b'Python' in c()"
)
LIMITS = SandboxLimits(step_timeout_s=3.0, memory_bytes=512 << 20, max_running=10, num_parents=1)


def host_state(folder: Path) -> dict[str, object]:
    """What no snippet may change."""
    listing = {str(p): (p.stat().st_mtime_ns, p.stat().st_mode) for p in sorted(folder.rglob("*"))}
    places = ("/tmp", "/dev/shm", "/", str(Path(__file__).parent))
    return {
        "folder": listing,
        "secret": (folder / "secret").read_text(),
        "hostname": socket.gethostname(),
        "descriptors": len(list(Path("/proc/self/fd").iterdir())),
        "new names": [sorted(n.name for n in Path(p).glob("new-*")) for p in places],
    }


def descendants() -> list[int]:
    """Processes that have this one as an ancestor."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = path.read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue
        parents[int(path.parent.name)] = int(stat.rsplit(")", 1)[1].split()[1])

    def descends(pid: int) -> bool:
        while pid > 1:
            pid = parents.get(pid, 0)
            if pid == os.getpid():
                return True
        return False

    return [pid for pid in parents if descends(pid)]


async def try_one(interpreter: SandboxInterpreter, attack: Attack, words: dict[str, str]) -> str | None:
    """What went wrong, None if the attack was held."""
    # Attacks on the harness cost their sandbox its life: in one session they would wear out each other's retries.
    session = attack.name if attack.group in ("state", "harness") else attack.group
    base = (Cell("canary = 42"),)
    history = base
    code = attack.code
    for word, value in words.items():
        code = code.replace(word, value)
    for before in attack.before:
        await interpreter.execute(Execute(session, history, Cell(before)))
        history += (Cell(before),)
    seen = await interpreter.execute(Execute(session, history, Cell(code)))
    got = f"{seen.status.value}|{seen.text}"
    if not re.fullmatch(attack.expect, got, re.DOTALL):
        return f"gave {got[:300]!r}"
    sibling = await interpreter.execute(Execute(session, base, Cell(SIBLING)))
    if sibling.text != "(42, 0, 0, 2, 2, True)":
        return f"a sibling saw {sibling}"
    return None


async def run_all(which: str, folder: Path, server: socket.socket, attacks: Sequence[Attack]) -> dict[str, object]:
    """Runs some attacks and returns what is to be judged."""
    before = host_state(folder)
    level = await probe(LIMITS)
    if which == "no-namespaces":
        level = Level(Isolation.CONFINED, Layers(namespaces=False, landlock=True, seccomp=True))
    words = {
        "@SECRET@": str(folder / "secret"),
        "@FOLDER@": str(folder),
        "@UNIX@": str(folder / "unix"),
        "@PORT@": str(server.getsockname()[1]),
    }
    async with SandboxInterpreter(LIMITS, level) as interpreter:
        # The kernel counts the descriptors under way for the user: what others of the user do must not stop a sandbox.
        ours, theirs = socket.socketpair()
        with ours, theirs:
            for _ in range(4):
                socket.send_fds(ours, [b"x"], [0] * 100)
            results = await asyncio.gather(*(try_one(interpreter, a, words) for a in attacks))
        other = await interpreter.execute(Execute("another question", (), Cell("'canary' in globals()")))
        num_snapshots = interpreter.num_snapshots
    left, changed = descendants(), [""]
    for _ in range(50):  # a busy machine takes a while to bury processes and to close what belonged to them
        await asyncio.sleep(0.2)
        left, changed = descendants(), [key for key, value in host_state(folder).items() if value != before[key]]
        if not left and not changed:
            break
    return {
        "level": level.isolation.value,
        "uid": os.getuid(),
        "results": {a.name: r for a, r in zip(attacks, results, strict=True)},
        "other": other.text,
        "num_snapshots": num_snapshots,
        "left": left,
        "changed": changed,
    }


def main() -> None:
    """Runs and prints."""
    which, folder, every = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
    os.environ["MY_SECRET"] = "canary-in-env"
    unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    unix.bind(str(folder / "unix"))
    (folder / "unix").chmod(0o777)
    unix.setblocking(False)
    with socket.create_server(("127.0.0.1", 0)) as server, unix:
        server.setblocking(False)
        report = asyncio.run(run_all(which, folder, server, ATTACKS[::every]))
        for name, sock, receive in (("tcp", server, server.accept), ("unix", unix, lambda: unix.recv(1))):
            try:
                receive()
                report["changed"].append(f"{name} {sock}")
            except BlockingIOError:
                pass  # nobody came: good
    (folder / "unix").unlink()
    print(json.dumps(report))


if __name__ == "__main__":
    main()
