"""A checkpoint's tokenizer: from text to tokens and back, and where a sample ends.

What a sample writes continues its prompt to the letter: no space is stripped or added at the seam, and special tokens
stay visible as text, so that the prompt of the next step is read as the model wrote it. A stop string is searched for
only when a token arrives that can complete one, and then in the last few tokens only.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from mcts_math.engine import checkpoint as checkpoints
from mcts_math.engine.chat_template import ChatTemplate
from mcts_math.errors import CheckpointError, RefusedError, boundary
from mcts_math.messages import Prompt, half_character
from mcts_math.requests import LossTerm

_SEAM_TOKENS = 8  # of the prompt, decoded together with the sample: decoders treat the start of a text specially
_BROKEN = "\ufffd"  # how a decoder shows bytes that are no complete character (yet)


class Codec:
    def __init__(self, tokenizer: Any, eos_ids: Sequence[int] = (), num_embeddings: int | None = None) -> None:
        """`tokenizer` is of transformers; one on the `tokenizers` library ("fast") is asked directly. `eos_ids` end a
        sample beside its own. `num_embeddings`: rows of the model's embedding; None where they are not known, and so
        not checked."""
        self._tokenizer = tokenizer
        self._num_embeddings = num_embeddings
        self._backend = getattr(tokenizer, "backend_tokenizer", None)
        if self._backend is not None:
            self._backend.no_truncation()
            self._backend.no_padding()
        own = () if tokenizer.eos_token_id is None else (tokenizer.eos_token_id,)
        self.eos_ids = frozenset((*own, *eos_ids))  # tokens that end a sample
        vocabulary = tokenizer.get_vocab()
        if not vocabulary:
            raise CheckpointError("the checkpoint's tokenizer has an empty vocabulary")
        self.vocab_size = max(vocabulary.values()) + 1  # one more than the highest token id
        self.chat = ChatTemplate(tokenizer, self._encode_rendered, self.decode, self.eos_ids)
        self.matcher = cache(partial(StopMatcher, self))  # the one for some stop strings
        self.pieces = cache(self._pieces)

    def encode(self, text: str) -> tuple[int, ...]:
        """Tokens of a prompt, with the special tokens that the tokenizer adds to plain text (BOS where it has one).
        Raises RefusedError where the text has half a surrogate pair, no tokens at all, or one that the model does not
        know."""
        require_text(text)
        ids = self._tokenizer(text)["input_ids"] if self._backend is None else self._backend.encode(text).ids
        return self._require_embedded(tuple(ids)) or self._start()

    def render(self, prompt: Prompt) -> str:
        """A prompt as text: a conversation in the form of the model's own chat template. Raises EngineError where there
        is none, or it refuses the conversation."""
        return prompt if isinstance(prompt, str) else self.decode(self.chat.encode(prompt))

    def encode_prompt(self, prompt: Prompt) -> tuple[int, ...]:
        """Tokens of a prompt; a rendered conversation brings its special tokens along and gets no others."""
        return self.encode(prompt) if isinstance(prompt, str) else self.chat.encode(prompt)

    def opening(self, prompt: Prompt) -> str:
        """What of the assistant's turn stands before the sample that a prompt asks for; "" for a text."""
        return "" if isinstance(prompt, str) else self.chat.opening(prompt)

    def _encode_rendered(self, text: str) -> tuple[int, ...]:
        require_text(text)
        return self._require_embedded(tuple(self._tokenizer(text, add_special_tokens=False)["input_ids"]))

    def _require_embedded(self, ids: tuple[int, ...]) -> tuple[int, ...]:
        """The tokens; an error where the model has no embedding for one, as where a tokenizer was given more tokens."""
        if self._num_embeddings is not None and ids and max(ids) >= self._num_embeddings:
            raise RefusedError(
                f"the prompt has the token {self.decode([max(ids)])!r} (number {max(ids)}), but the model embeds "
                f"{self._num_embeddings} tokens only; use its own tokenizer (or model.resize_token_embeddings)"
            )
        return ids

    def encode_term(self, term: LossTerm) -> tuple[tuple[int, ...], int]:
        """Tokens of prompt and completion together, and where the completion begins.

        A user's turn is closed as the template closes it, and begins where the tokens of the prompt end: with the end
        of the assistant's turn. A token that holds characters of both counts to the completion. Raises RefusedError
        where the completion has no tokens, or the model's template can't show it.
        """
        prompt, completion = term.prompt, term.completion
        if isinstance(prompt, str):
            before, whole = self.encode(prompt), self.encode(prompt + completion)
        else:
            before, whole = self.chat.encode_completion(prompt, completion.strip())  # templates strip it too
        start = common_prefix(before, whole)
        if start == len(whole):
            raise RefusedError(f"a completion to learn from has no tokens: {completion!r}")
        return whole, max(start, 1)  # nothing predicts the first token of all

    def encode_reply(self, prompt: Prompt, text: str) -> tuple[tuple[int, ...], int]:
        """Tokens of a prompt and of the model's whole reply, the token that ends it included, and where it begins.
        Raises RefusedError where the reply has no tokens, the template can't show it, or no token ends it."""
        tokens, start = self.encode_term(LossTerm(prompt, text))
        end = self._tokenizer.eos_token_id if isinstance(prompt, str) else self.chat.end_of_reply(prompt, text)
        if end is None:
            raise RefusedError("the model's tokenizer or template has no token that ends a reply, as training needs")
        return (*tokens, end), start

    def decode(self, ids: Sequence[int]) -> str:
        if self._backend is not None:
            return str(self._backend.decode(ids, skip_special_tokens=False))
        return str(self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))

    def continuation(self, prompt: Sequence[int], ids: Sequence[int]) -> str:
        """What `ids` add to the text of `prompt`."""
        if not ids:
            return ""
        seam = list(prompt[-_SEAM_TOKENS:])
        before, text = self.decode(seam), self.decode([*seam, *ids])
        # Bytes that are no character can swallow the character before them; then the sample speaks for itself.
        return text[len(before) :] if text.startswith(before) else self.decode(ids)

    def _pieces(self) -> list[str]:
        """The text that each token adds in the middle of a text; it takes a while."""
        lead = self.encode("a")[-1:]
        skip = len(self.decode(lead))
        return [self.decode([*lead, token])[skip:] for token in range(self.vocab_size)]

    def _start(self) -> tuple[int, ...]:
        """What stands for an empty text: the token that texts begin with, or the one that parts them."""
        for token in (self._tokenizer.bos_token_id, self._tokenizer.eos_token_id):
            if token is not None:
                return (int(token),)
        raise RefusedError("the prompt is empty, and the tokenizer has no token to begin a text with")


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    shorter = min(len(one), len(other))
    if tuple(one[:shorter]) == tuple(other[:shorter]):
        return shorter
    return next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)


