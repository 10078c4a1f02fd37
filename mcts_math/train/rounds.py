"""Rounds of self-training: search with checkpoint k, choose examples, train checkpoint k+1, evaluate, and over again.

    OUTPUT/round_0/checkpoint/                     the base policy with a fresh value head
    OUTPUT/round_0/eval/METHOD.seedN.jsonl         its evaluation, by methods that ask for no values
    OUTPUT/round_1/trees/part_N.jsonl              searches of checkpoint 0 over training questions
    OUTPUT/round_1/examples.jsonl  checkpoint/  eval/  summary.json
    OUTPUT/summary.md  *.png                       tables and figures, which grow with the rounds

A stage is skipped when its output is complete and was made from the same inputs (`.STAGE.json` holds their
fingerprint); the search redoes unfinished parts only, and the training goes on from its last state.

Round 1 searches without values: the base has no value head yet, and a fresh one would back up noise. A leaf then counts
0, and only the rewards of answers tell steps apart (published: the fresh head's values are backed up).
"""

from __future__ import annotations

import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mcts_math.config import Config, load_config, load_settings, make_config, make_settings
from mcts_math.engine import checkpoint as checkpoints
from mcts_math.errors import ConfigError, MctsMathError
from mcts_math.evaluate.grading import Grader
from mcts_math.tasks import JsonObject, load_tasks
from mcts_math.train.analysis import describe_values, value_points
from mcts_math.train.apart import launch_training, train_apart
from mcts_math.train.config import MethodConfig, RoundsConfig, TrainConfig
from mcts_math.train.harvest import write_examples
from mcts_math.train.misses import count_fates, fates, render_fates
from mcts_math.train.search import Part, run_parts
from mcts_math.train.stages import digest_of, fingerprint_of, finished, locked, run_stage, write_json
from mcts_math.train.summary import (
    comparable_rows,
    compare_rows,
    render_differences,
    render_rounds,
    render_rows,
    render_value,
    run_path,
    summarise_runs,
)

_WEIGHTS = ("*.safetensors", "*.bin", "*.pth", "config.json")


