"""The loop of `scripts/train_optune.py`. One example is computed at a time, as published. What it draws (dropout)
depends on its place in the training alone, and the moments of a rule take in examples in their order: so a run that
was stopped, or that has several processes, goes the same way, but for the rounding of the gradients' sum."""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from mcts_math.engine import checkpoint as checkpoints
from mcts_math.engine.checkpoint import Checkpoint
from mcts_math.engine.hf.arguments import HFArguments
from mcts_math.engine.hf.model import load_model
from mcts_math.errors import ConfigError, TrainingError
from mcts_math.files import new_folder, writing
from mcts_math.tasks import JsonObject
from mcts_math.train import resume
from mcts_math.train.config import SHORT, TuningConfig
from mcts_math.train.feedback import load_lessons
from mcts_math.train.learners import RuleLearner, TunedLearner
from mcts_math.train.processes import gather, own_device, processes, rank, world
from mcts_math.train.stages import RECIPE, write_json

_WEIGHTS = "state.pt"


@dataclass(slots=True)
class Progress:
    step: int = 0  # steps done
    dropped: int = 0  # those of them that changed nothing, as a number was not finite
    sums: dict[str, float] = field(default_factory=dict)  # of this epoch, by figure, with the count under "examples"
    epochs: list[dict[str, float]] = field(default_factory=list)  # the mean figures of finished epochs


def tune(config: TuningConfig, *, overwrite: bool = False, report: Callable[[str], None] = print) -> Path:
    """Trains and writes the result, whose folder it returns; a stopped training goes on from its last state.
    `overwrite` starts anew, and a finished one becomes a backup. The first process alone reports. Raises
    MctsMathError."""
    source, output = resume.check_settings(config, {"feedback": config.feedback}, overwrite)
    if config.batch_size % world():
        raise ConfigError(f"batch_size ({config.batch_size}) must be a multiple of the {world()} processes.")
    work = output.with_name(output.name + ".training")
    tell = report if rank() == 0 else lambda text: None
    if config.num_threads:
        torch.set_num_threads(config.num_threads)
    facts = resume.describe(config, config.feedback, ("torch", "transformers"))
    with processes(config.device), resume.holding(work, facts, overwrite) as state:
        source = checkpoints.download(source)
        training = _Training(config, source, work, tell)
        if state is not None:
            training.load(state)
            tell(f"going on from {state}")
        training.run()
        if rank() == 0:
            _finish(training, source, facts, output)
    tell(f"result: {output}")
    return output


