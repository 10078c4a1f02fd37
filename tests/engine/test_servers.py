"""What the servers that people run answer, in their own forms, and what a client finds out about them.

The replies are written by hand from the servers' documentation. llama.cpp and vLLM are asked themselves, in
`test_llamacpp` and `test_conformance`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
from engines import free_port
from fake_server import CHAT, GOOD, Answer, FakeServer, Handler, ask
from stand_ins import EchoInterpreter, EqualChecker
from tiny_models import make_checkpoint

from mcts_math import solve
from mcts_math.engine.openai.arguments import ServerArguments
from mcts_math.engine.openai.engine import OpenAIEngine
from mcts_math.errors import EngineError, RefusedError
from mcts_math.messages import Conversation, Message, Piece, Sample, Sampling, Tool, ToolCall
from mcts_math.requests import Generate

WARM = Sampling(0.7, max_tokens=50)
PYTHON = Tool("python", "Runs code.", "code", "The code.")
TALK = Conversation((Message("user", "2 + 2?"),), (PYTHON,))
CALL = {"id": "c1", "type": "function", "function": {"name": "python", "arguments": '{"code": "2+2"}'}}
TOLD = {"content": [{"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}]}


def calling(message: dict[str, Any], usage: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A reply whose only choice thinks and calls a tool."""
    message = {"role": "assistant", "content": "", "tool_calls": [CALL]} | message
    choice = {"index": 0, "message": message, "logprobs": TOLD, "finish_reason": "tool_calls"} | more
    return {"choices": [choice], "usage": {"prompt_tokens": 30, "completion_tokens": 9} | usage}


CACHED = {"prompt_tokens_details": {"cached_tokens": 16}}
ANSWERS = {
    # No log-probabilities without being asked for; the thought under `reasoning`; whole usage.
    "vllm": calling({"content": None, "reasoning": "hm"}, CACHED, stop_reason=None, token_ids=[97]),
    "sglang": calling({"reasoning_content": "hm"}, CACHED, matched_stop=None),
    "ollama": calling({"reasoning": "hm", "tool_calls": [{**CALL, "index": 0}]}, {"total_tokens": 39}),
    "deepseek": calling(
        {"reasoning_content": "hm"},
        {"prompt_cache_hit_tokens": 16},
        logprobs={"content": [{"token": "a", "logprob": -0.5, "bytes": [97]}], "reasoning_content": []},
    ),
    "lmstudio": calling({"reasoning_content": "hm"}, {"total_tokens": 39}, logprobs=None),
}
OWNERS = {"vllm": "vllm", "sglang": "sglang", "ollama": "library", "lmstudio": "organization_owner"}


def serve(server: FakeServer, name: str) -> None:
    server.cards = {"data": [{"id": "m", "owned_by": OWNERS.get(name, name)}]}
    server.answer = server.trial = lambda path, body: (200, ANSWERS[name])


@pytest.mark.parametrize("name", ANSWERS)
def test_a_reply_with_thought_and_tool_call(server: FakeServer, name: str) -> None:
    serve(server, name)
    (reply,) = ask(server, Generate(TALK, 1, WARM, 0))
    turn = Message("assistant", "", "hm", (ToolCall("python", '{"code": "2+2"}', "c1"),))
    logprob, length = (0.0, 9) if name == "lmstudio" else (-0.5, 1)
    assert reply.samples == (Sample("", logprob, length, "stop", (), "", turn),)
    assert (reply.num_prompt_tokens, reply.num_cached_tokens) == (30, 0 if name in ("ollama", "lmstudio") else 16)
    (path, body), *_ = server.asked
    assert path == "chat/completions"
    assert body["tools"][0]["function"]["parameters"]["required"] == ["code"]
    assert body["tools"][0]["type"] == "function"
    assert ("top_k" in body) == (name in ("vllm", "sglang"))


