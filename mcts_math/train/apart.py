"""A training outside this process, whose threads and memory are gone when the next search begins."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable, Mapping
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from mcts_math.config import make_settings
from mcts_math.errors import ConfigError, MctsMathError
from mcts_math.train.config import TrainConfig
from mcts_math.train.search import end_with_parent

_PROGRAM = Path(__file__).resolve().parents[2] / "scripts" / "train.py"


def train_apart(config: TrainConfig, report: Callable[[str], None]) -> None:
    """Trains in one process of its own, which ends with this one.

    Args:
        config: the training.
        report: takes its lines.

    Raises:
        MctsMathError: as `training.train`, or the process died.
    """
    context = get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_train, args=(config.model_dump(), sender), daemon=True)
    process.start()
    sender.close()
    error: BaseException | None = None
    try:
        while True:
            message = receiver.recv()
            if isinstance(message, BaseException):
                error = message
            else:
                report(message)
    except EOFError:
        process.join()
    if error is not None:
        raise error
    _require_success(process.exitcode or 0, "the training process")


def launch_training(command: str, config: TrainConfig, settings: Path, report: Callable[[str], None]) -> None:
    """Trains in the processes that a launcher starts: torchrun, accelerate launch, srun, …

    Args:
        command: what comes before `scripts/train.py` on the command line.
        config: the training.
        settings: file to write it to.
        report: takes the lines that the launcher prints; its errors go where ours go.

    Raises:
        MctsMathError: it can't be started, or ended in an error.
    """
    if not _PROGRAM.exists():
        raise ConfigError(f"launch needs {_PROGRAM}: run from a checkout of the repository.")
    settings.write_text(yaml.safe_dump(config.model_dump(exclude_unset=True), allow_unicode=True), "utf-8")
    words = [*shlex.split(command), str(_PROGRAM), "--cfg", str(settings), "--restart_changed"]
    try:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, errors="replace")
    except OSError as error:
        raise ConfigError(f"launch: {words[0]} can't be started: {error}.") from error
    with process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                report(line.rstrip("\n"))
        except BaseException:
            process.terminate()
            raise
    _require_success(process.returncode, f"`{command}`")


def _train(settings: Mapping[str, Any], sender: Any) -> None:
    end_with_parent()
    from mcts_math.train.training import train

    try:
        train(make_settings(TrainConfig, settings), restart_changed=True, report=sender.send)
    except MctsMathError as error:
        sender.send(error)


def _require_success(code: int, who: str) -> None:
    if code:
        raise MctsMathError(
            f"{who} ended with exit code {code} (an error above; or killed, or out of memory). Run the same command "
            "again to go on from its last state."
        )
