"""The clean warm parent: imports once, holds no secret and no question, and forks a sandbox for each question.

It is started by exec with a short environment and hears from the host only. Before the first question it takes all
rights from itself that its sandboxes will not need either.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import linecache
import os
import platform
import select
import signal
import site
import socket
import sys
from collections.abc import Callable

from . import cell, chance, confine, files, fork, kernel, memory, state, supervisor, wire

_CONTROL_FD = 0  # the host gives its connection as standard input: no number to agree on
_PARENT_CHECK_MS = 500
_PATIENCE_S = 1
_SHARED_DATA = ("/usr/share/zoneinfo", "/etc/ld.so.cache", "/etc/localtime")
_NUM_REHEARSALS = 20  # enough for the interpreter to have specialised the harness's code, once for all forks
_NUM_REHEARSED_TURNS = 5
_REHEARSAL = "```python\nx = 1\nfor i in range(2):\n    print(i / 3)\nprint(x)\n```"


def main(rules_json: str, child_hooks: list[Callable[[], object]]) -> None:
    """Runs until the host goes, by its orders (`confine.Rules`); `child_hooks`: see `__main__`."""
    control = socket.socket(fileno=os.dup(_CONTROL_FD))
    parent = os.getppid()
    try:
        rules = _set_up(confine.Rules(**json.loads(rules_json)))
        state.child_hooks = child_hooks
        control.send(wire.READY)
    except BaseException as error:
        supervisor.report_broken(control, error)
        return
    _serve(control, rules, parent)


def _set_up(rules: confine.Rules) -> confine.Rules:
    os.umask(0o022)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    sys.stdin, sys.stdout, sys.stderr = (os.fdopen(fd, mode, closefd=False) for fd, mode in enumerate("rww"))
    sys.path[:] = rules.path
    site.setquit()
    site.setcopyright()
    site.sethelper()
    chance.settle()
    files.settle()
    for name in rules.modules:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ImportError(f"{error}: `modules` names it; install it, or leave it out") from error
    exec(compile(rules.warm_up, "<warm-up>", "exec"), {"__name__": "warm_up"})
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
    if "tempfile" in sys.modules:
        sys.modules["tempfile"].tempdir = None  # type: ignore[attr-defined]
    os.environ.pop("TMPDIR", None)  # those of this process go when it is set up
    os.environ["MPLCONFIGDIR"] = "."
    for _ in range(_NUM_REHEARSALS):
        cell.run(_REHEARSAL, {}, cell.Style())
    _hide(rules.path)
    gc.collect()
    memory.make_immortal()
    gc.freeze()
    libraries = _libraries()
    if rules.modules:
        memory.settle()
    with open("/proc/self/statm", encoding="ascii") as file:
        base_bytes = int(file.read().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    rules = rules._replace(libraries=libraries, base_bytes=base_bytes)
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")  # if the machine runs out of memory, the sandboxes go before the engine
    # A huge page is one page fault, and so would be most of the memory that the host counts by them.
    kernel.prctl(kernel.PR_SET_THP_DISABLE, 1)
    proc_fd = confine.enter_file_system(rules) if rules.namespaces else -1
    confine.leave_root(rules.uid)
    return rules._replace(proc_fd=proc_fd)


def _libraries() -> list[str]:
    """Folders of the shared libraries that this process, and nothing but Python, uses; and a few data files."""
    files = {mapping.file for mapping in memory.ranges() if ".so" in mapping.file}
    return [*sorted({os.path.dirname(f) for f in files if f.startswith("/")}), *_SHARED_DATA]


def _hide(path: list[str]) -> None:
    """Takes this package out of reach of an import statement, and what tells where it lies out of sight.

    Before `memory.settle`: each page that is touched after it costs all forks a page-table entry to copy.
    """
    for name in [n for n in sys.modules if n.partition(".")[0] in ("_sandbox", "__main__")]:
        del sys.modules[name]
    sys.argv[:] = sys.orig_argv[:] = [""]
    linecache.clearcache()  # of Python 3.13 and newer: it has the words that this process was started with
    platform._uname_cache = None  # type: ignore[attr-defined]  # it has the host's name
    sys.path.append("")  # a cell may import what its branch has written, in no other module's place
    for place in [p for p in sys.path_importer_cache if not p.startswith(tuple(path))]:
        del sys.path_importer_cache[place]


def _serve(control: socket.socket, rules: confine.Rules, parent: int) -> None:
    _rehearse(rules)
    poll = select.poll()
    poll.register(control, select.POLLIN)
    # A death signal would follow the host's *thread*, which may end long before the host: look for the parent instead.
    while os.getppid() == parent and _take_turn(poll, control, rules):
        pass
    # Sandboxes go with their connections, and who waits for this process waits for them; the others go with it.
    signal.alarm(_PATIENCE_S)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(-1, 0)


def _rehearse(rules: confine.Rules) -> None:
    """Takes some turns for which nobody asked, until one more leaves Python's memory as it was.

    Where the objects of a cell come to lie must not depend on how many sandboxes there were before: by their addresses
    sets are ordered.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    poll = select.poll()
    poll.register(theirs, select.POLLIN)
    with ours, theirs:
        for _ in range(_NUM_REHEARSED_TURNS):
            end, other = socket.socketpair()
            with end, other:
                socket.send_fds(ours, [wire.NEW], [end.fileno(), other.fileno()])
            _take_turn(poll, theirs, rules._replace(namespaces=False), lambda *_: os._exit(0))


def _take_turn(
    poll: select.poll,
    control: socket.socket,
    rules: confine.Rules,
    run: Callable[[socket.socket, int, confine.Rules], object] = supervisor.main,
) -> bool:
    """Waits a while for an order and forks a supervisor; False where there will be no more orders.

    Args:
        poll: waits for `control`, where orders come from.
        run: what the supervisor does.
    """
    if not poll.poll(_PARENT_CHECK_MS):
        return True
    message, fds, _, _ = socket.recv_fds(control, 64, 2)
    if len(fds) != 2:
        return bool(message)
    with socket.socket(fileno=fds[0]) as sandbox:
        try:
            is_child = fork.clone(kernel.NAMESPACES if rules.namespaces else 0) == 0
        except OSError as error:  # the machine refuses
            supervisor.report_broken(sandbox, error)
            is_child = False
        if is_child:
            control.close()
            run(sandbox, fds[1], rules)
    os.close(fds[1])
    return True