UNTOLD: Any = {**CHAT, "logprobs": None}
CALLING: Any = {**UNTOLD, "message": {"content": None, "tool_calls": [CALL]}, "finish_reason": "tool_calls"}


@pytest.mark.parametrize(
    "untold",
    [
        CALLING,
        {**CALLING, "message": {"content": "I compute.", "tool_calls": [CALL]}},
        {**CALLING, "logprobs": {"content": []}},
        {**UNTOLD, "message": {"content": "", "reasoning": "hm"}, "finish_reason": "length"},
    ],
)
def test_a_reply_without_text_may_have_no_log_probabilities(server: FakeServer, untold: Any) -> None:
    """As OpenAI's calls of tools. Of the samples of a node then none has any: their priors are equal."""
    usage = {"completion_tokens": 6}
    server.answer = lambda path, body: (200, {"choices": [untold if body["seed"] == 1 else CHAT], "usage": usage})
    told, mixed = ask(server, Generate(TALK, 1, WARM, 0), Generate(TALK, 2, WARM, 0))
    assert [(sample.logprob, sample.num_tokens) for sample in told.samples] == [(-1.0, 1)]
    assert [(sample.logprob, sample.num_tokens) for sample in mixed.samples] == [(0.0, 6), (0.0, 6)]
    assert mixed.samples[0].text == "hi"


