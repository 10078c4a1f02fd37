"""Continuous batching: rows join the running batch as others leave it, one token at a time for all.

The samples of a prompt begin as one row, which forks where they get different tokens: what several samples have in
common is computed once. At low temperatures, where most samples of a step are alike, that is most of the work.

`Batch` is a plain object without threads or clocks: `add` a job, call `step` until it is idle, collect finished jobs.
One step admits what fits, computes the prompts of what it admitted (the samples of a prompt share one computation, and
tokens that the prefix cache holds are not computed again), and advances every running row by one token.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from mcts_math.engine.hf.arguments import BatchLimits
from mcts_math.engine.hf.kv_cache import KVBlock, Workspace
from mcts_math.engine.hf.lessons import SessionWeights
from mcts_math.engine.hf.model import CausalModel
from mcts_math.engine.hf.prefill import Prefill, choose_group, compute, prepare
from mcts_math.engine.hf.prefix_cache import PrefixCache
from mcts_math.engine.hf.sampling import BatchSampling, UniformStream
from mcts_math.engine.hf.sequence import BatchCounters, Job, OpenSample, Row, advance, require_finite, sample_tokens

_HEADROOM = 32  # columns that a row must be able to grow when it is admitted


class Batch:
    def __init__(self, model: CausalModel, limits: BatchLimits, adapters: SessionWeights | None = None) -> None:
        self.counters = BatchCounters()
        self._model = model
        self._adapters = adapters
        self._max_rows = limits.max_batch_size
        self._max_cells = limits.max_batch_tokens
        self._max_prefill = limits.max_prefill_tokens
        self._cache = PrefixCache(limits.prefix_cache_tokens)
        self._waiting: deque[Prefill] = deque()
        self._values_waiting: deque[Prefill] = deque()
        self._rows: list[Row] = []
        self._block = KVBlock(model.layout, model.device, 0, 0)
        self._workspace = Workspace(model.layout, limits.max_batch_tokens)
        self._num_jobs = 0
        self._num_further = self._num_forked = 1  # samples beside the first ones of their jobs; those that forked
        self._sampling = BatchSampling([], model.device)
        self._tokens = self._positions = torch.empty((0, 1), dtype=torch.long, device=model.device)

    @property
    def is_idle(self) -> bool:
        return not (self._rows or self._waiting or self._values_waiting)

    def add(self, job: Job) -> None:
        """Queues a job, first come first served; values alone go first, since they occupy no row."""
        job.serial = self._num_jobs = self._num_jobs + 1
        job.namespace = self._adapters.namespace(job.adapter) if self._adapters is not None else ""
        if not job.num_samples:
            self._values_waiting.append(Prefill(job, job.prompt, None))
            return
        samples = [OpenSample(i, UniformStream(job.seed + i)) for i in range(job.num_samples)]
        self._waiting.append(Prefill(job, job.prompt, Row(job, samples)))

    @torch.inference_mode()
    def cancel(self, job: Job) -> None:
        job.cancelled = True
        self._drop([i for i, row in enumerate(self._rows) if row.job is job])
        self._refresh()

    def forget(self, namespace: str) -> None:
        """The weights of a namespace have changed or gone: what was computed with them is dropped."""
        self._cache.forget(namespace)

    @torch.inference_mode()
    def recall(self, tokens: tuple[int, ...], adapter: str) -> tuple[KVBlock, int]:
        """Keys and values that sampling left of some tokens; those that are not held any more are computed again.
        Returns a block of one row, to be read before anything else is computed, and how many tokens were computed."""
        job = Job(tokens, adapter=adapter)
        job.namespace = self._adapters.namespace(adapter) if self._adapters is not None else ""
        num_new = len(tokens) - self._cache.match(tokens, job.namespace)
        block, ids, _ = prepare([Prefill(job, tokens, None)], num_new, self._model, self._cache, self._workspace)
        if num_new:
            self._select([job])
            compute(self._model, block, ids, self._max_prefill)
        return block, num_new

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
        if not self._waiting:
            return admitted
        rows, width = sum(map(self._expected_rows, self._rows)), self._block.width
        while self._waiting:
            unit = self._waiting[0]
            if unit.row is not None and not unit.job.cancelled:
                more = rows + self._expected_rows(unit.row)
                wider = max(width, len(unit.tokens) + _HEADROOM)
                if rows and (more > self._max_rows or more * wider > self._max_cells):
                    break
                rows, width = more, wider
                admitted.append(unit)
            self._waiting.popleft()
        return admitted

    def _expected_rows(self, row: Row) -> float:
        """What a row is likely to fork into, as the samples that are finished did."""
        return 1 + (len(row.samples) - 1) * self._num_forked / self._num_further

    def _prefill(self, units: list[Prefill], done: list[Job]) -> None:
        """Computes prompts and starts their rows, group by group; a later group finds what an earlier one has left in
        the prefix cache."""
        while units:
            size, num_new = choose_group(units, self._cache, self._max_prefill, self._max_cells)
            group, units = units[:size], units[size:]
            block, ids, reused = prepare(group, num_new, self._model, self._cache, self._workspace)
            self._select([unit.job for unit in group])
            want_hidden = any(unit.job.needs_value for unit in group)
            result = compute(self._model, block, ids, self._max_prefill, want_hidden=want_hidden)
            values = [math.nan] * size if result.hidden is None else self._model.values(result.hidden)
            self._account(group, reused, values, block, done)
            self._start_rows(group, block, result.logits, done)

    def _account(
        self, group: Sequence[Prefill], reused: list[int], values: list[float], block: KVBlock, done: list[Job]
    ) -> None:
        """Notes values and counts of computed prompts, and leaves their keys and values in the prefix cache."""
        for i, unit in enumerate(group):
            job, length = unit.job, len(unit.tokens)
            if unit.row is not None and unit.row.ids:
                continue  # a preempted row: its prompt has been accounted for
            self._keep_tokens(block, i, unit.tokens, job)
            self.counters.num_prompt_tokens += length
            self.counters.num_cached_tokens += reused[i]
            if job.needs_value:
                require_finite(values[i], "value")
                job.value = values[i]
            job.num_cached = reused[i]
            if not job.num_samples:
                done.append(job)

    def _start_rows(self, group: Sequence[Prefill], block: KVBlock, logits: Tensor, done: list[Job]) -> None:
        """Samples the first token of the rows of computed prompts and lets them join the batch."""
        started = [(i, unit.row) for i, unit in enumerate(group) if unit.row is not None]
        if not started:
            return
        rows = [row for _, row in started]
        sampling = BatchSampling([row.job.sampling for row in rows], self._model.device)
        sources = torch.tensor([i for i, _ in started], device=self._model.device)
        _, sampled = sample_tokens(sampling, logits[sources], rows)
        for (i, row), pairs in zip(started, sampled, strict=True):
            length = row.num_tokens
            going, _ = self._advance(row, pairs, done)
            if joining := self._with_room(going, length):
                first, last = len(self._rows), len(self._rows) + len(joining)
                self._reserve(last, length, _HEADROOM)
                self._rows.extend(joining)
                self._block.num_rows = last
                self._block.join(slice(first, last), block, i, length)
        self._refresh()

    def _decode(self, done: list[Job]) -> None:
        block, n = self._block, len(self._rows)
        self._reserve(n, block.width, 1)
        block.mask[:n, block.end] = 1
        self._select([row.job for row in self._rows])
        result = self._model.forward(block, self._tokens, self._positions)
        self.counters.num_decode_steps += 1
        self.counters.num_decoded_rows += n
        tokens, sampled = sample_tokens(self._sampling, result.logits, self._rows)
        finished: list[int] = []
        forked: list[tuple[int, Row]] = []  # and the row that it was part of
        is_changed = False
        for i, (row, pairs) in enumerate(zip(list(self._rows), sampled, strict=True)):
            going, ended = self._advance(row, pairs, done)
            is_changed = is_changed or bool(ended)
            if ended and math.isfinite(ended[0].logprob):
                self._keep(block, i, ended[0])
            elif ended:
                block.wipe(i)
            if going:
                self._rows[i] = going[0]
                forked += [(i, other) for other in going[1:]]
            else:
                finished.append(i)
        if forked:
            self._fork(forked)
        self._drop(finished)
        if is_changed or forked:
            self._refresh()
        else:
            self._tokens = tokens[:, :1]  # which all samples of a row have got
            self._positions += 1

    def _fork(self, forked: Sequence[tuple[int, Row]]) -> None:
        """Gives rows of their own to samples that got another token than the row `i` that they were in."""
        staying: list[tuple[int, Row]] = []
        for i, row in forked:
            if self._with_room([row], row.num_tokens - 1, len(staying)):
                staying.append((i, row))
            else:
                self._keep(self._block, i, row)
        self._reserve(len(self._rows) + len(staying), self._block.width, 1)
        for i, row in staying:
            self._block.copy_row(i, len(self._rows), row.num_tokens - 1)
            self._rows.append(row)
        self._block.num_rows = len(self._rows)

    def _with_room(self, rows: list[Row], width: int, more: int = 0) -> list[Row]:
        """Those of new rows that the batch, with `more` rows, has room for; the others are preempted."""
        width, count = max(width, self._block.width) + 1, len(self._rows) + more
        room = max(min(self._max_rows, self._max_cells // width) - count, 0 if count else 1)
        for row in reversed(rows[room:]):
            self._preempt(row)
        return rows[:room]

    def _reserve(self, rows: int, width: int, columns: int) -> None:
        self._block.reserve(rows, width, columns, self._max_rows, self._max_cells)

    def _advance(self, row: Row, sampled: Sequence[tuple[int, float]], done: list[Job]) -> tuple[list[Row], list[Row]]:
        """Takes a token for each sample of a row; returns the rows that go on, and those that have finished."""
        going, ended = advance(row, sampled, self._model)
        job = row.job
        self.counters.num_generated_tokens += sum(len(fork.ids) * len(fork.samples) for fork in ended)
        if ended and None not in job.samples:
            self._num_further += job.num_samples - 1
            self._num_forked += job.num_rows - 1
        if ended and job.is_done:
            done.append(job)
        return going, ended

    def _keep(self, block: KVBlock, i: int, row: Row) -> None:
        """Leaves the keys and values of row `i`, all of them, in the prefix cache."""
        self._keep_tokens(block, i, row.job.prompt + tuple(row.ids[:-1]), row.job)

    def _keep_tokens(self, block: KVBlock, i: int, tokens: tuple[int, ...], job: Job) -> None:
        self._cache.insert(tokens, lambda first, last: block.read(i, first, last, len(tokens)), job.namespace)

    def _select(self, jobs: Sequence[Job]) -> None:
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
                self._block.copy_row(last, i, self._rows[last].num_tokens - 1)
                self._rows[i] = self._rows[last]
            del self._rows[last]
        self._block.num_rows = len(self._rows)
        longest = max((row.num_tokens - 1 for row in self._rows), default=0)
        self._block.start = self._block.end - longest

    def _make_room(self) -> None:
        while len(self._rows) > 1 and len(self._rows) * (self._block.width + 1) > self._max_cells:
            last = max(range(len(self._rows)), key=lambda i: (self._rows[i].job.serial, self._rows[i].samples[0].index))
            row = self._rows[last]
            self._keep(self._block, last, row)
            self._preempt(row)
            self._drop([last])
            self._refresh()

    def _preempt(self, row: Row) -> None:
        self._waiting.appendleft(Prefill(row.job, row.job.prompt + tuple(row.ids), row))
        self.counters.num_preempted += 1

    def _refresh(self) -> None:
        device = self._model.device
        self._sampling = BatchSampling([row.job.sampling for row in self._rows], device)
        self._tokens = torch.tensor([row.ids[-1:] for row in self._rows], dtype=torch.long, device=device)
        lengths = [[row.num_tokens - 1] for row in self._rows]
        self._positions = torch.tensor(lengths, dtype=torch.long, device=device)
