"""Token-level beam search against transformers' `generate`, and what is the engine's own about it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from stand_ins import EchoInterpreter, EqualChecker
from tiny_models import Reference, make_checkpoint

from mcts_math import solve
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.errors import EngineError
from mcts_math.messages import Conversation, Message, Piece, Sampling
from mcts_math.requests import Generate, Generation
from mcts_math.solver import Solved

TEMPLATE = (
    "{% for m in messages %}[{{ m.role[0] }}]{{ m.content }}</s>{% endfor %}{% if add_generation_prompt %}[a]OPEN"
    "{% endif %}"
)


def beams(engine: HFEngine, prompt: str, width: int, max_tokens: int, stop: tuple[str, ...] = ()) -> Generation:
    sampling = Sampling(0.0, max_tokens=max_tokens, stop=stop, beam_width=width)
    return asyncio.run(engine.generate(Generate(prompt, width, sampling, 0)))


@pytest.mark.parametrize("family", ["llama", "qwen3", "mistral", "gemma2"])
def test_the_hypotheses_are_those_of_generate(family: str, checkpoint: Callable[[str], Path]) -> None:
    folder = checkpoint(family)
    engine, reference = HFEngine.load(folder, device="cpu"), Reference(folder)
    for prompt, width, most in (("1+1=", 4, 12), ("a much longer prompt, of many characters: ", 7, 20), ("x", 2, 1)):
        ids = torch.tensor([reference.encode(prompt)])
        theirs = reference.model.generate(
            ids, attention_mask=torch.ones_like(ids), num_beams=width, num_return_sequences=width, do_sample=False,
            max_new_tokens=most, early_stopping=False, length_penalty=1.0, return_dict_in_generate=True,
            output_scores=True,
        )  # fmt: skip
        wanted = []
        for sequence in theirs.sequences[:, ids.shape[1] :].tolist():
            wanted.append(reference.tokenizer.decode([t for t in sequence if t != reference.tokenizer.eos_token_id]))
        mine = beams(engine, prompt, width, most).samples
        assert [sample.text for sample in mine] == wanted
        scores = [sample.logprob / sample.num_tokens for sample in mine]
        assert scores == pytest.approx(theirs.sequences_scores.tolist(), abs=1e-4)
    asyncio.run(engine.close())


def test_a_stop_string_ends_a_hypothesis(checkpoint: Callable[[str], Path]) -> None:
    engine, reference = HFEngine.load(checkpoint("llama"), device="cpu"), Reference(checkpoint("llama"))
    free = beams(engine, "1+1=", 4, 10).samples
    stop = free[0].text[2:4]
    for sample in beams(engine, "1+1=", 4, 10, (stop,)).samples:
        assert stop not in sample.text
        whole = sample.text + (stop if sample.finish == "stop" and sample.num_tokens > len(sample.text) + 1 else "")
        if whole != sample.text:
            assert sample.logprob == pytest.approx(reference.logprob("1+1=", whole), abs=1e-3)
    asyncio.run(engine.close())


def test_beams_and_samples_share_an_engine(checkpoint: Callable[[str], Path]) -> None:
    engine = HFEngine.load(checkpoint("llama"), device="cpu")
    alone = beams(engine, "abc", 5, 8)

    async def both() -> None:
        wide = Sampling(0.0, max_tokens=8, beam_width=5)
        sampled = [engine.generate(Generate("abc", 2, Sampling(1.0, max_tokens=30), i)) for i in range(4)]
        found = await asyncio.gather(engine.generate(Generate("abc", 5, wide, 0)), *sampled)
        assert found[0].samples == alone.samples
        assert all(len(reply.samples) == 2 for reply in found[1:])

    asyncio.run(both())
    asyncio.run(engine.close())


def test_the_context_ends_a_hypothesis(checkpoint: Callable[[str], Path]) -> None:
    engine = HFEngine.load(checkpoint("llama"), device="cpu")
    prompt = "x" * 120
    for sample in beams(engine, prompt, 3, 50).samples:
        assert sample.num_tokens <= 128 - 121
        assert sample.finish == "length" or sample.num_tokens < 7
    asyncio.run(engine.close())


@pytest.mark.parametrize(
    "request_",
    [
        Generate("x", 5, Sampling(0.0, beam_width=4), 0),
        Generate("x", 2, Sampling(0.7, beam_width=4), 0),
        Generate("x", 2, Sampling(0.0, beam_width=4), 0, want_value=True),
    ],
)
def test_requests_that_make_no_sense(request_: Generate, checkpoint: Callable[[str], Path]) -> None:
    engine = HFEngine.load(checkpoint("llama"), device="cpu", need_value=True)
    with pytest.raises(EngineError, match="beam search"):
        asyncio.run(engine.generate(request_))
    assert asyncio.run(engine.generate(Generate("x", 1, Sampling(0.0, max_tokens=2), 0))).samples
    asyncio.run(engine.close())


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model that can talk, for long."""
    return make_checkpoint(tmp_path_factory.mktemp("talking") / "model", "llama", max_position_embeddings=1024)


