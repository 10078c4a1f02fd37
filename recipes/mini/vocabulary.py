"""The tokenizer: byte-level BPE (lossless on any text); numbers of up to three digits and the tags are one token.

The tags are ordinary added tokens, not special ones: decoding keeps their text, which stop strings and parsers
need. The scaffolding between them (`"\\n</p>\\n<code>\\n```python\\n"`) is one token too, which halves a solution's
length. No token crosses the boundary between `</step>` and the `"\\n"` behind it, nor between that and what follows,
so a prompt that is tokenised alone gives the same tokens as the same text inside a demonstration.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import formats
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

VOCABULARY_SIZE = 2560
CONTEXT = 1024
PAD, BOS, EOS = "<|pad|>", "<|begin|>", "<|end|>"
TAGS = [
    "<question>", "</question>", "<step>", "</step>", "<p>", "</p>", "<code>", "</code>", "```python", "```",
    "<output>", "</output>", "Final Answer:",
    formats.QUESTION_OPEN, formats.QUESTION_CLOSE, formats.STEP_OPEN, formats.CODE_OPEN, formats.CODE_CLOSE,
    formats.OUTPUT_OPEN, formats.OUTPUT_CLOSE, formats.ANSWER_OPEN, formats.ANSWER_CLOSE,
]  # fmt: skip
_PIECES = r"\d{1,3}|\n+| ?[A-Za-z]+| ?[^\sA-Za-z\d]|\s"


def build(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Train the tokenizer on texts; the same texts give the same tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE - len(TAGS),
        special_tokens=[PAD, BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*_numbers(), *texts], trainer)
    tokenizer.add_tokens([AddedToken(tag, normalized=False) for tag in TAGS])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=PAD,
        bos_token=BOS,
        eos_token=EOS,
        clean_up_tokenization_spaces=False,
        model_max_length=CONTEXT,
    )


def _numbers() -> list[str]:
    """Every number of one to three digits, often enough that each becomes one token."""
    texts = [str(n).zfill(width) for width in (1, 2, 3) for n in range(10**width)]
    return [" ".join(texts)] * 400


def load(folder: Path) -> PreTrainedTokenizerFast:
    """The saved tokenizer."""
    tokenizer = PreTrainedTokenizerFast.from_pretrained(folder)
    assert isinstance(tokenizer, PreTrainedTokenizerFast)
    return tokenizer
