"""Experiments: methods x seeds -> runs, which whoever has an experiment performs in its own way -> rows of a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import Field, model_validator

from mcts_math.config import Config, load_config
from mcts_math.errors import ConfigError
from mcts_math.evaluate.accuracy import Tally, evaluate_file, scores_by_id, votes_by_id
from mcts_math.evaluate.comparison import Row, make_row
from mcts_math.evaluate.grading import Grader
from mcts_math.settings import Integer, Settings, UserPath


class ConfigFile(Settings):
    """A config by its file."""

    config: UserPath = Field(description="config file")
    overrides: dict[str, Any] = Field(default_factory=dict, description="keys that differ from it")

    def load(self, **settings: Any) -> Config:
        """The config, of a search, with further settings. Raises ConfigError."""
        self.require_free(settings)
        return load_config(self.config).changed(**self.overrides, **settings)

    def require_free(self, keys: Iterable[str]) -> None:
        """Raises ConfigError where the overrides name a key that each run is given by itself."""
        if taken := [key for key in keys if key in self.overrides]:
            raise ConfigError(f"{self.config}: overrides: {taken[0]} is given to each run by itself. Leave it out.")


class MethodConfig(ConfigFile):
    """A row of the table: a search, and with which seeds it is run."""

    seeds: list[Integer] = Field(default_factory=lambda: [42], description="one run each", min_length=1)
    vote: Integer = Field(
        0, description="also vote over this many runs each (Maj@k); the runs are split into such groups", ge=0
    )
    top: Integer = Field(0, description="also vote over the first k solutions within a run", ge=0)
    label: str = Field(
        "", description="name of the vote's row (that of `vote`, where there are two), where not the method's own"
    )

    @model_validator(mode="after")
    def _agree(self) -> MethodConfig:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds must differ, not {self.seeds}")
        if self.vote > len(self.seeds):
            raise ValueError(f"a vote over {self.vote} runs needs as many seeds, not {len(self.seeds)}")
        if self.vote and len(self.seeds) % self.vote:
            raise ValueError(f"votes over {self.vote} runs each leave some of {len(self.seeds)} seeds over")
        return self


Pair: TypeAlias = Annotated[list[str], Field(min_length=2, max_length=2)]
CONTRASTS = "pairs of rows; how far the first is above the second, question by question"


class ExperimentConfig(Settings):
    """Methods over one question file."""

    questions: UserPath = Field("", description="questions, as --qaf of solver_demo.py")
    exclude: UserPath | None = Field(None, description="file of positions of questions that are left out")
    greedy: UserPath | None = Field(
        None, description="config of a run that comes first; the methods get the questions that it fails"
    )
    methods: dict[str, MethodConfig] = Field(default_factory=dict, description="rows of the table, by name")
    contrasts: list[Pair] = Field(default_factory=list, description=CONTRASTS)

    @model_validator(mode="after")
    def _agree(self) -> ExperimentConfig:
        if self.greedy and self.exclude:
            raise ValueError("greedy finds out what to exclude: leave out exclude")
        if self.greedy and "greedy" in self.methods:
            raise ValueError("a method is called greedy, as the run of `greedy` is called: give it another name")
        return self


@dataclass(frozen=True, slots=True)
class SeededRun:
    """One method with one seed."""

    name: str
    method: MethodConfig
    seed: int
    output: Path


def run_path(folder: Path, name: str, seed: int) -> Path:
    """Where the results of one run lie."""
    stem = "".join(c if c.isalnum() or c in "-." else "_" for c in name).strip("_")
    return folder / f"{stem}.seed{seed}.jsonl"


def runs_of(methods: Mapping[str, MethodConfig], folder: Path) -> list[SeededRun]:
    """All runs of an experiment. Raises ConfigError where two methods would share a results file."""
    runs = [
        SeededRun(name, method, seed, run_path(folder, name, seed))
        for name, method in methods.items()
        for seed in method.seeds
    ]
    counted = Counter(run.output for run in runs)
    if twice := [path.name for path, count in counted.items() if count > 1]:
        raise ConfigError(f"methods: two of them would write {twice[0]}. Give one another name.")
    return runs


def rows_of(methods: Mapping[str, MethodConfig], folder: Path, grader: Grader) -> list[Row]:
    """The rows of all methods, each followed by its votes. Raises RecordError as `evaluate_file` and `scores_by_id`."""
    rows: list[Row] = []
    for name, method in methods.items():
        paths = [run_path(folder, name, seed) for seed in method.seeds]
        reports = [evaluate_file(path, grader, top_k=max(method.top, 1)) for path in paths]
        rows.append(make_row(name, reports, scores_by_id(reports)))
        if method.top:
            majorities = [report.majority for report in reports]
            rows.append(make_row(_top_name(name, method), reports, scores_by_id(reports, votes=True), majorities))
        if method.vote:
            starts = range(0, len(reports) - method.vote + 1, method.vote)
            votes = [votes_by_id(reports[first : first + method.vote], grader) for first in starts]
            scores = {i: sum(vote[i] for vote in votes) / len(votes) for i in votes[0]}
            tallies = [Tally.of(vote.values()) for vote in votes]
            rows.append(make_row(_vote_name(name, method), reports, scores, tallies, method.vote))
    return rows


def check_configs(methods: Mapping[str, MethodConfig]) -> None:
    """Raises ConfigError where a method's config can't be had, before the runs of the others have taken hours."""
    for name, method in methods.items():
        try:
            method.load()
        except ConfigError as error:
            raise ConfigError(f"methods: {name}: {error}") from error


def check_contrasts(contrasts: Sequence[Sequence[str]], methods: Mapping[str, MethodConfig]) -> None:
    """Raises ConfigError where a contrast names no row: a method, or its vote within a run or over several."""
    rows = [
        *methods,
        *(_top_name(name, method) for name, method in methods.items() if method.top),
        *(_vote_name(name, method) for name, method in methods.items() if method.vote),
    ]
    for name in (name for pair in contrasts for name in pair):
        if name not in rows:
            raise ConfigError(f"contrasts: there is no row {name!r} to compare. There are {', '.join(rows)}.")


def _vote_name(name: str, method: MethodConfig) -> str:
    return method.label or f"{name}, {method.vote} runs + Maj@{method.vote}"


def _top_name(name: str, method: MethodConfig) -> str:
    return method.label if method.label and not method.vote else f"{name}, top-{method.top} + Maj@{method.top}"
