"""Step search over a conversation on a real engine: tokens are continued as they were sampled."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from stand_ins import EchoInterpreter
from tiny_models import make_checkpoint

from mcts_math.engine.hf.engine import HFEngine
from mcts_math.errors import CheckpointError
from mcts_math.formats import FormatOptions, make_format
from mcts_math.messages import Conversation, Prompt
from mcts_math.requests import Evaluate, Evaluation, Generate, Generation
from mcts_math.solver import solve
from mcts_math.train.data import IGNORED, Encoder
from mcts_math.train.examples import EXAMPLES, Solution, to_example

TURN = "{% for m in messages %}[{{ m.role[0] }}]{{ m.content }}</s>{% endfor %}"
TEMPLATE = TURN + "{% if add_generation_prompt %}[a]{% endif %}"
TASKS = [{"id": str(number), "question": f"{number} + 1?", "answer": "3"} for number in range(3)]


@pytest.fixture(scope="module")
def talking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model whose tokenizer has a chat template."""
    folder = make_checkpoint(tmp_path_factory.mktemp("talking") / "model", "llama", max_position_embeddings=512)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


class Recorder:
    """Passes on to an engine, and keeps what was asked and answered, in tokens."""

    def __init__(self, engine: HFEngine) -> None:
        self.engine = engine
        self.prompts: list[tuple[int, ...]] = []
        self.later: list[tuple[int, ...]] = []
        self.written: list[tuple[int, ...]] = []

    async def generate(self, request: Generate) -> Generation:
        reply = await self.engine.generate(request)
        self._note(request.prompt)
        self.written += [sum((piece.tokens for piece in sample.written), ()) for sample in reply.samples]
        return reply

    async def evaluate(self, request: Evaluate) -> Evaluation:
        self._note(request.prompt)
        return await self.engine.evaluate(request)

    def _note(self, prompt: Prompt) -> None:
        assert isinstance(prompt, Conversation)
        ids = self.engine.model.codec.encode_prompt(prompt)
        self.prompts.append(ids)
        if prompt.messages[-1].role == "assistant":
            self.later.append(ids)

    async def close(self) -> None:
        return None


@pytest.mark.parametrize(("mode", "keys"), [
    ("sbs", {"step_beam_width": 2}),
    ("mcts", {"iterations": 8}),
    ("sbs", {"step_beam_width": 2, "step_pattern": "[^a-m]e"}),
])  # fmt: skip
def test_each_prompt_is_an_earlier_one_and_the_tokens_that_were_sampled(
    talking: Path, mode: str, keys: dict[str, Any]
) -> None:
    engine = HFEngine.load(talking, need_value=True, prefix_cache_tokens=100_000)
    recorder = Recorder(engine)
    config = {
        "mode": mode, "prompt_wrap": "chat_steps", "step_delim": "e", "value": "head", "n_generate_sample": 3,
        "max_depth": 5, "max_tokens": 90, "temperature": 1.0, **keys,
    }  # fmt: skip
    solved = solve(config, TASKS, policy=recorder, interpreter=EchoInterpreter())
    assert [one.error for one in solved] == ["", "", ""]
    eos = engine.model.codec.eos_ids
    written = {ids[:-1] if ids[-1] in eos else ids for ids in recorder.written}
    grown = {prompt + ids for prompt in recorder.prompts for ids in written}
    assert len(recorder.later) > 10
    assert grown.issuperset(recorder.later)
    counters = engine.counters
    assert counters.num_cached_tokens > 0.5 * counters.num_prompt_tokens  # prompts here are a few tokens long


@pytest.mark.parametrize(("form", "template", "said"), [
    ("chat", None, "no chat template.*for the bundled models: configs/mini"),
    ("chat_tools", TEMPLATE, "shows no tools"),
])  # fmt: skip
def test_a_template_that_can_not_serve_is_an_error_before_loading(
    talking: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, template: str | None, said: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(talking, folder)
    if template is None:
        (folder / "chat_template.jinja").unlink()
    monkeypatch.setattr(HFEngine, "load", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(CheckpointError, match=said):
        solve({"mode": "react", "prompt_wrap": form, "model_dir": str(folder)}, TASKS)


def test_a_template_in_the_tokenizer_s_config_counts(talking: Path, tmp_path: Path) -> None:
    from mcts_math.engine.checkpoint import read_chat_template

    folder = tmp_path / "model"
    shutil.copytree(talking, folder)
    (folder / "chat_template.jinja").unlink()
    file = folder / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"chat_template": [{"name": "d", "template": "x"}]}))
    assert read_chat_template(folder) == "x"


def test_training_learns_the_tokens_that_were_sampled_and_values_where_the_search_reads_them(talking: Path) -> None:
    engine = HFEngine.load(talking, need_value=True)
    recorder = Recorder(engine)
    config = {
        "mode": "mcts", "prompt_wrap": "chat_steps", "step_delim": "e", "value": "head", "n_generate_sample": 4,
        "iterations": 6, "max_depth": 5, "max_tokens": 90, "temperature": 1.0,
    }  # fmt: skip
    trees = [solved.tree for solved in solve(config, TASKS, policy=recorder, interpreter=EchoInterpreter())]
    form = make_format("chat_steps", FormatOptions(step_delim="e"))
    tree, leaf = max(((tree, node) for tree in trees for node in tree.nodes), key=lambda pair: pair[1].depth)
    assert leaf.depth > 1
    example = to_example(tree, Solution(leaf, True), "0", form)
    assert example is not None
    assert EXAMPLES.load(json.loads(json.dumps(EXAMPLES.dump(example))), "here") == example
    (sequence,) = Encoder(engine.model.codec).example(example).sequences
    ids, steps = tuple(sequence.ids.tolist()), tree.steps(leaf)
    sampled = [piece.tokens for step in steps if step.message is not None for piece in step.message.written]
    learned = tuple(token for token in sequence.labels.tolist() if token != IGNORED)
    assert learned == sum(sampled, ())
    for place, count in zip(sequence.values, range(1, len(steps) + 1), strict=True):
        assert ids[: place + 1] == engine.model.codec.encode_prompt(form.prompt(tree.task, steps[:count]))
