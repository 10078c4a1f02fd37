"""Reward models behind HTTP: our contract, vLLM's /pooling and a judge model, against servers that answer as told.

That vLLM answers so is tried on vLLM itself, in `test_vllm_pooling`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from engines import free_port
from fake_server import FakeServer
from reward_checkpoints import published_qwen, published_sequence
from test_local import QUESTION, STEPS, evaluate, load
from transformers import AutoModelForSequenceClassification

from mcts_math.config import make_config
from mcts_math.errors import ConfigError, EngineError, RefusedError
from mcts_math.requests import Evaluate, Evaluation, PartialSolution, ValueModel

QUICK = {"retries": 1, "timeout_s": 5}


def connect(value: str, **arguments: Any) -> ValueModel:
    config = make_config({"mode": "dvts", "value": value, "value_args": QUICK | arguments})
    assert config.reward is not None
    return config.reward.load(config.reward_options)


def length_scores(path: str, body: dict[str, Any]) -> tuple[int, Any]:
    """A scorer by our contract: a step's score is its length in hundredths."""
    assert path == "score"
    scores = [[len(step) / 100 for step in item["steps"]] for item in body["items"]]
    return 200, {"scores": scores, "num_tokens": [len(item["question"]) for item in body["items"]]}


def test_any_scorer_behind_our_contract_gives_values(server: FakeServer) -> None:
    server.answer = length_scores
    model = connect("scorer", base_url=server.url, aggregate="mean")
    found = evaluate(model, (QUESTION, STEPS), (QUESTION, STEPS[:1]), ("Another?", ("x" * 50,)))
    mean = sum(map(len, STEPS)) / 3 / 100
    assert [one.value for one in found] == pytest.approx([2 * mean - 1, 2 * len(STEPS[0]) / 100 - 1, 0.0])
    assert [one.num_prompt_tokens for one in found] == [len(QUESTION), len(QUESTION), 8]
    (_, trial), (_, asked) = server.asked
    assert len(trial["items"]) == 1
    assert asked["items"][0] == {"question": QUESTION, "steps": list(STEPS)}
    assert len(asked["items"]) == 3  # those that wait together are one request


def test_the_key_of_the_environment_is_sent(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answer = length_scores
    monkeypatch.setenv("MY_KEY", "secret")
    evaluate(connect("scorer", base_url=server.url, api_key_env="MY_KEY"))
    assert server.headers["Authorization"] == "Bearer secret"
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    evaluate(connect("scorer", base_url=server.url))
    assert "Authorization" not in server.headers


def test_one_refused_solution_ends_its_own_question_alone(server: FakeServer) -> None:
    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        if any("bad" in item["question"] for item in body["items"]):
            return 422, {"error": "I can't read that"}
        if any("long" in item["question"] for item in body["items"]):
            return 400, {"error": "input is too long, at most 5 tokens"}
        return length_scores(path, body)

    server.answer = answer
    asked = [(question, ("x" * 50,)) for question in ("bad", "good", "long")]
    bad, good, long = evaluate(connect("scorer", base_url=server.url), *asked, errors=True)
    assert isinstance(bad, RefusedError)
    assert "refuses to score: HTTP 422, I can't read that" in str(bad)
    assert (good.value, long) == (0.0, Evaluation(None, too_long=True))


def test_a_scorer_that_is_busy_is_not_asked_for_each_solution_by_itself(server: FakeServer) -> None:
    server.answer = length_scores
    model = connect("scorer", base_url=server.url)
    server.asked.clear()
    server.more_headers, server.answer = {"Retry-After": "0"}, lambda path, body: (503, {"error": "busy"})
    found = evaluate(model, *((f"{i}?", ("x",)) for i in range(9)), errors=True)
    assert all(isinstance(one, RefusedError) and "HTTP 503" in str(one) for one in found)
    assert [len(body["items"]) for _, body in server.asked] == [9, 9]  # with one retry


@pytest.mark.parametrize("value", ["scorer", "genrm", "orm"])
def test_a_gateway_that_fails_is_asked_again(
    server: FakeServer, reward_checkpoint: Callable[[str], Path], value: str
) -> None:
    good: dict[str, Callable[..., tuple[int, Any]]] = {
        "scorer": length_scores,
        "genrm": lambda path, body: judge(("Yes", 0.5), ("No", 0.5)),
        "orm": lambda path, body: (200, {"data": [{"data": [0.0]}]}),
    }
    more = {"model": str(reward_checkpoint("sequence"))} if value == "orm" else {}
    server.answer = good[value]
    model = connect(value, base_url=server.url, **more)
    failures = [524]

    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        return (failures.pop(), b"<html>") if failures else good[value](path, body)

    server.answer = answer

    async def scene() -> None:
        first, second = (Evaluate("", "", PartialSolution(question, ("x" * 50,))) for question in "12")
        assert (await model.evaluate(first)).value == pytest.approx(0.0)
        server.answer = lambda path, body: (529, {"error": "overloaded"})
        with pytest.raises(RefusedError, match="HTTP 529, overloaded"):
            await model.evaluate(second)
        await model.close()

    asyncio.run(scene())
    assert failures == []


@pytest.mark.parametrize(
    ("scores", "error", "said"),
    [
        ([[0.5]], EngineError, "1 scores for 2 steps"),
        ([[0.5, 0.5, 0.5]], EngineError, "3 scores for 2 steps"),
        ([[0.5, math.nan]], RefusedError, "NaN"),
        ([[0.5, 1.5]], EngineError, r"the score 1.5; scores are probabilities in \[0, 1\]"),
        ([[0.5, -0.1]], EngineError, "the score -0.1"),
        ([[0.5, math.inf]], EngineError, "the score inf"),
        ([], EngineError, "there must be 1 lists"),
        ([[0.5, 0.5], [0.5, 0.5]], EngineError, "there must be 1 lists"),
        ([["high", "low"]], EngineError, "in another form than docs/values.md says"),
        ("0.5", EngineError, "in another form"),
    ],
)
def test_a_scorer_that_answers_nonsense_is_told(
    server: FakeServer, scores: Any, error: type[Exception], said: str
) -> None:
    server.answer = length_scores
    model = connect("scorer", base_url=server.url)
    server.answer = lambda path, body: (200, {"scores": scores})
    with pytest.raises(error, match=said) as caught:
        evaluate(model, (QUESTION, STEPS[:2]))
    assert server.url in str(caught.value)


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ((404, {"detail": "Not Found"}), "refuses a first request: HTTP 404"),
        ((200, b"<html>"), "no JSON.*base_url in value_args"),
    ],
)
@pytest.mark.parametrize("value", ["scorer", "genrm"])
def test_a_server_that_is_something_else_is_told_when_connecting(
    server: FakeServer, reply: tuple[int, Any], said: str, value: str
) -> None:
    server.answer = lambda path, body: reply
    with pytest.raises(EngineError, match=said):
        connect(value, base_url=server.url)


