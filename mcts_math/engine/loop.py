"""The engine's thread: takes what coroutines ask from its inbox, steps the batch, and tells those who wait."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Iterable, Sequence

import torch

from mcts_math.engine.adapters import Adapters, Term
from mcts_math.engine.batch import Batch
from mcts_math.engine.jobs import Job
from mcts_math.engine.tickets import Alone, Cancel, Note, Ticket, Waiting, wake
from mcts_math.errors import EngineError
from mcts_math.requests import Adaptation


class EngineLoop:
    """Owns the model from the moment it is made until `None` is put into it.

    Args:
        batch: what samples.
        adapters: what jobs may name, if anything.
    """

    def __init__(self, batch: Batch, adapters: Adapters | None) -> None:
        self._batch = batch
        self._adapters = adapters
        self._inbox: queue.SimpleQueue[Note] = queue.SimpleQueue()
        self._open: dict[Job, Ticket] = {}
        self._alone: deque[Alone] = deque()
        self._lock = threading.Lock()  # guards _ended together with the last look into the inbox
        self._ended: EngineError | None = None
        self._thread = threading.Thread(target=self._work, name="hf-engine", daemon=True)
        self._thread.start()

    def put(self, note: Note) -> None:
        """Hands something to the thread. Raises EngineError where somebody would wait for it in vain."""
        if not isinstance(note, Waiting):
            self._inbox.put(note)
            return
        with self._lock:
            if self._ended is not None:
                raise EngineError(str(self._ended)) from self._ended
            self._inbox.put(note)

    def join(self) -> None:
        """Waits for the end of the thread."""
        self._thread.join()

    def learn(self, adapters: Adapters, session: str, terms: Sequence[Term], seed: int) -> Adaptation:
        """One step of a session's adapter; called in the thread. Raises EngineError while samples are drawn with it."""
        if any(job.adapter == session for job in self._open):
            raise EngineError(f"the adapter {session!r} can't learn while samples are drawn with it")
        before = adapters.space(session)
        adaptation = adapters.step(session, terms, seed)
        if before and adapters.space(session) != before:
            self._batch.forget(before)
        return adaptation

    def _release(self, session: str) -> None:
        if self._adapters is None or session not in self._adapters:
            return
        left = [ticket for ticket in self._open.values() if ticket.job.adapter == session]
        for ticket in left:
            del self._open[ticket.job]
            self._batch.cancel(ticket.job)
        wake(left, EngineError(f"the adapter {session!r} was released while samples were drawn with it"))
        self._batch.forget(self._adapters.space(session))
        self._adapters.release(session)

    def _admit(self, ticket: Ticket) -> None:
        name, adapters = ticket.job.adapter, self._adapters
        if name and (adapters is None or name not in adapters):
            wake([ticket], EngineError(f"there is no adapter {name!r}; make it with an Adapt request first"))
            return
        self._open[ticket.job] = ticket
        self._batch.add(ticket.job)

    def _work(self) -> None:
        """The thread: takes messages and steps the batch until it is told to close or something breaks."""
        try:
            while self._read_inbox():
                while self._alone:  # all at once: those who waited for it then sample in one batch
                    self._do_alone(self._alone.popleft())
                if not self._batch.is_idle:
                    self._deliver(self._batch.step())
        except EngineError as error:
            self._end(error)
        except torch.OutOfMemoryError as error:
            self._end(
                EngineError(
                    "the GPU is out of memory; lower max_batch_tokens, prefix_cache_tokens or max_prefill_tokens "
                    f"({error})"
                )
            )
        except Exception as error:  # whatever it is, those who wait must hear of it
            failure = EngineError(f"the model broke down: {type(error).__name__}: {error}")
            failure.__cause__ = error
            self._end(failure)
        else:
            self._end(EngineError("the engine is closed"))

    def _read_inbox(self) -> bool:
        """Takes all messages, waiting for one where there is nothing else to do; False when told to close."""
        block = self._batch.is_idle and not self._alone
        while True:
            try:
                message = self._inbox.get(block)
            except queue.Empty:
                return True
            block = False
            if message is None:
                return False
            if isinstance(message, Ticket):
                self._admit(message)
            elif isinstance(message, Alone):
                self._alone.append(message)
            elif isinstance(message, Cancel):
                if self._open.pop(message.job, None) is not None:
                    self._batch.cancel(message.job)
            else:
                self._release(message.session)

    def _do_alone(self, ticket: Alone) -> None:
        if ticket.future.cancelled():
            return
        try:
            ticket.run()
        except EngineError as error:  # the request's own; the model is as it was
            wake([ticket], error)
        except BaseException:
            self._alone.append(ticket)  # it waits like the others for the news that the engine broke down
            raise
        else:
            wake([ticket], None)

    def _deliver(self, jobs: Iterable[Job]) -> None:
        wake([self._open.pop(job) for job in jobs], None)

    def _end(self, error: EngineError) -> None:
        """Fails what waits and what is still in the inbox; later requests fail at the door."""
        with self._lock:
            self._ended = error
        while not self._inbox.empty():
            message = self._inbox.get()
            if isinstance(message, Ticket):
                self._open[message.job] = message
            elif isinstance(message, Alone):
                self._alone.append(message)
        wake([*self._open.values(), *self._alone], error)
        self._open.clear()
        self._alone.clear()
