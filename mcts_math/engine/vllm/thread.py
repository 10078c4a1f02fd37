"""vLLM's `AsyncLLM` on an event loop of its own, and its faults in our words."""

from __future__ import annotations

from typing import Any, TypeVar

from mcts_math.engine.loop_thread import LoopThread, Work
from mcts_math.errors import EngineError, EngineLostError, RefusedError

T = TypeVar("T")


class VLLMThread:
    """Starts vLLM, runs coroutines on its loop, and ends it.

    Attributes:
        llm: the AsyncLLM, to be used on that loop only.
    """

    def __init__(self, settings: dict[str, Any]) -> None:
        """Starts vLLM. Raises EngineError as `VLLMEngine.load`."""
        self._thread = LoopThread("vllm-engine")
        try:
            self.llm: Any = self._thread.call(lambda: _start(settings))
        except BaseException:
            self._thread.close()
            raise

    async def run(self, work: Work[T]) -> T:
        """Runs a coroutine on vLLM's loop and waits for it; being cancelled cancels it there.

        Raises:
            RefusedError: vLLM won't take this request; others may be fine.
            EngineError: it is closed, or it died.
        """
        return await self._thread.run(lambda: self._translate(work))

    def close(self) -> None:
        """Ends vLLM's processes and the thread. May be called again."""
        self._thread.close(self._shut_down)

    async def _translate(self, work: Work[T]) -> T:
        from vllm.exceptions import VLLMClientError
        from vllm.v1.engine.exceptions import EngineDeadError

        try:
            return await work()
        except EngineError:
            raise
        except EngineDeadError as error:
            if self._thread.is_closed:
                raise EngineError("the engine is closed") from None
            raise EngineLostError(
                "vLLM's engine process died; its own message is further up. If it was out of memory, lower "
                "gpu_memory_utilization, max_num_seqs, max_num_batched_tokens or max_model_len (on a CPU: "
                "kv_cache_memory_bytes) in engine_args, or raise tensor_parallel_size. Finished questions are safe: "
                "go on with --resume"
            ) from error
        except (VLLMClientError, ValueError) as error:  # vLLM's words for a request that it won't take
            raise RefusedError(f"vLLM refuses the request: {error}") from error
        except Exception as error:  # a boundary: whatever it is, who waits must hear of it in one line
            cause = error.__cause__ or error
            raise EngineError(f"vLLM broke down: {type(cause).__name__}: {cause}") from error

    async def _shut_down(self) -> None:
        self.llm.shutdown()
        del self.llm  # with the sockets that it holds


async def _start(settings: dict[str, Any]) -> Any:
    """Runs on the loop that vLLM will use."""
    from vllm.engine.arg_utils import AsyncEngineArgs
    from vllm.v1.engine.async_llm import AsyncLLM

    try:
        return AsyncLLM.from_engine_args(AsyncEngineArgs(**settings))
    except Exception as error:  # a boundary: vLLM raises whatever its parts happen to raise
        raise EngineError(
            f"vLLM did not start: {type(error).__name__}: {error}. If its own message further up speaks of memory, "
            "lower gpu_memory_utilization or max_model_len in engine_args, or raise tensor_parallel_size"
        ) from error
