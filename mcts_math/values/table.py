"""The table of reward models that a config can name as `value`. A new family is one file and one entry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mcts_math.values.families import check_model, load_genrm, load_orm, load_prm, load_scorer
from mcts_math.values.spec import GenrmOptions, OrmOptions, PrmOptions, RewardSpec, ScorerOptions

REWARDS: Final[Mapping[str, RewardSpec]] = {
    "prm": RewardSpec("a process reward model, in this process or on vLLM", PrmOptions, load_prm, check_model),
    "orm": RewardSpec("an outcome reward model, likewise", OrmOptions, load_orm, check_model),
    "scorer": RewardSpec("any scorer behind HTTP", ScorerOptions, load_scorer),
    "genrm": RewardSpec("a chat model that is asked yes or no", GenrmOptions, load_genrm),
}