def test_any_number_of_calls_without_log_probabilities_ends_no_run(
    server: FakeServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.trial = lambda path, body: (200, {"choices": [CALLING, CHAT]})
    server.answer = lambda path, body: (200, {"choices": [CALLING]})
    replies = ask(server, *(Generate(TALK, 1, WARM, i) for i in range(40)))
    assert {reply.samples[0].message.calls[0].name for reply in replies if reply.samples[0].message} == {"python"}
    assert caplog.records == []  # the trial has told some


def test_half_a_character_is_no_text(server: FakeServer) -> None:
    """JSON can spell one, which no tokenizer and no file takes."""
    call = {"id": "c1", "function": {"name": "python", "arguments": "2\ud800"}}
    message = {"content": "a\ud83d", "reasoning": "\udc00", "tool_calls": [call]}
    server.answer = lambda path, body: (200, {"choices": [CHAT | {"message": message}]})
    (reply,) = ask(server, Generate(TALK, 1, WARM, 0))
    assert reply.samples[0].message == Message("assistant", "a\ufffd", "\ufffd", (ToolCall("python", "2\ufffd", "c1"),))


@pytest.mark.parametrize(("name", "key"), [("vllm", "reasoning"), ("deepseek", "reasoning_content")])
def test_what_was_told_is_told_back_in_the_servers_own_words(server: FakeServer, name: str, key: str) -> None:
    serve(server, name)

    async def scene() -> None:
        engine = await asyncio.to_thread(lambda: OpenAIEngine.connect("m", base_url=server.url))
        (sample,) = (await engine.generate(Generate(TALK, 1, WARM, 0))).samples
        assert sample.message is not None
        talk = TALK.followed_by(sample.message, Message("tool", "4", call_id="c1"))
        await engine.generate(Generate(talk, 1, WARM, 0))
        await engine.close()

    asyncio.run(scene())
    assert server.asked[-1][1]["messages"] == [
        {"role": "user", "content": "2 + 2?"},
        {"role": "assistant", "content": "", key: "hm", "tool_calls": [CALL]},
        {"role": "tool", "content": "4", "tool_call_id": "c1"},
    ]


def test_switches_of_the_template_are_passed_on(server: FakeServer) -> None:
    server.answer = lambda path, body: (200, {"choices": [CHAT]})
    talk = Conversation((Message("user", "u"),), template=(("enable_thinking", False),))
    ask(server, Generate(talk, 1, WARM, 0), extra_body={"reasoning_effort": "low", "temperature": 1})
    body = server.asked[0][1]
    assert body["chat_template_kwargs"] == {"enable_thinking": False}
    assert (body["reasoning_effort"], body["temperature"]) == ("low", 1)
    assert "tools" not in body
    assert server.tried[0][1]["reasoning_effort"] == "low"


@pytest.mark.parametrize(
    ("ids", "end", "text", "whole"),
    [
        ([69, 70, 3], {"finish_reason": "stop", "matched_stop": "\n"}, "ab", "ab\n"),
        ([69, 70, 1], {"finish_reason": "stop", "matched_stop": 1}, "ab", "ab"),
        ([69, 70], {"finish_reason": "stop", "matched_stop": 1}, "ab", "ab"),  # the end is not told
        ([69, 70], {"finish_reason": "length", "matched_stop": None}, "ab", "ab"),
        (None, {"finish_reason": "stop", "matched_stop": "\n"}, "ab", "ab\n"),  # a server without the field
        (None, {"finish_reason": "length", "matched_stop": None}, "ab", "ab"),
        (None, {"finish_reason": "stop", "matched_stop": 1}, "ab", ""),
    ],
)
def test_tokens_go_to_sglang_and_come_back(
    server: FakeServer, tmp_path: Path, ids: list[int] | None, end: dict[str, Any], text: str, whole: str
) -> None:
    """One character is one token here."""
    folder = make_checkpoint(tmp_path / "m", "llama")
    server.cards = {"data": [{"id": "m", "owned_by": "sglang", "max_model_len": 128}]}
    told = {"text": "ab", "logprobs": {"token_logprobs": [-1.0, -1.0]}} | ({} if ids is None else {"token_ids": ids})
    server.answer = lambda path, body: (200, {"choices": [told | end]})
    (reply,) = ask(server, Generate("xy", 1, Sampling(0.0, max_tokens=50, stop=("\n",)), 0), model=str(folder))
    (sample,) = reply.samples
    assert sample.text == text
    assert sample.written == ((Piece(whole, tuple(ids or ())),) if whole else ())
    ((path, body),) = server.asked
    assert (path, body["prompt"]) == ("completions", [0, 92, 93])
    assert (body["top_k"], body["min_p"], body["stop_token_ids"]) == (-1, 0.0, [1])
    assert server.tried == []  # it is known


@pytest.mark.parametrize(("owner", "key"), [("vllm", "stop_reason"), ("sglang", "matched_stop")])
def test_a_turn_goes_on_after_a_stop_string(server: FakeServer, owner: str, key: str) -> None:
    """Without tokens of ours, what was written goes back as text, and the server continues it."""
    server.cards = {"data": [{"id": "m", "owned_by": owner}]}
    server.answer = lambda path, body: (200, {"choices": [{**CHAT, key: "\n\n"}]})
    talk, sampling = Conversation((Message("user", "u"),)), Sampling(0.7, stop=("\n\n",))
    (sample,) = ask(server, Generate(talk, 1, sampling, 0))[0].samples
    assert (sample.text, sample.written) == ("hi", (Piece("hi\n\n"),))
    (more,) = ask(server, Generate(talk.going_on(sample.written), 1, sampling, 0))[0].samples
    assert more.opening == "hi\n\n"
    body = server.asked[1][1]
    assert body["messages"][1] == {"role": "assistant", "content": "hi\n\n"}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)


def test_a_thought_that_a_stop_string_ends_is_told(server: FakeServer) -> None:
    server.cards = {"data": [{"id": "m", "owned_by": "vllm"}]}
    message = {"content": None, "reasoning": "First"}
    server.answer = lambda path, body: (200, {"choices": [{**CHAT, "message": message, "stop_reason": "\n\n"}]})
    with pytest.raises(RefusedError, match="a stop string ended a thought"):
        ask(server, Generate(Conversation((Message("user", "u"),)), 1, Sampling(0.7, stop=("\n\n",)), 0))


