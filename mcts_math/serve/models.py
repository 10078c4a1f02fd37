"""What is served: each config under a name, and what can't be a service, refused by name before anything is loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcts_math.config import Config, load_config
from mcts_math.errors import ConfigError
from mcts_math.search.expansion import Expansion
from mcts_math.services import has_values
from mcts_math.solver import make_expansion

_SERVICES = ("engine", "model_dir", "engine_args", "num_replicas", "observations", "allow_unsafe_exec")


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A config as clients know it."""

    name: str  # what a request calls it
    config: Config
    expansion: Expansion  # the same, with the prompt files read

    @classmethod
    def make(cls, name: str, config: Config) -> ServedModel:
        """Reads the prompt files. Raises ConfigError: a config that no service can obey; naming key and reason."""
        if config.reads_verdicts:
            raise ConfigError(
                f"{name}: mode {config.mode} reads verdicts of the ground truth here, and requests of clients have no "
                "answer to compare with. Serve a mode that reads none, such as sbs, or mcts with is_sampling=false."
            )
        if config.max_run_tokens:
            raise ConfigError(
                f"{name}: max_run_tokens bounds a run, and a service has no end. Use max_question_tokens."
            )
        if config.log_to != "none":
            raise ConfigError(f"{name}: log_to is for runs. A service tells its numbers at /metrics: leave log_to out.")
        return cls(name, config, make_expansion(config, use_values=has_values(config, None)))

    @property
    def services_key(self) -> str:
        """Equal for configs that can share services, but for values: nothing that these are made of differs."""
        keys = self.config.model_dump()
        return repr({key: keys[key] for key in keys if key in _SERVICES or key.startswith("interpreter_")})

    def can_use(self, other: ServedModel) -> bool:
        """Whether what serves another model serves this one too: also the values, where this one asks for any."""
        mine, others = ((c.value_source, c.reward and c.reward_options) for c in (self.config, other.config))
        return self.services_key == other.services_key and (mine == others or not self.expansion.use_values)


def load_models(paths: Sequence[str | Path], overrides: Sequence[str] = ()) -> list[ServedModel]:
    """The configs of some files, by their names, with overrides for all. Raises ConfigError: one that is bad or
    can't be served."""
    models: dict[str, ServedModel] = {}
    for path in paths:
        name = Path(path).stem
        if name in models:
            raise ConfigError(
                f"{path}: there is a model {name!r} already, and a file's name is its model's. Rename one."
            )
        models[name] = ServedModel.make(name, load_config(path, overrides))
    return list(models.values())


def group(models: Sequence[ServedModel]) -> list[list[ServedModel]]:
    """Models that can share services, together; first those whose search asks for values, which then are loaded."""
    groups: list[list[ServedModel]] = []
    for model in sorted(models, key=lambda model: not model.expansion.use_values):
        found = next((members for members in groups if model.can_use(members[0])), None)
        if found is None:
            groups.append(found := [])
        found.append(model)
    return groups
