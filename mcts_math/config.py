"""The config: one flat, validated model, from YAML and `key=value` overrides.

Keys, types and defaults are SPEC A2; the keys under "Ours" are new and leave published files valid. A field's
description is the one place that explains it: `--help` prints it. An unknown key or a wrong type is an error that names
file and key. Keys that today's engines have no use for are accepted and reported, never obeyed.

Departures: `stop` and `step_delim` follow `prompt_wrap` where absent, as every published config sets them so;
`max_total_time`, which the published code never reads, is obeyed.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from mcts_math.errors import ConfigError

OBSOLETE_KEYS = ("create_local_llm", "swap_space", "use_beam_search", "best_of", "reward_weight")

_STOPS = {
    "react": ["\nObservation:", "Observation:", "<Solution complete>"],
    "react_sft": ["\n</code>", "</code>", "</step>"],
    "chat": [],
}
_DELIMS = {"react": "\n\n", "react_sft": "\n", "chat": "\n"}
TRIAL_MODES = ("best_of_n", "self_consistency", "self_refine", "revision", "token_beam", "fttt")
"""Modes that make whole attempts (SPEC B)."""


def _number(value: Any) -> Any:
    """YAML 1.1 reads 1e-5, without a dot, as text."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    return value


Real = Annotated[float, BeforeValidator(_number)]
Settings = TypeVar("Settings", bound=BaseModel)


