"""Continuous batching: rows join the running batch as others leave it, one token at a time for all.

`Batch` is a plain object without threads or clocks: `add` a job, call `step` until it is idle, collect finished jobs.
One step admits what fits, computes the prompts of what it admitted (the samples of a prompt share one computation, and
tokens that the prefix cache holds are not computed again), and advances every running row by one token.

Prompts are computed a few at a time, all ending at a common column. To take up cached prefixes of different lengths
without holes (sliding windows count columns), every prompt of such a group computes its last T tokens, T being the most
that one of them needs; groups are formed of prompts with like needs.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from mcts_math.engine.adapters import Adapters
from mcts_math.engine.jobs import Counters, Job, Prefill, Row
from mcts_math.engine.kv import KVBlock
from mcts_math.engine.model import CausalModel
from mcts_math.engine.prefix import PrefixCache
from mcts_math.engine.sampling import BatchSampling, UniformStream
from mcts_math.errors import EngineError
from mcts_math.requests import FinishReason, Sample

_HEADROOM = 32  # columns that a row must be able to grow when it is admitted
_PADDING_SHARE = 1.25  # a group may compute this many times the tokens that its prompts need one by one


class Batch:
    """The running batch of one model.

    Attributes:
        counters: totals so far.
    """

    def __init__(
        self,
        model: CausalModel,
        *,
        max_batch_size: int,
        max_batch_tokens: int,
        max_prefill_tokens: int,
        prefix_cache_tokens: int,
        adapters: Adapters | None = None,
    ) -> None:
        """Args as in `HFEngine.load`, all given; `adapters` are those that jobs may name."""
        self.counters = Counters()
        self._model = model
        self._adapters = adapters
        self._max_rows = max_batch_size
        self._max_cells = max_batch_tokens
        self._max_prefill = max_prefill_tokens
        self._cache = PrefixCache(prefix_cache_tokens)
        self._waiting: deque[Prefill] = deque()
        self._values_waiting: deque[Prefill] = deque()
        self._rows: list[Row] = []
        self._block = KVBlock(model.layout, model.device, 0, 0)
        self._num_jobs = 0
        self._sampling = BatchSampling([], model.device)
        self._tokens = self._positions = torch.empty((0, 1), dtype=torch.long, device=model.device)

    @property
    def is_idle(self) -> bool:
        """Nothing runs and nothing waits."""
        return not (self._rows or self._waiting or self._values_waiting)

    def add(self, job: Job) -> None:
        """Queues a job, first come first served; values alone go first, since they occupy no row."""
        job.serial = self._num_jobs = self._num_jobs + 1
        job.space = self._adapters.space(job.adapter) if self._adapters is not None else ""
        if not job.num_samples:
            self._values_waiting.append(Prefill(job, job.prompt, []))
            return
        matcher = self._model.codec.matcher(job.sampling.stop)
        rows = [Row(job, i, UniformStream(job.seed + i), matcher) for i in range(job.num_samples)]
        for first in range(0, len(rows), self._max_rows):
            self._waiting.append(Prefill(job, job.prompt, rows[first : first + self._max_rows]))

    @torch.inference_mode()
    def cancel(self, job: Job) -> None:
        """Forgets a job and frees its rows."""
        job.cancelled = True
        self._drop([i for i, row in enumerate(self._rows) if row.job is job])

    def forget(self, space: str) -> None:
        """The weights of a space have changed or gone: what was computed with them is dropped."""
        self._cache.forget(space)

    @torch.inference_mode()
    def step(self) -> list[Job]:
        """Admits what fits, computes its prompts and one token of every row; returns the jobs that this finished."""
        done: list[Job] = []
        self._prefill(self._admit(), done)
        if self._rows:
            self._make_room()
            self._decode(done)
        return done

    def _admit(self) -> list[Prefill]:
        admitted = [unit for unit in self._values_waiting if not unit.job.cancelled]
        self._values_waiting.clear()
        rows, width = len(self._rows), self._block.width
        while self._waiting:
            unit = self._waiting[0]
            if not unit.job.cancelled:
                more = rows + len(unit.rows)
                wider = max(width, len(unit.tokens) + _HEADROOM)
                if more > self._max_rows or (rows and more * wider > self._max_cells):
                    break
                rows, width = more, wider
                admitted.append(unit)
            self._waiting.popleft()
        return admitted

    def _prefill(self, units: list[Prefill], done: list[Job]) -> None:
        """Computes prompts, group by group; a later group finds what an earlier one has left in the prefix cache."""
        while units:
            needs = {id(unit): self._num_needed(unit) for unit in units}
            units.sort(key=lambda unit: needs[id(unit)])
            total = longest = size = 0
            for unit in units:
                need = needs[id(unit)]
                longest, columns = max(longest, len(unit.tokens)), (size + 1) * need
                if size and (columns > self._max_prefill or columns > (total + need) * _PADDING_SHARE + 16):
                    break
                if size and (size + 1) * longest > max(self._max_cells, self._max_prefill):
                    break
                total, size = total + need, size + 1
            self._prefill_group(units[:size], needs[id(units[size - 1])], done)
            del units[:size]

    def _num_needed(self, unit: Prefill) -> int:
        """Tokens that must be computed, the last one in any case: its logits are wanted."""
        length = len(unit.tokens)
        return length - min(self._cache.match(unit.tokens, unit.job.space), length - 1)

    def _prefill_group(self, group: Sequence[Prefill], num_new: int, done: list[Job]) -> None:
        """Computes the last `num_new` tokens of each prompt and starts its rows."""
        device, end = self._model.device, max(len(unit.tokens) for unit in group)
        block = KVBlock(self._model.layout, device, len(group), end)
        block.num_rows, block.end = len(group), end - num_new
        ids, mask = (
            torch.zeros((len(group), num_new), dtype=torch.long),
            torch.zeros((len(group), end), dtype=torch.long),
        )
        reused = []
        for i, unit in enumerate(group):
            first = end - len(unit.tokens)
            reused.append(max(0, len(unit.tokens) - num_new))
            new = unit.tokens[reused[i] :]
            ids[i, num_new - len(new) :] = torch.tensor(new)
            mask[i, first:] = 1
            for a, b, segments in self._cache.fetch(unit.tokens, reused[i], unit.job.space) if reused[i] else ():
                block.write(i, slice(first + a, first + b), segments)
        block.mask.copy_(mask)
        positions = (block.mask.cumsum(dim=1) - 1).clamp_(min=0)[:, end - num_new :]
        want_hidden = any(unit.job.want_value and unit.job.value is None for unit in group)
        ids, stride = ids.to(device), max(1, self._max_prefill // len(group))
        self._select([unit.job for unit in group])
        for a in range(0, num_new, stride):
            part = slice(a, a + stride)
            result = self._model.forward(block, ids[:, part], positions[:, part], want_hidden=want_hidden)
        values = self._model.values(result.hidden) if result.hidden is not None else [math.nan] * len(group)
        self._account(group, reused, values, block, done)
        self._start_rows(group, block, result.logits, done)

    def _account(
        self, group: Sequence[Prefill], reused: list[int], values: list[float], block: KVBlock, done: list[Job]
    ) -> None:
        """Notes values and counts of computed prompts, and leaves their keys and values in the prefix cache."""
        self.counters.num_prefills += 1
        for i, unit in enumerate(group):
            job, length = unit.job, len(unit.tokens)
            if unit.rows[:1] and unit.rows[0].ids:
                continue  # a row that was put off: its prompt has been accounted for
            self._keep(block, i, unit.tokens, job)
            self.counters.num_prompt_tokens += length
            self.counters.num_cached_tokens += reused[i]
            if job.want_value and job.value is None:
                _require_finite(values[i], "value")
                job.value = values[i]
            if not unit.rows or unit.rows[0].index == 0:
                job.num_cached = reused[i]
            if not job.num_samples:
                done.append(job)

    def _start_rows(self, group: Sequence[Prefill], block: KVBlock, logits: Tensor, done: list[Job]) -> None:
        """Samples the first token of the rows of computed prompts and lets them join the batch."""
        rows = [(i, row) for i, unit in enumerate(group) for row in unit.rows]
        if not rows:
            return
        sampling = BatchSampling([row.job.sampling for _, row in rows], self._model.device)
        sources = torch.tensor([i for i, _ in rows], device=self._model.device)
        tokens = self._draw(sampling, logits[sources], [row for _, row in rows])[1]
        going = {i: list(unit.rows) for i, unit in enumerate(group)}
        for (i, row), (token, logprob) in zip(rows, tokens, strict=True):
            if self._accept(row, token, logprob, done):
                going[i].remove(row)
        for i, unit in enumerate(group):
            self._join(going[i], block, i, len(unit.tokens))
        self._refresh()

    def _join(self, rows: list[Row], source: KVBlock, source_row: int, length: int) -> None:
        if not rows:
            return
        first, block = len(self._rows), self._block
        last = first + len(rows)
        capacity = block.mask.shape[0]
        wanted = capacity if last <= capacity else min(max(last, 2 * capacity), max(self._max_rows, last))
        block.reserve(wanted, length, _HEADROOM)
        self._rows.extend(rows)
        block.num_rows = last
        block.join(slice(first, last), source, source_row, length)

    def _decode(self, done: list[Job]) -> None:
        """One token for every row."""
        block, n = self._block, len(self._rows)
        block.reserve(n, block.width, 1)
        block.mask[:n, block.end] = 1
        self._select([row.job for row in self._rows])
        result = self._model.forward(block, self._tokens, self._positions)
        tokens, drawn = self._draw(self._sampling, result.logits, self._rows)
        self.counters.num_decode_steps += 1
        finished = [
            i
            for i, (row, (token, logprob)) in enumerate(zip(self._rows, drawn, strict=True))
            if self._accept(row, token, logprob, done)
        ]
        self._tokens = tokens.unsqueeze(1)
        self._positions += 1
        for i in finished:
            row = self._rows[i]
            if math.isfinite(row.logprob):
                self._keep(block, i, row.job.prompt + tuple(row.ids[:-1]), row.job)
            else:
                block.wipe(i)
        self._drop(finished)

    def _draw(
        self, sampling: BatchSampling, logits: Tensor, rows: Sequence[Row]
    ) -> tuple[Tensor, list[tuple[int, float]]]:
        numbers = [row.stream.at(len(row.ids)) for row in rows] if sampling.needs_numbers else []
        tokens, logprobs = sampling.draw(logits, numbers)
        # One transfer for both; a token id is exact in float64.
        pairs = torch.stack((tokens.double(), logprobs.double()), dim=1).tolist()
        return tokens, [(int(token), logprob) for token, logprob in pairs]

    def _accept(self, row: Row, token: int, logprob: float, done: list[Job]) -> bool:
        """Takes a token into its row; True where that ends the row.

        Where the log-probability is not finite, the model is broken; but with an adapter it is the session's own
        weights that are: its samples end with that log-probability, and the others go on.
        """
        if row.job.adapter and not math.isfinite(logprob):
            row.logprob = logprob
            self._finish(row, "", "length", done)
            return True
        _require_finite(logprob, "log-probability")
        row.ids.append(token)
        row.logprob += logprob
        job, codec = row.job, self._model.codec
        text: str | None
        finish: FinishReason = "stop"
        if token in codec.eos_ids:
            text = codec.continuation(job.prompt, row.ids[:-1])
        else:
            text = row.matcher.text_before(job.prompt, row.ids)
            if text is None:
                if len(row.ids) < job.sampling.max_tokens and row.num_tokens < self._model.context_length:
                    return False
                text, finish = codec.continuation(job.prompt, row.ids), "length"
        self._finish(row, text, finish, done)
        return True

    def _finish(self, row: Row, text: str, finish: FinishReason, done: list[Job]) -> None:
        row.job.samples[row.index] = Sample(text, row.logprob, len(row.ids), finish)
        self.counters.num_generated_tokens += len(row.ids)
        if row.job.is_done:
            done.append(row.job)

    def _keep(self, block: KVBlock, row: int, tokens: tuple[int, ...], job: Job) -> None:
        """Leaves the keys and values of a row, all of them, in the prefix cache."""
        self._cache.insert(tokens, lambda first, last: block.read(row, first, last, len(tokens)), job.space)

    def _select(self, jobs: Sequence[Job]) -> None:
        """The next forward pass is over rows of these jobs."""
        if self._adapters is not None:
            self._adapters.select([job.adapter for job in jobs])

    def _drop(self, leaving: Iterable[int]) -> None:
        """Takes rows out of the batch; the last ones move into their places."""
        gone = sorted(leaving, reverse=True)
        if not gone:
            return
        for i in gone:
            last = len(self._rows) - 1
            if i != last:
                self._block.move_row(last, i)
                self._rows[i] = self._rows[last]
            del self._rows[last]
        self._block.num_rows = len(self._rows)
        self._block.trim(max((row.num_tokens - 1 for row in self._rows), default=0))
        self._refresh()

    def _make_room(self) -> None:
        """Puts off the latest rows where the batch would outgrow its tokens; they go on later where they stopped."""
        while len(self._rows) > 1 and len(self._rows) * (self._block.width + 1) > self._max_cells:
            last = max(range(len(self._rows)), key=lambda i: (self._rows[i].job.serial, self._rows[i].index))
            row = self._rows[last]
            tokens = row.job.prompt + tuple(row.ids)
            self._keep(self._block, last, tokens[:-1], row.job)
            self._waiting.appendleft(Prefill(row.job, tokens, [row]))
            self._drop([last])
            self.counters.num_put_off += 1

    def _refresh(self) -> None:
        """Makes the tensors that describe the rows anew."""
        device = self._model.device
        self._sampling = BatchSampling([row.job.sampling for row in self._rows], device)
        self._tokens = torch.tensor([row.ids[-1:] for row in self._rows], dtype=torch.long, device=device)
        lengths = [[row.num_tokens - 1] for row in self._rows]
        self._positions = torch.tensor(lengths, dtype=torch.long, device=device)


def _require_finite(number: float, what: str) -> None:
    if not math.isfinite(number):
        raise EngineError(
            f"the model gave a {what} that is {number}: its weights are broken, or overflow in float16 "
            "(use dtype bfloat16 or float32)"
        )
