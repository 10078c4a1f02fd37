"""Data parallelism: several engines as one, each in a Ray actor, on the GPUs of one machine or of a cluster.

A question goes to the replica with the fewest requests in the air when its first request comes, and stays there, so
that its prefix cache is of use. What a lost replica was asked is asked of another one: a reply depends on its request
alone (seed included), so nothing is done twice that counts, and results are still written by one process, once. A new
actor is started in the slot of a lost one and takes part as soon as it is up.

Adapters live in the replica of their question. A step is the same bits wherever it is computed, so what a lost replica
had learnt is learnt again by the one that takes the question over: the steps that were made are kept, as text.

Ray is an optional extra. It connects to the cluster that RAY_ADDRESS names, else it starts one on this machine.
"""

from __future__ import annotations

import asyncio
import os
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast

from mcts_math.concurrency import cancel
from mcts_math.engine.spec import EngineOptions
from mcts_math.errors import EngineError, EngineLostError, MctsMathError, RefusedError, boundary, require_package
from mcts_math.requests import Adapt, Adaptation, Evaluate, Evaluation, Generate, Generation

_CLOSING_S = 60.0
_HOMES = 1 << 14  # questions whose replica is remembered: more than are in flight at once
_RESTARTS = 3  # of one replica; after that something is wrong with more than a machine

_Request: TypeAlias = Generate | Evaluate | Adapt


class Replica:
    def __init__(self, options: EngineOptions) -> None:
        from mcts_math.engine.load import load_policy

        self._policy: Any = load_policy(options)

    async def call(self, method: str, *arguments: Any) -> Any:
        return await getattr(self._policy, method)(*arguments)

    async def pid(self) -> int:
        """Answers as soon as the engine is loaded."""
        return os.getpid()


@dataclass(eq=False, slots=True)
class _Slot:
    """One replica, whichever actor is it just now."""

    actor: Any
    in_flight: int = 0
    restarts: int = 0
    is_up: bool = True
    starting: asyncio.Task[None] | None = None  # waits for an actor that was started in place of a lost one


@dataclass(eq=False, slots=True)
class _Session:
    """An adapter: the replay log of the steps that made it, and the actor that has it now."""

    actor: Any = None
    log: list[Adapt] = field(default_factory=list)
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class ReplicatedEngine:
    """Policy, value model and adapters over several replicas. Make one with `ReplicatedEngine.start`; `close` it when
    done."""

    def __init__(self, options: EngineOptions) -> None:
        self._options = replace(options, num_replicas=1)
        self._slots = [_Slot(self._new_actor()) for _ in range(options.num_replicas)]
        self._homes: OrderedDict[str, _Slot] = OrderedDict()  # question -> its replica, least recently asked first
        self._sessions: dict[str, _Session] = {}  # by session
        self._closed = False

    @classmethod
    def start(cls, options: EngineOptions) -> ReplicatedEngine:
        """Starts as many replicas as the options say and blocks until all are loaded. Raises EngineError where Ray is
        not installed or not reachable, has too few GPUs, or a replica can't load its engine."""
        ray = require_package("ray", f"num_replicas: {options.num_replicas}", "ray", EngineError)
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # what Ray will do; it warns where it is unset
        if not ray.is_initialized():
            with boundary("Ray can't be started or reached (is RAY_ADDRESS right?)", EngineError):
                ray.init(log_to_driver=False, include_dashboard=False)
        _require_resources(ray.cluster_resources(), _resources(options), options.num_replicas)
        engine = cls(options)
        try:
            ray.get([slot.actor.pid.remote() for slot in engine._slots])
        except Exception as error:
            engine._kill_all()
            raise _as_engine_error(error) from error
        return engine

    async def generate(self, request: Generate) -> Generation:
        """As the engine's own. Raises EngineError as it does, and where no replica is left."""
        return cast(Generation, await self._ask("generate", request))

    async def evaluate(self, request: Evaluate) -> Evaluation:
        return cast(Evaluation, await self._ask("evaluate", request))

    async def adapt(self, request: Adapt) -> Adaptation:
        session = self._sessions.setdefault(request.session, _Session())
        reply: Adaptation = await self._ask("adapt", request)
        session.log.append(request)
        return reply

    async def release(self, session: str) -> None:
        """Drops a session's adapter; unknown ones are ignored, and so are those that a lost replica had."""
        from ray.exceptions import ActorUnavailableError, RayActorError

        adapted = self._sessions.pop(session, None)
        if adapted is not None and adapted.actor is not None and not self._closed:
            with suppress(RayActorError, ActorUnavailableError):
                await adapted.actor.call.remote("release", session)

    async def close(self) -> None:
        """Ends all actors; later requests get an EngineError. May be called again."""
        if self._closed:
            return
        self._closed = True
        await cancel(self._starting())
        closing = [asyncio.ensure_future(p.actor.call.remote("close")) for p in self._slots if p.is_up]
        if closing:
            await asyncio.wait(closing, timeout=_CLOSING_S)
        self._kill_all()  # one that hangs, too
        await asyncio.gather(*closing, return_exceptions=True)

    async def _ask(self, method: str, request: _Request) -> Any:
        """The reply of the question's replica; of another one where that is lost."""
        import ray
        from ray.exceptions import ActorUnavailableError, RayActorError

        while True:
            if self._closed:
                raise EngineError("the engine is closed")
            slot = await self._choose(_question(request))
            actor = slot.actor
            slot.in_flight += 1
            reference = None
            try:
                await self._replay(_session(request), actor)
                reference = actor.call.remote(method, request)
                return await reference
            except (RayActorError, ActorUnavailableError):
                self._lose(slot, actor)
            except asyncio.CancelledError:
                if reference is not None:
                    ray.cancel(reference)
                raise
            except Exception as error:
                if not isinstance(getattr(error, "cause", None), EngineLostError):
                    raise _as_engine_error(error) from error
                self._lose(slot, actor)  # the actor lives, but its engine does not
                ray.kill(actor)
            finally:
                slot.in_flight -= 1

    async def _replay(self, name: str, actor: Any) -> None:
        """Has an actor make again the steps of an adapter that it does not have."""
        session = self._sessions.get(name)
        if session is None:
            return
        async with session.lock:
            if session.actor is not actor:
                await actor.call.remote("release", name)  # what an interrupted attempt may have left
                for step in session.log:
                    await actor.call.remote("adapt", step)
                session.actor = actor

    async def _choose(self, question: str) -> _Slot:
        """The question's replica; another one where it has none that is up."""
        self._go_on_starting()
        slot = self._homes.get(question)
        if slot is None or not slot.is_up:
            slot = min(await self._up(), key=lambda slot: slot.in_flight)
        if question:
            self._homes[question] = slot
            self._homes.move_to_end(question)
            if len(self._homes) > _HOMES:
                self._homes.popitem(last=False)
        return slot

    async def _up(self) -> list[_Slot]:
        """Replicas that are up, one at least: those that are being started are waited for. Raises EngineError where
        none is left, or the engine is closed meanwhile."""
        while not (up := [slot for slot in self._slots if slot.is_up]):
            starting = self._starting()
            if self._closed:
                raise EngineError("the engine is closed")
            if not starting:
                told = "Ray's logs say of what (memory?). Finished questions are safe: go on with --resume"
                raise EngineLostError(f"all {len(self._slots)} replicas died; {told}")
            await asyncio.wait(starting, return_when=asyncio.FIRST_COMPLETED)
        return up

    def _lose(self, slot: _Slot, actor: Any) -> None:
        """Marks a replica as lost, once for all requests that were there, and starts another one in its slot."""
        if slot.actor is not actor or not slot.is_up or self._closed:
            return
        slot.is_up = False
        if slot.restarts < _RESTARTS:
            slot.restarts += 1
            slot.actor = self._new_actor()
            slot.starting = asyncio.ensure_future(_wait_until_up(slot))

    def _starting(self) -> list[asyncio.Task[None]]:
        """The waits for new actors that this event loop has."""
        loop = asyncio.get_running_loop()
        tasks = [slot.starting for slot in self._slots if slot.starting is not None]
        return [task for task in tasks if task.get_loop() is loop and not task.done()]

    def _go_on_starting(self) -> None:
        """Waits anew for actors whose wait ended with a run: each run has an event loop of its own."""
        for slot in self._slots:
            task = slot.starting
            if task is not None and not slot.is_up and (task.cancelled() or task.get_loop().is_closed()):
                slot.starting = asyncio.ensure_future(_wait_until_up(slot))

    def _new_actor(self) -> Any:
        import ray

        return ray.remote(Replica).options(**_resources(self._options)).remote(self._options)

    def _kill_all(self) -> None:
        import ray

        for slot in self._slots:
            ray.kill(slot.actor)


