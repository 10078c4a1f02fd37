"""What the rounds do: the settings of every stage, from the config of the rounds alone."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from mcts_math.config import Config
from mcts_math.engine import checkpoint as checkpoints
from mcts_math.engine.table import ENGINES
from mcts_math.errors import ConfigError
from mcts_math.evaluate.experiments import ConfigFile, MethodConfig, SeededRun, check_contrasts, runs_of
from mcts_math.settings import load_settings, make_settings
from mcts_math.tasks import load_tasks
from mcts_math.train.config import RoundsConfig, TrainConfig


class Plan:
    def __init__(self, config: RoundsConfig) -> None:
        self.config = config
        self.folder = Path(config.output_dir)  # which holds round_0, round_1, …
        self.tasks = cache(load_tasks)  # of a question file, which every stage asks for

    def check(self) -> None:
        """Raises MctsMathError where a stage could not be done."""
        config = self.config
        for key in ("output_dir", "base_model", "train_questions", "test_questions"):
            if not getattr(config, key):
                raise ConfigError(f"{key} is not set.")
        if not config.search or not config.train or not config.methods:
            raise ConfigError("search, train and methods must each have an entry.")
        checkpoints.inspect(config.base_model)
        try:
            launcher = shlex.split(config.launch)
        except ValueError as error:
            raise ConfigError(f"launch: {config.launch!r} is no command: {error}. Close its quotes.") from None
        if launcher and shutil.which(launcher[0]) is None:
            raise ConfigError(f"launch: no program {launcher[0]!r} is found. Install it, or give its whole path.")
        for questions in (config.train_questions, config.test_questions):
            unanswered = [task.id for task in self.tasks(questions) if not task.answers]
            if unanswered:
                raise ConfigError(f"{questions}: question {unanswered[0]!r} has no `answer`; self-training needs them.")
        for number in range(1, config.num_rounds + 1):
            self.search(number)
            self.training(number)
        check_contrasts(config.contrasts, config.methods)
        self.runs(1)

    def round(self, number: int) -> Path:
        return round_folder(self.folder, number)

    def checkpoint(self, number: int) -> str:
        return str(self.round(number) / "checkpoint")

    def search(self, number: int) -> Config:
        """The search for training data of a round, with the checkpoint of the round before."""
        entry = _entry(self.config.search, number)
        config = entry.load(model_dir=self.checkpoint(number - 1), seed=self.config.seed + number)
        if number == 1 and not self.config.first_round_values:
            if config.method.needs_values(config.options):
                raise ConfigError(
                    "search of round 1 backs up values, but the base has no trained value head. Give round 1 an entry "
                    "of its own, or set first_round_values: true."
                )
            config = config.changed(value="none", need_value_func=False)
        self._check_engine(config)
        if not config.method.backs_up or not config.reads_verdicts:
            raise ConfigError(f"search of round {number}: training data needs mode: mcts and is_sampling: true.")
        return config

    def training(self, number: int) -> TrainConfig:
        entry = _entry(self.config.train, number)
        examples = [str(self.round(n) / "examples.jsonl") for n in [*self.earlier_examples(number), number]]
        entry.require_free(("model_dir", "examples", "pairs", "output_dir"))
        settings = load_settings(TrainConfig, entry.config).model_dump(exclude_unset=True) | entry.overrides
        settings |= {
            "model_dir": self.checkpoint(self.start(number)),
            "examples": examples,
            "output_dir": self.checkpoint(number),
        }
        if settings.get("preference_weight"):
            settings["pairs"] = [str(Path(path).with_name("pairs.jsonl")) for path in examples]
        return make_settings(TrainConfig, settings)

    def runs(self, number: int) -> list[tuple[SeededRun, Config]]:
        """The runs of a round's evaluation."""
        runs = runs_of(self.methods(number), self.round(number) / "eval")
        made = [(run, run.method.load(model_dir=self.checkpoint(number), seed=run.seed)) for run in runs]
        for _, config in made:
            self._check_engine(config)
        return made

    def methods(self, number: int) -> dict[str, MethodConfig]:
        """The rows of a round. The base has no values yet: what a fresh head says is noise."""
        return {
            name: method
            for name, method in self.config.methods.items()
            if number > 0 or method.load().value_source == "none"
        }

    def spans(self, number: int) -> list[tuple[int, int]]:
        """This round's training questions, in turn through the file: first and number of those searched together."""
        total, chunk = len(self.tasks(self.config.train_questions)), self.config.chunk
        size = min(self.config.questions_per_round or total, total)
        first = min((number - 1) * size % total, total - size)
        return [(start, min(chunk, first + size - start)) for start in range(first, first + size, chunk)]

    def start(self, number: int) -> int:
        """The round whose checkpoint a training starts from."""
        return 0 if self.config.start_from == "base" else number - 1

    def earlier_examples(self, number: int) -> list[int]:
        """Earlier rounds whose examples are trained on again."""
        return list(range(1, number)) if self.config.accumulate else []

    def scored_method(self, number: int) -> tuple[str, int] | None:
        """A method and a seed whose trees hold values of all steps as the head gave them, the widest search first."""
        scored = []
        for name, method in self.methods(number).items():
            config = method.load()
            scores_steps = not (config.method.backs_up or config.method.makes_attempts)  # else whole attempts alone
            if scores_steps and config.method.uses_values(config.options) and config.value_source == "head":
                width = int(config.options.model_dump().get("step_beam_width", 1))
                scored.append((width, name, method.seeds[0]))
        return max(scored)[1:] if scored else None

    def greedy_method(self) -> str | None:
        """The name of greedy decoding, where it is one of the methods."""
        configs = {name: method.load() for name, method in self.config.methods.items()}
        names = (name for name, config in configs.items() if config.method.is_chain and config.temperature == 0)
        return next(names, None)

    def _check_engine(self, config: Config) -> None:
        if ENGINES[config.engine].load_lockstep is None and self.config.processes > 1:
            raise ConfigError(
                f"engine: {config.engine} serves many trees by itself: set processes to 1 (and num_replicas)."
            )


def round_folder(folder: Path, number: int) -> Path:
    """Where a round of a folder of rounds lies."""
    return folder / f"round_{number}"


def title(number: int) -> str:
    """How tables and pictures call a round."""
    return "base" if number == 0 else f"round {number}"


def _entry(entries: Sequence[ConfigFile], number: int) -> ConfigFile:
    """The entry of a round; the last one serves further rounds."""
    return entries[min(number, len(entries)) - 1]
