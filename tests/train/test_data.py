"""Tokens where the engine has them, rows that keep examples apart, and the losses."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from solutions import example
from tiny_models import FAMILIES, PADDED, make_checkpoint
from torch import Tensor
from transformers import AttentionInterface, AttentionMaskInterface, AutoConfig, AutoModelForCausalLM, AutoTokenizer
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

from mcts_math.engine.checkpoint import inspect
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.tokenizer import Codec, load_codec
from mcts_math.engine.value_head import fresh_value_head
from mcts_math.errors import CheckpointError, RecordError
from mcts_math.messages import Conversation, Message, Piece, ToolCall
from mcts_math.requests import Evaluate
from mcts_math.settings import make_settings
from mcts_math.train.config import TrainConfig
from mcts_math.train.data import IGNORED, Encoder, Item, encode_files
from mcts_math.train.examples import EXAMPLES, Example, ExampleStep, Pair
from mcts_math.train.feedback import Feedback, encode_lesson
from mcts_math.train.model import (
    PolicyWithValue,
    load_model,
    pair_places,
    policy_loss,
    preference_loss,
    total,
    value_loss,
)
from mcts_math.train.packing import Collator, counts, pack
from mcts_math.train.training import load_rows

Write = Callable[[str, list[dict[str, Any]]], str]
PAIR = Pair("p", "<question> 1? </question>\n", "better\n", "worse one\n", 0.9, -0.9)


def encoder(folder: Path, **options: Any) -> Encoder:
    return Encoder(Codec(AutoTokenizer.from_pretrained(folder)), **options)


def items_of(folder: Path, records: Sequence[dict[str, Any]], **options: Any) -> list[Item]:
    encode = encoder(folder, **options)
    return [encode.example(EXAMPLES.load(record, "here")) for record in records]


def settings(**values: Any) -> TrainConfig:
    return make_settings(TrainConfig, values)


@pytest.fixture(params=["tiny", "mini"])
def model_dir(request: pytest.FixtureRequest, tiny: Path, repo: Path) -> Path:
    return tiny if request.param == "tiny" else repo / "models" / "mini"


def test_values_are_read_where_the_engine_reads_them(model_dir: Path) -> None:
    """In packed rows, at the places that the encoder marks, against the engine on the search's own prompts."""
    records = [example(n, filling="x" * n) for n in range(5)]
    prompts = []
    for record in records:
        text = record["prompt"]
        for step in record["steps"]:
            text += step["text"]
            prompts.append(text)

    async def ask() -> list[float | None]:
        engine = HFEngine.load(model_dir, need_value=True, device="cpu")
        try:
            return [(await engine.evaluate(Evaluate(prompt))).value for prompt in prompts]
        finally:
            await engine.close()

    expected = asyncio.run(ask())
    model = load_model(inspect(model_dir), settings()).eval()
    rows = pack(items_of(model_dir, records), 512, seed=0)
    batch = Collator(0, 64)([rows[i] for i in range(len(rows))])
    order = {id_: n for n, id_ in enumerate(record["id"] for record in records)}
    with torch.no_grad():
        hidden, _ = model._run(batch["input_ids"], batch["position_ids"], torch.zeros(0, dtype=torch.long))
        values = model.values(hidden)[batch["value_mask"].flatten()].tolist()
    found = dict.fromkeys(range(len(prompts)), math.nan)
    for place, id_ in enumerate(batch["example_ids"]):
        for step in range(2):
            found[2 * order[id_] + step] = values[2 * place + step]
    assert list(found.values()) == pytest.approx(expected, abs=1e-4)