async def _wait_until_up(slot: _Slot) -> None:
    """Takes a new actor into use as soon as it answers. Where it never will, the others go on without it."""
    from ray.exceptions import RayError

    with suppress(RayError):  # once none is left, that is said
        await slot.actor.pid.remote()
        slot.is_up = True


def _session(request: _Request) -> str:
    """The adapter that a request is about; "" is none."""
    if isinstance(request, Adapt):
        return request.session
    return request.adapter if isinstance(request, Generate) else ""


def _question(request: _Request) -> str:
    """What decides on the replica. Adapters stay where their questions are: a session is a question."""
    return _session(request) or ("" if isinstance(request, Adapt) else request.task_id)


def _resources(options: EngineOptions) -> dict[str, Any]:
    """What Ray must reserve for a replica: the GPUs of its tensor parallelism where there are GPUs, else a core."""
    import ray

    args = options.arguments
    gpus = int(args.get("tensor_parallel_size", 1)) * int(args.get("pipeline_parallel_size", 1))
    has_gpus = ray.is_initialized() and ray.cluster_resources().get("GPU", 0) > 0
    resources = {"num_gpus": gpus, "num_cpus": 1} if has_gpus and args.get("device") != "cpu" else {"num_cpus": 1}
    return resources | {"max_concurrency": 4096}


def _require_resources(cluster: dict[str, float], resources: dict[str, Any], num_replicas: int) -> None:
    """Raises EngineError where actors would wait for ever for what the cluster does not have."""
    for name, key in (("GPU", "num_gpus"), ("CPU", "num_cpus")):
        need, has = resources.get(key, 0) * num_replicas, cluster.get(name, 0)
        if need > has:
            raise EngineError(
                f"{num_replicas} replicas need {need} {name}s, but Ray's cluster has {has:g}; lower num_replicas"
            )


def _as_engine_error(error: Exception) -> EngineError:
    """What an actor raised, without Ray's wrapping."""
    cause = getattr(error, "cause", None) or error
    if isinstance(cause, RefusedError):
        return cause
    if isinstance(cause, MctsMathError):
        return EngineError(str(cause))
    return EngineError(f"a replica broke down: {type(cause).__name__}: {cause}")
