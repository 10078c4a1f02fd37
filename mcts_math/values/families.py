"""The families of reward models: what each declares of itself, its options, and how it is made of them. What is heavy
is imported when it is loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from mcts_math.engine import checkpoint as checkpoints
from mcts_math.engine.checkpoint import Checkpoint
from mcts_math.errors import CheckpointError, ConfigError
from mcts_math.requests import ValueModel
from mcts_math.settings import Integer, Real, Settings
from mcts_math.values.rewards import Aggregate, RewardModel, Scorer

if TYPE_CHECKING:
    from mcts_math.engine.openai.client import Client
    from mcts_math.values.layouts import Layout

HowToAggregate = Annotated[Aggregate, Field(description="how scores of steps become one: last, min, product, mean")]

NEUTRAL: Final = frozenset(
    {"model", "base_url", "device", "max_batch_tokens", "max_items", "api_key_env", "timeout_s", "retries",
     "max_connections"}
)  # fmt: skip
"""Options that change no value, or that are compared by what is behind them."""


class ServerOptions(Settings):
    api_key_env: str = Field("VALUE_API_KEY", description="environment variable that holds the server's API key")
    timeout_s: Real = Field(600.0, description="time for one reply of a server, seconds", gt=0)
    retries: Integer = Field(7, description="how often a request to a server is sent again", ge=0)
    max_connections: Integer = Field(256, description="requests to a server in the air at once", ge=1)


class ModelOptions(ServerOptions):
    """A checkpoint, and who runs it."""

    model: str = Field(
        description="checkpoint folder, or name on the Hugging Face hub; with base_url its tokenizer alone is read"
    )
    base_url: str | None = Field(
        None, description="address of a vLLM that serves the model, with /v1; absent: it runs in this process"
    )
    device: str = Field("auto", description="cpu, cuda, cuda:N, or auto: the GPU if there is one")
    dtype: str = Field("auto", description="float32, bfloat16, float16, or auto: the checkpoint's own on a GPU")
    max_batch_tokens: Integer = Field(16384, description="most tokens of one pass in this process", ge=1)


class PrmOptions(ModelOptions):
    layout: Literal["qwen", "skywork", "shepherd", "rlhflow"] | None = Field(
        None,
        description="how it reads steps: qwen (Qwen2.5-Math-PRM and other token classifiers), skywork "
        "(Skywork-o1-Open-PRM), shepherd (Math-Shepherd), rlhflow (RLHFlow's); absent: qwen or skywork, as the weights "
        "tell",
    )
    separator: str | None = Field(None, description="what ends a step, one token; absent: that of the layout")
    aggregate: HowToAggregate = "last"


class OrmOptions(ModelOptions):
    layout: Literal["sequence", "rlhflow"] = Field(
        "sequence", description="sequence (a classifier with one logit), or rlhflow (the word + or - in a conversation)"
    )


class ScorerOptions(ServerOptions):
    """Any scorer behind our HTTP contract."""

    base_url: str = Field(description="address of the scorer; requests go to {base_url}/score")
    model: str = Field(
        "", description="name of what scores there, for records and --resume; absent: the address stands for it"
    )
    max_items: Integer = Field(64, description="most solutions of one request", ge=1)
    aggregate: HowToAggregate = "last"


class GenrmOptions(ServerOptions):
    base_url: str = Field(description="address of an OpenAI-compatible API, with /v1")
    model: str = Field("", description="name of the model on the server; absent: the only one")
    api_key_env: str = Field("OPENAI_API_KEY", description="environment variable that holds the server's API key")
    prompt: str = Field(
        "Question:\n{question}\n\nSolution, which may end early:\n{solution}\n\nIs everything in this solution right "
        "so far? Answer with one word, Yes or No.",
        description="what is asked; {question} and {solution} are put in",
    )
    yes: str = Field("yes", description="the word for right", min_length=1)
    no: str = Field("no", description="the word for wrong", min_length=1)
    top_logprobs: Integer = Field(20, description="likely tokens that the server is asked to tell", ge=2)
    extra_body: dict[str, Any] = Field(default_factory=dict, description="further fields of every request")

    @model_validator(mode="after")
    def _agree(self) -> GenrmOptions:
        if "{solution}" not in self.prompt:
            raise ValueError("prompt must hold {solution}, and {question} where the question is shown")
        if self.yes.casefold() == self.no.casefold():
            raise ValueError("yes and no must be different words")
        return self


@dataclass(frozen=True, slots=True)
class RewardSpec:
    summary: str
    options: type[Settings]  # the keys of `value_args`
    load: Callable[[Any], ValueModel]  # loads or connects it; this blocks
    # finds faults without loading a model; raises MctsMathError. Connecting to a server tells them at once.
    check: Callable[[Any], None] = lambda options: None


def name_of(options: Any) -> str:
    """What records call a reward model: the last part of its name, else its address, without what is secret."""
    model = str(options.model).rstrip("/")
    return model.rpartition("/")[2] or address_of(options)


def address_of(options: Any) -> str:
    """Where it is, without what is secret; a host may serve several scorers."""
    parts = urlsplit(str(options.base_url))
    return (parts.netloc.rpartition("@")[2] + parts.path).rstrip("/")


def result_arguments(options: Settings) -> dict[str, Any]:
    """The options that may change values."""
    return {key: value for key, value in options.model_dump().items() if key not in NEUTRAL}


_KEY: Final = "value_args"
_SERVED: Final = ("labels", "logit")  # kinds of heads that vLLM's /pooling tells the logits of
_CLASSIFIERS: Final = ("ForProcessRewardModel", "ForTokenClassification")


def check_model(options: PrmOptions | OrmOptions) -> None:
    """Looks at a checkpoint's small files and tokenizer, but at a model of the hub when it is loaded. Raises
    CheckpointError, or ConfigError where the layout can't be told or served."""
    if Path(options.model).expanduser().exists() or not checkpoints.is_hub_name(options.model):
        _layout(options, _find(options))