def test_the_policy_learns_what_the_model_wrote(model_dir: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(model_dir)

    def learned(correct: bool, observation_loss: bool) -> str:
        (item,) = items_of(model_dir, [example(7, correct=correct)], observation_loss=observation_loss)
        labels = item.sequences[0].labels
        return str(tokenizer.decode([int(t) for t in labels[labels != IGNORED]], skip_special_tokens=False))

    code = "<step>\n<p>\nA\n</p>\n<code>\nx=7\n</code>"
    last = "<step>\n<p>\nFinal Answer: 7\n</p>\n</step>"
    assert learned(True, False) == code + last
    assert learned(True, True) == f"{code}\n<output>\n7\n</output>\n</step>\n{last}\n"
    assert learned(False, True) == ""


def test_step_ends_that_a_tokenizer_merges_are_counted(tiny: Path) -> None:
    class Merging(Codec):
        """A tokenizer in which a line's end and what follows are one token."""

        def encode(self, text: str) -> tuple[int, ...]:
            return tuple(map(ord, text.replace("\n<", "\x01")))

    merging = Merging(AutoTokenizer.from_pretrained(tiny))
    encode = Encoder(merging)
    item = encode.example(EXAMPLES.load(example(1), "here"))
    assert encode.merged == 1
    end = min(item.sequences[0].values)
    assert chr(item.sequences[0].ids[end]) == ">"  # the last token before the merged one
    assert max(item.sequences[0].values) == len(item.sequences[0].ids) - 1


def test_of_steps_that_end_at_one_token_the_last_counts(tiny: Path) -> None:
    """Hidden states, targets and questions of a value head are then as many as the places."""
    made = EXAMPLES.load(example(1), "here")
    more = replace(made, steps=(*made.steps, replace(made.steps[-1], text="", q=-0.25)))
    (sequence,) = Encoder(Codec(AutoTokenizer.from_pretrained(tiny))).example(more).sequences
    assert len(sequence.values) == len(made.steps)
    assert sequence.values[max(sequence.values)] == -0.25


TEMPLATE = (
    "{% for m in messages %}<s>[{{ m.role }}]{{ m.content | trim }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>[assistant]{% endif %}"
)


def test_a_conversation_is_shown_by_the_models_template(tmp_path: Path) -> None:
    """The value is read where the engine reads it; the policy learns the reply and to end its turn."""
    folder = make_checkpoint(tmp_path, "llama", max_position_embeddings=512)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATE
    codec = Codec(tokenizer)
    prompt = Conversation((Message("system", "Be brief."), Message("user", "1?")))
    example = Example("q/0.0", "1?", prompt, (ExampleStep("It is 1.", 1.0),), True)
    (sequence,) = Encoder(codec).example(example).sequences
    seen_by_engine = codec.encode_prompt(prompt.followed_by(Message("assistant", "It is 1.")))
    assert tuple(sequence.ids[: min(sequence.values) + 1]) == seen_by_engine
    learned = [int(token) for token in sequence.labels if token != IGNORED]
    assert tokenizer.decode(learned) == "It is 1.</s>"
    wrong = Encoder(codec).example(replace(example, correct=False)).sequences[0]
    assert set(wrong.labels) == {IGNORED}
    better, worse = Encoder(codec).pair(Pair("p", prompt, "It is 1.", "It is 2.", 1.0, -1.0)).sequences
    assert tuple(better.ids) == seen_by_engine
    assert (better.preference, worse.preference) == (1, -1)
    assert tokenizer.decode(worse.ids).endswith("[assistant]It is 2.")


def test_what_another_model_sampled_counts_as_its_text(tmp_path: Path) -> None:
    """Token numbers of the model that had searched were taken for tokens of the one that is trained."""
    tokenizer = AutoTokenizer.from_pretrained(make_checkpoint(tmp_path, "llama", max_position_embeddings=512))
    tokenizer.chat_template = TEMPLATE
    codec = Codec(tokenizer)
    talk = Conversation((Message("user", "1?"),))
    own, start = codec.encode_reply(talk, "It is 1.")
    for tokens in (own[start:], (5, 6, 7), (codec.vocab_size + 9, 5)):
        turn = Message("assistant", "It is 1.", written=(Piece("It is 1.", tokens),))
        step = ExampleStep("It is 1.", 1.0, (turn,))
        (sequence,) = Encoder(codec).example(Example("q", "1?", talk, (step,), True)).sequences
        assert tuple(sequence.ids) == own
        assert codec.decode([int(token) for token in sequence.labels if token != IGNORED]) == "It is 1.</s>"
        pair = Encoder(codec).pair(Pair("p", talk, (turn,), (Message("assistant", "2."),), 1.0, -1.0))
        assert tuple(pair.sequences[0].ids)[: len(own) - 1] == own[:-1]
        line = Feedback("q/0", talk, "It is 1.", talk.followed_by(turn), "No.")
        assert encode_lesson(codec, line, with_attempts=True).conversation[: len(own) - 1] == own[:-1]


@pytest.mark.parametrize("known", [True, False, None], ids=["tokens", "text", "read by a server"])
def test_the_policy_learns_calls_and_to_end_their_turn(known: bool | None, tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path, "llama", max_position_embeddings=512)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    called = "{% for c in m.tool_calls or [] %}{{ c.function.arguments.code }}{% endfor %}</s>"
    tokenizer.chat_template = TEMPLATE.replace("</s>", called, 1)
    codec = Codec(tokenizer)
    reply, start = codec.encode_reply(Conversation((Message("user", "1?"),)), "1+1")
    written = {True: (Piece("1+1", reply[start:]),), False: (Piece("1+1"),), None: ()}[known]
    turn = Message("assistant", "", calls=(ToolCall("f", '{"code": "1+1"}', "c"),), written=written)
    last = Message("assistant", "It is 2.")
    steps = (ExampleStep("1+1", 1.0, (turn, Message("tool", "2", call_id="c"))), ExampleStep("It is 2.", 1.0, (last,)))
    example = Example("q/0.0.0", "1?", Conversation((Message("user", "1?"),)), steps, True)
    (sequence,) = Encoder(codec).example(example).sequences
    learned = [int(token) for token in sequence.labels if token != IGNORED]
    assert tokenizer.decode(learned) == "1+1</s>It is 2.</s>"


def test_rows_hold_every_item_once(tiny: Path) -> None:
    items = items_of(tiny, [example(n, filling="y" * (n * 7 % 60)) for n in range(40)])
    rows = pack(items, 512, seed=1)
    assert sorted(item.id for row in rows for item in row) == sorted(item.id for item in items)
    assert all(sum(item.length for item in row) <= 512 for row in rows)
    assert len(rows) <= 1 + math.ceil(sum(item.length for item in items) / 512 * 1.15)
    assert rows == pack(items, 512, seed=1)


def test_a_batch_in_full(tiny: Path) -> None:
    encode = encoder(tiny)
    items = [*items_of(tiny, [example(1)]), encode.pair(PAIR)]
    batch = Collator(pad_id=1, pad_multiple=16)([items])
    width = batch["input_ids"].shape[1]
    assert width % 16 == 0
    starts = (batch["position_ids"][0] == 0).nonzero().flatten().tolist()
    lengths = [len(s.ids) for item in items for s in item.sequences]
    assert starts == [0, lengths[0], lengths[0] + lengths[1], sum(lengths)]
    assert counts(batch).tolist() == [int((items[0].sequences[0].labels[1:] != IGNORED).sum()), 2, 1]
    better, worse = pair_places(batch["preference"])
    assert (better.item(), worse.item()) == (starts[2] - 1, starts[3] - 1)
    assert batch["value_targets"][batch["value_mask"]].tolist() == [0.5, 1.0]
    assert batch["example_ids"] == ["q1/0.1.0", "p"]


@pytest.mark.parametrize("family", [*FAMILIES, *PADDED])
def test_packed_examples_do_not_see_each_other(family: str, tmp_path: Path) -> None:
    """Sums of losses and gradients are those of one example a row, in every family."""
    folder = make_checkpoint(tmp_path, family, max_position_embeddings=512, initializer_range=0.05)
    encode = encoder(folder)
    items = items_of(folder, [example(n, correct=n % 3 > 0, filling="z" * n) for n in range(6)])
    items.append(encode.pair(PAIR))
    results = []
    for packing in (True, False):
        model = load_model(inspect(folder), settings())
        rows = pack(items, 512, seed=0) if packing else [[item] for item in items]
        sums = torch.zeros(3)
        for row in (rows[i] for i in range(len(rows))):
            batch = Collator(1, 16)([row])
            batch.pop("example_ids")
            losses: Tensor = model(**batch)
            sums += losses.detach()
            losses.sum().backward()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
        results.append((sums, gradient))
    assert torch.allclose(results[0][0], results[1][0], rtol=1e-4)
    assert torch.allclose(results[0][1], results[1][1], rtol=1e-3, atol=2e-3)


def test_the_output_layer_is_used_alone_only_where_that_is_right(tmp_path: Path) -> None:
    plain = load_model(inspect(make_checkpoint(tmp_path / "llama", "llama")), settings())
    capped = load_model(inspect(make_checkpoint(tmp_path / "gemma2", "gemma2")), settings())
    scaled = load_model(inspect(make_checkpoint(tmp_path / "granite", "granite", logits_scaling=4.0)), settings())
    assert (plain._plain_output, capped._plain_output, scaled._plain_output) == (True, False, False)


@pytest.mark.parametrize("family", [*FAMILIES, *PADDED])
def test_attention_keeps_sequences_apart(family: str, tmp_path: Path) -> None:
    assert load_model(inspect(make_checkpoint(tmp_path, family)), settings()).keeps_sequences_apart()


@pytest.mark.parametrize("family", ["mamba", "bloom"])
def test_other_models_do_not(family: str) -> None:
    """They carry a state along the row, or have no positions."""
    options = {"mamba": {"num_hidden_layers": 2}, "bloom": {"n_layer": 2, "n_head": 4}}[family]
    config = AutoConfig.for_model(family, vocab_size=99, hidden_size=32, bos_token_id=0, eos_token_id=1, **options)
    model = PolicyWithValue(AutoModelForCausalLM.from_config(config), fresh_value_head(32))
    assert not model.keeps_sequences_apart()


def test_flash_attention_is_not_run_where_models_are_loaded(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no kernels for a CPU."""
    monkeypatch.setattr("transformers.modeling_utils.lazy_import_flash_attention", lambda *names, **options: None)

    def refuse(*inputs: Any, **options: Any) -> Any:
        raise RuntimeError("no kernel for a CPU")

    AttentionInterface.register("flash_stand_in", refuse)
    AttentionMaskInterface.register("flash_stand_in", ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    model = load_model(inspect(tiny), settings(attn="flash_stand_in"))
    assert model.keeps_sequences_apart()
    assert model.policy.config._attn_implementation == "flash_stand_in"


def test_a_head_of_another_model(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "a", "llama")
    other = make_checkpoint(tmp_path / "b", "granite")
    (folder / "value_head.pth").write_bytes((other / "value_head.pth").read_bytes())
    with pytest.raises(CheckpointError, match="does it belong to another model"):
        load_model(inspect(folder), settings())
    load_model(inspect(folder), settings(fresh_value_head=True))


def test_losses_by_hand() -> None:
    logits = torch.tensor([[0.0, math.log(3.0)], [0.0, 0.0]])
    assert policy_loss(logits, torch.tensor([1, 0])).item() == pytest.approx(math.log(4 / 3) + math.log(2))
    assert policy_loss(logits[:0], torch.zeros(0, dtype=torch.long)).item() == 0
    assert value_loss(torch.tensor([0.5, -1.0]), torch.tensor([1.0, 1.0])).item() == pytest.approx(4.25)
    better, worse = torch.tensor([0.5]), torch.tensor([-0.5])
    assert preference_loss(better, worse).item() == pytest.approx(math.log1p(math.exp(-2.0)))
    sums, many = torch.tensor([6.0, 8.0, 0.0]), torch.tensor([3, 4, 0])
    assert total(sums, many, torch.tensor([1.0, 0.5, 1.0])).item() == pytest.approx(2.0 + 1.0)
    places = pair_places(torch.tensor([[0, 2, -1, 0], [1, 0, -2, 0]]))
    assert [p.tolist() for p in places] == [[4, 1], [2, 6]]


def test_examples_that_do_not_fit(tiny: Path, write: Write) -> None:
    path = write("e.jsonl", [example(1), example(2, filling="long " * 200)])
    items, report = encode_files(encoder(tiny), [path], [], 256)
    assert [item.id for item in items] == ["q1/0.1.0"]
    assert (report.examples, report.too_long, report.first_too_long) == (1, 1, "q2/0.1.0")
    assert "1 are longer than max_length and left out (such as q2/0.1.0)" in str(report)
    with pytest.raises(RecordError, match="nothing to train on"):
        encode_files(encoder(tiny), [path], [], 16)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"steps": []}, r"steps: .* at least 1 item, not \[\]"),
        ({"steps": [{"text": "", "q": 0.0}]}, r"steps\.0\.text: .* at least 1 character, not ''"),
        ({"steps": [{"text": "a", "q": 1.5}]}, r"steps\.0\.q: .* less than or equal to 1, not 1\.5"),
        ({"steps": [{"text": "a", "q": float("nan")}]}, r"steps\.0\.q: .*, not nan"),
        ({"steps": [{"text": "a"}]}, r"steps\.0\.q must be given\."),
        ({"steps": None}, "steps: .*, not None"),
        ({"steps": [{"text": None, "q": 0.0}]}, r"steps\.0\.text: .*, not None"),
        ({"steps": [{"text": "a", "q": True}]}, r"steps\.0\.q: .* valid number, not True"),
        ({"steps": [{"text": "a", "q": "0.5"}]}, r"steps\.0\.q: .* valid number, not '0\.5'"),
        (
            {"prompt": [{"role": "robot", "content": "hi"}]},
            r"prompt\.messages\.0\.role: .* 'assistant' .*, not 'robot'",
        ),
        ({"prompt": []}, "not a training example: prompt"),
        ({"correct": "true"}, "correct: .* boolean, not 'true'"),
    ],
)
def test_lines_that_are_no_examples(tiny: Path, write: Write, change: dict[str, Any], match: str) -> None:
    path = write("e.jsonl", [example(1), example(2) | change])
    with pytest.raises(RecordError, match=match) as error:
        encode_files(encoder(tiny), [path], [], 256)
    assert "e.jsonl:2" in str(error.value)


def test_values_stand_where_the_engine_reads_them_whatever_names_the_end_of_a_turn(tmp_path: Path) -> None:
    """As with Gemma: the tokenizer's end of text does not end a turn, what `generation_config.json` names does."""
    folder = make_checkpoint(tmp_path, "llama", max_position_embeddings=512)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    tokenizer.chat_template = TEMPLATE.replace("</s>", "~")
    tokenizer.save_pretrained(folder)
    ends = [tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("~")]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": ends}))
    prompt = Conversation((Message("user", "1?"),))
    made = Example("q/0.0", "1?", prompt, (ExampleStep("It is 1.", 1.0),), True)
    (tmp_path / "examples.jsonl").write_text(json.dumps(EXAMPLES.dump(made)) + "\n")
    files = {"examples": [str(tmp_path / "examples.jsonl")], "max_length": 512}
    rows, _, _ = load_rows(settings(model_dir=str(folder), **files), inspect(folder))
    (sequence,) = rows[0][0].sequences
    seen_by_engine = load_codec(folder).encode_prompt(prompt.followed_by(Message("assistant", "It is 1.")))
    assert tuple(sequence.ids[: min(sequence.values) + 1]) == seen_by_engine
    assert tokenizer.decode([int(token) for token in sequence.labels if token != IGNORED]) == "It is 1.~"
