"""The client of an OpenAI-compatible server, against a small server that behaves as told. The real one: conformance."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest
from fake_server import CHAT, GOOD, Answer, FakeServer, Handler, ask, try_asking
from tiny_models import make_checkpoint

from mcts_math.engine.openai.arguments import ServerArguments
from mcts_math.engine.openai.client import Client
from mcts_math.engine.openai.engine import OpenAIEngine
from mcts_math.engine.value_token import decode_value
from mcts_math.errors import CheckpointError, EngineError, RefusedError
from mcts_math.messages import Conversation, Message, Sampling
from mcts_math.requests import Evaluate, Generate, Generation

WARM = Sampling(0.7, max_tokens=9, stop=("x",))


def test_any_server_is_a_policy(server: FakeServer) -> None:
    (reply,) = ask(server, Generate("2 + 2 =", 3, WARM, 5))
    assert [(s.text, s.logprob, s.num_tokens, s.finish) for s in reply.samples] == [(" a", -0.75, 2, "stop")] * 3
    assert sorted(body["seed"] for _, body in server.asked) == [5, 6, 7]
    path, body = server.asked[0]
    assert path == "completions"
    assert set(body) == {"model", "prompt", "max_tokens", "temperature", "top_p", "seed", "stop", "logprobs"}


def test_conversations_go_to_the_chat_endpoint(server: FakeServer) -> None:
    server.answer = lambda path, body: (200, {"choices": [CHAT]})
    talk = Conversation((Message("system", "s"), Message("user", "u")))
    (reply,) = ask(server, Generate(talk, 1, Sampling(0.7), 0))
    assert (reply.samples[0].text, reply.samples[0].logprob) == ("hi", -1.0)
    path, body = server.asked[0]
    assert path == "chat/completions"
    assert body["messages"] == [{"role": m.role, "content": m.content} for m in talk.messages]
    with pytest.raises(EngineError, match="continue a message"):
        ask(server, Generate(talk.followed_by(Message("assistant", "a")), 1, Sampling(0.7), 0))


def test_a_turn_may_go_on_where_its_stop_string_is_told_only(server: FakeServer, tmp_path: Path) -> None:
    talk, folder = Conversation((Message("user", "u"),)), make_checkpoint(tmp_path / "m", "llama")
    for model in ("m", str(folder)):
        with pytest.raises(EngineError, match="does not tell which stop string"):
            ask(server, Generate(talk, 1, WARM, 0), model=model)


@pytest.mark.parametrize(
    ("answer", "of_the_request"),
    [
        ((400, {"message": "no such character"}), True),
        ((413, {}), True),
        ((401, {}), False),
    ],
)
def test_what_concerns_one_request_is_told_apart(server: FakeServer, answer: Any, of_the_request: bool) -> None:
    server.answer = lambda path, body: answer
    with pytest.raises(EngineError) as caught:
        ask(server, Generate("x", 1, WARM, 0))
    assert isinstance(caught.value, RefusedError) == of_the_request


@pytest.mark.parametrize(
    ("word", "finish"),
    [
        ("stop", "stop"),
        ("eos", "stop"),  # Together
        ("eos_token", "stop"),  # TGI, as the next one
        ("stop_sequence", "stop"),
        ("tool_calls", "stop"),
        ("function_call", "stop"),
        ("length", "length"),
        ("model_length", "length"),  # Mistral
        ("max_tokens", "length"),
    ],
)
def test_servers_have_several_words_for_the_end_of_a_sample(server: FakeServer, word: str, finish: str) -> None:
    server.answer = lambda path, body: (200, {"choices": [GOOD | {"finish_reason": word}]})
    (reply,) = ask(server, Generate("x", 1, WARM, 0))
    assert (reply.samples[0].text, reply.samples[0].finish) == (" a", finish)


@pytest.mark.parametrize("word", ["content_filter", "error", "abort", None, "insufficient_system_resource", "no such"])
def test_a_sample_that_came_to_no_end_is_refused(server: FakeServer, word: str | None) -> None:
    server.answer = lambda path, body: (200, {"choices": [GOOD | {"finish_reason": word}]})
    with pytest.raises(RefusedError, match=f"finish_reason {word!r}"):
        ask(server, Generate("x", 1, WARM, 0))


@pytest.mark.parametrize(
    ("status", "content", "says"),
    [
        (401, {"error": {"message": "no key"}}, "API key"),
        (400, {"error": {"message": "bad stop"}}, "HTTP 400, bad stop"),
        (404, {"message": "no such model"}, "HTTP 404, no such model"),
        (200, b"<html>", "no JSON"),
        (200, {"choices": []}, "without choices"),
        (200, {"choices": [GOOD | {"logprobs": None}]}, "no finite log-probabilities"),
        (200, {"choices": [GOOD | {"logprobs": {"token_logprobs": [float("nan")]}}]}, "no finite log-probabilities"),
        (200, {"choices": [GOOD | {"finish_reason": "content_filter"}]}, "content_filter"),
        (200, {"choices": [GOOD, GOOD]}, "2 samples, not 1"),
        (503, {"error": "loading"}, r"HTTP 503, loading \(tried 3 times\).*--resume"),
        (200, b"[" * 10**5, "no JSON"),
        (400, b"[" * 10**5, r"HTTP 400, \[\["),
        (200, {"choices": ["a"]}, "another form"),
        (200, {"choices": [GOOD | {"index": "a"}]}, "another form"),
        (200, {"choices": [GOOD | {"text": None}]}, "another form.*the text of a sample is None"),
        (200, {"choices": [{k: v for k, v in GOOD.items() if k != "text"}]}, "another form.*'text'"),
        (200, {"choices": [GOOD | {"message": {}}]}, "another form.*neither content nor tool calls"),
        (200, {"choices": [GOOD | {"logprobs": [1]}]}, "another form"),
        (200, {"choices": [GOOD | {"logprobs": {"token_logprobs": ["a"]}}]}, "another form"),
        (200, {"choices": [GOOD], "usage": [1]}, "another form"),
        (200, b'{"choices": [{"te', r"broke: .*no whole JSON: '.*\(tried 3 times"),  # of a length that nobody told
        (200, b'{"choices": [{"text": "\xe2\x82', "broke: .*no whole JSON"),
        (200, {"error": "Unexpected endpoint. Returning 200 anyway"}, "an error: Unexpected endpoint.*/v1 at its end"),
        (200, {"error": {"message": "down", "code": 502}}, r"HTTP 502, down \(tried 3 times"),
        (200, {"choices": None, "error": {"message": "no", "code": 403}}, "another API key"),
        (404, {"error": {"message": "no", "code": "no_such_model"}}, r"HTTP 404, no \(no_such_model"),
    ],
)
def test_what_goes_wrong_is_told(server: FakeServer, status: int, content: Any, says: str) -> None:
    server.answer = lambda path, body: (status, content)
    with pytest.raises(EngineError, match=says):
        ask(server, Generate("x", 1, WARM, 0))


def test_a_server_that_has_moved_is_told(server: FakeServer) -> None:
    server.answer = lambda path, body: (301, b"")
    server.more_headers = {"Location": "https://there/v1/completions"}
    with pytest.raises(RefusedError, match="moved to https://there/v1/completions; set base_url"):
        ask(server, Generate("x", 1, WARM, 0))


def test_a_server_that_wants_us_back_soon_is_given_its_time(
    server: FakeServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A default of one second is told by many that load a model for a minute."""
    slept: list[float] = []
    sleep = asyncio.sleep

    async def doze(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    server.more_headers = {"Retry-After": "1"}
    server.answer = lambda path, body: (503, b"loading")
    monkeypatch.setattr("mcts_math.engine.openai.client.asyncio.sleep", doze)
    with pytest.raises(RefusedError, match="HTTP 503, loading"):
        ask(server, Generate("x", 1, WARM, 0), pause_s=0.5, retries=ServerArguments("").retries)
    assert [pause for pause in slept if pause] == [1, 1, 2, 4, 8, 16, 30]
    assert [record.getMessage() for record in caplog.records if "sent again" in record.getMessage()] == [
        f"{server.url} does not serve (loading); requests are sent again"
    ]


@pytest.mark.parametrize("trouble", ["[SSL: CERTIFICATE_VERIFY_FAILED] no", "[Errno -2] Name or service not known"])
def test_an_address_that_no_further_try_reaches(monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    async def refuse(self: Any, *args: Any, **kwargs: Any) -> None:
        raise httpx2.ConnectError(trouble)

    monkeypatch.setattr(httpx2.AsyncClient, "request", refuse)
    says = "SSL_CERT_FILE" if "SSL" in trouble else "Is the server running"
    with pytest.raises(EngineError, match=rf"{says}.*tried 1 times"):
        OpenAIEngine.connect("m", base_url="https://there/v1")


@pytest.mark.parametrize("cards", [{"data": [1]}, {"data": [{}]}, {"data": [{"id": 1}, {"id": 2}]}])
def test_a_list_of_models_in_another_form_is_told(server: FakeServer, cards: Any) -> None:
    server.cards = cards
    with pytest.raises(EngineError, match="another form"):
        ask(server)


@pytest.mark.parametrize("url", ["http://a b:x/v1", "127.0.0.1:80", "http://"])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(EngineError, match="no address"):
        OpenAIEngine.connect("m", base_url=url, retries=0)


@pytest.mark.parametrize("key", ["sec\nret", "secr\u0117t"])
def test_a_key_that_can_not_be_sent_is_not_shown(server: FakeServer, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("MY_KEY", key)
    with pytest.raises(EngineError, match="MY_KEY") as caught:
        ask(server, api_key_env="MY_KEY")
    assert "sec" not in str(caught.value)
    monkeypatch.setenv("MY_KEY", "secret\n")  # as files end
    ask(server, Generate("x", 1, WARM, 0), api_key_env="MY_KEY")
    assert server.headers["Authorization"] == "Bearer secret"


def test_a_reply_that_drips(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = Handler.reply

    def drip(self: Handler, status: int, content: Any) -> None:
        if content is server.cards:
            return whole(self, status, content)
        self.send_response(status)
        self.end_headers()
        with contextlib.suppress(OSError):  # the client has had enough
            for _ in range(40):
                self.wfile.write(b" ")
                self.wfile.flush()
                time.sleep(0.05)
        return None

    monkeypatch.setattr(Handler, "reply", drip)
    with pytest.raises(EngineError, match=r"did not reply within 0.5 s"):
        ask(server, Generate("x", 1, WARM, 0), timeout_s=0.5)


def test_a_busy_server_is_asked_again(server: FakeServer) -> None:
    server.answer = lambda path, body: (429, {}) if len(server.asked) < 3 else (200, {"choices": [GOOD]})
    assert ask(server, Generate("x", 1, WARM, 0))[0].samples
    assert len(server.asked) == 3


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 507, 520, 522, 524, 529, 599])
def test_a_failure_of_the_server_is_tried_again_and_costs_its_question_alone(server: FakeServer, status: int) -> None:
    server.answer = lambda path, body: (status, b"down") if len(server.asked) < 3 else (200, {"choices": [GOOD]})
    assert ask(server, Generate("x", 1, WARM, 0))[0].samples
    server.answer = lambda path, body: (status, b"down")
    with pytest.raises(RefusedError, match=f"HTTP {status}, down"):
        ask(server, Generate("x", 1, WARM, 0))
    assert len(server.asked) == 3 + 3


def test_a_server_that_was_not_ready_for_a_trial_is_tried_out_anew(server: FakeServer) -> None:
    good = server.trial
    server.trial = lambda path, body: (503, {"error": "loading"})

    async def scene() -> None:
        engine = OpenAIEngine.connect("m", base_url=server.url, pause_s=0.001, retries=0)
        with pytest.raises(EngineError, match="HTTP 503, loading"):
            await engine.generate(Generate("x", 1, WARM, 0))
        server.trial = good
        assert (await engine.generate(Generate("x", 1, WARM, 0))).samples
        await engine.close()

    asyncio.run(scene())


@pytest.mark.parametrize("status", [401, 402, 403, 404, 405, 501, 505])
def test_what_no_further_try_mends_ends_the_run_at_once(server: FakeServer, status: int) -> None:
    server.answer = lambda path, body: (status, {"message": "no"})
    with pytest.raises(EngineError) as caught:
        ask(server, Generate("x", 1, WARM, 0))
    assert not isinstance(caught.value, RefusedError)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [400, 500])
def test_a_prompt_beyond_the_context_is_too_long(server: FakeServer, status: int) -> None:
    """At the first try, whatever its number: not after a minute of more."""
    message = "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"
    server.answer = lambda path, body: (status, {"error": {"message": message}})
    assert ask(server, Generate("x", 2, WARM, 0))[0].too_long
    assert server.asked[0] not in server.asked[1:]


REFUSALS = [
    "This model's maximum context length is {c} tokens. However, you requested {t} tokens ({p} in the messages, {m} in "
    "the completion).",
    "'max_tokens' is too large: {m}. This model's maximum context length is {c} tokens and your request has {p} input "
    "tokens ({m} > {c} - {p}).",
    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= {c}. Given: {p} and {m}",
    "the request exceeds the available context size ({c} tokens), try increasing it",
    "The input is too long for this model.",
    "Requested tokens ({t}) exceed context window of {c}",
    "max_tokens={m} cannot be greater than max_model_len={c}. Please request fewer output tokens.",
    "Input length ({t} tokens) exceeds the maximum allowed length ({c} tokens).",
    "Input validation error: `inputs` must have less than {c} tokens. Given: {t}",
    "max_tokens is too large: {m}. This model supports at most {c} completion tokens.",
    "The input token count ({t}) exceeds the maximum number of tokens allowed ({c}).",
    "Please reduce the length of the messages or completion.",
    "too many tokens: size limit exceeded. The limit for this model is {c} tokens.",
    "Sorry. (context_length_exceeded)",
]


def with_context(server: FakeServer, context: int, refusal: str, *, usage: bool = True) -> None:
    """Makes a server of a model with a short context: a character is a token, as for the tiny models."""

    def answer(path: str, body: dict[str, Any]) -> Answer:
        given = body.get("prompt") or "".join(message["content"] for message in body["messages"])
        length, asked = len(given), body["max_tokens"]
        if length + asked > context:
            told, _, code = refusal.format(c=context, p=length, m=asked, t=length + asked).partition(" (context")
            return 400, {"error": {"message": told, "code": f"context{code[:-1]}" if code else 400}}
        text = "a" * asked
        choice: dict[str, Any] = {"finish_reason": "length"}
        if "messages" in body:
            choice |= {"message": {"content": text}, "logprobs": {"content": [{"logprob": -1.0}] * asked}}
        else:
            choice |= {"text": text, "logprobs": {"token_logprobs": [-1.0] * asked}}
        return 200, {"choices": [choice]} | ({"usage": {"prompt_tokens": length}} if usage else {})

    server.answer = answer


@pytest.mark.parametrize(
    ("refusal", "usage", "chat"),
    [(refusal, usage, usage == bool(i % 2)) for i, refusal in enumerate(REFUSALS) for usage in (True, False)],
)
def test_a_short_context_shortens_samples_and_refuses_no_prompt_that_fits(
    server: FakeServer, refusal: str, usage: bool, chat: bool
) -> None:
    context = 60
    with_context(server, context, refusal, usage=usage)
    lengths = [1, 7, 30, 45, 58, 59, 60, 61, 300]
    texts = ["x" * length for length in lengths]
    prompts = [Conversation((Message("user", text),)) if chat else text for text in texts]
    replies = ask(server, *(Generate(prompt, 2, Sampling(0.7, max_tokens=2000), 0) for prompt in prompts))
    for length, reply in zip(lengths, replies, strict=True):
        assert reply.too_long == (length >= context)
        for sample in reply.samples:
            room = context - length
            least = room if usage and "{c}" in refusal else max(1, room // 2)
            assert least <= sample.num_tokens <= room


@pytest.mark.parametrize("card", ["max_model_len", "max_context_length", "context_length", "context_window"])
def test_a_context_that_is_known_is_kept_to(server: FakeServer, tmp_path: Path, card: str) -> None:
    folder = make_checkpoint(tmp_path / "m", "llama")
    with_context(server, 60, "no", usage=False)
    server.cards = {"data": [{"id": str(folder), "owned_by": "someone", card: 60}]}

    asked = [Generate("x" * length, 1, Sampling(0.7, max_tokens=2000), 0) for length in (1, 40, 58, 59, 90)]
    replies = ask(server, *asked, model=str(folder))
    assert [reply.too_long for reply in replies] == [False, False, False, True, True]
    assert len(server.asked) == 3  # none in vain
    # The tokens of the prompt are counted here, BOS included.
    assert sorted(body["max_tokens"] for _, body in server.asked) == [1, 19, 58]


def test_what_refusals_told_is_remembered(server: FakeServer, tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "m", "llama")
    with_context(server, 60, REFUSALS[0])
    server.cards = {"data": [{"id": str(folder)}]}

    async def scene() -> None:
        engine = OpenAIEngine.connect(str(folder), base_url=server.url)
        for _ in range(3):
            assert not (await engine.generate(Generate("x" * 40, 1, Sampling(0.7, max_tokens=2000), 0))).too_long
        await engine.close()

    asyncio.run(scene())
    assert len(server.asked) == 3 + 2  # refused once, and the prompt alone tried once


@pytest.mark.parametrize("message", ["the stop list is too long", "a stop string is too long", "n is too large"])
def test_a_refusal_of_something_else_is_not_a_long_prompt(server: FakeServer, message: str) -> None:
    server.answer = lambda path, body: (400, {"error": {"message": message}})
    with pytest.raises(RefusedError, match=message):
        ask(server, Generate("x", 1, WARM, 0))


ODD = [
    (200, b"<html>"),
    (200, {"choices": []}),
    (200, {"choices": ["a"]}),
    (200, [1]),
    (200, {"choices": [GOOD | {"logprobs": None}]}),
    (200, {"choices": [GOOD | {"finish_reason": "content_filter"}]}),
    (200, {"choices": [GOOD], "usage": {"prompt_tokens": "many"}}),
    (500, {"error": "assertion failed"}),
    (422, {"error": "no"}),
]


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_reply_costs_its_question_alone(server: FakeServer, odd: Answer) -> None:
    server.answer = lambda path, body: odd if body["prompt"] == "bad" else (200, {"choices": [GOOD]})
    asked = [Generate("bad" if i in (0, 3) else str(i), 1, WARM, i) for i in range(8)]
    for i, reply in enumerate(try_asking(server, *asked)):
        assert isinstance(reply, RefusedError if i in (0, 3) else Generation)


def test_nobody_at_the_address() -> None:
    begun = time.monotonic()
    with pytest.raises(EngineError, match=r"nothing answers at http://127.0.0.1:9/v1.*Is the server running"):
        OpenAIEngine.connect("m", base_url="http://127.0.0.1:9/v1", retries=1, pause_s=0.01)
    assert time.monotonic() - begun < 5


def test_closing_ends_what_is_done_for_several_requests() -> None:
    """Such as the trial of a server that never answers: its task must not outlive the loop that it is on."""
    ended = threading.Event()

    async def never() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async def scene() -> None:
        client = Client(ServerArguments("http://127.0.0.1:9/v1"))
        waiting = [asyncio.ensure_future(client.once("trial", never)) for _ in range(2)]
        await asyncio.sleep(0.1)
        await asyncio.to_thread(client.close)
        assert ended.is_set()
        for told in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(told, EngineError)

    asyncio.run(scene())


def test_a_server_that_goes_away(server: FakeServer) -> None:
    async def scene() -> None:
        engine = OpenAIEngine.connect("m", base_url=server.url, retries=1, pause_s=0.01)
        await engine.generate(Generate("x", 1, WARM, 0))
        server.answer = lambda path, body: (200, b"")
        server.shutdown()
        server.server_close()
        with pytest.raises(EngineError, match=r"nothing answers|broke|no JSON"):
            await engine.generate(Generate("x", 1, WARM, 0))
        await engine.close()
        with pytest.raises(EngineError, match="closed"):
            await engine.generate(Generate("x", 1, WARM, 0))

    asyncio.run(scene())


def test_a_reply_that_never_comes(server: FakeServer) -> None:
    server.answer = lambda path, body: (time.sleep(1.5), (200, {}))[1]  # type: ignore[func-returns-value]
    with pytest.raises(EngineError, match=r"did not reply within 0.2 s; raise timeout_s"):
        ask(server, Generate("x", 1, WARM, 0), timeout_s=0.2)


def test_a_thousand_requests_over_a_few_connections(server: FakeServer) -> None:
    replies = ask(server, *(Generate("x", 1, WARM, seed) for seed in range(1000)), max_connections=8)
    assert all(reply.samples for reply in replies)


def test_the_key_comes_from_the_environment(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", "secret")
    ask(server, Generate("x", 1, WARM, 0), api_key_env="MY_KEY")
    assert server.headers["Authorization"] == "Bearer secret"
    server.answer = lambda path, body: (401, {"error": {"message": "wrong key"}})
    with pytest.raises(EngineError) as caught:
        ask(server, Generate("x", 1, WARM, 0), api_key_env="MY_KEY")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Generate("x", 1, Sampling(1.0, top_k=5), 0), "top_k is not part"),
        (Generate("x", 1, WARM, 0, adapter="a"), "needs adapters"),
        (Generate("x", 1, Sampling(0.0, beam_width=4), 0), "needs a beam search"),
        (Generate("\ud800", 1, WARM, 0), "surrogate"),
        (Generate("x", 0, WARM, 0), "num_samples"),
    ],
)
def test_what_it_can_not_do_is_refused_here(server: FakeServer, request_: Generate, says: str) -> None:
    with pytest.raises(EngineError, match=says):
        ask(server, request_)
    assert server.asked == []