class Rounds:
    """All stages of one folder.

    Args:
        config: what to do.
        report: takes the lines meant for the user.
    """

    def __init__(self, config: RoundsConfig, report: Callable[[str], None] = print) -> None:
        self.config = config
        self.folder = Path(config.output_dir)
        self._report = report
        self._begun = time.monotonic()

    def run(self) -> Path:
        """Does what is not done yet; returns the folder of the last checkpoint.

        Raises:
            MctsMathError: bad settings, another run in this folder, or a stage that failed.
        """
        self._check()
        with locked(self.folder):
            try:
                return self._run()
            except OSError as error:
                raise MctsMathError(
                    f"{self.folder}: {error}. If the disk is full, make room; then run the same command again."
                ) from error

    def _run(self) -> Path:
        checkpoint = self._stage(0, "base", self._base_inputs(), self._make_base)
        self._evaluate(0, checkpoint)
        for number in range(1, self.config.num_rounds + 1):
            trees = self._search(number, checkpoint)
            examples = self._stage(
                number,
                "examples",
                {"trees": trees, "config": self.config.examples.model_dump()},
                lambda n=number: self._make_examples(n),  # type: ignore[misc]
            )
            checkpoint = self._train(number, examples)
            self._evaluate(number, checkpoint)
        return self._round(self.config.num_rounds) / "checkpoint"

    # Stages. Each returns the fingerprint of what it made.

    def _make_base(self) -> None:
        """A copy of the base policy, whose value head is a fresh one."""
        from mcts_math.engine.value_head import fresh_value_head, save_value_head

        source = checkpoints.download(checkpoints.inspect(self.config.base_model))
        if source.hidden_size is None or source.path is None:
            raise ConfigError(f"{self.config.base_model}: config.json does not tell the hidden size.")
        folder = self._round(0) / "checkpoint"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file in source.path.iterdir():
            if file.is_file() and file.name not in (checkpoints.HEAD_PTH, checkpoints.HEAD_SAFETENSORS):
                shutil.copyfile(file, folder / file.name)
        head = fresh_value_head(source.hidden_size, initializer_range=source.initializer_range, seed=self.config.seed)
        save_value_head(head, folder)
        settings = checkpoints.read_config(folder) | {"value_model": True}
        (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n", "utf-8")

    def _search(self, number: int, checkpoint: str) -> str:
        """Trees over this round's training questions."""
        settings = self._search_settings(number)
        first, count = self._questions(number)
        inputs = fingerprint_of([digest_of(Path(self.config.train_questions)), checkpoint])
        folder = self._round(number) / "trees"
        parts = [
            Part(
                f"round {number}, training questions {start}–{start + size - 1}",
                settings,
                self.config.train_questions,
                start,
                size,
                str(folder / f"part_{index:03d}.jsonl"),
                inputs,
            )
            for index, (start, size) in enumerate(_chunks(first, count, self.config.chunk))
        ]
        facts = {"parts": [part.fingerprint for part in parts]}
        return self._stage(number, "search", facts, lambda: self._run_parts(parts, folder))

    def _make_examples(self, number: int) -> None:
        trees = sorted((self._round(number) / "trees").glob("part_*.jsonl"))
        output = self._round(number) / "examples.jsonl"
        with Grader() as grader:
            statistics = write_examples(
                trees, output, self.config.examples, grader, pairs=output.with_name("pairs.jsonl")
            )
        write_json(output.with_name("examples.json"), statistics.to_json())
        self._report(statistics.render())

    def _train(self, number: int, examples: str) -> str:
        """Checkpoint `number`."""
        config, start = self._train_config(number), self._start(number)
        facts = {
            "config": {
                k: v for k, v in config.model_dump().items() if k not in ("num_threads", "save_steps", "log_steps")
            },
            "examples": [finished(self._round(n), "examples") for n in self._example_rounds(number)] + [examples],
            "start": finished(self._round(start), "base" if start == 0 else "train"),
        }
        return self._stage(number, "train", facts, lambda: self._run_training(config))

    def _evaluate(self, number: int, checkpoint: str) -> None:
        folder = self._round(number) / "eval"
        inputs = fingerprint_of([digest_of(Path(self.config.test_questions)), checkpoint])
        parts = self._eval_parts(number, folder, inputs)
        facts = {"parts": [part.fingerprint for part in parts]}
        made = self._stage(number, "eval", facts, lambda: self._run_parts(parts, folder))
        rows = {name: method.model_dump() for name, method in self._methods(number).items()}
        summary = {"eval": made, "methods": rows, "contrasts": self.config.contrasts}
        self._stage(number, "summary", summary, lambda: self._summarise(number))
        self._show(number)

    def _summarise(self, number: int) -> None:
        folder = self._round(number)
        with Grader() as grader:
            rows = summarise_runs(folder / "eval", self._methods(number), grader)
            scored, greedy = self._scored_method(number), self._greedy_method()
            points = value_points(run_path(folder / "eval", *scored), grader) if scored else []
            found = fates(run_path(folder / "eval", *scored), grader) if scored and greedy else {}
        summary: JsonObject = {"round": number, "rows": [row.to_json() for row in rows]}
        there = {row.name for row in rows}
        summary["differences"] = compare_rows(rows, [pair for pair in self.config.contrasts if there.issuperset(pair)])
        if points:
            assert scored is not None
            file = run_path(folder / "eval", *scored).name
            summary["value"] = {"method": scored[0], "file": file, **describe_values(points)}
        if found:
            scores = next(row.scores for row in rows if row.name == greedy)
            summary["fates"] = count_fates(found, scores)
        if (folder / "examples.json").exists():
            summary["examples"] = json.loads((folder / "examples.json").read_text("utf-8"))
        write_json(folder / "summary.json", summary)
        (folder / "table.md").write_text(render_rows(rows) + "\n", "utf-8")

    # Settings of the stages.

    def _search_settings(self, number: int) -> dict[str, Any]:
        config = _nth(self.config.search, number)
        base = load_config(config["config"])
        settings = base.resolved() | config.get("overrides", {})
        settings |= {"model_dir": str(self._round(number - 1) / "checkpoint"), "seed": self.config.seed + number}
        if number == 1:
            settings["need_value_func"] = False
        checked = make_config(settings)
        self._check_engine(checked)
        if checked.mode != "mcts" or not checked.is_sampling:
            raise ConfigError(f"search of round {number}: training data needs mode: mcts and is_sampling: true.")
        return _plain(checked)

    def _train_config(self, number: int) -> TrainConfig:
        entry = _nth(self.config.train, number)
        settings = load_settings(TrainConfig, entry["config"]).model_dump(exclude_unset=True)
        examples = [str(self._round(n) / "examples.jsonl") for n in [*self._example_rounds(number), number]]
        settings |= entry.get("overrides", {})
        settings |= {
            "model_dir": str(self._round(self._start(number)) / "checkpoint"),
            "examples": examples,
            "output_dir": str(self._round(number) / "checkpoint"),
        }
        if settings.get("preference_weight"):
            settings["pairs"] = [str(Path(path).with_name("pairs.jsonl")) for path in examples]
        return make_settings(TrainConfig, settings)

    def _eval_parts(self, number: int, folder: Path, inputs: str) -> list[Part]:
        count = len(load_tasks(self.config.test_questions))
        parts = []
        for name, method in self._methods(number).items():
            config = load_config(method.config)
            for seed in method.seeds:
                settings = config.resolved() | method.overrides
                settings |= {"model_dir": str(self._round(number) / "checkpoint"), "seed": seed}
                checked = make_config(settings)
                self._check_engine(checked)
                output = str(run_path(folder, name, seed))
                where = f"{'base' if number == 0 else f'round {number}'}, {name}, seed {seed}"
                parts.append(Part(where, _plain(checked), self.config.test_questions, 0, count, output, inputs))
        return sorted(parts, key=lambda part: -_expected_cost(part.settings))

    def _questions(self, number: int) -> tuple[int, int]:
        """First and number of this round's training questions, in turn through the file."""
        total = len(load_tasks(self.config.train_questions))
        size = min(self.config.questions_per_round or total, total)
        first = (number - 1) * size % total
        return (first, size) if first + size <= total else (total - size, size)

    def _start(self, number: int) -> int:
        return 0 if self.config.start_from == "base" else number - 1

    def _example_rounds(self, number: int) -> list[int]:
        """Earlier rounds whose examples are trained on again."""
        return list(range(1, number)) if self.config.accumulate else []

    def _methods(self, number: int) -> dict[str, MethodConfig]:
        """The rows of a round. The base has no values yet: what a fresh head says is noise."""
        return {
            name: method
            for name, method in self.config.methods.items()
            if number > 0 or not _method_config(method).need_value_func
        }

    def _scored_method(self, number: int) -> tuple[str, int] | None:
        """A method and a seed whose trees hold values of all steps: step-level beam search, the widest first."""
        scored = [
            (config.step_beam_width, name, method.seeds[0])
            for name, method in self._methods(number).items()
            if (config := _method_config(method)).mode == "sbs" and config.need_value_func
        ]
        if not scored:
            return None
        _, name, seed = max(scored)
        return name, seed

    def _greedy_method(self) -> str | None:
        """The name of greedy decoding, where it is one of the methods."""
        names = (
            name
            for name, method in self.config.methods.items()
            if (config := _method_config(method)).mode == "react" and config.temperature == 0
        )
        return next(names, None)

    # Machinery.

    def _stage(self, number: int, name: str, inputs: Any, work: Callable[[], None]) -> str:
        """Runs a stage of a round unless it is done; returns the fingerprint of its inputs."""

        def announce() -> None:
            minutes = (time.monotonic() - self._begun) / 60
            self._report(f"[{minutes:6.1f} min] {'base' if number == 0 else f'round {number}'}: {name}")

        return run_stage(self._round(number), name, inputs, work, announce)

    def _check(self) -> None:
        config = self.config
        for key in ("output_dir", "base_model", "train_questions", "test_questions"):
            if not getattr(config, key):
                raise ConfigError(f"{key} is not set.")
        if not config.search or not config.train or not config.methods:
            raise ConfigError("search, train and methods must each have an entry.")
        checkpoints.inspect(config.base_model)
        for questions in (config.train_questions, config.test_questions):
            unanswered = [task.id for task in load_tasks(questions) if not task.answers]
            if unanswered:
                raise ConfigError(f"{questions}: question {unanswered[0]!r} has no `answer`; self-training needs them.")
        for number in range(1, config.num_rounds + 1):
            self._search_settings(number)
            self._train_config(number)
        comparable = comparable_rows(config.methods)
        for name in (name for pair in config.contrasts for name in pair):
            if name not in comparable:
                raise ConfigError(f"contrasts: there is no row {name!r} to compare. There are {', '.join(comparable)}.")
        outputs = Counter(part.output for part in self._eval_parts(1, self._round(1) / "eval", ""))
        if twice := [output for output, count in outputs.items() if count > 1]:
            raise ConfigError(f"methods: two of them would write {Path(twice[0]).name}. Give one another name.")

    def _check_engine(self, config: Config) -> None:
        if config.engine != "hf" and self.config.processes > 1:
            raise ConfigError(
                f"engine: {config.engine} serves many trees by itself: set processes to 1; for several engines, "
                "num_replicas in the config of the search."
            )

    def _base_inputs(self) -> JsonObject:
        source = checkpoints.download(checkpoints.inspect(self.config.base_model))
        assert source.path is not None
        files = sorted({file for pattern in _WEIGHTS for file in source.path.glob(pattern)})
        return {"files": {file.name: digest_of(file) for file in files}, "seed": self.config.seed}

    def _run_parts(self, parts: Sequence[Part], folder: Path) -> None:
        wanted = {Path(part.output).name for part in parts}
        for file in folder.glob("*.jsonl"):
            if file.name not in wanted:  # of other settings
                file.unlink()
        run_parts(parts, processes=self.config.processes, threads=self.config.threads, report=self._report)

    def _run_training(self, config: TrainConfig) -> None:
        output = Path(config.output_dir)
        shutil.rmtree(output, ignore_errors=True)
        if self.config.launch:
            launch_training(self.config.launch, config, output.with_name("train.yaml"), self._report)
        else:
            train_apart(config, self._report)

    def _show(self, number: int) -> None:
        """Tables and figures so far."""
        summaries = self.summaries(number)
        tables = [render_rounds({n: summary["rows"] for n, summary in summaries.items()})]
        if self.config.contrasts:
            tables[0] += "\n\n" + render_differences({n: s["differences"] for n, s in summaries.items()})
        for n, summary in summaries.items():
            title = "Base" if n == 0 else f"Round {n}"
            tables.append(f"\n## {title}\n\n{(self._round(n) / 'table.md').read_text('utf-8')}")
            if value := summary.get("value"):
                tables.append(render_value(value) + "\n")
                if counts := summary.get("fates"):
                    tables.append(render_fates(value["method"], counts) + "\n")
        (self.folder / "summary.md").write_text("\n".join(tables) + "\n", "utf-8")
        self._report(tables[0])
        try:
            from mcts_math.train.plots import draw_rounds

            draw_rounds(self.folder, summaries)
        except ImportError:
            self._report('no figures: matplotlib is not installed (pip install -e ".[plots]")')

    def summaries(self, last: int) -> dict[int, JsonObject]:
        """The summaries of the rounds up to `last`."""
        return {
            n: json.loads((self._round(n) / "summary.json").read_text("utf-8"))
            for n in range(last + 1)
            if (self._round(n) / "summary.json").exists()
        }

    def _round(self, number: int) -> Path:
        return self.folder / f"round_{number}"


def _nth(entries: Sequence[dict[str, Any]], number: int) -> dict[str, Any]:
    """The entry of a round; the last one serves further rounds."""
    entry = entries[min(number, len(entries)) - 1]
    if set(entry) - {"config", "overrides"} or not isinstance(entry.get("config"), str):
        raise ConfigError(f"search and train: an entry is {{config: FILE, overrides: {{…}}}}, not {entry}.")
    return entry


def _method_config(method: MethodConfig) -> Config:
    return make_config(load_config(method.config).resolved() | method.overrides)


def _plain(config: Config) -> dict[str, Any]:
    """What a part stores: the keys that are not at their default."""
    return config.model_dump(exclude_defaults=True)


def _expected_cost(settings: Mapping[str, Any]) -> float:
    """Roughly how much a search generates, to begin with the longest."""
    width = settings.get("step_beam_width", 1) if settings.get("mode") == "sbs" else settings.get("iterations", 1) / 12
    return float(width * settings.get("n_generate_sample", 1))


def _chunks(first: int, count: int, size: int) -> Iterator[tuple[int, int]]:
    for start in range(first, first + count, size):
        yield start, min(size, first + count - start)
