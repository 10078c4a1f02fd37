"""What identifies a training, and the state that a stopped one goes on from. Its first process alone looks into its
work folder, and tells the others."""

from __future__ import annotations

import importlib.metadata
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import Final

import torch
from transformers.trainer_utils import get_last_checkpoint

from mcts_math.engine.checkpoint import Checkpoint, inspect
from mcts_math.errors import ConfigError, MctsMathError, TrainingError
from mcts_math.files import ROOM
from mcts_math.run.description import sample_files
from mcts_math.tasks import JsonObject
from mcts_math.train.config import NEUTRAL_KEYS, TrainConfig, TuningConfig
from mcts_math.train.processes import rank, world
from mcts_math.train.stages import RECIPE, file_digest, locked, write_json

STATE = "trainer_state.json"  # written last: a state that holds it is complete


def check_settings(
    config: TrainConfig | TuningConfig, files: Mapping[str, Sequence[str]], overwrite: bool
) -> tuple[Checkpoint, Path]:
    """Refuses what can be at little cost; the checkpoint to start from, and the folder of the result. `files` is the
    training data by key of the config. Raises ConfigError, and as `inspect`."""
    if not config.model_dir or not config.output_dir:
        raise ConfigError("set model_dir (where to start from) and output_dir (the result).")
    program = f"scripts/make_{next(iter(files))}.py"
    if not any(files.values()):
        raise ConfigError(f"no training data: set {next(iter(files))} to one or more files of {program}.")
    for key, paths in files.items():
        if missing := [path for path in paths if not Path(path).is_file()]:
            raise ConfigError(f"{key}: {missing[0]}: no such file. Make it with {program}.")
    output = Path(config.output_dir)
    if output.exists() and not overwrite:
        raise ConfigError(f"{output} exists. Choose another output_dir, or add --overwrite.")
    if output.exists() and not (output / RECIPE).is_file():
        raise ConfigError(f"{output} is no result of a training, to be replaced by another. Choose another output_dir.")
    return inspect(config.model_dir), output


def describe(config: TrainConfig | TuningConfig, files: Iterable[str], packages: Iterable[str]) -> JsonObject:
    """What identifies a training: its config, where it starts, what its files hold, and versions of packages."""
    return {
        "config": config.model_dump(),
        "weights": sample_files(config.model_dir),
        "files": {path: file_digest(Path(path)) for path in files},
        "versions": {name: importlib.metadata.version(name) for name in packages},
    }


DAMAGES: Final = (OSError, EOFError, RuntimeError, UnpicklingError)
"""What torch raises where a file can't be written or read."""


def damaged(folder: str | Path, error: Exception) -> TrainingError:
    """What is said where a state can't be written or read."""
    return TrainingError(f"a state in {folder} can't be written or read: {error}. {ROOM} --overwrite starts anew.")


def last_state(work: Path) -> Path | None:
    """The last complete state; what a kill has left half-written is removed."""
    while (found := get_last_checkpoint(str(work)) if work.is_dir() else None) is not None:
        try:
            json.loads((Path(found) / STATE).read_text("utf-8"))
            return Path(found)
        except (OSError, ValueError):
            shutil.rmtree(found, ignore_errors=True)
    return None


@contextmanager
def holding(work: Path, facts: JsonObject, overwrite: bool, *, restart_changed: bool = False) -> Iterator[Path | None]:
    """Holds the work folder, which goes when the training is done; yields the state to go on from. Raises, on all
    processes, which must know each other, what the first one is refused for."""
    found: list[Path | MctsMathError | None] = [None]
    with ExitStack() as lock:
        if rank() == 0:
            try:
                lock.enter_context(locked(work))
                found = [_begin(work, facts, overwrite, restart_changed)]
            except MctsMathError as error:
                found = [error]
        if world() > 1:
            torch.distributed.broadcast_object_list(found, src=0)
        if isinstance(found[0], MctsMathError):
            raise found[0]
        yield found[0]
    if rank() == 0:
        shutil.rmtree(work, ignore_errors=True)


def _begin(work: Path, facts: JsonObject, overwrite: bool, restart_changed: bool) -> Path | None:
    """Marks the work folder as this training's; returns the state to go on from."""
    mark = work / "run.json"
    state = None if overwrite or not mark.exists() else last_state(work)
    if state is not None:
        changed = _changes(mark, facts)
        if not changed:
            return state
        if not restart_changed:
            told = (
                f"other settings ({', '.join(changed)}). Add --overwrite to start anew, or choose another output_dir."
            )
            raise ConfigError(f"{work} holds a stopped training with {told}")
    for old in work.glob("checkpoint-*"):
        shutil.rmtree(old)
    write_json(mark, facts)
    return None


def _changes(mark: Path, facts: JsonObject) -> list[str]:
    """The settings and the data in which a stopped training differs."""
    now = json.loads(json.dumps(facts["config"]))
    try:
        before = json.loads(mark.read_text("utf-8"))
        old, files = before["config"], before["files"]
    except (ValueError, LookupError, TypeError) as error:
        return [f"{mark} does not tell which: {error!r}"]
    changed = [f"{k}: {old.get(k)!r} -> {now[k]!r}" for k in now if k not in NEUTRAL_KEYS and old.get(k) != now[k]]
    if before.get("weights", facts["weights"]) != facts["weights"]:  # a state holds what is trained alone
        changed.append(f"the weights of {now['model_dir']} have changed")
    return changed + [f"{path} has changed" for path, digest in facts["files"].items() if files.get(path) != digest]