@pytest.mark.parametrize("found", [True, False])
def test_the_hub_gives_the_tokenizer_of_a_served_model(
    server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, found: bool
) -> None:
    folder = make_checkpoint(tmp_path / "m", "llama")

    def snapshot_download(name: str, **patterns: Any) -> str:
        if not found:
            raise OSError("no network")
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    server.cards = {"data": [{"id": "o/m", "owned_by": "sglang", "max_model_len": 128}]}
    ask(server, Generate("xy", 1, WARM, 0), model="o/m")
    assert server.asked[0][1]["prompt"] == ([0, 92, 93] if found else "xy")
    said = "".join(record.getMessage() for record in caplog.records)
    assert ("can't be reached (no network)" in said) == (not found)
    server.cards = {"data": [{"id": "o/m", "owned_by": "openai"}]}
    ask(server, Generate("xy", 1, WARM, 0), model="o/m")  # such a name may mean anything
    assert server.asked[1][1]["prompt"] == "xy"


ABLE = {"choices": [{**CHAT, "index": i} for i in range(2)]}


@pytest.mark.parametrize(
    ("trial", "lacks", "requests"),
    [
        (lambda body: (200, ABLE), "", [3]),
        (lambda body: (200, {"choices": [CHAT]}), "gives one sample a request", [None] * 3),
        (
            lambda body: (
                (400, {"error": {"message": "n must be 1"}}) if body.get("n", 1) > 1 else (200, {"choices": [CHAT]})
            ),
            "gives one sample a request",
            [None] * 3,
        ),
        (lambda body: (200, {"choices": [UNTOLD, UNTOLD]}), "tells no log-probabilities", [3]),
        (
            lambda body: (
                (400, {"error": {"message": "Unsupported parameter: 'logprobs'"}})
                if "logprobs" in body
                else (200, {"choices": [UNTOLD, UNTOLD]})
            ),
            "tells no log-probabilities",
            [3],
        ),
        (
            lambda body: (422, {"detail": "extra field `seed` is forbidden"}) if "seed" in body else (200, ABLE),
            "takes no seed",
            [3],
        ),
    ],
)
def test_what_a_server_lacks_is_found_at_the_start_and_said_once(
    server: FakeServer,
    caplog: pytest.LogCaptureFixture,
    trial: Callable[[dict[str, Any]], Answer],
    lacks: str,
    requests: list[int | None],
) -> None:
    server.trial = lambda path, body: trial(body)

    def answer(path: str, body: dict[str, Any]) -> Answer:
        status, content = trial(body)
        number = body.get("n", 1) if len(content["choices"]) > 1 else 1
        return status, {"choices": [content["choices"][0]] * number, "usage": {"completion_tokens": 7}}

    server.answer = answer
    with caplog.at_level(logging.WARNING):
        replies = ask(server, *(Generate(Conversation((Message("user", str(i)),)), 3, WARM, i) for i in range(5)))
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == bool(lacks)
    assert lacks in "".join(said)
    assert [body.get("n") for _, body in server.asked] == requests * 5
    assert len(server.tried) <= 5
    for reply in replies:
        assert len(reply.samples) == 3
        if "log-probabilities" in lacks:
            assert {sample.logprob for sample in reply.samples} == {0.0}
            assert sum(sample.num_tokens for sample in reply.samples) == 7
        else:
            assert {sample.logprob for sample in reply.samples} == {-1.0}


def test_a_field_by_its_newer_name(server: FakeServer) -> None:
    message = (
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
    )

    def answer(path: str, body: dict[str, Any]) -> Answer:
        return (400, {"error": {"message": message}}) if "max_tokens" in body else (200, ABLE)

    server.trial = answer
    server.answer = lambda path, body: (200, {"choices": [CHAT]})
    ask(server, Generate(Conversation((Message("user", "u"),)), 1, WARM, 0))
    assert server.asked[0][1]["max_completion_tokens"] == 50
    assert "max_tokens" not in server.asked[0][1]


