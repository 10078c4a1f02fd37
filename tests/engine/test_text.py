"""Tokens and text: seams, stop strings, characters that span several tokens."""

from __future__ import annotations

import asyncio
import json
import random
from pathlib import Path
from typing import Any

import pytest
from tiny_models import character_tokenizer, make_checkpoint
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.spec import AdapterOptions
from mcts_math.engine.tokenizer import Codec, load_codec
from mcts_math.errors import EngineError, RefusedError
from mcts_math.messages import Conversation, Message, Prompt, Sampling
from mcts_math.requests import Adapt, Evaluate, Generate, Generation, LossTerm

TEXTS = [
    "<step>\n<p>\nAdd 1 and 2.\n</p>\n<code>\n```python\nprint(1 + 2)\n```\n</code>",
    "naïve 한국어 🧮 ∑ x²",
    "the the the",
]


def byte_level() -> Codec:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=["<|end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS * 4, trainer)
    return Codec(PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>"))


def sentencepiece_like() -> Codec:
    """As Llama 2: words with a leading mark, unknown characters as bytes, the decoder strips the first space."""
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdehlortw<>/.,12+= ", "▁a"]
    merges = [("▁", "a")]
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return Codec(PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>"))


CODECS = {"bytes": byte_level, "sentencepiece": sentencepiece_like, "characters": lambda: Codec(character_tokenizer())}


@pytest.mark.parametrize("name", ["bytes", "sentencepiece"])
def test_a_continuation_joins_its_prompt_without_a_seam(name: str) -> None:
    codec = CODECS[name]()
    for text in (*TEXTS, " a  world, after a space", "\n\nnew lines"):
        ids = codec.encode(text)
        for cut in range(1, len(ids)):
            prompt = codec.decode(ids[:cut])
            if "\ufffd" not in prompt:
                assert prompt + codec.continuation(ids[:cut], ids[cut:]) == codec.decode(ids)


@pytest.mark.parametrize("name", list(CODECS))
@pytest.mark.parametrize("stop", [("</code>", "\n</code>"), (" a",), ("한",), ("e", "he"), ("²", "🧮"), ("\n",)])
def test_stop_strings_are_found_at_the_token_that_completes_them(name: str, stop: tuple[str, ...]) -> None:
    codec = CODECS[name]()
    matcher, rng = codec.matcher(stop), random.Random(0)
    prompt = codec.encode("abc")
    plausible = [token for text in TEXTS for token in codec.encode(text + " a hello </code>")]
    for _ in range(30):
        ids: list[int] = []
        for _ in range(60):
            ids.append(rng.choice(plausible))
            text = codec.continuation(prompt, ids)
            found = [text.find(string) for string in stop if string in text]
            assert matcher.text_before(prompt, ids) == (text[: min(found)] if found else None)
            if found:
                break


def test_a_stop_string_of_the_prompt_does_not_count() -> None:
    codec = byte_level()
    prompt = codec.encode("x</co")
    assert codec.matcher(("</code>",)).text_before(prompt, codec.encode("de>")) is None


def test_an_empty_prompt_begins_with_the_token_that_begins_texts() -> None:
    assert byte_level().encode("") == (0,)
    with pytest.raises(EngineError, match="empty"):
        Codec(PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE({"a": 0}, [])))).encode("")


def test_truncation_and_padding_of_the_tokenizer_file_are_not_obeyed() -> None:
    tokenizer = character_tokenizer()
    tokenizer.backend_tokenizer.enable_truncation(4)
    tokenizer.backend_tokenizer.enable_padding(length=50)
    assert len(Codec(tokenizer).encode("abcdefgh")) == 9


def test_a_token_that_the_model_does_not_embed_costs_its_question_alone(tmp_path: Path) -> None:
    """As where tokens were added to a tokenizer, and the model was not resized."""
    folder = make_checkpoint(tmp_path / "model", "llama")
    tokenizer = character_tokenizer()
    tokenizer.add_tokens(["<tool>"])
    tokenizer.chat_template = "{% for m in messages %}{{ m.content }}{% endfor %}"
    tokenizer.save_pretrained(folder)
    short = Sampling(0.7, max_tokens=3)
    bad: list[Prompt] = ["1 <tool> 2", Conversation((Message("user", "<tool>"),))]

    async def scene() -> None:
        engine = HFEngine.load(folder, device="cpu", need_value=True, adapter=AdapterOptions())
        asked = [engine.generate(Generate(prompt, 1, short, 0)) for prompt in (*bad, "1 tool 2")]
        asked += [engine.evaluate(Evaluate(prompt)) for prompt in bad]  # type: ignore[misc]
        terms = LossTerm("1 + 1 = ", "<tool>"), LossTerm("<tool>", "2")
        asked += [engine.adapt(Adapt("s", (term,), 0)) for term in terms]  # type: ignore[misc]
        replies = await asyncio.gather(*asked, return_exceptions=True)
        for i, reply in enumerate(replies):
            if i == 2:
                assert isinstance(reply, Generation)
            else:
                assert isinstance(reply, RefusedError)
                assert "'<tool>' (number 99), but the model embeds 99 tokens only" in str(reply)
        assert (await engine.generate(Generate("1", 1, short, 0))).samples
        await engine.close()

    asyncio.run(scene())
    with pytest.raises(RefusedError, match="embeds 99 tokens only"):  # for engines that know the folder alone
        load_codec(folder).encode("<tool>")
    assert load_codec(folder, 100).encode("<tool>") == (0, 99)


def test_the_ends_of_samples_are_all_that_the_files_name(tmp_path: Path) -> None:
    character_tokenizer().save_pretrained(tmp_path)
    config: dict[str, Any] = {"eos_token_id": 5, "text_config": {"eos_token_id": [6, 7], "vocab_size": 90}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [8]}))
    assert load_codec(tmp_path).eos_ids == {1, 5, 6, 7, 8}
    with pytest.raises(RefusedError, match="embeds 90 tokens only"):
        load_codec(tmp_path).encode("~")
