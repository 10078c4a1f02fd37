"""Stages of a long job: skipped where they are done with the same inputs, as `.NAME.json` says, and their output is
still there."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from mcts_math.errors import ConfigError, RecordError
from mcts_math.files import short_digest, try_lock, write_text, writing
from mcts_math.tasks import JsonObject

RECIPE: Final = "training.json"
"""In the folder that a training has made: of what, and how it went."""


def run_stage(
    folder: Path,
    name: str,
    inputs: Any,
    outputs: Sequence[str],
    work: Callable[[], None],
    begin: Callable[[], None] = lambda: None,
) -> str:
    """Runs a stage unless it is done; returns the fingerprint of its inputs, which are all that its output depends
    on, as JSON can write it. `begin` is called before anything of an earlier run is touched. Raises RecordError where
    `work` does not make the `outputs`, files and folders in `folder`."""
    fingerprint = fingerprint_of(inputs)
    if finished(folder, name) == fingerprint:
        return fingerprint
    mark = _mark(folder, name)
    folder.mkdir(parents=True, exist_ok=True)
    begin()
    mark.unlink(missing_ok=True)
    begun = time.monotonic()
    work()
    sizes = {path: size for output in outputs for path, size in _sizes(folder, output)}
    write_json(mark, {"fingerprint": fingerprint, "seconds": round(time.monotonic() - begun, 1), "files": sizes})
    return fingerprint


def finished(folder: Path, name: str) -> str | None:
    """The fingerprint of a finished stage; None where it is not finished, or a file of its output is gone or cut."""
    try:
        mark = json.loads(_mark(folder, name).read_text("utf-8"))
        there = all((folder / path).stat().st_size == size for path, size in mark["files"].items())
        return str(mark["fingerprint"]) if there else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def fingerprint_of(facts: Any) -> str:
    return short_digest(json.dumps(facts, sort_keys=True))


def file_digest(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_json(path: Path, data: JsonObject) -> None:
    """Writes a JSON file at once. Raises RecordError where it can't be written."""
    write_text(path, json.dumps(data, indent=1))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Makes a folder and holds it against a second run. Raises ConfigError where another one holds it."""
    with writing(folder, "Choose another output_dir."):
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("w")
    with file:
        if not try_lock(file.fileno()):
            raise ConfigError(f"{folder}: another run is going on in it. Choose another output_dir.")
        yield


def _mark(folder: Path, name: str) -> Path:
    return folder / f".{name}.json"


def _sizes(folder: Path, output: str) -> Iterator[tuple[str, int]]:
    path = folder / output
    files = sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise RecordError(f"{path} was not made. Run the same command again.")
    yield from ((str(file.relative_to(folder)), file.stat().st_size) for file in files)
