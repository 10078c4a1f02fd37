"""Independent samples of many questions at once, for the outcomes: a quick stand-in for the project's own solver."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import formats
import torch
from questions import Question
from runner import Runner
from sampler import Sampler
from transformers import PreTrainedTokenizerFast

MAX_DEPTH = 8


@dataclass(frozen=True)
class Chain:
    """A partial or complete solution.

    Attributes:
        question: index of its question.
        texts: the steps, observations included.
        cells: the code so far.
        answer: the final answer, None while it goes on or where it failed.
        ended: it has an answer or cannot go on.
    """

    question: int
    texts: tuple[str, ...] = ()
    cells: tuple[str, ...] = ()
    answer: str | None = None
    ended: bool = False


class Searcher:
    """Everything a search needs: model, tokenizer, questions, and the processes that run code."""

    def __init__(
        self,
        sampler: Sampler,
        tokenizer: PreTrainedTokenizerFast,
        questions: Sequence[Question],
        runner: Runner,
        seed: int,
    ) -> None:
        self.sampler, self.tokenizer, self.questions, self.runner = sampler, tokenizer, questions, runner
        self.generator = torch.Generator().manual_seed(seed)
        ends = (formats.CODE_CLOSE, formats.ANSWER_CLOSE, "</code>", "</step>")
        self.stops = [tokenizer.eos_token_id, *(tokenizer.convert_tokens_to_ids(end) for end in ends)]

    def prompt(self, chain: Chain) -> list[int]:
        """The tokens that a chain's next step continues."""
        text = formats.head(self.questions[chain.question].text) + "".join(t + formats.DELIM for t in chain.texts)
        ids: list[int] = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return ids

    def extend(self, chains: Sequence[Chain], copies: int, temperature: float) -> list[list[Chain]]:
        """`copies` children of every chain, their code run."""
        drawn = self.sampler.sample([self.prompt(c) for c in chains], copies, temperature, self.stops, self.generator)
        children = [[self._child(chain, row) for row in rows] for chain, rows in zip(chains, drawn, strict=True)]
        flat = [child for some in children for child in some]
        jobs = [i for i, child in enumerate(flat) if not child.ended]
        # equal programs run once
        programs = list(dict.fromkeys(flat[i].cells for i in jobs))
        seen = dict(zip(programs, self.runner.last(programs), strict=True))
        for i in jobs:
            text = flat[i].texts[-1] + formats.observed(seen[flat[i].cells])
            flat[i] = replace(flat[i], texts=(*flat[i].texts[:-1], text), ended=len(flat[i].texts) >= MAX_DEPTH)
        return [flat[i * copies : (i + 1) * copies] for i in range(len(chains))]

    def _child(self, chain: Chain, row: list[int]) -> Chain:
        text = self.tokenizer.decode([t for t in row if t != self.tokenizer.eos_token_id])
        code, answer = formats.read_step(text)
        if code is None:
            return replace(chain, texts=(*chain.texts, text), answer=answer, ended=True)
        return replace(chain, texts=(*chain.texts, text), cells=(*chain.cells, code))

    def right(self, chain: Chain) -> bool:
        """Whether the chain's answer is the reference answer."""
        return chain.answer is not None and formats.same_answer(chain.answer, self.questions[chain.question].answer)

    def run(self, copies: int, temperature: float) -> list[list[Chain]]:
        """`copies` complete chains of every question."""
        live = [Chain(q) for q in range(len(self.questions))]
        first = self.extend(live, copies, temperature)
        done: list[list[Chain]] = [[] for _ in self.questions]
        live = [child for some in first for child in some]
        while live:
            for chain in live:
                if chain.ended:
                    done[chain.question].append(chain)
            live = [chain for chain in live if not chain.ended]
            live = [some[0] for some in self.extend(live, 1, temperature)] if live else []
        return done