class Config(BaseModel):
    """All settings of a run."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False, protected_namespaces=())

    # What to run.
    mode: Literal[
        "react", "sbs", "mcts", "best_of_n", "self_consistency", "self_refine", "revision", "token_beam", "fttt"
    ] = Field(
        "mcts",
        description="solver: react (one greedy chain), sbs (step-level beam search), mcts, or one that makes `trials` "
        "attempts: best_of_n, self_consistency, self_refine, revision, token_beam, fttt (learns from the verdicts)",
    )
    model_dir: str = Field("", description="checkpoint folder: config.json, weights, tokenizer and the value head")
    seed: int | None = Field(None, description="seed of the run; absent counts as 0", ge=0, lt=2**63)
    # Prompt.
    prompt_wrap: Literal["react", "react_sft", "chat"] = Field(
        "react",
        description="step format: react (few-shot), react_sft (the tags of a tuned model) or chat (the model's chat "
        "template; one step is the whole reply)",
    )
    result_unwrap: Literal["react", "react_sft", "chat"] | None = Field(
        None, description="format of the samples; must be that of prompt_wrap, which it follows where absent"
    )
    few_shot_path: str | None = Field(
        None, description="JSON list of {question, solution} examples; absent: the bundled ones"
    )
    prompt_path: str | None = Field(
        None, description="text file with the few-shot instructions; absent: the bundled ones"
    )
    num_few_shot: int = Field(2, description="examples in a few-shot prompt, drawn by seed", ge=0)
    step_delim: str | None = Field(
        None, description=r'text between steps; absent: "\n\n" for react, else "\n"', min_length=1
    )
    # Sampling.
    temperature: Real = Field(0.7, description="0 is greedy", ge=0)
    top_p: Real = Field(1.0, description="nucleus mass", gt=0, le=1)
    top_k: int = Field(-1, description="number of most likely tokens kept; -1 keeps all", ge=-1)
    max_tokens: int = Field(2000, description="most tokens of one step", ge=1)
    stop: list[str] | None = Field(None, description="strings that end a step; absent: those of prompt_wrap")
    n_generate_sample: int = Field(
        1, description="B2: samples of each expansion; best_of_n, self_consistency: attempts made side by side", ge=1
    )
    # Search.
    step_beam_width: int = Field(1, description="B1: beams that sbs keeps", ge=1)
    max_depth: int = Field(4, description="most steps of a solution", ge=1)
    iterations: int = Field(1, description="mcts: number of simulations, that is of expansions", ge=1)
    need_value_func: bool = Field(False, description="score partial solutions with the value head")
    update_leaf_value: bool = Field(False, description="mcts: back up every unvisited child's value, not the leaf's")
    c_puct: Real = Field(1.5, description="mcts: weight of exploration", ge=0)
    is_sampling: bool = Field(False, description="mcts: make training data; the ground truth rewards answers")
    positive_reward: Real = Field(1.0, description="reward of a right answer", ge=-1, le=1)
    negative_reward: Real = Field(-1.0, description="reward of a wrong answer or a failed step", ge=-1, le=1)
    errors_threshold: int = Field(0, description="mcts: code steps in a row that may fail", ge=0)
    remove_duplicate: bool = Field(False, description="keep the first of equal samples only")
    # Whole attempts.
    trials: int = Field(32, description="attempts at a question that count; width of token_beam", ge=1)
    stop_at_success: bool = Field(
        True, description="end with the first attempt that the verifier passes; false goes on to `trials` for pass@k"
    )
    self_reflection: bool = Field(False, description="fttt: learn from the model's own reflection too")
    reflection_weight: Real = Field(1.0, description="fttt: weight of the reflection's loss", gt=0)
    adapter_rank: int = Field(4, description="fttt: rank of the LoRA adapter", ge=1)
    adapter_alpha: Real = Field(16, description="fttt: scale of the adapter, times its rank", gt=0)
    adapter_dropout: Real = Field(0.05, description="fttt: dropout before the adapter in its step", ge=0, lt=1)
    adapter_targets: list[str] = Field(
        default_factory=lambda: ["q_proj", "v_proj"],
        description="fttt: names of the modules that are adapted",
        min_length=1,
    )
    adapter_lr: Real = Field(1e-5, description="fttt: learning rate of AdamW, constant, without weight decay", gt=0)
    # Offline inference.
    prune: bool = Field(False, description="offline: first drop subtrees without a valid answer")
    mcts_infer_strategy: Literal["value", "puct", "q_value", "visit_count"] = Field(
        "q_value", description="offline: what ranks nodes"
    )
    # Limits.
    batch_size: int = Field(-1, description="questions in flight at once; -1: as many as max_in_flight", ge=-1)
    max_total_time: Real = Field(
        300, description="seconds of machine time (shared among the questions in flight) for one question; 0: no limit",
        ge=0,
    )  # fmt: skip
    verbose: bool = Field(False, description="print every step")
    # Obsolete: accepted, reported, not obeyed.
    create_local_llm: bool = Field(False, description="obsolete")
    swap_space: Real = Field(8, description="obsolete")
    use_beam_search: bool = Field(False, description="obsolete")
    best_of: int | None = Field(1, description="obsolete")
    reward_weight: Real = Field(0.5, description="obsolete")
    # Ours.
    engine: Literal["hf", "vllm", "openai"] = Field(
        "hf", description="what runs the model: hf (transformers), vllm, or openai (a server; engine_args has base_url)"
    )
    engine_args: dict[str, Any] = Field(
        default_factory=dict,
        description="further arguments of the engine, such as dtype, device, max_batch_size; any of vLLM's",
    )
    num_replicas: int = Field(
        1, description="engines side by side, each with its own GPUs (data parallelism by Ray)", ge=1
    )
    max_in_flight: int = Field(1024, description="questions in flight at once where batch_size is -1", ge=1)
    max_question_tokens: int = Field(0, description="generated tokens that one question may cost; 0: no limit", ge=0)
    max_run_tokens: int = Field(0, description="generated tokens that the run may cost; 0: no limit", ge=0)
    interpreter_timeout_s: Real = Field(30.0, description="wall clock of one snippet, seconds", gt=0)
    interpreter_memory_mb: int = Field(1024, description="memory of one snippet, MiB", ge=64)
    interpreter_snapshots_mb: int = Field(2048, description="memory of all kept interpreter states, MiB", ge=0)
    allow_unsafe_exec: bool = Field(False, description="run model code even where no real sandbox can be had")

    @model_validator(mode="after")
    def _agree(self) -> Config:
        if self.result_unwrap not in (None, self.prompt_wrap):
            raise ValueError(f"result_unwrap is {self.result_unwrap!r} but prompt_wrap is {self.prompt_wrap!r}")
        if self.update_leaf_value and not self.need_value_func:
            raise ValueError("update_leaf_value needs need_value_func: true")
        self._check_trials()
        if self.batch_size == 0:
            raise ValueError("batch_size must be at least 1, or -1 for all")
        if self.top_k == 0:
            raise ValueError("top_k must be at least 1, or -1 for all")
        if any(not text for text in self.stop or ()):
            raise ValueError("stop must not hold an empty string")
        return self

    def _check_trials(self) -> None:
        """Raises ValueError where the keys of the modes that make whole attempts contradict."""
        mode = self.mode
        if mode in ("fttt", "token_beam") and self.engine != "hf":
            raise ValueError(f"mode {mode} needs engine: hf, not {self.engine}")
        if mode == "token_beam" and self.temperature:
            raise ValueError("mode token_beam draws no numbers: set temperature to 0")
        if mode in ("fttt", "revision") and not self.stop_at_success:
            raise ValueError(f"mode {mode} can't go on after a right answer: leave out stop_at_success: false")
        if self.self_reflection and mode != "fttt":
            raise ValueError(f"self_reflection is for mode fttt, not {mode}")
        if mode in TRIAL_MODES and self.remove_duplicate:
            raise ValueError(f"mode {mode} counts equal attempts too: set remove_duplicate to false")

    @property
    def reads_verdicts(self) -> bool:
        """The ground truth takes part in the search, or chooses the answer."""
        return (self.mode in TRIAL_MODES and self.mode != "self_consistency") or self.is_sampling

    @property
    def delimiter(self) -> str:
        return _DELIMS[self.prompt_wrap] if self.step_delim is None else self.step_delim

    @property
    def stops(self) -> tuple[str, ...]:
        return tuple(_STOPS[self.prompt_wrap] if self.stop is None else self.stop)

    @property
    def run_seed(self) -> int:
        return self.seed or 0

    @property
    def in_flight(self) -> int:
        return self.max_in_flight if self.batch_size == -1 else self.batch_size

    def resolved(self) -> dict[str, Any]:
        """Every key with the value that is in force, as stored with the results."""
        return self.model_dump() | {
            "step_delim": self.delimiter,
            "stop": list(self.stops),
            "seed": self.run_seed,
            "result_unwrap": self.prompt_wrap,
        }

    def obsolete_given(self) -> list[str]:
        """Obsolete keys that the user's file sets."""
        return [key for key in OBSOLETE_KEYS if key in self.model_fields_set]


