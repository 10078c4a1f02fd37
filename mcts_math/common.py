"""The keys that every method knows.

Keys, types and defaults of the published systems are SPEC A2; the others are new and leave published files valid. Keys
that today's engines have no use for are accepted and reported, never obeyed.

Departures: `stop` and `step_delim` follow `prompt_wrap` where absent, as every published config sets them so;
`max_total_time`, which the published code never reads, is obeyed.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, model_validator

from mcts_math.engine.table import ENGINES
from mcts_math.formats import FORMATS, FormatOptions, StepFormat, make_format
from mcts_math.loggers import LOG_TO, LoggerName
from mcts_math.methods import METHODS
from mcts_math.settings import OBSOLETE, Integer, Real, Settings, UserPath, suggest
from mcts_math.values.families import REWARDS, RewardSpec, name_of

_VALUES: Final = ("none", "head", *REWARDS)


def _published_null(value: Any) -> Any:
    """The published default is null, which a file with all keys writes out."""
    return "" if value is None else value


class Common(Settings):
    # What to run.
    mode: str = Field("mcts", description="the method; see the table of methods")
    model_dir: Annotated[str, BeforeValidator(_published_null)] = Field(
        "", description="the model: a checkpoint folder (with or without a value head), or a name on the hub"
    )
    seed: Integer | None = Field(None, description="seed of the run; absent counts as 0", ge=0, lt=2**63)
    # Prompt.
    prompt_wrap: str = Field(
        "react",
        description="step format: react (few-shot), react_sft (the tags of a tuned model), or in the model's own chat "
        "template chat (one step is the whole reply), chat_tools (Python by the model's tool calls), chat_code (blocks "
        "of Python in the reply), chat_steps (plain reasoning, divided by step_delim)",
    )
    result_unwrap: str | None = Field(
        None, description="format of the samples; must be that of prompt_wrap, which it follows where absent"
    )
    few_shot_path: UserPath | None = Field(
        None,
        description="JSON list of examples, each a whole text or {question, solution}; absent: the bundled ones",
    )
    prompt_path: UserPath | None = Field(
        None,
        description="few-shot instructions: a text file, or JSON with react_format_instructions and react_suffix; "
        "absent: the bundled ones",
    )
    num_few_shot: Integer = Field(2, description="examples in a few-shot prompt, drawn by seed", ge=0)
    chat_template_kwargs: dict[str, str | int | float | bool] = Field(
        default_factory=dict, description="further variables of the chat template, such as {enable_thinking: false}"
    )
    max_thinking_tokens: Integer = Field(
        0, description="most tokens of a thought, of the max_tokens of its step; 0: no limit of its own", ge=0
    )
    think: Literal["keep", "search"] = Field(
        "keep", description="chat_steps: keep a thought whole, or search over its steps too"
    )
    step_delim: str | None = Field(None, description="text between steps; absent: that of prompt_wrap", min_length=1)
    step_pattern: str | None = Field(
        None,
        description="chat_steps: a regular expression that must match at the end of a step, delimiter included; after "
        "a delimiter where it does not, the step goes on",
        min_length=1,
    )
    # Sampling.
    temperature: Real = Field(0.7, description="0 is greedy", ge=0)
    top_p: Real = Field(1.0, description="nucleus mass", gt=0, le=1)
    top_k: Integer = Field(-1, description="number of most likely tokens kept; -1 keeps all", ge=-1)
    max_tokens: Integer = Field(2000, description="most tokens of one step", ge=1)
    stop: list[str] | None = Field(None, description="strings that end a step; absent: those of prompt_wrap")
    max_depth: Integer = Field(4, description="most steps of a solution", ge=1)
    # Values.
    value: str | None = Field(
        None,
        description="what scores partial solutions: none, head (the checkpoint's), or a reward model: "
        + ", ".join(f"{name} ({spec.summary})" for name, spec in REWARDS.items())
        + "; absent: need_value_func says",
    )
    value_args: dict[str, Any] = Field(
        default_factory=dict, description="keys of the reward model that value names, which stand at the end"
    )
    need_value_func: bool = Field(False, description="the published way to say value: head")
    # Limits.
    batch_size: Integer = Field(-1, description="questions in flight at once; -1: as many as max_in_flight", ge=-1)
    max_total_time: Real = Field(
        300,
        description="seconds of machine time (shared among the questions in flight) for one question; 0: no limit",
        ge=0,
    )
    verbose: bool = Field(
        False, description="print each question when it is done, with its first solution or else its longest way"
    )
    log_to: LoggerName = Field("none", description=LOG_TO)
    # Obsolete: accepted whatever they are, reported, not obeyed.
    create_local_llm: Any = Field(False, description=OBSOLETE)
    swap_space: Any = Field(8, description=OBSOLETE)
    use_beam_search: Any = Field(False, description=OBSOLETE)
    best_of: Any = Field(1, description=OBSOLETE)
    reward_weight: Any = Field(0.5, description=OBSOLETE)
    # Ours.
    engine: str = Field(
        "hf", description="what runs the model: " + ", ".join(f"{n} ({e.summary})" for n, e in ENGINES.items())
    )
    engine_args: dict[str, Any] = Field(
        default_factory=dict,
        description="further arguments of the engine, such as dtype, device, max_batch_size; any of vLLM's",
    )
    num_replicas: Integer = Field(
        1, description="engines side by side, each with its own GPUs (data parallelism by Ray)", ge=1
    )
    max_in_flight: Integer = Field(1024, description="questions in flight at once where batch_size is -1", ge=1)
    max_question_tokens: Integer = Field(
        0, description="generated tokens that one question may cost; 0: no limit", ge=0
    )
    max_question_samples: Integer = Field(
        0, description="samples that one question may cost, each of them a step or a whole attempt; 0: no limit", ge=0
    )
    max_run_tokens: Integer = Field(0, description="generated tokens that the run may cost; 0: no limit", ge=0)
    interpreter_timeout_s: Real = Field(30.0, description="time of one cell, seconds; waiting for a core is free", gt=0)
    interpreter_memory_mb: Integer = Field(1024, description="memory of one cell, MiB", ge=64)
    interpreter_snapshots_mb: Integer = Field(
        2048, description="memory of all kept interpreter states and running cells, MiB", ge=0
    )
    interpreter_modules: list[str] = Field(
        default_factory=list, description="packages beside numpy and sympy that are imported once, e.g. [scipy]"
    )
    interpreter_input_files: list[UserPath] = Field(
        default_factory=list, description="absolute paths of files and folders that cells may read"
    )
    interpreter_temp_mb: Integer = Field(16, description="temporary files of one question, MiB; 0: none", ge=0)
    observations: Literal["published", "exact"] = Field(
        "published", description="published rounds printed numbers to 4 decimals, exact shows them as they are"
    )
    allow_unsafe_exec: bool = Field(False, description="run model code even where no real sandbox can be had")

    @property
    def value_source(self) -> str:
        """What scores partial solutions, as far as the config names it: none, head, or a name in `REWARDS`."""
        return self.value or ("head" if self.need_value_func else "none")

    @property
    def reward(self) -> RewardSpec | None:
        """The family of the reward model; None where there is none."""
        return REWARDS.get(self.value_source)

    @property
    def reward_options(self) -> Settings:
        """The keys of the reward model, which must be there."""
        return REWARDS[self.value_source].options(**self.value_args)

    @property
    def value_name(self) -> str:
        """What records call the source of values: none, head, or the family and the name of a reward model."""
        return f"{self.value_source} {name_of(self.reward_options)}" if self.reward else self.value_source

    @property
    def run_seed(self) -> int:
        return self.seed or 0

    @property
    def in_flight(self) -> int:
        return self.max_in_flight if self.batch_size == -1 else self.batch_size

    def make_format(self) -> StepFormat:
        """The step format, as it is set. Reads the prompt files. Raises ConfigError where they can't be used."""
        options = FormatOptions(
            step_delim=self.step_delim,
            stops=None if self.stop is None else tuple(self.stop),
            few_shot_path=self.few_shot_path,
            prompt_path=self.prompt_path,
            num_few_shot=self.num_few_shot,
            seed=self.run_seed,
            template=tuple(self.chat_template_kwargs.items()),
            max_thinking_tokens=self.max_thinking_tokens,
            search_thoughts=self.think == "search",
            step_pattern=self.step_pattern,
        )
        return make_format(self.prompt_wrap, options)

    def obsolete_given(self) -> list[str]:
        return [key for key in OBSOLETE_KEYS if key in self.model_fields_set]

    @model_validator(mode="after")
    def _agree(self) -> Common:
        for key, known in (("mode", METHODS), ("prompt_wrap", FORMATS), ("engine", ENGINES), ("value", _VALUES)):
            name = getattr(self, key)
            if name is not None and name not in known:
                meant = suggest(name, known, "")
                raise ValueError(f"{key} must be one of {', '.join(known)}, not {name!r}{meant and f'.{meant}'}")
        if self.result_unwrap not in (None, self.prompt_wrap):
            raise ValueError(f"result_unwrap is {self.result_unwrap!r} but prompt_wrap is {self.prompt_wrap!r}")
        if self.value_args and self.value not in REWARDS:
            raise ValueError(f"value_args are for a reward model: set value to {', '.join(REWARDS)}, or leave them out")
        if self.value == "none" and self.need_value_func:
            raise ValueError(
                "value is none, but need_value_func is true: leave one of them out; behind a file that sets it, write "
                "need_value_func=null"
            )
        if zero := next((key for key in ("batch_size", "top_k") if getattr(self, key) == 0), None):
            raise ValueError(f"{zero} must be at least 1, or -1 for all")
        if any(not text for text in self.stop or ()):
            raise ValueError("stop must not hold an empty string")
        return self


OBSOLETE_KEYS: Final = tuple(key for key, info in Common.model_fields.items() if info.description == OBSOLETE)
