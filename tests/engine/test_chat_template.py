"""Conversations as tokens: what was sampled stays as it was sampled, and the template shows the rest."""

from __future__ import annotations

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mcts_math.engine.tokenizer import Codec
from mcts_math.errors import EngineError, RefusedError
from mcts_math.formats.chat_tools import PYTHON
from mcts_math.formats.replies import read_reply
from mcts_math.messages import Conversation, Message, Piece, ToolCall, text_of
from mcts_math.requests import LossTerm

USER = Message("user", "What is 2+2?")
CALL = ToolCall(PYTHON.name, json.dumps({"code": 'print(2+2)\nx = "a"'}), "call00000")
THOUGHT = "Let me think.\nIt is hard."
TAGS = re.compile(r"<\|?[a-zA-Z_|｜▁/]+[0-9]*\|?>|<｜[^<>]*｜>|\[/?[A-Z_]+\]")


def codec_of(template: str, *ends: str) -> Codec:
    """A tokenizer of bytes, with a token for each tag of a template; `ends` end a turn."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({character: i for i, character in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<bos>", eos_token=ends[0])
    fast.add_special_tokens({"additional_special_tokens": sorted({*TAGS.findall(template), *ends[1:]} - {ends[0]})})
    fast.chat_template = template
    return Codec(fast, [int(fast.convert_tokens_to_ids(end)) for end in ends])


def written(codec: Codec, talk: Conversation, turn: Message) -> Message:
    """A turn as a model writes it that writes as its template shows, and as we read it then."""
    asks, closed = (codec.chat.render(each, end) for each, end in ((talk, "asks"), (talk.followed_by(turn), "closed")))
    assert closed.startswith(asks)
    ids = codec._encode_rendered(closed[len(asks) :])
    end = next((i for i, token in enumerate(ids) if token in codec.eos_ids), len(ids) - 1)
    text = codec.decode(ids[:end])
    return replace(read_reply(text, codec.opening(talk)), written=(Piece(text, ids[: end + 1]),))


# Of trl's templates: the name, the tokens that end a turn, and whether the template shows thoughts, or calls.
REAL = [
    ("qwen2_5", ["<|im_end|>"], False, True),
    ("qwen3", ["<|im_end|>"], True, True),
    ("qwen3_instruct_2507", ["<|im_end|>"], False, True),
    ("qwen3_5_think", ["<|im_end|>"], True, True),
    ("qwen3_6", ["<|im_end|>"], True, True),
    ("qwen3_8", ["<|im_end|>"], True, True),
    ("llama3", ["<|eot_id|>"], False, False),
    ("llama3_1", ["<|eot_id|>", "<|eom_id|>"], False, True),
    ("llama3_2", ["<|eot_id|>", "<|eom_id|>"], False, True),
    ("gptoss", ["<|return|>", "<|call|>"], True, True),
    ("gemma", ["<end_of_turn>"], False, False),
    ("gemma3", ["<end_of_turn>"], False, False),
    ("gemma4", ["<turn|>", "<|tool_response>"], False, True),
    ("gemma4_v5", ["<turn|>", "<|tool_response>"], True, True),
    ("lfm2_2_5", ["<|im_end|>"], True, True),
    ("phi3", ["<|end|>"], False, False),
    ("cohere", ["<|END_OF_TURN_TOKEN|>"], False, False),
    ("nemotron_3_nano", ["<|im_end|>"], True, True),
]


def real_template(name: str) -> str:
    spec = importlib.util.find_spec("trl")
    if spec is None or spec.origin is None:
        pytest.skip("the package trl, whose templates are tried, is not installed (pip install trl)")
    return (Path(spec.origin).parent / "chat_templates" / f"{name}.jinja").read_text()


@pytest.mark.parametrize(("name", "ends", "thinks", "calls"), REAL)
def test_a_conversation_grown_turn_by_turn_has_the_template_s_own_tokens(
    name: str, ends: list[str], thinks: bool, calls: bool
) -> None:
    codec = codec_of(real_template(name), *ends)
    thought = THOUGHT if thinks else ""
    talk = Conversation((USER,), (PYTHON,) if calls else ())
    plain = talk  # the same as the template alone has it
    if calls:
        call = Message("assistant", "", thought, (CALL,))
        turn, answer = written(codec, talk, call), Message("tool", "4", call_id=CALL.id)
        (read,) = turn.calls
        assert (turn.thought, read.name, json.loads(read.arguments)) == (thought, CALL.name, json.loads(CALL.arguments))
        talk, plain = talk.followed_by(turn, answer), plain.followed_by(call, answer)
        assert codec.encode_prompt(talk) == codec.encode_prompt(plain)
    # Thoughts that the template leaves out of earlier turns are left out here too.
    reply = Message("assistant", "It is 4.", thought)
    turn = written(codec, Conversation((USER,)), reply)
    assert (turn.content, turn.thought, turn.calls) == ("It is 4.", thought, ())
    for said in ("Your answer is incorrect.", "Once more."):
        talk, plain = talk.followed_by(turn, Message("user", said)), plain.followed_by(reply, Message("user", said))
        assert codec.encode_prompt(talk) == codec.encode_prompt(plain)


@pytest.mark.parametrize(("name", "ends", "thinks", "calls"), REAL)
def test_feedback_is_tokenised_as_the_template_shows_it(name: str, ends: list[str], thinks: bool, calls: bool) -> None:
    codec, text = codec_of(real_template(name), *ends), "Your answer is incorrect."
    turn = written(codec, Conversation((USER,)), Message("assistant", "It is 4.", THOUGHT if thinks else ""))
    talk = Conversation((USER, turn))
    tokens, start = codec.encode_term(LossTerm(talk, text))
    assert text in codec.decode(tokens[start:])
    whole = codec.chat.render(talk.followed_by(Message("user", text)), "closed")
    assert whole.endswith(codec.decode(tokens[start:]))  # with the ends of both turns
    assert turn.content not in codec.decode(tokens[start:])  # else the wrong attempt would be learnt
    assert tokens[:start] == codec.encode_prompt(talk)
    assert whole == codec.decode(tokens) or turn.written[0].text in codec.decode(tokens)
    # A reflection follows: the assistant's next turn.
    asked = talk.followed_by(Message("user", "What went wrong?"))
    tokens, start = codec.encode_term(LossTerm(asked, "I erred."))
    assert codec.decode(tokens[start:]) == "I erred."
    assert tokens[:start] == codec.encode_prompt(asked)


CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
    "{% if m.role == 'assistant' and m.reasoning_content and loop.last %}<think>\n{{ m.reasoning_content }}\n</think>\n"
    "{% endif %}{{ m.content | trim }}"
    "{% for c in m.tool_calls or [] %}<tool_call>\n{{ c.function | tojson }}\n</tool_call>{% endfor %}"
    "<|im_end|>\n{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system here') }}{% endif %}" + CHATML
SILENT = CHATML.replace("{% for m in messages %}", "{% for m in messages if m.role != 'system' %}")


def sampled(codec: Codec, text: str, *, ended: bool = True, thought: str = "") -> Message:
    """A turn of single bytes, as no tokenizer with merges would cut it."""
    ids = tuple(token for character in text for token in codec._encode_rendered(character))
    message = read_reply(text)
    end = (next(iter(codec.eos_ids)),) if ended else ()
    return replace(message, written=(Piece(text, (*ids, *end)),))


def test_what_was_sampled_is_continued_to_the_token() -> None:
    codec = codec_of(CHATML, "<|im_end|>")
    odd = tuple(reversed(codec._encode_rendered("abc")))
    turn = Message(
        "assistant", "cba", written=(Piece("cba", odd), Piece("\n```output\n1\n```\n"), Piece("d", (68, 69)))
    )
    before = codec.encode_prompt(Conversation((USER,)))
    ids = codec.encode_prompt(Conversation((USER, turn)))
    assert ids == (*before, *odd, *codec._encode_rendered("\n```output\n1\n```\n"), 68, 69)
    assert codec.opening(Conversation((USER, turn))) == "<|im_start|>assistant\n" + text_of(turn.written)


def test_an_end_of_turn_is_left_out_where_the_turn_goes_on() -> None:
    codec = codec_of(CHATML, "<|im_end|>")
    turn = sampled(codec, "code")
    (piece,) = turn.written
    goes_on = Conversation((USER, turn)).going_on((Piece("out"),))
    assert codec.render(goes_on).endswith("<|im_start|>assistant\ncodeout")
    assert codec.render(Conversation((USER, turn, USER))).count("<|im_end|>") == 3
    cut = replace(turn, written=(Piece(piece.text, piece.tokens[:-1]),))  # by its length, or by a stop string
    assert codec.encode_prompt(Conversation((USER, cut, USER))) == codec.encode_prompt(Conversation((USER, turn, USER)))


def test_another_end_than_the_template_s_is_replaced() -> None:
    codec = codec_of(CHATML, "<|im_end|>", "<|other|>")
    other = int(codec._tokenizer.convert_tokens_to_ids("<|other|>"))
    (piece,) = sampled(codec, "It is 4.", ended=False).written
    turn = Message("assistant", "It is 4.", written=(replace(piece, tokens=(*piece.tokens, other)),))
    assert "It is 4.<|im_end|>\n<|im_start|>user" in codec.render(Conversation((USER, turn, USER)))


def test_a_call_shown_in_another_way_keeps_the_token_that_ended_it() -> None:
    """Of calls some models have an end of their own; the template may show the JSON of the call with other spaces."""
    template = CHATML.replace("<|im_end|>\n{% endfor", "{{ '<|call|>' if m.tool_calls else '<|im_end|>' }}\n{% endfor")
    codec = codec_of(template, "<|im_end|>", "<|call|>")
    text = '<tool_call>\n{"name":"python_interpreter","arguments":{"code":"1"}}\n</tool_call>'
    ids = (*codec._encode_rendered(text), int(codec._tokenizer.convert_tokens_to_ids("<|call|>")))
    turn = replace(read_reply(text), written=(Piece(text, ids),))
    assert turn.calls
    prompt = codec.encode_prompt(Conversation((USER, turn, Message("tool", "1", call_id=turn.calls[0].id))))
    before = codec.encode_prompt(Conversation((USER,)))
    assert prompt[: len(before) + len(ids)] == (*before, *ids)
    assert codec.chat.num_rewritten == 0


def test_a_template_that_changes_the_past_is_obeyed_counted_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    codec = codec_of(CHATML, "<|im_end|>")
    turn = sampled(codec, f"<think>\n{THOUGHT}\n</think>\nIt is 4.")
    assert turn.thought == THOUGHT
    for _ in range(2):
        shown = codec.render(Conversation((USER, turn, Message("user", "Wrong."))))
        assert THOUGHT not in shown
        assert "<|im_start|>assistant\nIt is 4.<|im_end|>" in shown
    assert codec.chat.num_rewritten == 2
    assert len(caplog.records) == 1
    assert "rendered anew" in caplog.text


@pytest.mark.parametrize("template", [NO_SYSTEM, SILENT])
def test_a_template_without_system_message_shows_it_with_the_question(template: str) -> None:
    codec = codec_of(template, "<|im_end|>")
    shown = codec.render(Conversation((Message("system", "Be brief."), USER)))
    assert f"<|im_start|>user\nBe brief.\n\n{USER.content}<|im_end|>" in shown


def test_a_template_that_knows_no_tools_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(EngineError, match="chat_code"):
        codec_of(CHATML, "<|im_end|>").encode_prompt(Conversation((USER,), (PYTHON,)))


def test_a_template_that_raises_costs_its_question() -> None:
    codec = codec_of("{{ raise_exception('never') }}", "<|im_end|>")
    with pytest.raises(RefusedError, match="refuses the conversation: never"):
        codec.encode_prompt(Conversation((USER,)))


def test_variables_of_the_template_reach_it() -> None:
    codec = codec_of(CHATML + "{% if enable_thinking is false %}<think>\n\n</think>\n{% endif %}", "<|im_end|>")
    talk = Conversation((USER,), template=(("enable_thinking", False),))
    assert codec.render(talk).endswith("<think>\n\n</think>\n")
    assert not codec.render(Conversation((USER,))).endswith("</think>\n")


def test_a_begin_of_text_stands_once() -> None:
    codec = codec_of("{{ bos_token }}" + CHATML, "<|im_end|>")
    ids = codec.encode_prompt(Conversation((USER, sampled(codec, "4"), USER)))
    assert codec.decode(ids).count("<bos>") == 1


def test_an_answer_names_the_call_before_it_though_ids_come_again() -> None:
    template = (
        "{% for m in messages %}<m>{{ m.role }} {{ m.name }} {{ m.content }}{% endfor %}"
        "{% if tools %}{{ tools[0].function.name }}{% endif %}"
    )
    codec = codec_of(template, "<e>")
    turns = [
        Message("assistant", "a", calls=(ToolCall("other", "{}", "call00000"),)),
        Message("tool", "first", call_id="call00000"),
        Message("assistant", "b", calls=(ToolCall(PYTHON.name, "{}", "call00000"),)),
        Message("tool", "second", call_id="call00000"),
    ]
    shown = codec.chat.render(Conversation((USER, *turns), (PYTHON,)), "asks")
    assert "tool other first" in shown
    assert f"tool {PYTHON.name} second" in shown


def test_half_a_surrogate_pair_that_a_call_spells_is_shown_as_a_replacement() -> None:
    template = (
        "{% for m in messages %}{{ m.content }}"
        "{% for call in m.tool_calls or [] %}{{ call.function.arguments.code }}{% endfor %}{% endfor %}"
    )
    call = Message("assistant", "", calls=(ToolCall(PYTHON.name, '{"code": "\\ud83d"}'),))
    assert codec_of(template, "<e>").chat.encode(Conversation((USER, call, USER)))
