"""How each family of reward models reads a question and steps. Places to be scored are where the layout put its
marks: what a policy writes can't move one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from mcts_math.engine.tokenizer import require_text
from mcts_math.errors import CheckpointError, RefusedError, boundary

HeadKind: TypeAlias = Literal["labels", "value", "words", "logit"]
"""What makes a probability of the hidden state at a place: softmax over two labels, sigmoid of the weights `v_head`,
softmax over two words of the vocabulary, sigmoid of one logit."""

_SYSTEM: Final = "Please reason step by step, and put your final answer within \\boxed{}."


@dataclass(frozen=True, slots=True)
class Encoded:
    """A solution as tokens. `places` are the positions whose hidden states are scored, one for each step, in order."""

    ids: tuple[int, ...]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    head: HeadKind  # what scores a place
    # tokens and places of a solution, of a question and at least one step; raises RefusedError where it can't be read
    encode: Callable[[str, Sequence[str]], Encoded]
    words: tuple[int, ...] = ()  # the tokens for good and bad, in this order; () where the head needs none
    mark: int | None = None  # the token that ends each step; None where there is no such token


def _qwen(tokenizer: Any, separator: str) -> Layout:
    """Qwen2.5-Math-PRM (arXiv 2501.07301): the model's chat template, and `<extra_0>` (`separator`) behind each step
    of the reply; softmax over two labels there, of which label 1 is the good one."""
    mark = _only_token(tokenizer, separator)
    _require_template(tokenizer)

    def encode(question: str, steps: Sequence[str]) -> Encoded:
        reply, ends = "", list[int]()
        for step in steps:
            reply += step.strip() + separator
            ends.append(len(reply))
        system = {"role": "system", "content": _SYSTEM}
        text = _render(tokenizer, [system, _user(question), {"role": "assistant", "content": reply}])
        begin = text.rfind(reply)
        if begin < 0:
            raise RefusedError("the chat template of the reward model changes what a solution says; use another layout")
        return _at(tokenizer, text, [begin + end - 1 for end in ends], mark)

    return Layout("labels", encode, mark=mark)


def _skywork(tokenizer: Any, separator: str) -> Layout:
    """Skywork-o1-Open-PRM: question, line break, then each step and a line break; sigmoid(w·h + b) by the weights
    `v_head` there."""
    mark = _only_token(tokenizer, separator)

    def encode(question: str, steps: Sequence[str]) -> Encoded:
        ids, places = list(_tokens(tokenizer, (tokenizer.bos_token or "") + question + "\n")), list[int]()
        for step in steps:
            ids += [*_tokens(tokenizer, step), mark]
            places.append(len(ids) - 1)
        return Encoded(tuple(ids), tuple(places))

    return Layout("value", encode, mark=mark)


def _shepherd(tokenizer: Any, separator: str) -> Layout:
    """Math-Shepherd (arXiv 2312.08935): the question, then the steps, each with the tag ` ки` behind it. Softmax
    over the logits of `+` and `-` there."""
    tag = " " + separator.strip()
    mark = _last_token(tokenizer, "a" + tag, len(tag) - 1, "separator")

    def encode(question: str, steps: Sequence[str]) -> Encoded:
        text, ends = question + " ", list[int]()
        for step in steps:
            text += ("\n" if ends else "") + step.strip() + tag
            ends.append(len(text) - 1)
        return _at(tokenizer, text, ends, mark, as_prompt=True)

    return Layout("words", encode, _good_and_bad(tokenizer), mark)


def _rlhflow(tokenizer: Any, separator: str) -> Layout:
    """RLHFlow's reward models: the user says a step (the first one behind the question), the assistant answers `+`
    or `-`. Softmax over their logits at the token before. Of an outcome reward model the whole solution is one step."""
    _require_template(tokenizer)
    words = _good_and_bad(tokenizer)

    def encode(question: str, steps: Sequence[str]) -> Encoded:
        turns, ends = list[dict[str, str]](), list[int]()
        for step in steps:
            turns.append(_user(step if turns else f"{question} {step}"))
            ends.append(len(_render(tokenizer, turns, answer=True)))
            turns.append({"role": "assistant", "content": "+"})
        at = _at(tokenizer, _render(tokenizer, turns), ends, words[0])
        return Encoded(at.ids, tuple(place - 1 for place in at.places))

    return Layout("words", encode, words)


def _sequence(tokenizer: Any, separator: str) -> Layout:
    """A model for sequence classification with one logit: sigmoid of it at the last token of the conversation."""
    _require_template(tokenizer)

    def encode(question: str, steps: Sequence[str]) -> Encoded:
        reply = {"role": "assistant", "content": "\n".join(steps)}
        ids = _tokens(tokenizer, _render(tokenizer, [_user(question), reply]))
        return Encoded(ids, (len(ids) - 1,))

    return Layout("logit", encode)


LAYOUTS: Final[Mapping[str, tuple[Callable[[Any, str], Layout], str]]] = {
    "qwen": (_qwen, "<extra_0>"),
    "skywork": (_skywork, "\n"),
    "shepherd": (_shepherd, "ки"),
    "rlhflow": (_rlhflow, ""),
    "sequence": (_sequence, ""),
}
"""By name: how it is made of a tokenizer and a separator, and its separator where none is given."""


def make_layout(name: str, tokenizer: Any, separator: str | None = None) -> Layout:
    """The layout of a name, tried out on two steps. Raises CheckpointError where the tokenizer is not one for it."""
    make, usual = LAYOUTS[name]
    if not tokenizer.is_fast:
        raise CheckpointError("the reward model's tokenizer does not tell where tokens stand (no tokenizer.json)")
    layout = make(tokenizer, usual if separator is None else separator)
    try:
        layout.encode("How much is 1 + 1?", ["1 + 1 is 2.", "The answer is 2."])
    except RefusedError as error:
        raise CheckpointError(f"layout {name} does not fit the reward model: {error}") from error
    return layout


def _tokens(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Tokens of a text without any that the tokenizer would add."""
    require_text(text)
    return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])


