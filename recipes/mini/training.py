"""The training loop that both stages share: AdamW, warm-up and cosine, bfloat16, a checkpoint every two minutes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from corpus import Batch
from torch import nn
from torch.nn import functional

from mcts_math.files import new_file
from mcts_math.train.training import lacks_bfloat16

THREADS = 2
CHECKPOINT_S = 120.0


@dataclass(frozen=True)
class Schedule:
    """How many steps, and the learning rate: up to `peak` in `warm_up` steps, down to `floor` of it along a cosine."""

    steps: int
    peak: float
    warm_up: int = 80
    floor: float = 0.12

    def rate(self, step: int) -> float:
        """The learning rate of one step."""
        if step < self.warm_up:
            return self.peak * (step + 1) / self.warm_up
        done = (step - self.warm_up) / max(1, self.steps - self.warm_up)
        return self.peak * (self.floor + (1 - self.floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def policy_loss(trunk: Callable[..., Any], output: torch.Tensor, batch: Batch) -> torch.Tensor:
    """Mean cross-entropy of the tokens that carry loss."""
    hidden: torch.Tensor = trunk(input_ids=batch.ids, use_cache=False).last_hidden_state
    target = batch.learn[:, 1:]
    logits = functional.linear(hidden[:, :-1][target], output)
    return functional.cross_entropy(logits.float(), batch.ids[:, 1:][target])


def value_loss(trunk: Callable[..., Any], head: nn.Module, batch: Batch) -> torch.Tensor:
    """Mean squared error of the values at the marked tokens."""
    hidden: torch.Tensor = trunk(input_ids=batch.ids, use_cache=False).last_hidden_state
    marked = batch.reward != 0
    return functional.mse_loss(head(hidden[marked]), batch.reward[marked].float())


def make_optimizer(modules: nn.Module, rate: float) -> torch.optim.AdamW:
    """AdamW; weight decay on matrices alone."""
    parameters = list({id(p): p for p in modules.parameters()}.values())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": 0.05},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=True)


def save(path: Path, thing: object) -> None:
    """torch.save that never leaves half a file under the final name."""
    with new_file(path) as scratch:
        torch.save(thing, scratch)


def fit(
    modules: nn.Module,
    streams: list[Iterator[Batch]],
    losses: Callable[[list[Batch]], dict[str, torch.Tensor]],
    schedule: Schedule,
    path: Path,
) -> None:
    """Minimise the sum of the losses, from a stopped run's checkpoint if there is one; the weights end up at `path`.

    Args:
        modules: everything that is trained.
        streams: endless batches, one stream a loss term; a resumed run skips what was used.
        losses: one batch of each stream -> the named loss terms, weights included.
        schedule: steps and rates.
        path: where the weights go; the checkpoint lies beside it.
    """
    torch.set_num_threads(THREADS)
    if path.exists():
        modules.load_state_dict(torch.load(path))
        return
    optimizer = make_optimizer(modules, schedule.peak)
    checkpoint, start = path.with_suffix(".checkpoint"), 0
    if checkpoint.exists():
        saved = torch.load(checkpoint)
        modules.load_state_dict(saved["modules"])
        optimizer.load_state_dict(saved["optimizer"])
        start = saved["step"]
    for _ in range(start):
        for stream in streams:
            next(stream)
    modules.train()
    saved_at = log_at = time.monotonic()
    tokens, sums = 0, dict[str, float]()
    for step in range(start, schedule.steps):
        batches = [next(stream) for stream in streams]
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step)
        with torch.autocast("cpu", torch.bfloat16, enabled=not lacks_bfloat16()):
            terms = losses(batches)
        torch.stack(list(terms.values())).sum().backward()
        nn.utils.clip_grad_norm_(modules.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        tokens += sum(batch.ids.numel() for batch in batches)
        for name, term in terms.items():
            sums[name] = sums.get(name, 0.0) + term.item() / 20
        if (step + 1) % 20 == 0:
            speed = tokens / (time.monotonic() - log_at)
            shown = " ".join(f"{name} {value:.4f}" for name, value in sums.items())
            print(f"{path.stem} step {step + 1}/{schedule.steps} {shown} {speed:.0f} tokens/s", flush=True)
            log_at, tokens, sums = time.monotonic(), 0, {}
        if time.monotonic() - saved_at > CHECKPOINT_S:
            state = {"modules": modules.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1}
            save(checkpoint, state)
            saved_at = time.monotonic()
    save(path, modules.state_dict())
    checkpoint.unlink(missing_ok=True)
