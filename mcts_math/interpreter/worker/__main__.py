"""Entry point of the clean parent process; see `zygote`.

`parent` runs it, with the host's orders and this folder as arguments. It loads its own folder under a private package
name, so that no other module of the project is ever in a sandbox's heap. Each module gets a copy of `builtins` of its
own: code that replaces `len` or `open` breaks itself.
"""

import os
import sys
from collections.abc import Callable
from types import ModuleType

_register_at_fork = os.register_at_fork
child_hooks: list[Callable[[], object]] = []
"""What modules beside Python's own want to be called in a child: a state calls them, as its fork calls none."""


def _register(**hooks: Callable[[], object]) -> None:
    """Takes the place of `os.register_at_fork`: notes the hooks, and leaves out those of `random` and `threading`.

    These two cause 40 % of the page faults of a trivial step. A state does their work itself, where it is needed.
    """
    names = {getattr(hook, "__qualname__", "") for hook in hooks.values()}
    if not names <= {"Random.seed", "_after_fork"}:
        _register_at_fork(**hooks)
    hook = hooks.get("after_in_child")
    if hook is not None and (getattr(hook, "__module__", None) or "").partition(".")[0] not in sys.stdlib_module_names:
        child_hooks.append(hook)


os.register_at_fork = _register  # type: ignore[assignment]  # before these two are imported

import builtins  # noqa: E402

MODULES = (
    "kernel",
    "memory",
    "wire",
    "fork",
    "cell",
    "chance",
    "seccomp",
    "landlock",
    "mounts",
    "files",
    "confine",
    "state",
    "supervisor",
    "zygote",
)
"""In an order in which each needs only those before it."""


def load(folder: str) -> ModuleType:
    """Loads the folder as package `_sandbox` and returns its module `zygote`.

    Nothing in it tells where the folder is: a snippet may look at the modules that run it.
    """
    package = sys.modules["_sandbox"] = ModuleType("_sandbox")
    for name in MODULES:
        module = sys.modules[f"_sandbox.{name}"] = ModuleType(f"_sandbox.{name}")
        module.__package__ = "_sandbox"
        vars(module)["__builtins__"] = dict(vars(builtins))
        setattr(package, name, module)
        with open(os.path.join(folder, f"{name}.py"), encoding="utf-8") as file:
            exec(compile(file.read(), f"{name}.py", "exec"), vars(module))
    return sys.modules["_sandbox.zygote"]


def fix_addresses() -> None:
    """Starts this program anew with the same memory layout every time, where the kernel lets it (Docker does not).

    Else an object's address, which `repr` may show and by which sets are ordered, differs from run to run.
    """
    import ctypes

    personality = ctypes.CDLL(None).personality
    personality.argtypes = [ctypes.c_ulong]
    now = personality(0xFFFFFFFF)
    if not now & 0x0040000 and personality(now | 0x0040000) != -1:  # ADDR_NO_RANDOMIZE
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


if __name__ == "__main__":
    fix_addresses()
    del sys.path[0]  # the current folder: its modules must not shadow anybody's
    load(sys.argv[2]).main(sys.argv[1], child_hooks)
