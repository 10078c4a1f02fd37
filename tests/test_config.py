"""The config: published files as they are, errors that name the key."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mcts_math.common import OBSOLETE_KEYS, Common
from mcts_math.config import Config, describe_config, load_config, load_config_as, make_config
from mcts_math.errors import ConfigError
from mcts_math.evaluate.experiments import ExperimentConfig
from mcts_math.formats import StepFormat
from mcts_math.methods import METHODS
from mcts_math.search.mcts import PublishedOptions
from mcts_math.settings import Settings, describe_keys, load_settings, make_settings, read_settings
from mcts_math.train.config import RoundsConfig, TrainConfig
from mcts_math.values.families import REWARDS

PUBLISHED = {
    "react_demo": {"mode": "react", "prompt_wrap": "react"},
    "react_round1": {"mode": "react", "temperature": 0.0, "n_generate_sample": 1, "max_depth": 10, "seed": 1234},
    "react_sft": {"mode": "react", "temperature": 0.0, "max_depth": 10, "seed": 1234, "prompt_wrap": "react_sft"},
    "sbs_greedy": {"mode": "sbs", "temperature": 0.0, "n_generate_sample": 1, "need_value_func": False, "seed": 1234},
    "sbs_sft": {"mode": "sbs", "temperature": 0.6, "n_generate_sample": 5, "remove_duplicate": True, "seed": 42},
    "mcts_round1": {"mode": "mcts", "iterations": 40, "errors_threshold": 3, "is_sampling": True, "step_delim": "\n\n"},
    "mcts_sft": {"mode": "mcts", "iterations": 40, "c_puct": 1.25, "need_value_func": True, "max_depth": 8},
    "mcts_sft_round": {"mode": "mcts", "temperature": 1.0, "is_sampling": True, "need_value_func": True},
    "offline_inference": {"prune": True, "mcts_infer_strategy": "q_value", "c_puct": 1.25, "n_generate_sample": 5},
}


@pytest.mark.parametrize(
    ("form", "key"),
    [
        (Common, "few_shot_path"), (Common, "prompt_path"), (Common, "interpreter_input_files"),
        (METHODS["optune"].options, "optune_dir"), (ExperimentConfig, "exclude"), (ExperimentConfig, "greedy"),
    ],
)  # fmt: skip
def test_a_tilde_is_the_home(form: type[Settings], key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/me")
    given = load_settings(form, None, [f"{key}=[~/x]" if key.endswith("files") else f"{key}=~/x"])
    assert getattr(given, key) in ("/home/me/x", ["/home/me/x"])


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_configs(repo: Path, name: str) -> None:
    config = load_config(repo / "configs" / f"{name}.yaml").resolved()
    assert {key: config[key] for key in PUBLISHED[name]} == PUBLISHED[name]


def test_every_config_of_the_repository_is_valid(repo: Path) -> None:
    for path in (repo / "configs").rglob("*.yaml"):
        assert path.read_text().startswith("#"), f"{path}: say which result it belongs to"
        if "\nmode:" in path.read_text():  # trainings, rounds and tables have settings of their own
            load_config(path)


def test_defaults_are_the_published_ones() -> None:
    config = Config()
    expected = {
        "mode": "mcts", "num_few_shot": 2, "temperature": 0.7, "top_p": 1.0, "top_k": -1, "max_tokens": 2000,
        "n_generate_sample": 1, "step_beam_width": 1, "max_depth": 4, "iterations": 1, "max_total_time": 300,
        "positive_reward": 1.0, "negative_reward": -1.0, "errors_threshold": 0, "need_value_func": False,
        "update_leaf_value": False, "c_puct": 1.5, "is_sampling": False, "remove_duplicate": False, "prune": False,
        "mcts_infer_strategy": "q_value", "batch_size": -1, "verbose": False, "swap_space": 8, "best_of": 1,
        "use_beam_search": False, "create_local_llm": False, "reward_weight": 0.5, "step_delim": "\n\n",
    }  # fmt: skip
    resolved = config.resolved()
    assert {key: resolved[key] for key in expected} == expected


def test_stop_and_delimiter_follow_the_format() -> None:
    def form(*overrides: str) -> StepFormat:
        config = load_config(None, overrides)
        return config.make_format()

    sft = form("prompt_wrap=react_sft")
    assert sft.stops == ("\n</code>", "</code>", "</step>")
    assert sft.step_delim == "\n"
    assert form().stops == ("\nObservation:", "Observation:", "<Solution complete>")
    assert form().step_delim == "\n\n"
    assert form("stop=[X]", 'step_delim="|"').stops == ("X",)


def test_a_change_moves_what_follows_from_it() -> None:
    config = load_config(None, ["prompt_wrap=react", "mode=sbs"])
    changed = config.changed(prompt_wrap="react_sft", value="head").resolved()
    assert (changed["step_delim"], changed["need_value_func"]) == ("\n", True)
    assert config.changed() == config
    assert make_config(config.resolved()).resolved() == config.resolved()


@pytest.mark.parametrize("mode", METHODS)
def test_each_method_knows_its_own_keys_and_no_others(mode: str) -> None:
    own = METHODS[mode].options
    sampling = {"temperature": 0.0} if METHODS[mode].needs_token_beams else {}
    values = {key: own().model_dump()[key] for key in own.model_fields}
    config = make_config({"mode": mode} | sampling | values)
    assert config.options.model_dump() == values
    for other in METHODS.values():
        for key, value in other.options().model_dump().items():
            if key not in own.model_fields and not isinstance(value, bool):
                with pytest.raises(ConfigError, match=f"mode {mode} does not take {key} .a key of"):
                    make_config({"mode": mode, key: 7} | sampling)


def test_published_keys_of_other_methods_pass_at_their_defaults() -> None:
    idle = {name: field.default for name, field in PublishedOptions.model_fields.items()}
    for mode in METHODS.keys() - {"mcts"}:
        assert make_config({"mode": mode, "temperature": 0.0} | idle).method is METHODS[mode]


NULLS = "".join(f"{key}: null\n" for key in ("model_dir", "few_shot_path", "prompt_path", "seed", "swap_space", "stop"))


@pytest.mark.parametrize("text", ["top_k: -1.0\n", NULLS, "best_of: null\n", "positive_reward: 1\n"])
def test_values_as_published_files_write_them(tmp_path: Path, text: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(text)
    assert load_config(path).top_k == -1


@pytest.mark.parametrize(
    "value", ["2024-99-99", "!!int abc", "!!timestamp x", "!!float x", "!!binary 'é'", "{[a]: 1}", "010", "1:30"]
)
def test_a_value_that_yaml_cannot_make_is_an_error_in_one_line_of_ours(tmp_path: Path, value: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"seed: {value}\n")
    with pytest.raises(ConfigError, match=r"c\.yaml is not valid YAML"):
        load_config(path)
    with pytest.raises(ConfigError, match=r"override .seed=.*: the value is not valid YAML"):
        load_config(None, [f"seed={value}"])


def test_a_method_that_replaces_the_files_own_takes_over_no_key_of_it(repo: Path) -> None:
    for path in sorted((repo / "configs").glob("*.yaml")):
        config = load_config_as("react", path)
        assert (config.mode, config.value_source) == ("react", "none"), path
    assert load_config_as("mcts", repo / "configs/sbs_sft.yaml").value_source == "head"
    with pytest.raises(ConfigError, match=r"override need_value_func=true.*leave out value"):
        load_config_as("react", repo / "configs/sbs_sft.yaml", ["need_value_func=true"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"mode: [", r"c\.yaml is not valid YAML: .* \(line 1, column 8\)\.$"),
        ("mode: sbs".encode("utf-16"), r"c\.yaml is not UTF-8 text: .*\. Give YAML in UTF-8, .*/\.$"),
    ],
)
def test_a_file_that_is_no_yaml_is_told_in_one_line(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        load_config(tmp_path / "c.yaml")


def test_a_key_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("temperature: 0.6\nseed: 1\ntemperature: 0.9\n")
    with pytest.raises(ConfigError, match=r"(?s)c\.yaml is not valid YAML: the key 'temperature' stands twice.*line 3"):
        load_config(path)
    with pytest.raises(ConfigError, match="'dtype' stands twice"):
        load_config(None, ["engine_args={dtype: float32, dtype: bfloat16}"])


def test_what_a_merge_key_of_yaml_brings_may_be_changed(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("overrides: &o {a: 1, b: {c: 2}}\nconfig:\n  <<: *o\n  a: 3\n")
    assert read_settings(path)[0]["config"] == {"a": 3, "b": {"c": 2}}
    path.write_text("x: &x {a: 1}\ny: &y {a: 2}\nz: {<<: [*y, *x], b: 3}\n")
    assert read_settings(path)[0]["z"] == {"a": 2, "b": 3}
    path.write_text("x: &x {a: 1}\nz: {<<: *x, <<: *x}\n")
    with pytest.raises(ConfigError, match="the key '<<' stands twice"):
        read_settings(path)


def test_a_forced_mode_leaves_the_keys_of_the_files_own_method(repo: Path) -> None:
    config = load_config_as(
        "react", repo / "configs" / "sbs_sft.yaml", ["temperature=0.0", "value=none", "need_value_func=false"]
    )
    assert (config.mode, config.max_depth, config.prompt_wrap) == ("react", 10, "react_sft")
    path = repo / "configs" / "react_sft.yaml"
    assert load_config_as("react", path) == load_config(path, ["mode=react"]) == load_config(path)


def test_values_have_one_source() -> None:
    assert make_config({"mode": "sbs", "need_value_func": True}).value_source == "head"
    assert make_config({"mode": "sbs", "value": "head"}).value_source == "head"
    assert make_config({"mode": "sbs"}).value_source == "none"
    with pytest.raises(ConfigError, match="value is none, but need_value_func is true"):
        make_config({"mode": "sbs", "value": "none", "need_value_func": True})
    with pytest.raises(ConfigError, match="mode react asks for no values"):
        make_config({"mode": "react", "value": "head"})


def test_overrides_win_and_are_yaml(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("temperature: 1\nseed: 3\nmode: sbs\n")
    config = load_config(path, ["temperature=1e-1", "engine_args={dtype: float32}", "seed=null", "model_dir=a=b"])
    assert (config.temperature, config.run_seed, config.mode, config.model_dir) == (0.1, 0, "sbs", "a=b")
    assert config.engine_args == {"dtype": "float32"}


def test_a_shipped_config_serves_for_other_methods(repo: Path) -> None:
    """As docs/searches.md says."""
    commands = re.findall(r"^python solver_demo.py (.*)$", (repo / "docs/searches.md").read_text(), re.MULTILINE)
    assert commands
    for words in map(shlex.split, commands):
        path = repo / words[words.index("--cfg") + 1]
        assert load_config(path, [word for word in words if "=" in word]).mode in METHODS


def test_null_takes_a_key_of_the_file_away(tmp_path: Path) -> None:
    """So another method can be tried behind a file that has keys of its own."""
    path = tmp_path / "c.yaml"
    path.write_text("mode: sbs\nneed_value_func: true\nstep_beam_width: 2\n")
    with pytest.raises(ConfigError, match=r"not take step_beam_width .*, prune .*Write step_beam_width=null behind"):
        load_config(path, ["mode=rebase", "prune=true"])
    with pytest.raises(ConfigError, match=r"c\.yaml: mode rebase does not take step_beam_width .*step_beam_width=null"):
        load_config(path, ["mode=rebase"])
    for _ in range(2):  # said once more, or of a key that the file lacks, it means the same
        assert load_config(path, ["mode=rebase", "step_beam_width=null", "top_p=null", "top_p=null"]).mode == "rebase"
    assert load_config(path).changed(mode="rebase", step_beam_width=None, temperature=None).mode == "rebase"
    with pytest.raises(ConfigError, match="mode"):
        load_config(path, ["mode=null"])
    with pytest.raises(ConfigError, match="unknown key 'step_beam_widht'"):
        load_config(path, ["step_beam_widht=null"])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("temprature=1", "override temprature=1: unknown key 'temprature'. Did you mean 'temperature'"),
        ("xyzzy=1", "unknown key 'xyzzy'. Run with --help"),
        ("temperature=hot", "temperature: Input should be a valid number, not 'hot'"),
        ("temperature=-1", "greater than or equal to 0, not -1"),
        ("temperature=.nan", "finite"),
        ("iterations=1.5", "iterations: Input should be a valid integer"),
        ("iterations=true", "iterations: Input should be a valid integer"),
        ("need_value_func=1", "need_value_func: Input should be a valid boolean"),
        ("mode=dfs", "mode must be one of react, sbs, "),
        (
            "prompt_wrap=xml",
            "prompt_wrap must be one of react, react_sft, chat, chat_tools, chat_code, chat_steps, not 'xml'",
        ),
        ("engine=tgi", "engine must be one of hf, vllm, openai, not 'tgi'"),
        ("stop=[1]", "stop.0: Input should be a valid string"),
        ("stop=['']", "stop must not hold an empty string"),
        ("batch_size=0", "batch_size must be at least 1"),
        ("top_k=0", "top_k must be at least 1"),
        ("result_unwrap=react_sft", "result_unwrap is 'react_sft' but prompt_wrap is 'react'"),
        ("seed", "write seed=VALUE as one word"),
        ("seed={", "not valid YAML: while parsing a flow node, expected the node content, but found '<stream end>'"),
        ("engine_args={dtype:", "Quote a list or a mapping for the shell: 'engine_args={…'"),
        ("engine_args=3", "not 3. Write 'engine_args={NAME: VALUE}'"),
        ("stop=X", """not 'X'. Write 'stop=["X"]'"""),
        ("mode=mtcs", "not 'mtcs'. Did you mean 'mcts'?"),
        ("value=pmr", "not 'pmr'. Did you mean 'prm'?"),
        ("mode=token_beam", "set temperature=0, not 0.7"),
        ("max_new_tokens=9", "Did you mean 'max_tokens'?"),
        ("model=x", "Did you mean 'model_dir'?"),
        ("n=4", "Did you mean 'n_generate_sample'?"),
        ("think=all", "not 'all'. It means chat_steps: keep a thought whole, or search over its steps too"),
    ],
)
def test_bad_settings_are_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(None, [override])
    assert message in str(caught.value)


def test_the_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("max_dept: 3\n")
    with pytest.raises(ConfigError, match=r"c\.yaml: unknown key 'max_dept'. Did you mean 'max_depth'"):
        load_config(path)
    path.write_text("max_depth: three\ntop_p: 2\n")
    with pytest.raises(ConfigError, match=r"(?s)c\.yaml: top_p: .*not 2.*c\.yaml: max_depth: .*'three'"):
        load_config(path)
    for text in ("- a\n", "a: [", "\t- x"):
        path.write_text(text)
        with pytest.raises(ConfigError, match=r"c\.yaml"):
            load_config(path)
    with pytest.raises(ConfigError, match="no such file"):
        load_config(tmp_path / "none.yaml")
    path.write_text("")
    assert load_config(path).mode == "mcts"


def test_the_name_of_a_config_that_is_not_there_finds_those_like_it(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo)
    for name, meant in (("mcts_sf", "Did you mean configs/mcts_sft.yaml?"), ("xyzzy", "in its folder configs/.")):
        with pytest.raises(ConfigError, match=re.escape(f"{name}: no such file. ") + ".*" + re.escape(meant)):
            load_config(name)


def test_words_with_spaces_around_the_sign(tmp_path: Path) -> None:
    path = tmp_path / "override"  # a file of that name is none
    path.write_text("temperature: 1\n")
    assert load_config(path, ["temperature = null", "mode= react"]).temperature == 0.7
    with pytest.raises(ConfigError, match="write temperature=VALUE as one word, without spaces"):
        load_config(path, ["temperature", "=", "1"])


def test_keys_that_a_method_lacks_are_told_in_one_line() -> None:
    with pytest.raises(ConfigError) as refused:
        load_config(None, ["mode=rebase", "c_puct=3", "iterations=2"])
    assert str(refused.value) == (
        "override c_puct=3 and override iterations=2: mode rebase does not take c_puct (a key of mcts), iterations "
        "(a key of mcts, ab_mcts_steps). Leave that out, or choose another mode."
    )


def test_obsolete_keys_are_reported_only_where_given() -> None:
    assert load_config(None, ["swap_space=12", "best_of=1"]).obsolete_given() == ["swap_space", "best_of"]
    assert Config().obsolete_given() == []


def test_every_key_is_explained() -> None:
    text = describe_config() + describe_config(["mode=all", "value=all"])
    for model in (Common, *(method.options for method in METHODS.values())):
        for name, info in model.model_fields.items():
            assert name in OBSOLETE_KEYS or f"  {name} = " in text
            assert info.description
    wrapped = " ".join(text.split())
    assert f"obsolete keys of published files, accepted and not obeyed: {', '.join(OBSOLETE_KEYS)}" in wrapped


def test_help_explains_a_method_and_a_reward_model_on_request() -> None:
    assert "c_puct" not in describe_config()
    assert all(f"  {name} " in describe_config() for name in (*METHODS, *REWARDS))
    text = describe_config(["--help", "mode=rebase", "temperature=1"])
    assert text.startswith("keys of mode: rebase (")
    assert "max_tokens" not in text
    assert describe_config(["--help", "rebase"]) == describe_config(["mode=rebase"])
    assert describe_config(["mode=mtcs"]).endswith("There is no mode 'mtcs'. Did you mean 'mcts'?")
    assert "for value: prm" in describe_config(["value=prm", "mode=sbs"])


def test_keys_that_contradict_are_named_where_they_stand() -> None:
    words = ["epochs=2", "batch_size=3", "micro_batch_size=2"]
    with pytest.raises(ConfigError) as refused:
        load_settings(TrainConfig, None, words)
    assert str(refused.value).startswith("override batch_size=3 and override micro_batch_size=2: batch_size (3) must")


@pytest.mark.parametrize("columns", [80, 160])
def test_help_is_as_wide_as_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert columns - 20 < max(map(len, describe_config().splitlines())) < columns
    assert "  examples = {} " in describe_keys(RoundsConfig)  # settings within settings


def test_a_list_that_is_too_short_is_told_once() -> None:
    with pytest.raises(ConfigError, match=r"methods\.a\.seeds: List should have at least 1 item, not \[\]"):
        make_settings(ExperimentConfig, {"methods": {"a": {"config": "c.yaml", "seeds": []}}})