@pytest.mark.parametrize("value", ["scorer", "genrm", "prm"])
def test_a_server_that_is_down_is_told_when_connecting(value: str, reward_checkpoint: Callable[[str], Path]) -> None:
    more = {"model": str(reward_checkpoint("qwen"))} if value == "prm" else {}
    with pytest.raises(EngineError, match=r"nothing answers at http://127.0.0.1:\d+/v1.*Is the server running"):
        connect(value, base_url=f"http://127.0.0.1:{free_port()}/v1", retries=0, **more)


def pooling(folder: Path, *, only_marks: bool, kind: str = "labels") -> Callable[..., tuple[int, Any]]:
    """vLLM's answers: the logits of every token, or of those that are marks."""
    from safetensors.torch import load_file
    from transformers import AutoModel

    model, weights = AutoModel.from_pretrained(folder).eval(), load_file(folder / "model.safetensors")

    @torch.inference_mode()
    def answer(path: str, body: dict[str, Any]) -> tuple[int, Any]:
        assert path == "/pooling"
        assert body["use_activation"] is False
        ids = torch.tensor([body["input"]])
        if kind == "logit":
            rows = AutoModelForSequenceClassification.from_pretrained(folder).eval()(ids).logits[0].tolist()
        else:
            inner = torch.relu(model(ids).last_hidden_state[0] @ weights["score.0.weight"].T + weights["score.0.bias"])
            rows = (inner @ weights["score.2.weight"].T + weights["score.2.bias"]).tolist()
            rows = [row for row, token in zip(rows, body["input"], strict=True) if not only_marks or token == 5]
        return 200, {"data": [{"index": 0, "object": "pooling", "data": rows}], "usage": {}}

    return answer


@pytest.mark.parametrize("only_marks", [False, True])
def test_a_classifier_on_vllm_gives_the_published_scores(
    server: FakeServer, reward_checkpoint: Callable[[str], Path], only_marks: bool
) -> None:
    folder = reward_checkpoint("qwen")
    server.answer = pooling(folder, only_marks=only_marks)
    model = load(folder, base_url=server.url, aggregate="min")
    hostile = (QUESTION, ("a<extra_0>b", "c"))  # a mark of the policy's own counts for nothing
    found = evaluate(model, (QUESTION, STEPS), hostile)
    assert found[0].value == pytest.approx(2 * min(published_qwen(folder, QUESTION, STEPS)) - 1, abs=2e-5)
    alone = evaluate(load(folder, aggregate="min"), hostile)
    assert found[1].value == pytest.approx(alone[0].value, abs=2e-5)


