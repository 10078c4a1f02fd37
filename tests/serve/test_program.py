"""The program with the bundled model: from the command line to a drained end; and its engine, lost and loaded anew."""

from __future__ import annotations

import re
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import openai
import pytest
from service import serving, user, wait_until
from stand_ins import started

from mcts_math.config import load_config
from mcts_math.errors import ConfigError
from mcts_math.serve.models import ServedModel, load_models
from mcts_math.serve.program import KEY_VARIABLE, main
from mcts_math.solver import solve
from mcts_math.tasks import load_tasks

CONFIGS = ("configs/mini/sbs.yaml", "configs/mini/greedy.yaml")


@pytest.mark.slow
def test_the_program_serves_the_bundled_model_and_drains(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repo)
    task = load_tasks("data/mini/test.jsonl")[0]
    command = [sys.executable, "-m", "mcts_math.serve", "--cfg", *CONFIGS, "--port", "0"]
    with started(command, repo) as process:
        assert process.stderr is not None
        lines = [""]
        while "serving" not in (said := lines[-1]):
            lines.append(process.stderr.readline())
            assert lines[-1], (process.wait(), lines)
        url = re.search(r"http://\S+", said)
        assert said.startswith("serving sbs, greedy at http://127.0.0.1:")
        assert url is not None
        with openai.OpenAI(base_url=url[0], api_key="none", max_retries=0) as client:
            reply = client.chat.completions.create(model="sbs", messages=user(task.question), seed=42)
            stream = client.chat.completions.create(model="greedy", messages=user(task.question), stream=True)
            next(iter(stream))  # in flight
            process.send_signal(signal.SIGTERM)
            rest = list(stream)
            assert rest[-1].model_extra["search"]["solutions"][0]["answer"] == "1"  # type: ignore[index]
            wait_until(lambda: process.poll() is not None)
            assert process.returncode == -signal.SIGTERM
            with pytest.raises(openai.APIConnectionError):
                client.models.list()
    (solved,) = solve(load_config(CONFIGS[0]), [{"question": task.question}])
    assert reply.choices[0].message.content == reply.model_extra["search"]["solutions"][0]["solution"]  # type: ignore[index]
    assert [solved.tree.nodes[i].answer for i in solved.tree.solutions] == [
        found["answer"]
        for found in reply.model_extra["search"]["solutions"]  # type: ignore[index]
    ]
    assert reply.usage.completion_tokens == solved.cost.tokens  # type: ignore[union-attr]


@pytest.mark.slow  # torch, the sandbox and the model are loaded, and the last two once more
def test_two_configs_share_the_engine_and_it_is_loaded_anew_when_lost(
    repo: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repo)
    models = load_models(CONFIGS)
    with serving(models) as service, service.client() as client:
        (backend,) = set(service.gateway._backends.values())
        asked: Any = {"messages": user("What is 12 + 30?"), "seed": 1}
        before = [client.chat.completions.create(model=model.name, **asked).choices for model in models]
        engine: Any = backend._scheduler._services.policy
        engine._thread._inbox.put(lambda: 1 / 0)  # as a fault in its thread would: it is lost
        with pytest.raises(openai.InternalServerError, match="loaded anew"):
            client.chat.completions.create(model="greedy", **asked)
        wait_until(lambda: backend.is_ready)
        assert backend.num_losses == 1
        assert [client.chat.completions.create(model=model.name, **asked).choices for model in models] == before


WRONG = [
    (["--cfg", "configs/mini/best_of_n.yaml"], "best_of_n: mode best_of_n reads verdicts"),
    (
        ["--cfg", "configs/sbs_sft.yaml", "configs/mini/sbs.yaml", "mode=sbs"],
        "there is a model 'sbs' already|model_dir",
    ),
    (["--cfg", "configs/mini/sbs.yaml", "./configs/mini/sbs.yaml"], "there is a model 'sbs' already"),
    (["--cfg", "none.yaml"], "none.yaml: no such file"),
    (["--cfg", "configs/mini/sbs.yaml", "temprature=1"], "unknown key 'temprature'"),
    (["--cfg", "configs/mini/sbs.yaml", "model_dir=nowhere"], "nowhere"),
    (["--cfg", "configs/mini/sbs.yaml", "--host", "0.0.0.0"], f"set {KEY_VARIABLE} to a key"),
    (["--cfg", "configs/mini/sbs.yaml", "--host", "no.such.host.invalid"], "can't be used"),
    (["--cfg", "configs/mini/sbs.yaml", "--host", "no..such.host"], "can't be used"),
    (["--cfg", "configs/mini/sbs.yaml", "log_to=tensorboard"], "sbs: log_to is for runs"),
]


@pytest.mark.parametrize(("arguments", "says"), WRONG, ids=lambda value: str(value)[-30:])
def test_what_is_wrong_is_said_before_a_model_is_loaded(
    repo: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], says: str
) -> None:
    monkeypatch.chdir(repo)
    monkeypatch.delenv(KEY_VARIABLE, raising=False)
    with pytest.raises(Exception, match=says) as raised:
        main(arguments)
    assert type(raised.value).__module__ == "mcts_math.errors"


@pytest.mark.parametrize("argument", ["--port=99999999", "--port=-1", "--max_body_kb=0", "--drain_s=-1"])
def test_numbers_out_of_range_are_refused(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):  # the system takes a port modulo 65536
        main(["--cfg", "configs/mini/sbs.yaml", argument])
    assert "--port from 0 to 65535" in capsys.readouterr().err


def test_a_taken_port_is_said_to_be_taken_and_obsolete_keys_to_be_ignored(
    repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repo)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ConfigError, match="in use"):
        main(["--cfg", "configs/mini/sbs.yaml", "swap_space=3", "--port", str(taken.getsockname()[1])])
    assert capsys.readouterr().err == "note: sbs: obsolete keys are ignored: swap_space\n"


def test_models_that_share_services_ask_for_values_where_any_does() -> None:
    from mcts_math.config import make_config
    from mcts_math.serve.models import group

    keys: dict[str, Any] = {"model_dir": "m", "prompt_wrap": "react_sft"}
    plain = ServedModel.make("plain", make_config({**keys, "mode": "react"}))
    valued = ServedModel.make("valued", make_config({**keys, "mode": "sbs", "value": "head"}))
    other = ServedModel.make("other", make_config({**keys, "mode": "react", "interpreter_timeout_s": 5}))
    assert [[model.name for model in members] for members in group([plain, other, valued])] == [
        ["valued", "plain"],
        ["other"],
    ]


def test_models_with_other_values_share_no_services() -> None:
    """Each is scored by what its own config names."""
    from mcts_math.config import make_config
    from mcts_math.serve.models import group

    keys: dict[str, Any] = {"model_dir": "m", "prompt_wrap": "react_sft", "mode": "sbs"}
    sources: dict[str, dict[str, Any]] = {
        "a": {"value": "prm", "value_args": {"model": "org/a"}},
        "b": {"value": "prm", "value_args": {"model": "org/b"}},
        "head": {"value": "head"},
        "published": {"need_value_func": True},
        "none": {},
    }
    models = [ServedModel.make(name, make_config(keys | source)) for name, source in sources.items()]
    found = [[model.name for model in members] for members in group(models)]
    assert found == [["a", "none"], ["b"], ["head", "published"]]
