"""Rounds of self-training: search with checkpoint k, choose examples, train checkpoint k+1, evaluate, and over again.

    OUTPUT/round_0/checkpoint/                     the base policy with a fresh value head
    OUTPUT/round_0/eval/METHOD.seedN.jsonl         its evaluation, by methods that ask for no values
    OUTPUT/round_1/trees/part_N.jsonl              searches of checkpoint 0 over training questions
    OUTPUT/round_1/examples.jsonl  checkpoint/  eval/  summary.json
    OUTPUT/summary.md  *.png                       tables and figures, which grow with the rounds

A stage that is done is skipped (`stages`); the search redoes unfinished slices only, and the training goes on from its
last state. Other settings than before are refused; on request what they change is made anew, and the old becomes a
backup.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import yaml

from mcts_math.engine import checkpoint as checkpoints
from mcts_math.errors import ConfigError, MctsMathError, TrainingError, boundary
from mcts_math.evaluate.grading import Grader
from mcts_math.files import new_folder, put_aside, read_json, write_text, writing
from mcts_math.loggers import check_logger, open_logger
from mcts_math.run.description import WEIGHTS
from mcts_math.run.program import ends_with_us
from mcts_math.run.results import ResultsFile
from mcts_math.tasks import JsonObject
from mcts_math.train.collect import write_examples
from mcts_math.train.config import NEUTRAL_KEYS, NEUTRAL_ROUNDS_KEYS, RoundsConfig, TrainConfig
from mcts_math.train.plan import Plan, title
from mcts_math.train.slices import Slice, solve_slices
from mcts_math.train.stages import file_digest, finished, locked, run_stage, write_json
from mcts_math.train.summary import numbers_of, read_summaries, show, summarise

_WAYS: Final = (
    "Give the same settings again, choose another output_dir, or add --overwrite: what they change is made anew, and "
    "the old is kept as .bak."
)


class Rounds:
    def __init__(self, config: RoundsConfig, report: Callable[[str], None] = print, *, overwrite: bool = False) -> None:
        self.config, self.overwrite = config, overwrite
        self.plan = Plan(config)
        self._report = report
        self._begun = time.monotonic()

    def run(self) -> Path:
        """Does what is not done yet; returns the folder of the last checkpoint. Raises MctsMathError where a stage
        fails."""
        self.plan.check()
        check_logger(self.config.log_to)
        folder = self.plan.folder
        facts = self.config.model_dump()
        with (
            locked(folder),
            closing(open_logger(self.config.log_to, folder.name, folder, facts, self._report)) as self._log,
        ):
            try:
                self._check_settings()
                checkpoint = self._base()
                self._evaluate(0, checkpoint)
                for number in range(1, self.config.num_rounds + 1):
                    checkpoint = self._train(number, self._make_examples(number, self._search(number, checkpoint)))
                    self._evaluate(number, checkpoint)
            except OSError as error:
                raise MctsMathError(
                    f"{folder}: {error}. If the disk is full, make room; then run the same command again."
                ) from error
        return Path(self.plan.checkpoint(self.config.num_rounds))

    def _check_settings(self) -> None:
        """Raises ConfigError where results were made with other settings, and these are not to be taken."""
        path, given = self.plan.folder / "settings.json", self.config.model_dump(mode="json", exclude_defaults=True)
        now = {"examples": {}} | {key: value for key, value in given.items() if key not in NEUTRAL_ROUNDS_KEYS}
        if any(self.plan.folder.glob("round_*/*/*.jsonl")) and not self.overwrite:
            if not path.exists():  # as of an earlier version: the stages find out what differs
                return
            before = read_json(path, "Remove it to go on without a check.")
            rows = {name: row for name, row in now["methods"].items() if name in before.get("methods", {})}
            if changes := differences(before, now | {"methods": rows}):  # further rows take nothing away
                raise ConfigError(f"{self.plan.folder} was made with other settings ({', '.join(changes)}). {_WAYS}")
        write_json(path, now)

    # Stages. Each returns the fingerprint of what it made.

    def _base(self) -> str:
        source = checkpoints.obtain(self.config.base_model)
        files = sorted({file for pattern in (*WEIGHTS, "config.json") for file in source.folder.glob(pattern)})
        facts = {"files": {file.name: file_digest(file) for file in files}, "seed": self.config.seed}
        folder = Path(self.plan.checkpoint(0))
        return self._stage(0, "base", facts, ["checkpoint"], lambda: _make_base(source, folder, self.config.seed))

    def _search(self, number: int, checkpoint: str) -> str:
        config, folder = self.plan.search(number), self.plan.round(number) / "trees"
        questions = self.config.train_questions
        slices = []
        for index, (first, count) in enumerate(self.plan.spans(number)):
            name = f"{title(number)}, training questions {first}–{first + count - 1}"
            output, tasks = folder / f"part_{index:03d}.jsonl", self.plan.tasks(questions)[first : first + count]
            slices.append(Slice.make(name, config, questions, first, tasks, output, checkpoint))
        return self._solve(number, "search", slices, folder)

    def _make_examples(self, number: int, trees: str) -> str:
        folder = self.plan.round(number)

        def make() -> None:
            files = sorted((folder / "trees").glob("part_*.jsonl"))
            pairs = folder / "pairs.jsonl"
            with Grader() as grader:
                statistics = write_examples(files, folder / "examples.jsonl", self.config.examples, grader, pairs=pairs)
            self._report(statistics.render())

        facts = {"trees": trees, "config": self.config.examples.model_dump(exclude_defaults=True)}
        return self._stage(number, "examples", facts, ["examples.jsonl", "pairs.jsonl"], make)

    def _train(self, number: int, examples: str) -> str:
        config, start = self.plan.training(number), self.plan.start(number)
        earlier = [finished(self.plan.round(n), "examples") for n in self.plan.earlier_examples(number)]
        given = config.model_dump(exclude_defaults=True)  # else keys that come and go with versions would count
        facts = {
            "config": {k: v for k, v in given.items() if k == "output_dir" or k not in NEUTRAL_KEYS},
            "examples": [*earlier, examples],
            "start": finished(self.plan.round(start), "base" if start == 0 else "train"),
        }

        def launch() -> None:
            put_aside(Path(config.output_dir))
            settings = self.plan.round(number) / "train.yaml"
            launch_training(self.config.launch, config, settings, self._report, restart_changed=self.overwrite)

        return self._stage(number, "train", facts, ["checkpoint"], launch)

    def _evaluate(self, number: int, checkpoint: str) -> None:
        folder = self.plan.round(number) / "eval"
        questions = self.config.test_questions
        tasks = self.plan.tasks(questions)
        slices = []
        for run, config in self.plan.runs(number):
            name = f"{title(number)}, {run.name}, seed {run.seed}"
            slices.append(Slice.make(name, config, questions, 0, tasks, run.output, checkpoint))
        made = self._solve(number, "eval", slices, folder)
        rows = {name: method.model_dump() for name, method in self.plan.methods(number).items()}
        facts = {"eval": made, "methods": rows, "contrasts": self.config.contrasts}
        outputs = ["summary.json", "table.md"]
        self._stage(number, "summary", facts, outputs, lambda: summarise(self.plan, number), list)
        show(self.plan.folder, number, self._report)
        self._log.log(numbers_of(read_summaries(self.plan.folder, number)[number]), number)

    def _solve(self, number: int, name: str, slices: Sequence[Slice], folder: Path) -> str:
        def stale() -> list[Path]:
            done = {Path(one.output) for one in slices if one.is_done}
            return sorted({*folder.glob("*.jsonl")} - done)

        def solve() -> None:
            config = self.config
            solve_slices(slices, processes=config.processes, threads=config.threads, report=self._report)

        facts = {"parts": [one.fingerprint for one in slices]}
        return self._stage(number, name, facts, [folder.name] if slices else [], solve, stale)

    def _stage(
        self,
        number: int,
        name: str,
        inputs: JsonObject,
        outputs: Sequence[str],
        work: Callable[[], None],
        stale: Callable[[], list[Path]] | None = None,
    ) -> str:
        """Runs a stage of a round unless it is done; returns the fingerprint of its inputs. `stale`: what was made from
        others and is in the way; None: the outputs of a stage that was finished. Raises ConfigError where they are not
        to become backups."""
        folder = self.plan.round(number)

        def begin() -> None:
            made = [folder / output for output in outputs] if finished(folder, name) else []
            old = made if stale is None else stale()
            if old and not self.overwrite:
                raise ConfigError(f"{old[0]} was made from other settings, questions or weights. {_WAYS}")
            for path in old:
                put_aside(path, *([ResultsFile(path).meta_path] if stale else []))
            minutes = (time.monotonic() - self._begun) / 60
            self._report(f"[{minutes:6.1f} min] {title(number)}: {name}")

        return run_stage(folder, name, inputs, outputs, work, begin)


def differences(before: Any, now: Any, key: str = "") -> list[str]:
    """Where two values of JSON differ, each as `key: old -> new`; dots join the keys that lead there."""
    if isinstance(before, dict) and isinstance(now, dict):
        keys = {name: f"{key}.{name}" if key else name for name in before | now}
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        before, now = dict(enumerate(before)), dict(enumerate(now))
        keys = {place: f"{key}.{place}" for place in now}
    else:
        return [] if before == now else [f"{key}: {_shown(before)} -> {_shown(now)}"]
    return [found for name, path in keys.items() for found in differences(before.get(name), now.get(name), path)]


def _shown(value: Any) -> str:
    return "not set" if value is None else "{…}" if isinstance(value, dict) else repr(value)


def launch_training(
    command: str,
    config: TrainConfig,
    settings: Path,
    report: Callable[[str], None],
    *,
    restart_changed: bool = False,
) -> None:
    """Trains in the processes that a launcher starts ("" is this Python), which end with this one and read the file
    `settings`. `restart_changed`: see `training.train`. Raises ConfigError where the launcher can't be started,
    TrainingError where it ended in an error."""
    write_text(settings, yaml.safe_dump(config.model_dump(exclude_unset=True), allow_unicode=True))
    launcher = shlex.split(command) or [sys.executable]
    words = [*launcher, "-m", "mcts_math.train", "--cfg", str(settings)]
    words += ["--restart_changed"] if restart_changed else []
    pipe: dict[str, Any] = {"stdout": subprocess.PIPE, "text": True, "errors": "replace"}
    with boundary(f"launch: {launcher[0]} can't be started", ConfigError):
        process = subprocess.Popen(words, preexec_fn=ends_with_us(), **pipe)
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


def _make_base(source: checkpoints.Checkpoint, folder: Path, seed: int) -> None:
    """A copy of the base policy, whose value head is a fresh one."""
    from mcts_math.engine.value_head import fresh_head_of, save_value_head

    head = fresh_head_of(source, seed)
    with writing(folder), new_folder(folder) as part:
        for file in source.folder.iterdir():
            if file.is_file() and file.name not in checkpoints.HEAD_FILES:
                shutil.copyfile(file, part / file.name)
        save_value_head(head, part)
        checkpoints.write_config(part, checkpoints.read_config(part) | {"value_model": True})
