"""The engines without a model."""

from __future__ import annotations

import asyncio

import pytest
from scripted import Behaviour, RandomPolicy, ScriptedPolicy, scripted

from mcts_math.errors import EngineError
from mcts_math.messages import Sampling
from mcts_math.requests import Evaluate, Generate, Generation, Policy, ValueModel

WARM = Sampling(0.7)


def test_a_script_is_replayed() -> None:
    policy = ScriptedPolicy({"a": scripted("x", "y", value=0.5, logprobs=(-0.1, -2.0)), "b": scripted()})
    reply = asyncio.run(policy.generate(Generate("a", 1, WARM, 0, want_value=True)))
    assert ([s.text for s in reply.samples], reply.value) == (["x"], 0.5)
    assert reply.samples[0].logprob == pytest.approx(-0.1 * reply.samples[0].num_tokens)
    assert asyncio.run(policy.generate(Generate("a", 2, WARM, 0))).value is None
    assert asyncio.run(policy.evaluate(Evaluate("a"))).value == 0.5
    assert [request.prompt for request in policy.requests] == ["a", "a", "a"]


def test_what_the_script_lacks_is_an_error() -> None:
    policy = ScriptedPolicy({"a": scripted("x")})
    for request, says in [
        (policy.generate(Generate("b", 1, WARM, 0)), "no entry"),
        (policy.generate(Generate("a", 2, WARM, 0)), "1 samples"),
        (policy.evaluate(Evaluate("a")), "no value"),
    ]:
        with pytest.raises(EngineError, match=says):
            asyncio.run(request)
    with pytest.raises(ValueError, match="2 texts"):
        scripted("a", "b", logprobs=(-1.0,))


def test_a_function_as_script() -> None:
    policy = ScriptedPolicy(lambda r: Generation((), too_long=True) if len(r.prompt) > 3 else scripted("x", value=1.0))
    assert asyncio.run(policy.generate(Generate("long prompt", 5, WARM, 0))).too_long
    assert asyncio.run(policy.evaluate(Evaluate("long prompt"))).too_long
    assert asyncio.run(policy.evaluate(Evaluate("a"))).value == 1.0


def test_replies_can_be_late() -> None:
    async def scene() -> list[str]:
        order: list[str] = []
        policy = ScriptedPolicy(lambda r: scripted("x"), delay_s=lambda r: 0.02 if r.prompt == "slow" else 0.0)

        async def ask(prompt: str) -> None:
            await policy.generate(Generate(prompt, 1, WARM, 0))
            order.append(prompt)

        await asyncio.gather(ask("slow"), ask("fast"))
        return order

    assert asyncio.run(scene()) == ["fast", "slow"]


@pytest.mark.parametrize("policy", [ScriptedPolicy({}), RandomPolicy()])
def test_protocols_and_close(policy: ScriptedPolicy | RandomPolicy) -> None:
    assert isinstance(policy, Policy)
    assert isinstance(policy, ValueModel)
    asyncio.run(policy.close())
    with pytest.raises(EngineError, match="closed"):
        asyncio.run(policy.generate(Generate("a", 1, WARM, 0)))


def test_random_replies_depend_on_the_request_alone() -> None:
    request = Generate("<question> 1 </question>\n", 5, WARM, 11, want_value=True)
    one, other = RandomPolicy(4), RandomPolicy(4, Behaviour(max_delay_s=0.001))
    reply = asyncio.run(one.generate(request))
    assert reply == asyncio.run(other.generate(request))
    assert reply != asyncio.run(RandomPolicy(5).generate(request))
    single = asyncio.run(one.generate(Generate(request.prompt, 1, WARM, 13)))
    assert single.samples[0] == reply.samples[2]
    assert asyncio.run(one.evaluate(Evaluate(request.prompt))).value == reply.value
    cold = asyncio.run(one.generate(Generate(request.prompt, 3, Sampling(0.0), 99)))
    assert len(set(cold.samples)) == 1


def test_random_replies_are_of_all_kinds_and_as_often_as_told() -> None:
    policy = RandomPolicy(0, Behaviour(final_rate=0.2, unparsable_rate=0.1, error_rate=0.3))
    reply = asyncio.run(policy.generate(Generate("q", 5000, WARM, 0)))
    texts = [sample.text for sample in reply.samples]
    final = [text for text in texts if "Final Answer: " in text]
    code = [text for text in texts if text.endswith("```")]
    assert len(final) / 5000 == pytest.approx(0.9 * 0.2, abs=0.02)
    assert len(code) / 5000 == pytest.approx(0.9 * 0.8, abs=0.02)
    assert sum("// 0" in text for text in code) / len(code) == pytest.approx(0.3, abs=0.03)
    assert all(sample.logprob < 0 and sample.num_tokens > 0 for sample in reply.samples)
    values = [asyncio.run(policy.evaluate(Evaluate(str(i)))).value or 0.0 for i in range(500)]
    assert max(map(abs, values)) <= 1
    assert sum(values) / 500 == pytest.approx(0.0, abs=0.1)


def test_random_failures_and_limits() -> None:
    policy = RandomPolicy(0, Behaviour(failure_rate=0.5, max_prompt_chars=10))
    failed = 0
    for seed in range(200):
        try:
            asyncio.run(policy.generate(Generate("q", 1, WARM, seed)))
        except EngineError:
            failed += 1
    assert 60 < failed < 140
    calm = RandomPolicy(0, Behaviour(max_prompt_chars=10))
    assert asyncio.run(calm.generate(Generate("q" * 11, 1, WARM, 0))).too_long
    assert asyncio.run(calm.evaluate(Evaluate("q" * 11))).too_long
    assert asyncio.run(calm.generate(Generate("\ud800", 1, WARM, 0))).samples
