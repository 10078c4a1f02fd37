"""Stages of a long job: each is skipped when it is done and its inputs are the same.

A finished stage leaves `.NAME.json` with the fingerprint of its inputs, which stands for its output in the inputs of
later stages, and with what it cost.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mcts_math.errors import ConfigError, RecordError
from mcts_math.tasks import JsonObject


def run_stage(folder: Path, name: str, inputs: Any, work: Callable[[], None], announce: Callable[[], None]) -> str:
    """Runs a stage unless it is done; returns the fingerprint of its inputs.

    Args:
        folder: which holds its output and its mark.
        name: of the stage.
        inputs: all that its output depends on, as JSON can write it.
        work: makes the output; whatever it raises leaves the stage undone.
        announce: called before the work begins.
    """
    mark = folder / f".{name}.json"
    fingerprint = fingerprint_of(inputs)
    if finished(folder, name) == fingerprint:
        return fingerprint
    mark.unlink(missing_ok=True)
    mark.parent.mkdir(parents=True, exist_ok=True)
    announce()
    begun, cpu = time.monotonic(), _cpu_seconds()
    work()
    costs = {"seconds": time.monotonic() - begun, "cpu_seconds": _cpu_seconds() - cpu}
    write_json(mark, {"fingerprint": fingerprint} | {key: round(value, 1) for key, value in costs.items()})
    return fingerprint


def finished(folder: Path, name: str) -> str | None:
    """The fingerprint of a finished stage; None where it is not finished."""
    try:
        return str(json.loads((folder / f".{name}.json").read_text("utf-8"))["fingerprint"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def fingerprint_of(facts: Any) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def digest_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _cpu_seconds() -> float:
    """CPU time of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def write_json(path: Path, data: JsonObject) -> None:
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(json.dumps(data, indent=1) + "\n", "utf-8")
        temporary.replace(path)
    except OSError as error:
        raise RecordError(f"{path} can't be written: {error}. Make room and run the same command again.") from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes a folder and holds it against a second run. Raises ConfigError where another one holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("w")
    except OSError as error:
        raise RecordError(f"{folder} can't be written: {error}. Choose another output_dir.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"{folder}: another run is going on in it. Choose another output_dir.") from None
        yield
