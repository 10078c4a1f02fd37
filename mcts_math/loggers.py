"""Numbers of runs and rounds, told to the logger that is installed: Weights & Biases, trackio or TensorBoard."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from mcts_math.errors import ConfigError, boundary

LoggerName: TypeAlias = Literal["none", "wandb", "trackio", "tensorboard"]
LOG_TO: Final = "logger that numbers go to, where it is installed: wandb, trackio or tensorboard"
_PROJECT: Final = "mcts_math"


_Log: TypeAlias = Callable[[Mapping[str, float], int], object]
_Close: TypeAlias = Callable[[], object]


@dataclass(slots=True)
class Logger:
    """Takes numbers. It may fail: that is said once, and from then on it is told nothing. Results are what counts."""

    name: str
    report: Callable[[str], None]
    sink: tuple[_Log, _Close] | None = None

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        """Notes numbers by their names, at a step that never falls."""
        if self.sink is not None:
            self._try(partial(self.sink[0], numbers, step))

    def close(self) -> None:
        if self.sink is not None:
            self._try(self.sink[1])
        self.sink = None

    def _try(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Exception as error:  # whatever the package raises
            self.report(f"note: log_to: {self.name}: {type(error).__name__}: {error}. Nothing more is logged.")
            self.sink = None


def _track(package: Any, title: str, folder: Path, config: Mapping[str, Any]) -> tuple[_Log, _Close]:
    """wandb, or a package with its interface."""
    package.init(project=_PROJECT, name=title, config=dict(config))
    return lambda numbers, step: package.log(dict(numbers), step=step), package.finish


def _board(package: Any, title: str, folder: Path, config: Mapping[str, Any]) -> tuple[_Log, _Close]:
    """TensorBoard; its files lie in a folder beside the results."""
    writer = package.Writer(str(folder / f"{title}.tensorboard"))

    def log(numbers: Mapping[str, float], step: int) -> None:
        for name, number in numbers.items():
            writer.add_scalar(name, number, step)
        writer.flush()

    return log, writer.close


_LOGGERS: Final = {
    "wandb": ("wandb", _track),
    "trackio": ("trackio", _track),
    "tensorboard": ("tensorboard.summary", _board),
}
"""By name: the module, and how it begins."""


def check_logger(name: LoggerName) -> None:
    """Raises ConfigError where a logger is not installed. Nothing is imported."""
    if name in _LOGGERS and importlib.util.find_spec(_LOGGERS[name][0].partition(".")[0]) is None:
        raise ConfigError(f"log_to: {name} is not installed: pip install {name}, or leave log_to out.")


def open_logger(
    name: LoggerName, title: str, folder: Path, config: Mapping[str, Any], report: Callable[[str], None]
) -> Logger:
    """A logger that has begun; `none` drops what it is told. Its files, if any, lie in the folder. Raises ConfigError
    where it can't begin; a later failure is reported, and nothing more is logged."""
    if name not in _LOGGERS:
        return Logger(name, report)
    module, begin = _LOGGERS[name]
    with boundary(f"log_to: {name} can't begin", ConfigError, "Or leave log_to out."):  # no login, a full disk, …
        return Logger(name, report, begin(importlib.import_module(module), title, folder, config))