class _Training:
    """A learner, its lessons and how far it is."""

    def __init__(self, config: TuningConfig, source: Checkpoint, work: Path, tell: Callable[[str], None]) -> None:
        self.config, self._work, self._tell = config, work, tell
        arguments = HFArguments(dtype=config.dtype, device=own_device(config.device))
        model = load_model(str(source.path), arguments, need_value=False)
        length = min(config.max_length, model.context_length)
        self.lessons, report = load_lessons(model.codec, config.feedback, length, with_attempts=config.kind == "rule")
        tell(report)
        torch.manual_seed(config.seed)
        self.learner = (RuleLearner if config.kind == "rule" else TunedLearner)(model, config)
        self.progress = Progress()
        self._parameters = [p for p in self.learner.module.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(self._parameters, lr=config.learning_rate, weight_decay=0.0)
        tell(f"{sum(p.numel() for p in self._parameters):,} numbers learn, {self.num_steps:,} steps")

    @property
    def steps_per_epoch(self) -> int:
        return math.ceil(len(self.lessons) / self.config.batch_size)

    @property
    def num_steps(self) -> int:
        return self.config.epochs * self.steps_per_epoch

    def run(self) -> None:
        progress, config = self.progress, self.config
        while progress.step < self.num_steps:
            batch = self._batch(progress.step)
            is_finite = self._accumulate(batch)
            for group in self._optimizer.param_groups:
                group["lr"] = self._rate(progress.step)
            if is_finite:
                self._optimizer.step()
            progress.dropped += not is_finite
            self._optimizer.zero_grad()
            progress.step += 1
            if progress.step % config.log_steps == 0 or self.num_steps <= SHORT:
                self._tell(f"step {progress.step}/{self.num_steps}  {_shown(_means(progress.sums))}")
            if progress.step % self.steps_per_epoch == 0:
                progress.epochs.append(_means(progress.sums))
                progress.sums = {}
                self._tell(f"epoch {len(progress.epochs)}  {_shown(progress.epochs[-1])}  dropped {progress.dropped}")
            if progress.step % config.save_steps == 0 and rank() == 0:
                self._save()

    def load(self, state: Path) -> None:
        try:
            content = torch.load(state / _WEIGHTS, map_location="cpu", weights_only=True)
        except resume.DAMAGES as error:
            raise resume.damaged(state, error) from error
        self.learner.load(content["learner"])
        self._optimizer.load_state_dict(content["optimizer"])
        self.progress = Progress(**json.loads((state / resume.STATE).read_text("utf-8"))["progress"])

    def _batch(self, step: int) -> list[int]:
        """Places of the examples of a step; each epoch has an order of its own."""
        epoch, place = divmod(step, self.steps_per_epoch)
        order = list(range(len(self.lessons)))
        random.Random(f"{self.config.seed} {epoch}").shuffle(order)
        return order[place * self.config.batch_size :][: self.config.batch_size]

    def _rate(self, step: int) -> float:
        if self.config.schedule == "constant":
            return self.config.learning_rate
        return self.config.learning_rate * (1 + math.cos(math.pi * step / self.num_steps)) / 2

    def _accumulate(self, batch: Sequence[int]) -> bool:
        """Leaves the gradients of a step in the parameters, the same on all processes; whether all is finite."""
        config, sums = self.config, self.progress.sums
        scale = 1.0 if config.kind == "rule" else 1 / len(batch)
        is_finite, found = True, dict[str, float]()
        for first in range(0, len(batch), world()):
            place = first + rank()
            lesson = self.lessons[batch[place]] if place < len(batch) else None
            torch.manual_seed(random.Random(f"{config.seed} {self.progress.step} {place}").getrandbits(62))
            loss = self.learner.loss(lesson)
            if lesson is not None:
                is_finite = is_finite and loss is not None and bool(torch.isfinite(loss))
            if loss is not None:
                (loss * scale).backward()  # type: ignore[no-untyped-call]
            if loss is not None and bool(torch.isfinite(loss)):  # a step that is left out has no figures
                for name, value in {"loss": float(loss.detach()), **self.learner.figures, "examples": 1.0}.items():
                    found[name] = found.get(name, 0.0) + value
        is_finite = self._reduce(is_finite)
        for one in gather(found):
            for name, value in one.items():
                sums[name] = sums.get(name, 0.0) + value
        return is_finite

    def _reduce(self, is_finite: bool) -> bool:
        """Sums the gradients over all processes; whether every number was finite on all of them."""
        for parameter in self._parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        gradients = [parameter.grad for parameter in self._parameters if parameter.grad is not None]
        is_finite = is_finite and all(bool(torch.isfinite(gradient).all()) for gradient in gradients)
        broken = gradients[0].new_tensor(not is_finite, dtype=torch.float32)
        if world() > 1:
            for tensor in (*gradients, broken):
                torch.distributed.all_reduce(tensor)  # the sum
        return not bool(broken)

    def _save(self) -> None:
        """Writes a state; older ones go."""
        folder = self._work / f"checkpoint-{self.progress.step}"
        content = {"learner": self.learner.state(), "optimizer": self._optimizer.state_dict()}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            torch.save(content, folder / _WEIGHTS)
        except resume.DAMAGES as error:
            raise resume.damaged(folder, error) from error
        write_json(folder / resume.STATE, {"global_step": self.progress.step, "progress": asdict(self.progress)})
        for old in self._work.glob("checkpoint-*"):
            if old != folder:
                shutil.rmtree(old)


def _finish(training: _Training, source: Checkpoint, facts: JsonObject, output: Path) -> None:
    """Writes the result in the place of an old one, whole or not at all."""
    config, progress = training.config, training.progress
    made = {"steps": progress.step, "dropped": progress.dropped, "epochs": progress.epochs}
    recipe = facts | {"model_dir": config.model_dir} | made
    with writing(output, error=TrainingError), new_folder(output) as scratch:
        training.learner.save(scratch, source, recipe)
        write_json(scratch / RECIPE, recipe)


def _means(sums: dict[str, float]) -> dict[str, float]:
    count = max(sums.get("examples", 0.0), 1.0)
    return {name: value / count for name, value in sums.items() if name != "examples"}


def _shown(figures: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.4g}" for name, value in figures.items())
