"""What `optune.json` says of a trained rule (`engine.hf.optune`). Light: nothing heavy is imported here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from mcts_math.errors import CheckpointError, ConfigError

NAME: Final = "optune"
"""Of the two files in a folder, see `parts.save_parts`."""
VERSION: Final = 1


def read_rule_settings(folder: str | Path) -> dict[str, Any]:
    """The settings of a trained rule.

    Raises:
        ConfigError: no folder is named.
        CheckpointError: the file is missing, or not of this form.
    """
    if not str(folder):
        raise ConfigError("optune_dir is not set. Give the folder that scripts/train_optune.py has made.")
    file = Path(folder).expanduser() / f"{NAME}.json"
    try:
        settings = json.loads(file.read_text("utf-8"))
        if settings["version"] != VERSION:
            raise ValueError(f"its version is {settings['version']!r}, but this program reads {VERSION}")
        base = settings["base"]
        shapes = {str(name): [int(inputs), int(outputs)] for name, (inputs, outputs) in settings["layers"].items()}
        found = {"rank": int(settings["rank"]), "layers": shapes, "base": {k: str(base[k]) for k in _BASE}}
    except FileNotFoundError:
        raise CheckpointError(f"{file} is missing; train a rule with scripts/train_optune.py") from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{file} is not the settings of a trained rule: {error!r}") from error
    return {**settings, **found}


_BASE: Final = ("architecture", "fingerprint", "name")
