"""From the options of a reward model to the model. What is heavy is imported when it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mcts_math.engine import checkpoint as checkpoints
from mcts_math.engine.checkpoint import Checkpoint
from mcts_math.errors import CheckpointError, ConfigError
from mcts_math.requests import ValueModel
from mcts_math.values import spec
from mcts_math.values.rewards import RewardModel, Scorer

if TYPE_CHECKING:
    from mcts_math.engine.openai.client import Client
    from mcts_math.values.layouts import Layout

_KEY: Final = "value_args"
_SERVED: Final = ("labels", "logit")  # kinds of heads that vLLM's /pooling tells the logits of
_CLASSIFIERS: Final = ("ForProcessRewardModel", "ForTokenClassification")


def check_model(options: spec.PrmOptions | spec.OrmOptions) -> None:
    """Looks at a checkpoint's small files and tokenizer, but at a model of the hub when it is loaded. Raises
    CheckpointError, or ConfigError where the layout can't be told or served."""
    if Path(options.model).expanduser().exists() or not checkpoints.is_hub_name(options.model):
        _layout(options, _find(options))


def _load_model(options: spec.PrmOptions | spec.OrmOptions) -> ValueModel:
    """A reward model in this process, or on vLLM. Raises ConfigError, CheckpointError or EngineError."""
    checkpoint = _find(options)
    layout = _layout(options, checkpoint)
    if options.base_url is not None:
        from mcts_math.values.servers import PoolingScorer

        scorer = _connect(options, lambda client: PoolingScorer.connect(client, options.model, layout))
    else:
        from mcts_math.values.local import load_local

        scorer = load_local(checkpoint, layout, options)
    if isinstance(options, spec.PrmOptions):
        return RewardModel(scorer, options.aggregate, options.model)
    return RewardModel(scorer, "last", options.model, whole=True)


def _load_scorer(options: spec.ScorerOptions) -> ValueModel:
    """A scorer behind HTTP. Raises EngineError."""
    from mcts_math.values.servers import HttpScorer

    scorer = _connect(options, lambda client: HttpScorer.connect(client, options.max_items))
    return RewardModel(scorer, options.aggregate, options.base_url)


def _load_genrm(options: spec.GenrmOptions) -> ValueModel:
    from mcts_math.values.generative import GenerativeScorer

    scorer = _connect(options, lambda client: GenerativeScorer.connect(client, options))
    return RewardModel(scorer, "last", options.model or options.base_url, whole=True)


def _find(options: spec.ModelOptions) -> Checkpoint:
    """The checkpoint as a folder; of one that is served the config and the tokenizer are enough."""
    try:
        if options.base_url is None:
            return checkpoints.obtain(options.model)
        folder = Path(options.model).expanduser()
        is_here = (folder / "config.json").exists()
        return Checkpoint(options.model, folder if is_here else checkpoints.download_tokenizer(options.model))
    except CheckpointError as error:
        raise CheckpointError(f"the model in {_KEY}: {error}") from error


def _layout(options: spec.PrmOptions | spec.OrmOptions, checkpoint: Checkpoint) -> Layout:
    from mcts_math.engine.tokenizer import load_tokenizer
    from mcts_math.values.layouts import make_layout

    name = options.layout or _guess_layout(options, checkpoint.folder)
    try:
        layout = make_layout(name, load_tokenizer(checkpoint.folder), getattr(options, "separator", None))
    except CheckpointError as error:
        raise CheckpointError(f"{options.model}: {error}") from error
    if options.base_url is not None and layout.head not in _SERVED:
        raise ConfigError(
            f"{_KEY}: vLLM has no endpoint for layout {name}. Leave base_url out, or put a server of your own "
            "before the model and set value: scorer (docs/values.md)."
        )
    return layout


def _guess_layout(options: spec.ModelOptions, folder: Path) -> str:
    """The layout that the weights, or the architecture, tell. Raises ConfigError where neither does."""
    if checkpoints.find_weights(folder, checkpoints.HEAD_WEIGHT):
        return "skywork"
    architecture = checkpoints.architecture_of(checkpoints.read_config(folder)) or "model of no name"
    if architecture.endswith(_CLASSIFIERS):
        return "qwen"
    raise ConfigError(
        f"{_KEY}: {options.model} ({architecture}) does not tell how it reads steps. Set layout to qwen, skywork, "
        "shepherd or rlhflow."
    )


def _connect(options: spec.ServerOptions, connect: Callable[[Client], Scorer]) -> Scorer:
    """A scorer on a server; its connections are closed where that fails."""
    from mcts_math.engine.openai.arguments import ServerArguments
    from mcts_math.engine.openai.client import Client

    keys = {"base_url", "api_key_env", "timeout_s", "retries", "max_connections"}
    client = Client(ServerArguments(**options.model_dump(include=keys)), _KEY)
    try:
        return connect(client)
    except BaseException:
        client.close()
        raise


REWARDS: Final[Mapping[str, spec.RewardSpec]] = {
    "prm": spec.RewardSpec(
        "a process reward model, in this process or on vLLM", spec.PrmOptions, _load_model, check_model
    ),
    "orm": spec.RewardSpec("an outcome reward model, likewise", spec.OrmOptions, _load_model, check_model),
    "scorer": spec.RewardSpec("any scorer behind HTTP", spec.ScorerOptions, _load_scorer),
    "genrm": spec.RewardSpec("a chat model that is asked yes or no", spec.GenrmOptions, _load_genrm),
}
"""The reward models that a config can name as `value`. A new family is one file and one entry."""