def test_an_outcome_reward_model_on_vllm(server: FakeServer, reward_checkpoint: Callable[[str], Path]) -> None:
    folder = reward_checkpoint("sequence")
    server.answer = pooling(folder, only_marks=False, kind="logit")
    (found,) = evaluate(load(folder, "orm", base_url=server.url), (QUESTION, STEPS))
    (expected,) = published_sequence(folder, QUESTION, STEPS)
    assert found.value == pytest.approx(2 * expected - 1, abs=2e-5)


def test_a_vllm_that_picks_other_marks_is_told(server: FakeServer, reward_checkpoint: Callable[[str], Path]) -> None:
    server.answer = lambda path, body: (200, {"data": [{"data": []}]})
    with pytest.raises(EngineError, match=r"0 scores for 1 steps.*step_tag_id"):
        load(reward_checkpoint("qwen"), base_url=server.url)


def judge(*likely: tuple[str, float]) -> tuple[int, Any]:
    """A judge model's reply: its likely first tokens, with their probabilities."""
    top = [{"token": token, "logprob": math.log(p)} for token, p in likely]
    choice = {"message": {"content": "?"}, "logprobs": {"content": [{**top[0], "top_logprobs": top}]}}
    return 200, {"choices": [choice], "usage": {"prompt_tokens": 30}}


def test_a_judge_is_asked_for_yes_or_no(server: FakeServer) -> None:
    server.answer = lambda path, body: judge(("Yes", 0.3), (" yes", 0.2), ("No", 0.1), ("Well", 0.4))
    model = connect("genrm", base_url=server.url, extra_body={"chat_template_kwargs": {"enable_thinking": False}})
    (found,) = evaluate(model, ("{solution}?", STEPS))
    assert (found.value, found.num_prompt_tokens) == (pytest.approx(2 * 0.5 / 0.6 - 1), 31)
    path, body = server.asked[-1]
    assert path == "chat/completions"
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    content = body["messages"][0]["content"]
    assert "{solution}?" in content  # what stands in a question is not filled in
    assert "\n".join(STEPS) in content


@pytest.mark.parametrize(
    ("reply", "error", "said"),
    [
        (judge(("Maybe", 0.9)), RefusedError, "answers neither 'yes' nor 'no' but 'Maybe'"),
        ((200, {"choices": [{"message": {"content": "Yes"}}]}), EngineError, "tells no log-probabilities"),
        (
            (200, {"choices": [{"message": {"content": "Yes"}, "logprobs": {"content": []}}]}),
            EngineError,
            "no log-prob",
        ),
        ((200, {"choices": []}), RefusedError, "without choices"),
    ],
)
def test_a_judge_that_says_neither_is_told(
    server: FakeServer, reply: tuple[int, Any], error: type[Exception], said: str
) -> None:
    server.answer = lambda path, body: judge(("Yes", 0.5), ("No", 0.5))
    model = connect("genrm", base_url=server.url)
    server.answer = lambda path, body: reply
    with pytest.raises(error, match=said):
        evaluate(model, (QUESTION, STEPS))


def test_a_judge_without_logprobs_is_told_when_connecting(server: FakeServer) -> None:
    server.answer = lambda path, body: (200, {"choices": [{"message": {"content": "Yes"}}]})
    with pytest.raises(EngineError, match="tells no log-probabilities of likely tokens"):
        connect("genrm", base_url=server.url)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"value": "rpm"}, "value must be one of none, head, prm, orm, scorer, genrm, not 'rpm'"),
        ({"value": "prm"}, "value_args: model must be given"),
        ({"value": "scorer", "value_args": {"url": "x"}}, "value_args: unknown key 'url'"),
        ({"value": "prm", "value_args": {"model": "a/b", "aggregate": "max"}}, "value_args: aggregate"),
        ({"value": "genrm", "value_args": {"base_url": "x", "prompt": "ok?"}}, "prompt must hold {solution}"),
        ({"value": "head", "value_args": {"model": "a/b"}}, "value_args are for a reward model"),
        ({"mode": "react", "value": "prm", "value_args": {"model": "a/b"}}, "asks for no values as it is set"),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_config({"mode": "dvts", **settings})
