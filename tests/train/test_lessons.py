"""Feedback as tokens: text and conversations, with the ends of turns."""

from __future__ import annotations

import pytest
from tiny_models import character_tokenizer

from mcts_math.engine.tokenizer import Codec
from mcts_math.errors import RefusedError
from mcts_math.messages import Conversation, Message, Piece
from mcts_math.step import Verdict
from mcts_math.train.feedback import Feedback, encode_lesson

TEMPLATE = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}[assistant]{% endif %}"
)


def shown(codec: Codec, ids: tuple[int, ...]) -> str:
    return codec.decode(ids)


def test_a_text_ends_with_the_end_of_sequence() -> None:
    codec = Codec(character_tokenizer())
    line = Feedback("q/0", "1+1=", "It is 2.", "1+1=3.", "No.\n", Verdict.INCORRECT)
    example = encode_lesson(codec, line, with_attempts=True)
    assert shown(codec, example.conversation) == "<s>1+1=3.No.\n"
    assert shown(codec, example.target) == "<s>1+1=It is 2.</s>"
    assert shown(codec, example.target[example.start :]) == "It is 2.</s>"
    assert encode_lesson(codec, line, with_attempts=False).conversation == ()


def test_a_conversation_is_closed_as_its_template_closes_it() -> None:
    """The attempt stands as the very tokens that were sampled, here one that the tokenizer would not make."""
    tokenizer = character_tokenizer()
    tokenizer.chat_template = TEMPLATE
    codec = Codec(tokenizer)
    question = Conversation((Message("user", "1+1?"),))
    end = int(tokenizer.eos_token_id)
    sampled = (*codec.encode("3")[1:], end)
    attempt = question.followed_by(Message("assistant", "3", written=(Piece("3", sampled),)))
    line = Feedback("q/0", question, "It is 2.", attempt, "No.", Verdict.INCORRECT)
    example = encode_lesson(codec, line, with_attempts=True)
    assert shown(codec, example.conversation) == "[user]1+1?</s>[assistant]3</s>[user]No.</s>"
    assert shown(codec, example.target) == "[user]1+1?</s>[assistant]It is 2.</s>"
    assert shown(codec, example.target[example.start :]) == "It is 2.</s>"


def test_a_template_without_an_end_is_refused() -> None:
    tokenizer = character_tokenizer()
    tokenizer.chat_template = TEMPLATE.replace("</s>", "\n")
    line = Feedback("q/0", Conversation((Message("user", "1+1?"),)), "It is 2.")
    with pytest.raises(RefusedError, match="no token that ends a reply"):
        encode_lesson(Codec(tokenizer), line, with_attempts=False)
