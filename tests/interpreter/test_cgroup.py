"""The kernel's bound behind the sandbox's own, on trees of files that stand in for the kernel's, and on its own one."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcts_math.interpreter import SandboxInterpreter, SandboxLimits, cgroup
from mcts_math.interpreter.cgroup import Cgroup
from mcts_math.interpreter.parent import Parent
from mcts_math.requests import Cell, Execute

LIMITS = SandboxLimits(snapshot_bytes=1 << 30, memory_bytes=1 << 28, max_running=2, max_sandboxes=10, max_snapshots=40)


def host(tmp_path: Path, own: str, handed_down: dict[str, str]) -> Path:
    """A folder such as /proc/self, for a process in the group `own` of a tree; what its groups hand down."""
    proc, tree = tmp_path / "proc", tmp_path / "tree"
    proc.mkdir()
    (tree / own.lstrip("/")).mkdir(parents=True)
    for group, controllers in handed_down.items():
        (tree / group / "cgroup.subtree_control").write_text(controllers)
    (proc / "mountinfo").write_text(
        "24 1 0:22 / /proc rw - proc proc rw\n"
        f"30 1 0:26 /docker/x {tmp_path} rw - cgroup2 cgroup2 rw\n31 1 0:26 / {tree} rw,nosuid - cgroup2 cgroup2 rw\n"
    )
    (proc / "cgroup").write_text(f"4:memory:/\n0::{own}\n")
    return proc


@pytest.mark.parametrize(
    ("own", "handed_down", "place"),
    [
        ("/system.slice/x.service", {".": "memory pids", "system.slice": "cpu memory pids"}, "system.slice"),
        ("/system.slice/x.service", {".": "memory pids", "system.slice": ""}, "."),
        ("/", {".": "cpu memory pids"}, "."),
        ("/user.slice/a/b", {"user.slice/a/b": "memory pids"}, None),  # it has processes, this one
        ("/a", {".": "cpu io"}, None),
    ],
)
def test_a_group_is_made_where_controllers_are_handed_down(
    tmp_path: Path, own: str, handed_down: dict[str, str], place: str | None
) -> None:
    made = Cgroup.make(LIMITS, proc=host(tmp_path, own, handed_down))
    groups = [path.parent for path in (tmp_path / "tree").rglob("mcts_math-*")]
    assert groups == ([] if place is None else [tmp_path / "tree" / place])
    assert (made is None) == (place is None)


def test_a_group_bounds_more_than_the_limits_allow(tmp_path: Path) -> None:
    group = Cgroup.make(LIMITS, proc=host(tmp_path, "/a", {".": "memory pids"}))
    assert group is not None
    assert group.controllers == ("memory", "pids")
    (folder,) = (tmp_path / "tree").glob("mcts_math-*")
    assert int((folder / "memory.max").read_text()) > (1 << 30) + 2 * (1 << 28)
    assert int((folder / "pids.max").read_text()) > 40 + 10 + 2 * LIMITS.max_threads
    group.add(77)
    assert (folder / "cgroup.procs").read_text() == "77"


def test_no_bound_of_others_is_left(tmp_path: Path) -> None:
    proc = host(tmp_path, "/system.slice/x.scope/init", {"system.slice": "memory pids", ".": "memory pids"})
    (tmp_path / "tree/system.slice/x.scope/memory.max").write_text("4294967296\n")
    assert Cgroup.make(LIMITS, proc=proc) is None


def test_what_a_killed_host_has_left_is_removed(tmp_path: Path) -> None:
    proc = host(tmp_path, "/a", {".": "memory pids"})
    left, living = (tmp_path / "tree" / f"mcts_math-{pid}-0" for pid in (2**22 + 7, os.getppid()))
    left.mkdir()
    living.mkdir()
    assert Cgroup.make(LIMITS, proc=proc) is not None
    assert (left.exists(), living.exists()) == (False, True)


def test_a_host_without_groups_has_no_place_for_one(tmp_path: Path) -> None:
    proc = host(tmp_path, "/a", {".": "memory pids"})
    (proc / "cgroup").write_text("4:memory:/\n")
    assert Cgroup.make(LIMITS, proc=proc) is None
    (proc / "cgroup").unlink()
    assert Cgroup.make(LIMITS, proc=proc) is None
    (proc / "mountinfo").write_bytes(b"\xff short\n")
    assert Cgroup.make(LIMITS, proc=proc) is None
    (proc / "cgroup").write_text("0::/self\n")
    (proc / "mountinfo").write_text("31 1 0:26 / /proc rw - cgroup2 cgroup2 rw\n")  # where nobody can make a folder
    assert Cgroup.make(LIMITS, proc=proc) is None


@pytest.fixture
def tree() -> Path:
    """The root of the kernel's own tree."""
    mount = cgroup._mount(Path("/proc/self"))
    if mount is None or not os.access(mount, os.W_OK):
        pytest.skip("no tree of control groups (version 2) that this user may change")
    folder = mount / f"mcts_math-test-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"no control group can be made here: {error}")
    folder.rmdir()
    return mount


def members(tree: Path) -> set[int]:
    return {
        int(pid) for group in tree.glob("mcts_math-*") for pid in (group / "cgroup.procs").read_text().split()
    }  # fmt: skip


def test_all_processes_of_a_sandbox_are_in_its_group(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def places(proc: Path) -> Iterator[tuple[Path, tuple[str, ...]]]:
        yield tree, ()  # whatever it hands down: this is about who is in it

    monkeypatch.setattr(cgroup, "_places", places)

    async def scene() -> None:
        async with SandboxInterpreter(SandboxLimits(num_parents=1, modules=())) as interpreter:
            seen = await interpreter.execute(Execute("", (), Cell("print(6 * 7)")))
            assert seen.text == "42"
            (parent,) = interpreter._parents
            assert isinstance(parent, Parent)
            assert parent.pid in (inside := members(tree))
            assert len(inside) >= 3  # the clean parent, the supervisor and a state

    asyncio.run(scene())
    assert not list(tree.glob("mcts_math-*"))


def test_closing_ends_what_is_left(tree: Path) -> None:
    folder = tree / f"mcts_math-test-{os.getpid()}"
    folder.mkdir()
    group = Cgroup(folder, ())
    code = (
        "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']); "
        "print(1, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        ["sh", "-c", f'read go; exec {sys.executable} -c "$0"', code], stdin=-1, stdout=-1
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        group.add(process.pid)
        process.stdin.write(b"go\n")
        process.stdin.flush()
        process.stdout.readline()
        assert len(members(tree)) == 2
        group.close()
        assert process.wait(10) == -9
    assert not folder.exists()
