"""The protocol, as the official client speaks it: replies, streams, conversations, and every key obeyed or refused."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from scripted import Behaviour, RandomPolicy, ScriptedPolicy, scripted
from service import BEAM, GREEDY, KEYS, Service, served, serving, user
from stand_ins import EchoInterpreter, EqualChecker, code, final

from mcts_math.files import dump_line
from mcts_math.messages import Sample
from mcts_math.requests import Generate, Generation
from mcts_math.run.record import record_to_tree
from mcts_math.search.ab_mcts import IMPROVE
from mcts_math.serve.gateway import Access
from mcts_math.solver import solve


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    models = [served("greedy", **GREEDY), served("beam", **BEAM), served("short", **BEAM, max_question_tokens=500)]
    with serving(models, lambda: RandomPolicy(3)) as running:
        yield running


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[openai.OpenAI]:
    with service.client() as client:
        yield client


def test_every_config_is_a_model(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["greedy", "beam", "short"]
    assert client.models.retrieve("beam").owned_by == "mcts_math"


def test_the_reply_is_the_chosen_solution_of_the_search_that_solve_makes(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(
        model="beam", messages=user("What is 2 + 3?"), seed=7, extra_body={"return_tree": True}
    )
    config = BEAM | {"seed": 7}
    services = {"policy": RandomPolicy(3), "interpreter": EchoInterpreter(), "checker": EqualChecker()}
    (solved,) = solve(config, [{"question": "What is 2 + 3?"}], **services)  # type: ignore[arg-type]
    tree = solved.tree
    found = reply.model_extra["search"]
    ours = record_to_tree(found["tree"])
    assert [n.step for n in ours.nodes] == [n.step for n in tree.nodes]
    assert [tree.nodes[i].answer for i in tree.solutions] == [s["answer"] for s in found["solutions"]]
    assert reply.choices[0].message.content == found["solutions"][0]["solution"]
    assert reply.choices[0].finish_reason == "stop"
    assert (found["seed"], found["mode"], found["steps"]) == (7, "sbs", len(tree.nodes) - 1)
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (solved.cost.prompt_tokens, solved.cost.tokens)
    shown = sum(step.num_tokens for step in tree.steps(tree.nodes[tree.solutions[0]]))
    assert reply.usage.completion_tokens_details.reasoning_tokens == solved.cost.tokens - shown


def test_without_a_seed_one_is_drawn_and_told(client: openai.OpenAI) -> None:
    drawn = client.chat.completions.create(model="beam", messages=user("Q?"))
    seed = drawn.model_extra["search"]["seed"]
    again = client.chat.completions.create(model="beam", messages=user("Q?"), seed=seed)
    assert again.choices[0].message.content == drawn.choices[0].message.content
    assert len({client.chat.completions.create(model="beam", messages=user("Q?")).model_extra["search"]["seed"] for _ in range(3)}) > 1  # fmt: skip # noqa: E501


def test_equal_questions_at_once_do_not_disturb_each_other(service: Service) -> None:
    """Equal id, equal tree; but each has a session of its own at the interpreter."""
    import asyncio

    async def ask() -> list[Any]:
        async with service.async_client() as client:
            asked = [client.chat.completions.create(model="beam", messages=user("Same?"), seed=1) for _ in range(8)]
            return await asyncio.gather(*asked)

    replies = asyncio.run(ask())
    assert len({reply.choices[0].message.content for reply in replies}) == 1
    assert len({reply.id for reply in replies}) == 8


def test_n_gives_the_best_solutions(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="beam", messages=user("Which?"), n=2, seed=2)
    solutions = reply.model_extra["search"]["solutions"]
    assert [choice.message.content for choice in reply.choices] == [s["solution"] for s in solutions[:2]]
    assert len(reply.choices) == 2


def test_a_client_sends_back_the_message_that_it_got(client: openai.OpenAI) -> None:
    reply = client.chat.completions.create(model="greedy", messages=user("1?"), seed=0).choices[0].message
    dumped: Any = reply.model_dump()
    assert dumped["annotations"] is None  # as the client writes what is not there
    again = client.chat.completions.create(model="greedy", messages=[*user("1?"), dumped, *user("2?")], seed=0)
    assert again.choices[0].message.content


def test_a_stream_of_a_chain_sends_each_step_as_it_is_there(client: openai.OpenAI) -> None:
    arguments: Any = {"model": "greedy", "messages": user("Step by step?"), "seed": 0}
    whole = client.chat.completions.create(**arguments)
    chunks = list(client.chat.completions.create(**arguments, stream=True, stream_options={"include_usage": True}))
    parts = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert "".join(parts) == whole.choices[0].message.content
    assert len(parts) == whole.model_extra["search"]["steps"] > 1
    assert chunks[-1].usage == whole.usage
    assert chunks[-1].model_extra["search"]["solutions"] == whole.model_extra["search"]["solutions"]
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == whole.choices[0].finish_reason


def test_a_stream_of_a_search_sends_progress_as_thoughts_and_then_the_solution(client: openai.OpenAI) -> None:
    arguments: Any = {"model": "beam", "messages": user("Search!"), "seed": 0, "n": 2}
    whole = client.chat.completions.create(**arguments)
    chunks = list(client.chat.completions.create(**arguments, stream=True))
    deltas = [(c.choices[0].index, c.choices[0].delta) for c in chunks if c.choices]
    for index, choice in enumerate(whole.choices):
        assert "".join(d.content or "" for i, d in deltas if i == index) == choice.message.content
    assert any("steps tried" in (d.model_extra or {}).get("reasoning_content", "") for _, d in deltas)
    assert chunks[-1].usage is None


def test_what_was_said_before_stands_in_the_prompt() -> None:
    asked: list[str] = []

    def answer(request: Generate) -> Generation:
        asked.append(str(request.prompt))
        return scripted(final("5"))

    with serving([served("greedy", **GREEDY)], lambda: ScriptedPolicy(answer)) as service, service.client() as client:
        first = client.chat.completions.create(model="greedy", messages=user("Two plus three?"))
        talk = [*user("Two plus three?"), first.choices[0].message, *user("And one more?")]
        client.chat.completions.create(model="greedy", messages=talk)
    assert asked[-1] == (
        "<question> Two plus three? </question>\n" + final("5") + "\n</step>\n<question> And one more? </question>\n"
    )


REFUSED: list[tuple[dict[str, Any], int, str, str]] = [
    ({"temprature": 1}, 400, "temprature", "unknown key 'temprature'. Did you mean 'temperature'?"),
    ({"iterations": 5}, 400, "iterations", "unknown key"),
    ({"stop": ["\n"]}, 400, "stop", "can't obey"),
    ({"tools": [{"type": "function"}]}, 400, "tools", "can't obey"),
    ({"response_format": {"type": "json_object"}}, 400, "response_format", "can't obey"),
    ({"frequency_penalty": 0.5}, 400, "frequency_penalty", "can't obey"),
    ({"logprobs": True}, 400, "logprobs", "can't obey"),
    ({"temperature": -1}, 400, "temperature", "greater than or equal to 0"),
    ({"temperature": "hot"}, 400, "temperature", "number"),
    ({"temperature": float("nan")}, 400, "temperature", "finite"),
    ({"top_p": 0}, 400, "top_p", "greater than 0"),
    ({"max_tokens": 0}, 400, "max_tokens", "greater than or equal to 1"),
    ({"max_tokens": 5, "max_completion_tokens": 6}, 400, "max_tokens", "mean the same"),
    ({"n": 0}, 400, "n", "greater"),
    ({"n": 2, "model": "greedy"}, 400, "n", "makes one solution"),
    ({"seed": -1}, 400, "seed", "greater"),
    ({"seed": 2**70}, 400, "seed", "less"),
    ({"stream": "yes"}, 400, "stream", "bool"),
    ({"stream_options": {"include": 1}}, 400, "stream_options.include", "not permitted"),
    ({"max_question_tokens": 501, "model": "short"}, 400, "max_question_tokens", "more than short allows, 500"),
    ({"model": "gpt"}, 404, "model", "There are: greedy, beam, short"),
    ({"model": None}, 400, "model", "string"),
    ({"messages": []}, 400, "messages", "at least 1"),
    ({"messages": "Q"}, 400, "messages", "list"),
    ({"messages": [{"role": "user"}]}, 400, "messages.0.content", "must be given"),
    ({"messages": [{"role": "tool", "content": "x"}]}, 400, "messages.0.role", "'system', 'developer'"),
    ({"messages": [{"role": "assistant", "content": "x"}]}, 400, "messages", "must be the user's"),
    ({"messages": [{"role": "user", "content": "  "}]}, 400, "messages", "empty"),
    ({"messages": [{"role": "user", "content": "a\ud800"}]}, 400, "messages", "surrogate"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, 400,
     "messages.0.content.0.type", "'text'"),
    ({"messages": [{"role": "system", "content": "Be brief"}, {"role": "user", "content": "Q"}]}, 400, "messages",
     "leave out all others"),
]  # fmt: skip


@pytest.mark.parametrize(("keys", "status", "param", "says"), REFUSED, ids=lambda value: str(value)[:40])
def test_what_can_not_be_obeyed_is_refused_by_name(
    service: Service, keys: dict[str, Any], status: int, param: str, says: str
) -> None:
    body = {"model": "beam", "messages": user("Q?")} | keys
    got, answer = post(service, json.dumps(body).encode())
    assert got == status, answer
    assert answer["error"]["param"] == param
    assert says in answer["error"]["message"]


def test_values_that_ask_for_nothing_pass(client: openai.OpenAI) -> None:
    body: Any = {
        "frequency_penalty": 0,
        "tools": [],
        "stop": None,
        "response_format": {"type": "text"},
        "logprobs": None,
    }
    assert client.chat.completions.create(model="greedy", messages=user("Q?"), user="me", n=1, extra_body=body).choices


def test_max_tokens_bounds_the_reply_and_a_budget_the_search(client: openai.OpenAI) -> None:
    free = client.chat.completions.create(model="beam", messages=user("Long?"), seed=5)
    budget = client.chat.completions.create(
        model="beam", messages=user("Long?"), seed=5, extra_body={"max_question_tokens": 1}
    )
    assert budget.model_extra["search"]["stopped"] == "max_question_tokens"
    assert budget.usage.completion_tokens < free.usage.completion_tokens  # type: ignore[union-attr]
    short = client.chat.completions.create(model="greedy", messages=user("Long?"), seed=5, max_tokens=1)
    assert short.model_extra["search"]["steps"] == 1
    assert short.choices[0].finish_reason == "length"


def test_every_step_gets_the_tokens_that_its_solution_has_left() -> None:
    asked: list[int] = []

    def answer(request: Generate) -> Generation:
        asked.append(request.sampling.max_tokens)
        return scripted(code("1"))

    with serving([served("greedy", **GREEDY)], lambda: ScriptedPolicy(answer)) as service, service.client() as client:
        client.chat.completions.create(model="greedy", messages=user("Q?"), max_tokens=40)
    step = scripted(code("1")).samples[0].num_tokens
    assert asked == [40 - step * i for i in range(-(-40 // step))]


def test_a_prompt_beyond_the_context_is_said_to_be_so() -> None:
    policy = lambda: RandomPolicy(1, Behaviour(max_prompt_chars=300))  # noqa: E731
    with serving([served("greedy", **GREEDY)], policy) as service:
        status, answer = post(service, json.dumps({"model": "greedy", "messages": user("x" * 500)}).encode())
    assert (status, answer["error"]["code"]) == (400, "context_length_exceeded")


HOSTILE = [
    (b"", 400, "not JSON"),
    (b"{", 400, "not JSON"),
    (b"\xff\xfe", 400, "not JSON"),
    (b"[1]", 400, "must be a JSON object"),
    (b"[" * 100_000, 400, "not JSON"),
    (b'{"model": ' + b"9" * 5000 + b"}", 400, ""),
    (b'{"' + b"k" * 5000 + b'": 1}', 400, "unknown key"),
    (b'{"messages": "' + b"x" * (2 << 20) + b'"}', 413, "longer than 1048576 bytes"),
    (b'{"model": "m", "messages": [' + b"0," * 500_000 + b"0]}", 400, "messages.0: "),
    (b'{"model": "m", "messages": [{"role": "user", "content": [' + b"0," * 500_000 + b"0]}]}", 400, "content.0: "),
]


@pytest.mark.parametrize(("body", "status", "says"), HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_bodies_get_an_answer(service: Service, body: bytes, status: int, says: str) -> None:
    begun = time.monotonic()
    got, answer = post(service, body)
    assert time.monotonic() - begun < 2  # all others wait meanwhile
    assert got == status, answer
    assert says in answer["error"]["message"]
    assert len(json.dumps(answer)) < 2000


def test_hostile_text_goes_through_as_text(client: openai.OpenAI) -> None:
    text = "</question>\x00\x1b[2J<script>\u2028\u202e data: [DONE]\n\n" + "𝄞" * 1000
    for stream in (False, True):
        reply = client.chat.completions.create(
            model="greedy", messages=user(text), seed=1, stream=stream, extra_body={"return_tree": True}
        )
        last = list(reply)[-1] if stream else reply  # type: ignore[arg-type]
        assert last.model_extra["search"]["tree"]["question"] == text  # type: ignore[union-attr]
        assert dump_line(last.model_extra["search"]["tree"])  # type: ignore[union-attr]


def test_numbers_that_json_does_not_know_are_null() -> None:
    def answer(request: Generate) -> Generation:
        return Generation((Sample(final("\udc00"), float("-inf"), 3),))

    body = {"model": "greedy", "messages": user("Q?"), "return_tree": True}
    with serving([served("greedy", **GREEDY)], lambda: ScriptedPolicy(answer)) as service:
        status, reply = post(service, json.dumps(body).encode())  # which reads JSON and nothing else
    assert status == 200
    assert reply["search"]["tree"]["react"]["0.0"]["logprob"] is None
    assert reply["search"]["solutions"][0]["answer"] == "\udc00"


def test_a_page_of_another_site_can_not_ask() -> None:
    access = Access(hosts=("127.0.0.1",))
    body = json.dumps({"model": "greedy", "messages": user("Q?")}).encode()
    with serving([served("greedy", **GREEDY)], lambda: RandomPolicy(1), access) as service:
        assert post(service, body, {"Content-Type": "text/plain"})[0] == 415
        assert post(service, body, {"Host": "evil.example:80"})[0] == 403
        assert post(service, body)[0] == 200


def test_without_the_key_nothing_is_told() -> None:
    with serving([served("greedy", **GREEDY)], lambda: RandomPolicy(1), Access(api_key="sésame")) as service:
        with service.client("wrong") as client, pytest.raises(openai.AuthenticationError, match="missing or wrong"):
            client.models.list()
        body = json.dumps({"model": "greedy", "messages": user("Q?")}).encode()
        assert post(service, body)[0] == 401
        assert get(service, "/metrics")[0] == 401
        assert get(service, "/health")[0] == 200
        assert post(service, body, {"Authorization": "Bearer sésame".encode()})[0] == 200


def test_other_paths_are_errors_of_the_same_shape(service: Service) -> None:
    for path, status in (("/v1/completions", 404), ("/v1/chat/completions", 405), ("/v1/models/none", 404)):
        got, answer = get(service, path)
        assert got == status
        assert set(json.loads(answer)["error"]) == {"message", "type", "param", "code"}


def post(service: Service, body: bytes, headers: dict[str, Any] | None = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(service.host, timeout=30)
    connection.request(
        "POST", "/v1/chat/completions", body, {"Content-Type": "application/json; charset=utf-8"} | (headers or {})
    )
    response = connection.getresponse()
    answer = json.loads(response.read(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    connection.close()
    return response.status, answer


def get(service: Service, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(service.host, timeout=30)
    connection.request("GET", path)
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def test_the_content_of_a_refined_attempt_is_what_the_model_wrote_last() -> None:
    """And not the whole conversation, our own words in it."""
    model = served("refined", **KEYS, mode="ab_mcts", value="head", trials=12)
    num_refined = 0
    with serving([model], lambda: RandomPolicy(3)) as running, running.client() as client:
        for seed in range(12):
            reply = client.chat.completions.create(
                model="refined", messages=user("What is 2 + 3?"), seed=seed, extra_body={"return_tree": True}
            )
            found = reply.model_extra["search"]
            tree = record_to_tree(found["tree"])
            end = tree.nodes[tree.solutions[0]]
            num_refined += len(tree.turn(end)) < len(tree.steps(end))
            assert reply.choices[0].message.content == "\n".join(step.text for step in tree.turn(end))
            assert IMPROVE not in found["solutions"][0]["solution"]
    assert num_refined
