"""A training in processes of its own: their threads and memory are gone when the next search begins."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml

from mcts_math.errors import ConfigError, TrainingError
from mcts_math.files import write_text
from mcts_math.run.program import ends_with_us
from mcts_math.train.config import TrainConfig

_PROGRAM = ("-m", "mcts_math.train")


def launch_training(command: str, config: TrainConfig, settings: Path, report: Callable[[str], None]) -> None:
    """Trains in the processes that a launcher starts (torchrun, accelerate launch, srun, …; "" is this Python).

    They end with this process, however that ends. What they print is reported; their errors go where ours go. They read
    the config from the file `settings`.

    Raises:
        ConfigError: the launcher can't be started.
        TrainingError: it ended in an error.
    """
    write_text(settings, yaml.safe_dump(config.model_dump(exclude_unset=True), allow_unicode=True))
    launcher = shlex.split(command) or [sys.executable]
    words = [*launcher, *_PROGRAM, "--cfg", str(settings), "--restart_changed"]
    try:
        process = subprocess.Popen(
            words, stdout=subprocess.PIPE, text=True, errors="replace", preexec_fn=ends_with_us()
        )
    except OSError as error:
        raise ConfigError(f"launch: {launcher[0]} can't be started: {error}.") from error
    with process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                report(line.rstrip("\n"))
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise TrainingError(
            f"the training (`{shlex.join(launcher)}`) ended with exit code {process.returncode} (an error above; or "
            "killed, or out of memory). Run the same command again to go on from its last state."
        )
