"""The value head: v(s) = tanh(w·h + b), a number in [-1, 1] for a partial solution.

h is the last hidden state, after the model's final norm, at the last token of the prompt. The head is tiny, so it is
kept and computed in float32 whatever the model's dtype. It reads and writes the published layout (see `checkpoint`).
A head that is missing, wrongly named, mis-shaped or not finite is an error, never replaced by random numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from mcts_math.engine.checkpoint import HEAD_BIAS, HEAD_PTH, HEAD_SAFETENSORS, HEAD_WEIGHT, Checkpoint
from mcts_math.errors import CheckpointError, boundary
from mcts_math.files import new_file


class ValueHead(nn.Module):
    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        """`weight` is [1, hidden] or [hidden], `bias` [1] or []."""
        super().__init__()
        self.weight = nn.Parameter(weight.detach().reshape(-1).float().clone())  # [hidden], float32
        self.bias = nn.Parameter(bias.detach().reshape(()).float().clone())  # [] (a scalar), float32

    def forward(self, hidden: Tensor) -> Tensor:
        """Values [...] in [-1, 1], float32, of last hidden states [..., hidden] of any dtype."""
        return torch.tanh(hidden.float() @ self.weight.float() + self.bias.float())

    def published_tensors(self) -> dict[str, Tensor]:
        """Weight [1, hidden] and bias [1] under their published names, as float32 on the CPU."""
        weight, bias = self.weight.detach().float().cpu(), self.bias.detach().float().cpu()
        return {HEAD_WEIGHT: weight.reshape(1, -1).clone(), HEAD_BIAS: bias.reshape(1).clone()}


def fresh_value_head(hidden_size: int, *, initializer_range: float = 0.02, seed: int = 0) -> ValueHead:
    """An untrained head: weight ~ N(0, initializer_range), bias 0; the same for the same seed."""
    generator = torch.Generator().manual_seed(seed)
    return ValueHead(torch.randn(hidden_size, generator=generator) * initializer_range, torch.zeros(1))


def fresh_head_of(checkpoint: Checkpoint, seed: int) -> ValueHead:
    """An untrained head for a model. Raises CheckpointError where its config does not tell the hidden size."""
    if checkpoint.hidden_size is None:
        raise CheckpointError(f"{checkpoint.name}/config.json does not tell the hidden size")
    return fresh_value_head(checkpoint.hidden_size, initializer_range=checkpoint.initializer_range, seed=seed)


def load_value_head(checkpoint: Checkpoint) -> ValueHead:
    """The head of an inspected checkpoint, on the CPU. Raises CheckpointError where it has none, a bad one or two."""
    if not checkpoint.head_files:
        raise CheckpointError(f"{checkpoint.name} has no value head ({HEAD_PTH} or {HEAD_SAFETENSORS})")
    found = [_read_head(file, checkpoint.hidden_size) for file in checkpoint.head_files]
    for file, (weight, bias) in zip(checkpoint.head_files[1:], found[1:], strict=True):
        if not torch.equal(weight, found[0][0]) or not torch.equal(bias, found[0][1]):
            raise CheckpointError(
                f"{checkpoint.head_files[0]} and {file.name} hold different heads; remove the stale one"
            )
    return ValueHead(*found[0])


def save_value_head(head: ValueHead, folder: Path, *, pth: bool = True, safetensors: bool = False) -> list[Path]:
    """Writes the head into a model folder as the files of these types, each whole or not at all, and returns them. The
    rest of the folder, config.json too, is the caller's."""
    tensors, written = head.published_tensors(), []
    for name, wanted, save in ((HEAD_SAFETENSORS, safetensors, save_file), (HEAD_PTH, pth, torch.save)):
        if wanted:
            written.append(folder / name)
            with new_file(written[-1]) as temporary:
                save(tensors, temporary)
    return written


def require_width(width: int, hidden: int, model: str, remedy: str = "") -> None:
    """Raises CheckpointError where a head of one width is for hidden states of another one."""
    if width != hidden:
        raise CheckpointError(
            f"the value head is for hidden states of width {width}, not {hidden} as in {model}: is it its own?{remedy}"
        )


def _read_head(file: Path, hidden_size: int | None) -> tuple[Tensor, Tensor]:
    """Weight [1, hidden] and bias [1], checked."""
    names = (HEAD_WEIGHT, HEAD_BIAS)
    tensors = read_tensors(file, lambda name: name in names)
    missing = [name for name in names if name not in tensors]
    if missing:
        near = [name for name in tensors if "head" in name or "summary" in name][:4] or list(tensors)[:4]
        raise CheckpointError(f"{file} has no tensor {missing[0]!r}; it has {near or 'none'}")
    weight, bias = tensors[HEAD_WEIGHT], tensors[HEAD_BIAS]
    wanted = (1, hidden_size if hidden_size is not None else weight.shape[-1] if weight.ndim else 0)
    if tuple(weight.shape) != wanted or tuple(bias.shape) != (1,):
        raise CheckpointError(
            f"{file}: the value head's weight must be of shape {list(wanted)} and its bias [1], not "
            f"{list(weight.shape)} and {list(bias.shape)}; does it belong to another model?"
        )
    if not (weight.is_floating_point() and bias.is_floating_point()):
        raise CheckpointError(f"{file}: the value head must be of floating point, not {weight.dtype} and {bias.dtype}")
    if not (bool(torch.isfinite(weight).all()) and bool(torch.isfinite(bias).all())):
        raise CheckpointError(f"{file}: the value head holds NaN or infinity; its training went wrong")
    return weight, bias


def read_tensors(file: Path, wanted: Callable[[str], bool]) -> dict[str, Tensor]:
    """The tensors of a safetensors file, or of a pickled one (read with weights_only), on the CPU; empty ones of a
    safetensors file for names that are not `wanted`. Raises CheckpointError where the file can't be read, or holds
    something else."""
    with boundary(f"{file} can't be read (is it whole?)", CheckpointError):
        if file.suffix == ".safetensors":
            with safe_open(file, framework="pt") as opened:
                return {name: opened.get_tensor(name) if wanted(name) else torch.empty(0) for name in opened.keys()}  # noqa: SIM118 - no dictionary
        content = torch.load(file, map_location="cpu", weights_only=True)
    if not isinstance(content, dict) or not all(isinstance(tensor, Tensor) for tensor in content.values()):
        raise CheckpointError(f"{file} must hold a dictionary of tensors")
    return content