@pytest.mark.parametrize("field", ["top_p", "temperature"])
def test_a_field_that_is_refused_even_at_its_default(
    server: FakeServer, caplog: pytest.LogCaptureFixture, field: str
) -> None:
    """As by hosted models that reason. At another value the refusal stands."""

    def answer(path: str, body: dict[str, Any]) -> Answer:
        refusal = {"error": {"message": f"Unsupported parameter: '{field}' is not supported with this model."}}
        return (400, refusal) if field in body else (200, ABLE)

    server.trial = answer
    server.answer = lambda path, body: (200, {"choices": [CHAT]})
    plain = Sampling(1.0, max_tokens=50)
    ask(server, Generate(Conversation((Message("user", "u"),)), 1, plain, 0))
    assert field not in server.asked[0][1]
    assert server.asked[0][1].keys() >= {"top_p", "temperature"} - {field}
    assert caplog.records == []
    with pytest.raises(EngineError, match=f"refuses even a short request: HTTP 400, .*{field}"):
        ask(server, Generate(Conversation((Message("user", "u"),)), 1, replace(plain, **{field: 0.5}), 0))


@pytest.mark.parametrize(
    ("owner", "message"),
    [
        ("openai", "Unsupported value: 'temperature' does not support 0.7 with this model."),
        ("vllm", '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        ("library", "m does not support tools"),
    ],
)
def test_what_nobody_can_do_without_ends_the_run_at_the_start(server: FakeServer, owner: str, message: str) -> None:
    server.cards = {"data": [{"id": "m", "owned_by": owner}]}
    server.trial = lambda path, body: (400, {"error": {"message": message}})
    with pytest.raises(EngineError, match=r"refuses even a short request: HTTP 400, .*extra_body") as caught:
        ask(server, *(Generate(TALK, 1, WARM, i) for i in range(9)))
    assert not isinstance(caught.value, RefusedError)
    assert message in str(caught.value)
    assert len(server.tried) < 9  # not once for each: those that wait share one trial
    assert server.asked == []


def test_one_odd_reply_to_a_trial_decides_nothing(server: FakeServer, caplog: pytest.LogCaptureFixture) -> None:
    odd: list[Any] = [{"choices": []}, {"choices": [UNTOLD]}]
    server.trial = lambda path, body: (200, odd.pop() if odd else ABLE)
    server.answer = lambda path, body: (200, {"choices": [CHAT] * body["n"]})
    ask(server, Generate(Conversation((Message("user", "u"),)), 2, WARM, 0))
    assert caplog.records == []
    server.trial = lambda path, body: (200, {"choices": []})
    with pytest.raises(EngineError, match=r"without choices.*all of 3 short requests"):
        ask(server, Generate(Conversation((Message("user", "u"),)), 2, WARM, 0))


def test_rate_limits_hold_everybody_back_and_cost_no_retries(server: FakeServer) -> None:
    times: list[float] = []

    def answer(path: str, body: dict[str, Any]) -> Answer:
        times.append(time.monotonic())
        limited = len(times) <= 8
        server.more_headers = {"Retry-After": "0.3"} if limited else {}
        return (429, {"error": {"message": "slow down"}}) if limited else (200, {"choices": [GOOD]})

    server.answer = answer
    assert len(ask(server, *(Generate("x", 1, WARM, i) for i in range(4)), retries=0, max_connections=1)) == 4
    assert times[-1] - times[0] > 8 * 0.3
    assert len(times) == 8 + 4


@pytest.mark.parametrize(
    ("headers", "content", "says"),
    [
        (
            {"Retry-After": "3600"},
            {"error": {"message": "slow down"}},
            "limits the rate.*longer than timeout_s.*slow down",
        ),
        ({"Retry-After": "0"}, {}, "limits the rate.*longer than timeout_s"),
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, {}, "limits the rate.*longer than timeout_s"),
        ({}, {"error": {"message": "no credit", "code": "insufficient_quota"}}, "no more to give to this API key"),
    ],
)
def test_limits_that_do_not_lift_are_told(server: FakeServer, headers: Any, content: Any, says: str) -> None:
    server.more_headers = headers
    server.answer = lambda path, body: (429, content)
    begun = time.monotonic()
    with pytest.raises(EngineError, match=says):
        ask(server, Generate("x", 1, WARM, 0), timeout_s=2, pause_s=0)
    assert time.monotonic() - begun < 3
    assert len(server.asked) < 20