def require_text(text: str) -> None:
    if (position := half_character(text)) is not None:
        raise RefusedError(
            f"character {position} of the prompt is half of a surrogate pair: {text[position]!r}; remove it"
        )


class StopMatcher:
    """Finds the first of some stop strings in what a sample has written."""

    def __init__(self, codec: Codec, stop: tuple[str, ...]) -> None:
        self._codec = codec
        self._stop = stop
        last = {string[-1] for string in stop}
        # Only a token with the last character of a stop string in it can complete one. Bytes of a character that spans
        # several tokens show as broken: any of them may.
        self._triggers = (
            frozenset(i for i, piece in enumerate(codec.pieces()) if _BROKEN in piece or last & set(piece))
            if stop
            else frozenset[int]()
        )
        # Up to four tokens a character, and a few for the decoder to settle.
        self._tail = 4 * max((len(string) for string in stop), default=0) + 4

    def text_before(self, prompt: Sequence[int], ids: Sequence[int]) -> str | None:
        """The text of `ids` before the first stop string, if the last token has completed one; else None."""
        if ids[-1] not in self._triggers:
            return None
        if len(ids) > self._tail and not self._find(self._codec.decode(ids[-self._tail :])):
            return None
        text = self._codec.continuation(prompt, ids)
        found = self._find(text)
        return text[: min(found)] if found else None

    def _find(self, text: str) -> list[int]:
        return [at for at in map(text.find, self._stop) if at >= 0]


def load_tokenizer(folder: Path) -> Any:
    """The checkpoint's tokenizer. Raises CheckpointError where transformers can't load it."""
    from transformers import AutoTokenizer

    with boundary(f"transformers can't load the tokenizer in {folder}", CheckpointError):
        return AutoTokenizer.from_pretrained(folder)


def load_codec(folder: Path, num_embeddings: int | None = None) -> Codec:
    """Tokenizer and ends of samples of a model folder. `num_embeddings`: None: what `config.json` says."""
    return Codec(load_tokenizer(folder), eos_ids(folder), num_embeddings or vocab_size(folder) or None)


def vocab_size(folder: Path) -> int:
    """Rows of the model's vocabulary by `config.json`, those of no token included; 0 where it does not say."""
    config = checkpoints.read_config(folder)
    return int(config.get("vocab_size") or (config.get("text_config") or {}).get("vocab_size") or 0)


def eos_ids(folder: Path) -> list[int]:
    """Tokens that `generation_config.json` and `config.json` say end a sample."""
    found: list[int] = []
    config, file = checkpoints.read_config(folder), folder / "generation_config.json"
    generation = checkpoints.read_object(file) if file.exists() else {}
    for content in (generation, config, config.get("text_config") or {}):
        eos = content.get("eos_token_id")
        found.extend(eos if isinstance(eos, list) else [] if eos is None else [eos])
    return found