def load_config(path: str | Path | None, overrides: Sequence[str] = ()) -> Config:
    """Reads a YAML file and applies `key=value` overrides, whose values are YAML too.

    Raises:
        ConfigError: an unreadable file, an unknown key, a wrong type, a value out of range, keys that contradict.
    """
    return load_settings(Config, path, overrides)


def make_config(settings: Mapping[str, Any], where: Mapping[str, str] | None = None) -> Config:
    """Validates settings. `where` names the source of each key, for messages."""
    return make_settings(Config, settings, where)


def load_settings(model: type[Settings], path: str | Path | None, overrides: Sequence[str] = ()) -> Settings:
    """`load_config` for any model of settings."""
    settings = {} if path is None else _read_yaml(Path(path))
    where = dict.fromkeys(settings, str(path))
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise ConfigError(f"override {override!r}: write it as key=value, for example temperature=0.6.")
        try:
            settings[key] = yaml.safe_load(text) if text else ""
        except yaml.YAMLError as error:
            raise ConfigError(f"override {override!r}: the value is not valid YAML: {error}.") from error
        where[key] = f"override {override}"
    return make_settings(model, settings, where)


def make_settings(
    model: type[Settings], settings: Mapping[str, Any], where: Mapping[str, str] | None = None
) -> Settings:
    """`make_config` for any model of settings."""
    where = where or {}
    for key in settings:
        if key not in model.model_fields:
            near = difflib.get_close_matches(str(key), model.model_fields, 1, 0.5)
            hint = f" Did you mean {near[0]!r}?" if near else " Run with --help for all keys."
            raise ConfigError(f"{where.get(key, 'config')}: unknown key {key!r}.{hint}")
    try:
        return model(**settings)
    except ValidationError as error:
        raise ConfigError("\n".join(_explain(item, where) for item in error.errors())) from None


def describe_keys(model: type[BaseModel] = Config) -> str:
    """One line a key: name, type, default and meaning."""
    lines = []
    for name, info in model.model_fields.items():
        default = info.get_default(call_default_factory=True)
        shown = "absent" if default is None else repr(default) if isinstance(default, str) else str(default)
        lines.append(f"  {name + ' = ' + shown:<32} {info.description}")
    return "\n".join(lines)


def _explain(item: Any, where: Mapping[str, str]) -> str:
    location = [str(part) for part in item["loc"]]
    message = str(item["msg"]).removeprefix("Value error, ")
    if not location:
        return f"{' and '.join(sorted(set(where.values()))) or 'config'}: {message}."
    key = location[0]
    return f"{where.get(key, 'config')}: {'.'.join(location)}: {message}, not {item['input']!r}."


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file. Published configs are in configs/.") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} can't be read as YAML: {error}.") from error
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: expected `key: value` lines, found {type(data).__name__}.")
    return data