def _load_model(options: PrmOptions | OrmOptions) -> ValueModel:
    """A reward model in this process, or on vLLM. Raises ConfigError, CheckpointError or EngineError."""
    checkpoint = _find(options)
    layout = _layout(options, checkpoint)
    if options.base_url is not None:
        from mcts_math.values.servers import PoolingScorer

        scorer = _connect(options, lambda client: PoolingScorer.connect(client, options.model, layout))
    else:
        from mcts_math.values.local import load_local

        scorer = load_local(checkpoint, layout, options)
    if isinstance(options, PrmOptions):
        return RewardModel(scorer, options.aggregate, options.model)
    return RewardModel(scorer, "last", options.model, whole=True)


def _load_scorer(options: ScorerOptions) -> ValueModel:
    """A scorer behind HTTP. Raises EngineError."""
    from mcts_math.values.servers import HttpScorer

    scorer = _connect(options, lambda client: HttpScorer.connect(client, options.max_items))
    return RewardModel(scorer, options.aggregate, options.base_url)


def _load_genrm(options: GenrmOptions) -> ValueModel:
    from mcts_math.values.servers import GenerativeScorer

    scorer = _connect(options, lambda client: GenerativeScorer.connect(client, options))
    return RewardModel(scorer, "last", options.model or options.base_url, whole=True)


def _find(options: ModelOptions) -> Checkpoint:
    """The checkpoint as a folder; of one that is served the config and the tokenizer are enough."""
    try:
        if options.base_url is None:
            return checkpoints.obtain(options.model)
        folder = Path(options.model).expanduser()
        is_here = (folder / "config.json").exists()
        return Checkpoint(options.model, folder if is_here else checkpoints.download_tokenizer(options.model))
    except CheckpointError as error:
        raise CheckpointError(f"the model in {_KEY}: {error}") from error


def _layout(options: PrmOptions | OrmOptions, checkpoint: Checkpoint) -> Layout:
    from mcts_math.engine.tokenizer import load_tokenizer
    from mcts_math.values.layouts import make_layout

    name = options.layout or _guess_layout(options, checkpoint.folder)
    try:
        layout = make_layout(name, load_tokenizer(checkpoint.folder), getattr(options, "separator", None))
    except CheckpointError as error:
        raise CheckpointError(f"{options.model}: {error}") from error
    if options.base_url is not None and layout.head not in _SERVED:
        remedy = "Leave base_url out, or serve the model yourself and set value: scorer (docs/values.md)."
        raise ConfigError(f"{_KEY}: vLLM has no endpoint for layout {name}. {remedy}")
    return layout


def _guess_layout(options: ModelOptions, folder: Path) -> str:
    """The layout that the weights, or the architecture, tell. Raises ConfigError where neither does."""
    if checkpoints.find_weights(folder, checkpoints.HEAD_WEIGHT):
        return "skywork"
    architecture = checkpoints.architecture_of(checkpoints.read_config(folder)) or "model of no name"
    if architecture.endswith(_CLASSIFIERS):
        return "qwen"
    told = "does not tell how it reads steps. Set layout to qwen, skywork, shepherd or rlhflow."
    raise ConfigError(f"{_KEY}: {options.model} ({architecture}) {told}")


def _connect(options: ServerOptions, connect: Callable[[Client], Scorer]) -> Scorer:
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


REWARDS: Final[Mapping[str, RewardSpec]] = {
    "prm": RewardSpec("a process reward model, in this process or on vLLM", PrmOptions, _load_model, check_model),
    "orm": RewardSpec("an outcome reward model, likewise", OrmOptions, _load_model, check_model),
    "scorer": RewardSpec("any scorer behind HTTP", ScorerOptions, _load_scorer),
    "genrm": RewardSpec("a chat model that is asked yes or no", GenrmOptions, _load_genrm),
}
"""The reward models that a config can name as `value`. A new family is one file and one entry."""