@pytest.mark.parametrize(
    "header", [lambda: format_datetime(datetime.now(timezone.utc) + timedelta(seconds=2)), lambda: "soon"]
)
def test_dates_and_nonsense_in_retry_after(server: FakeServer, header: Callable[[], str]) -> None:
    said = header()

    def answer(path: str, body: dict[str, Any]) -> Answer:
        server.more_headers = {"Retry-After": said} if len(server.asked) == 1 else {}
        return (429, {}) if len(server.asked) == 1 else (200, {"choices": [GOOD]})

    server.answer = answer
    begun = time.monotonic()
    ask(server, Generate("x", 1, WARM, 0))
    assert (time.monotonic() - begun > 0.9) == (said != "soon")


def test_no_proxy_leads_to_this_machine(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = f"http://127.0.0.1:{free_port()}"
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, nobody)
    assert ask(server, Generate("x", 1, WARM, 0))[0].samples
    with pytest.raises(EngineError, match=r"nothing answers at http://models\.example"):
        ask(type("Elsewhere", (), {"url": "http://models.example/v1"})(), retries=0)


@pytest.mark.parametrize(
    ("url", "here"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.9/v1", True),
        ("http://[::1]:8000/v1", True),
        ("http://10.0.0.1/v1", False),
        ("https://localhost.example/v1", False),
        ("http://[bad/v1", False),
    ],
)
def test_which_servers_are_on_this_machine(url: str, here: bool) -> None:
    assert ServerArguments(url).is_loopback == here


def odd_choice(**changes: Any) -> Any:
    return {"choices": [{**CHAT, **changes}]}


def logprob(value: Any) -> Any:
    return odd_choice(logprobs={"content": [{"logprob": value}]})


ODD = {
    "no choices": {"choices": []},
    "null for choices": {"choices": None},
    "null text": odd_choice(message={"role": "assistant", "content": None}),
    "no log-probabilities": odd_choice(logprobs=None),
    "a null log-probability": logprob(None),
    "NaN": logprob(float("nan")),
    "infinity": logprob(float("-inf")),
    "an aborted choice": odd_choice(finish_reason="abort"),
    "no reason to finish": odd_choice(finish_reason=None),
    "null": None,
    "a call without function": odd_choice(message={"content": None, "tool_calls": [{"id": "1"}]}),
    "a closed connection": b"",
}


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_reply_of_sixty_costs_its_question_alone(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, odd: str
) -> None:
    whole = Handler.reply

    def reply(self: Handler, status: int, content: Any) -> None:
        if content != b"":
            return whole(self, status, content)
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"choices": [{"mess')
        self.close_connection = True
        return None

    good = {"message": {"content": "It is \\boxed{4}."}}
    monkeypatch.setattr(Handler, "reply", reply)
    server.answer = lambda path, body: (
        200,
        ODD[odd] if "question 7 " in str(body) else {"choices": [{**CHAT, **good}]},
    )
    config = {
        "mode": "react",
        "prompt_wrap": "chat",
        "engine": "openai",
        "model_dir": "m",
        "engine_args": {"base_url": server.url, "retries": 1, "pause_s": 0.01},
    }
    tasks = [{"question": f"question {i} is?", "answer": "4"} for i in range(60)]
    solved = solve(config, tasks, interpreter=EchoInterpreter(), checker=EqualChecker())
    assert {i: result.error for i, result in enumerate(solved) if result.error}.keys() == {7}
    assert [result.tree.correct for result in solved if not result.error] == [True] * 59