def _user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _render(tokenizer: Any, turns: list[dict[str, str]], *, answer: bool = False) -> str:
    """A conversation as text; with `answer` up to where the assistant's next turn begins."""
    with boundary("the chat template of the reward model refuses a solution", RefusedError):
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=answer))


def _at(tokenizer: Any, text: str, ends: list[int], mark: int | None, *, as_prompt: bool = False) -> Encoded:
    """The tokens of a text, and the places of those that hold the characters at `ends` (ascending); `as_prompt` adds
    special tokens. Raises RefusedError where one is not the mark: the tokenizer has joined it with its neighbours."""
    require_text(text)
    found = tokenizer(text, add_special_tokens=as_prompt, return_offsets_mapping=True)
    ids, places, position = found["input_ids"], list[int](), 0
    for end in ends:
        while found["offset_mapping"][position][1] <= end:
            position += 1
        places.append(position)
    for place in places:
        if ids[place] != mark:
            told = f"joins the end of a step with what stands beside it ({tokenizer.decode([ids[place]])!r})"
            raise RefusedError(f"the reward model's tokenizer {told}, so that the step can't be scored")
    return Encoded(tuple(ids), tuple(places))


def _require_template(tokenizer: Any) -> None:
    if not tokenizer.chat_template:
        remedy = "add one (chat_template.jinja), or set another layout in value_args"
        raise CheckpointError(f"the reward model has no chat template, which its layout needs; {remedy}")


def _only_token(tokenizer: Any, separator: str) -> int:
    """The token that a separator is. Raises CheckpointError where it is none, or several."""
    ids = tokenizer(separator, add_special_tokens=False)["input_ids"] if separator else []
    if len(ids) != 1 or ids[0] == tokenizer.unk_token_id:
        raise CheckpointError(_not_one(separator, "separator", len(ids)))
    return int(ids[0])


def _last_token(tokenizer: Any, text: str, length: int, what: str) -> int:
    """The token that ends a text, which must hold the last `length` characters and no others that are no spaces."""
    found = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids, (begin, end) = found["input_ids"], found["offset_mapping"][-1]
    if ids[-1] == tokenizer.unk_token_id or text[begin:end].strip() != text[len(text) - length :]:
        raise CheckpointError(_not_one(text[len(text) - length :], what, max(2, len(ids) - 1)))
    return int(ids[-1])


def _good_and_bad(tokenizer: Any) -> tuple[int, ...]:
    return _last_token(tokenizer, "+", 1, "good word"), _last_token(tokenizer, "-", 1, "bad word")


def _not_one(text: str, what: str, number: int) -> str:
    return (
        f"the {what} {text!r} is not one token of the reward model's tokenizer (it makes {number}, or an unknown one). "
        "Is it a checkpoint of another family? Set layout, and separator where it has another one, in value_args"
    )
