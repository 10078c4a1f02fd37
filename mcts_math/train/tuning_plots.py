"""Figures of a training by epoch: outer and inner loss, and the norm of the learned change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from mcts_math.evaluate.plots import colour, pyplot, save
from mcts_math.train.stages import RECIPE

_TITLES: Final = {
    "loss": "outer loss (solution), nats a token",
    "inner": "inner loss (conversation), nats a token",
    "change_norm": "norm of the weight change",
}


def draw_training(folder: str | Path, path: str | Path) -> Path:
    """A panel a figure, from the recipe in the folder of a result."""
    epochs = json.loads((Path(folder) / RECIPE).read_text("utf-8"))["epochs"]
    names = list(epochs[0])
    plt = pyplot()
    figure, panels = plt.subplots(1, len(names), figsize=(3.6 * len(names), 2.8), squeeze=False, layout="constrained")
    for number, (panel, name) in enumerate(zip(panels[0], names, strict=True)):
        panel.plot(range(1, len(epochs) + 1), [epoch[name] for epoch in epochs], "o-", color=colour(number))
        panel.set_title(_TITLES.get(name, name.replace("_", " ")), fontsize=10)
        panel.set_xlabel("epoch")
        panel.xaxis.get_major_locator().set_params(integer=True)
        panel.grid(alpha=0.25)
    return save(plt, figure, Path(path))
