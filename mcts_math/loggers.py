"""Numbers of runs and rounds, told to the logger that is installed: Weights & Biases, trackio or TensorBoard."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeAlias

from mcts_math.errors import ConfigError

LoggerName: TypeAlias = Literal["none", "wandb", "trackio", "tensorboard"]
LOG_TO: Final = "logger that numbers go to, where it is installed: wandb, trackio or tensorboard"
_PROJECT: Final = "mcts_math"


class Logger(Protocol):
    """Takes numbers."""

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        """Notes numbers by their names, at a step that never falls."""
        ...

    def close(self) -> None:
        """No more will come."""
        ...


@dataclass(slots=True)
class _Guarded:
    """A logger that may fail: that is said once, and from then on it is told nothing. Results are what counts."""

    name: str
    logger: Logger | None
    report: Callable[[str], None]

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        self._try(lambda logger: logger.log(numbers, step))

    def close(self) -> None:
        self._try(lambda logger: logger.close())
        self.logger = None

    def _try(self, act: Callable[[Logger], None]) -> None:
        if self.logger is None:
            return
        try:
            act(self.logger)
        except Exception as error:  # whatever the package raises
            self.report(f"note: log_to: {self.name}: {type(error).__name__}: {error}. Nothing more is logged.")
            self.logger = None


@dataclass(frozen=True, slots=True)
class _Tracker:
    """wandb, or a package with its interface."""

    package: Any

    @classmethod
    def begin(cls, package: Any, title: str, folder: Path, config: Mapping[str, Any]) -> _Tracker:
        package.init(project=_PROJECT, name=title, config=dict(config))
        return cls(package)

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        self.package.log(dict(numbers), step=step)

    def close(self) -> None:
        self.package.finish()


@dataclass(frozen=True, slots=True)
class _Board:
    """TensorBoard; its files lie in a folder beside the results."""

    writer: Any

    @classmethod
    def begin(cls, package: Any, title: str, folder: Path, config: Mapping[str, Any]) -> _Board:
        return cls(package.Writer(str(folder / f"{title}.tensorboard")))

    def log(self, numbers: Mapping[str, float], step: int) -> None:
        for name, number in numbers.items():
            self.writer.add_scalar(name, number, step)
        self.writer.flush()

    def close(self) -> None:
        self.writer.close()


_Begin: TypeAlias = Callable[[Any, str, Path, Mapping[str, Any]], Logger]
_LOGGERS: Final[Mapping[str, tuple[str, _Begin]]] = {
    "wandb": ("wandb", _Tracker.begin),
    "trackio": ("trackio", _Tracker.begin),
    "tensorboard": ("tensorboard.summary", _Board.begin),
}
"""By name: the module, and how it begins."""


def check_logger(name: LoggerName) -> None:
    """Raises ConfigError where a logger is not installed. Nothing is imported."""
    if name in _LOGGERS and importlib.util.find_spec(_LOGGERS[name][0].partition(".")[0]) is None:
        raise ConfigError(f"log_to: {name} is not installed: pip install {name}, or leave log_to out.")


def open_logger(
    name: LoggerName, title: str, folder: Path, config: Mapping[str, Any], report: Callable[[str], None]
) -> Logger:
    """A logger that has begun. Where it fails later, that is reported, and nothing more is logged.

    Args:
        name: which; `none` drops what it is told.
        folder: where files of it may lie.

    Raises:
        ConfigError: it can't begin.
    """
    if name not in _LOGGERS:
        return _Guarded(name, None, report)
    module, begin = _LOGGERS[name]
    try:
        logger = begin(importlib.import_module(module), title, folder, config)
    except Exception as error:  # each package raises what its parts raise: no login, no network, a full disk
        raise ConfigError(
            f"log_to: {name} can't begin: {type(error).__name__}: {error}. Or leave log_to out."
        ) from error
    return _Guarded(name, logger, report)
