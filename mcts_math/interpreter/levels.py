"""Which fences this machine has: tried, not guessed."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from enum import Enum

from mcts_math.errors import InterpreterError
from mcts_math.interpreter.cell_run import Watch
from mcts_math.interpreter.losses import StateLost
from mcts_math.interpreter.options import SandboxLimits
from mcts_math.interpreter.orders import Layers
from mcts_math.interpreter.parent import Parent, require_platform
from mcts_math.interpreter.sandbox import Sandbox
from mcts_math.requests import Cell


class Isolation(str, Enum):
    """How well snippets are locked in, best first."""

    FULL = "full"  # namespaces, Landlock, seccomp, rlimits
    CONFINED = "confined"  # seccomp and a file system fence; some layer of FULL is missing
    BARE = "bare"  # processes and rlimits only: no protection from code that means harm


@dataclass(frozen=True, slots=True)
class Level:
    """What `probe` found: the fences that work; for each that does not, what happened; and how to allow those."""

    isolation: Isolation
    layers: Layers
    missing: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()

    def __str__(self) -> str:
        """One line a fact, for people."""
        lines = [f"interpreter isolation: {self.isolation.value}"]
        lines += [f"  missing: {m}" for m in self.missing]
        lines += [f"  to allow it: {a}" for a in self.advice]
        return "\n".join(lines)


_ADVICE = {
    "namespaces": "Docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt "
    "systempaths=unconfined, or --privileged; elsewhere: sysctl user.max_user_namespaces, "
    "kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0",
    "landlock": "a kernel of 5.13 or newer with CONFIG_SECURITY_LANDLOCK and landlock in the lsm= boot option",
    "seccomp": "a kernel of 5.9 or newer with CONFIG_SECCOMP_FILTER, and a container that allows seccomp(2) filters "
    "(Docker's default profile does)",
}

_DOORS = """\
def doors():
    import ctypes, os, socket
    found = []
    def knock(name, call):
        try:
            call()
        except (OSError, ValueError):
            return
        found.append(name)
    if {landlock} or {namespaces}:
        knock("a file outside Python is readable", lambda: open("/etc/passwd").close())
    if {namespaces}:
        knock("/proc/self/status is readable", lambda: open("/proc/self/status").close())
        knock("the host's /etc is visible", lambda: os.stat("/etc/passwd"))
    if {seccomp}:
        knock("fork works", lambda: os.fork() or os._exit(0))
        knock("sockets work", lambda: socket.socket().close())
        knock("kill works", lambda: os.kill(os.getpid(), 0))
    return "; ".join(found)
doors()
"""


async def probe(limits: SandboxLimits | None = None) -> Level:
    """Finds the best level by setting a sandbox up and knocking at its doors from inside."""
    require_platform()
    limits = replace(limits or SandboxLimits(), modules=())
    full = Layers(**dict.fromkeys(_ADVICE, True))
    if await _fault(limits, full) is None:
        return Level(Isolation.FULL, full)
    alone = {name: Layers(**{other: other == name for other in _ADVICE}) for name in _ADVICE}
    faults = {name: await _fault(limits, layers) for name, layers in alone.items()}
    layers = Layers(**{name: fault is None for name, fault in faults.items()})
    if (fault := await _fault(limits, layers)) is not None:
        raise InterpreterError(f"no sandbox can be set up: {fault}")
    fenced = layers.seccomp and (layers.landlock or layers.namespaces)
    missing = [name for name, fault in faults.items() if fault is not None]
    return Level(
        Isolation.CONFINED if fenced else Isolation.BARE,
        layers,
        tuple(f"{name}: {faults[name]}" for name in missing),
        tuple(_ADVICE[name] for name in missing),
    )


async def _fault(limits: SandboxLimits, layers: Layers) -> str | None:
    """What is wrong with a sandbox with these layers, None if it holds."""
    try:
        parent = await Parent.start(limits, layers)
    except InterpreterError as error:
        return str(error)
    try:
        sandbox = Sandbox(await parent.new_sandbox(), limits, Watch(limits, lambda num_running: 0))
        try:
            result = await sandbox.step(sandbox.root, Cell(_DOORS.format(**asdict(layers))))
            if result.process is not None and result.process.start_ticks < 0:
                raise InterpreterError("/proc does not show the sandbox's processes (mount it without hidepid=)")
        finally:
            sandbox.close()
    except (InterpreterError, StateLost) as error:
        return str(error)
    finally:
        await parent.close()
    return result.text or None


def require(level: Level, allow_unsafe_exec: bool) -> None:
    """Raises InterpreterError for a level that does not protect, unless that is wanted."""
    if level.isolation is Isolation.BARE and not allow_unsafe_exec:
        raise InterpreterError(
            "this machine can't lock in the code that a model writes, so it will not be run.\n"
            f"{level}\n  or, at your own risk: allow_unsafe_exec: true"
        )