def talk(folder: Path, opening: str = "") -> HFEngine:
    (folder / "chat_template.jinja").write_text(TEMPLATE.replace("OPEN", opening))
    return HFEngine.load(folder, device="cpu")


def prescribe(engine: HFEngine, start: int, written: str) -> None:
    """From now on the model writes a text, and then ends its turn, behind a prompt of so many tokens."""
    script, compute = [*engine.model.codec.encode(written)[1:], *engine.model.codec.eos_ids], engine.model.forward

    def forward(block: Any, ids: Any, positions: Any, **more: Any) -> Any:
        result = compute(block, ids, positions, **more)
        for row, place in enumerate(positions[:, -1].tolist()):
            if 0 <= place + 1 - start < len(script):
                result.logits[row, script[place + 1 - start]] += 100.0
        return result

    engine.model.__dict__["forward"] = forward


def test_a_hypothesis_is_a_sample_like_any_other(talking: Path) -> None:
    engine, asked = talk(talking, "<think>"), Conversation((Message("user", "u"),))
    prescribe(engine, len(engine.model.codec.encode_prompt(asked)), "ab\n\nc")
    for stop, whole in (("\n\n", "ab\n\n"), ("?", "ab\n\nc")):
        one, wide = (
            asyncio.run(engine.generate(Generate(asked, 1, Sampling(0.0, stop=(stop,), beam_width=width), 0)))
            for width in (1, 2)
        )
        (sample,) = wide.samples
        (piece,) = sample.written
        assert (piece.text, sample.opening) == (whole, "[a]<think>")
        assert (sample.text, sample.written, sample.opening) == (
            one.samples[0].text, one.samples[0].written, one.samples[0].opening
        )  # fmt: skip
        assert len(piece.tokens) == sample.num_tokens
    asyncio.run(engine.close())


def search(folder: Path, written: str, opening: str = "", **keys: Any) -> Solved:
    """What a beam of width 2 makes of a question, with a model that writes a text."""
    engine, task = talk(folder, opening), {"question": "2 + 2?", "answer": "4"}
    config = {"mode": "token_beam", "trials": 2, "temperature": 0.0, "max_tokens": 90, "max_depth": 4, **keys}
    start = []
    generate = engine.generate

    async def note(request: Generate) -> Generation:
        if not start:
            start.append(len(engine.model.codec.encode_prompt(request.prompt)))
            prescribe(engine, start[0], written)
        return await generate(request)

    engine.__dict__["generate"] = note
    (solved,) = solve(config, [task], policy=engine, interpreter=EchoInterpreter(), checker=EqualChecker())
    assert solved.error == ""
    return solved


def best(solved: Solved) -> str:
    """The best solution, as the model wrote it."""
    tree = solved.tree
    turns = [step.message for step in tree.steps(tree.nodes[tree.solutions[0]]) if step.message is not None]
    return "".join(piece.text for turn in turns for piece in turn.written)


def test_a_paragraph_ends_no_solution(talking: Path) -> None:
    written = "One.\n\nTwo.\n\nSo \\boxed{4}."
    solved = search(talking, written, prompt_wrap="chat_steps")
    assert best(solved) == written
    assert solved.tree.correct
    assert len(solved.tree.path(solved.tree.nodes[solved.tree.solutions[0]])) == 3


def test_a_fence_of_another_language_ends_no_solution(talking: Path) -> None:
    written = "```js\n2\n```\nSo \\boxed{4}."
    solved = search(talking, written, prompt_wrap="chat_code")
    assert best(solved) == written
    assert solved.tree.correct


def test_a_thought_that_the_template_opens_is_no_reply_where_it_is_cut(talking: Path) -> None:
    solved = search(talking, "Is it \\boxed{4}? Or not?", "<think>", prompt_wrap="chat", max_tokens=16)
    assert not solved.tree.correct
    assert all(node.answer is None for node in solved.tree.nodes)


def test_a_thought_beyond_its_budget_is_closed(talking: Path) -> None:
    closing = "\n</think>\n\n"
    written = f"Let me think{closing}It is \\boxed{{4}}."
    solved = search(talking, written, "<think>", prompt_wrap="chat", max_thinking_tokens=12)
    assert best(solved) == written
    assert solved.tree.correct
    end = solved.tree.steps(solved.tree.nodes[solved.tree.solutions[0]])[-1]
    assert end.message is not None
    assert end.message.written[1] == Piece(closing, given=True)
