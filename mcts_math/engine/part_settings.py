"""What `NAME.json` says of a small trained part, see `hf.parts`. Light: torch is not imported here."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal, TypeVar

from pydantic import BaseModel, ValidationError

from mcts_math.errors import CheckpointError
from mcts_math.files import read_json
from mcts_math.settings import explain

RULE: Final = "optune"
TUNED: Final = "tuned"


class Base(BaseModel):
    architecture: str
    fingerprint: str  # of the weights that are changed
    name: str


class RuleSettings(BaseModel):
    """Of a trained rule (`hf.optune`): `RULE`."""

    version: Literal[1]
    base: Base
    rank: int
    layers: dict[str, tuple[int, int]]  # name of a changed layer -> width of its inputs and of its outputs


class TunedSettings(BaseModel):
    """Of a part that stands on the model (`hf.grafts`): `TUNED`."""

    kind: str
    options: dict[str, Any]
    base_fingerprint: str
    model_dir: str = "not told"


Form = TypeVar("Form", bound=BaseModel)


def read_settings(folder: str | Path, name: str, form: type[Form]) -> Form:
    """The settings in a folder. Raises CheckpointError where the file is missing, or not of this form."""
    file = Path(folder).expanduser() / f"{name}.json"
    data = read_json(file, "Train it with scripts/train_optune.py.", CheckpointError)
    try:
        return form.model_validate(data)
    except ValidationError as error:
        raise CheckpointError(f"{file} is not the settings of a trained part: {explain(error.errors()[0])}") from error