def test_the_model_must_be_there(server: FakeServer) -> None:
    server.cards = {"data": [{"id": "a"}, {"id": "b"}]}
    with pytest.raises(EngineError, match="does not serve 'm' but a, b"):
        ask(server)
    assert ask(server, Generate("x", 1, WARM, 0), served_name="b")
    assert server.asked[0][1]["model"] == "b"
    for cards, says in (({"data": []}, "lists no models"), ([], "another form"), ({"data": None}, "lists no models")):
        server.cards = cards
        with pytest.raises(EngineError, match=says):
            ask(server)


@pytest.mark.parametrize(("model", "is_told"), [("org/other", True), ("org/m", False), ("/here/m", False), ("", False)])
def test_the_only_model_of_a_server_is_taken_and_told_where_it_has_another_name(
    server: FakeServer, caplog: pytest.LogCaptureFixture, model: str, is_told: bool
) -> None:
    ask(server, Generate("x", 1, WARM, 0), model=model)
    assert ("does not serve 'org/other'; its only model, 'm', is taken for it" in caplog.text) == is_told


def test_values_from_a_server_that_has_none(server: FakeServer, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="values need a vLLM server"):
        ask(server, need_value=True)
    folder = make_checkpoint(tmp_path / "m", "llama")
    server.cards = {"data": [{"id": str(folder), "owned_by": "vllm", "max_model_len": 128}]}
    told = {"token_id:0": -3.5}  # a log-probability as any vLLM gives it
    choice = GOOD | {"logprobs": {"token_logprobs": [-1.0], "top_logprobs": [told]}, "token_ids": [5]}
    server.answer = lambda path, body: (200, {"choices": [choice | {"finish_reason": "length"}]})
    with pytest.raises(EngineError, match=r"answered -3.5 where a value should be"):
        OpenAIEngine.connect(str(folder), base_url=server.url, need_value=True)
    good = server.answer
    for answer, says in (
        ((400, {"message": "what is logprob_token_ids?"}), "refuses a first request"),
        ((200, {}), "choices"),
    ):
        server.answer = lambda path, body, answer=answer: answer
        with pytest.raises(EngineError, match=says):
            OpenAIEngine.connect(str(folder), base_url=server.url, need_value=True)
    server.answer = good
    told["token_id:0"] = -2250.0
    engine = OpenAIEngine.connect(str(folder), base_url=server.url, need_value=True)
    assert asyncio.run(engine.evaluate(Evaluate("x"))).value == pytest.approx(0.25)
    asyncio.run(engine.close())
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(CheckpointError, match="tokenizer"):
        OpenAIEngine.connect(str(folder), base_url=server.url)


@pytest.mark.parametrize(("score", "value"), [(-1000.0, -1.0), (-3000.0, 1.0), (-2000.0, 0.0)])
def test_values_as_scores(score: float, value: float) -> None:
    assert decode_value(score) == value
