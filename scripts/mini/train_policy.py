"""Stage: the policy, cross-entropy on the demonstrations' own text. Resumes from its last checkpoint."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from corpus import Corpus, batches
from network import fresh_model
from torch import nn
from torch.nn import functional
from transformers import LlamaForCausalLM

THREADS = 2


def policy_loss(
    trunk: Callable[..., Any], output: torch.Tensor, ids: torch.Tensor, learn: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean cross-entropy of the tokens that carry loss, and all hidden states [B, T, width]."""
    hidden: torch.Tensor = trunk(input_ids=ids, use_cache=False).last_hidden_state
    target = learn[:, 1:]
    logits = functional.linear(hidden[:, :-1][target], output)
    return functional.cross_entropy(logits.float(), ids[:, 1:][target]), hidden


def make_optimizer(modules: list[nn.Module], rate: float) -> torch.optim.AdamW:
    """AdamW; weight decay on matrices alone."""
    parameters = list({id(p): p for module in modules for p in module.parameters()}.values())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": 0.05},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=True)


def rate_at(step: int, steps: int, peak: float, warm_up: int = 80, floor: float = 0.04) -> float:
    """Linear warm-up, then a cosine down to `floor` of the peak."""
    if step < warm_up:
        return peak * (step + 1) / warm_up
    done = (step - warm_up) / max(1, steps - warm_up)
    return peak * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))


def train(corpus: Corpus, folder: Path, steps: int, tokens_per_batch: int, peak: float, seed: int) -> LlamaForCausalLM:
    """Train, or go on where a stopped run's checkpoint is; returns the model, saved as `policy.pt` in `folder`."""
    torch.set_num_threads(THREADS)
    model = fresh_model(seed)
    done = folder / "policy.pt"
    if done.exists():
        model.load_state_dict(torch.load(done))
        return model
    optimizer = make_optimizer([model], peak)
    start, checkpoint = 0, folder / "policy.checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        start = saved["step"]
    trunk = torch.compile(model.model, dynamic=True)  # twice as fast on CPU
    stream = batches(corpus, tokens_per_batch, seed)
    for _ in range(start):
        next(stream)
    clock, saved_at, tokens, losses = time.monotonic(), time.monotonic(), 0, []
    model.train()
    for step in range(start, steps):
        ids, learn = next(stream)
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, steps, peak)
        with torch.autocast("cpu", torch.bfloat16):
            loss, _ = policy_loss(trunk, model.lm_head.weight, ids, learn)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        tokens += ids.numel()
        losses.append(loss.item())
        if (step + 1) % 20 == 0:
            seconds = time.monotonic() - clock
            print(f"step {step + 1}/{steps} loss {sum(losses) / len(losses):.4f} {tokens / seconds:.0f} tokens/s", flush=True)
            clock, tokens, losses = time.monotonic(), 0, []
        if time.monotonic() - saved_at > 120:
            saved_at = time.monotonic()
            save(checkpoint, {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step + 1})
    save(done, model.state_dict())
    return model


def save(path: Path, thing: object) -> None:
    """torch.save that never leaves half a file under the final name."""
    scratch = path.with_suffix(".part")
    torch.save(thing, scratch)
    os.replace(scratch, path)
