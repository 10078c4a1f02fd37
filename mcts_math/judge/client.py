"""A judge elsewhere: the client of the HTTP service, ours or any with the published contract.

The whole completion is sent, so that the service finds the code in it by the rule that `Judge` follows. What a
completion does is an answer. A service that is down, slow or answers rubbish is asked again after pauses that grow;
when that does not help, the error names it and says what it answered last. A service that is busy (503, 429) is waited
for.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
import random
import time
from typing import TYPE_CHECKING, Any, Final

from mcts_math.concurrency import within
from mcts_math.errors import ConfigError, JudgeError, TaskError
from mcts_math.judge.code import extract_code
from mcts_math.judge.judge import JudgeLimits, written_as_json
from mcts_math.judge.problem import NO_CODE, Judgement, Problem

if TYPE_CHECKING:
    import httpx2

_MAX_PAUSE_S: Final = 10.0
_MAX_REPLY_BYTES: Final = 16 << 20  # as much as a judge's own sandbox may say
_SHOWN: Final = 200
_JSON: Final = {"Content-Type": "application/json"}


class _Failed(Exception):  # noqa: N818 - the next try may not
    """One try that came to nothing.

    Attributes:
        busy: the service asked for patience; this try does not count.
        pause_s: the pause that it asked for, seconds; 0 where it named none.
    """

    def __init__(self, reason: str, busy: bool = False, pause_s: float = 0.0) -> None:
        super().__init__(reason)
        self.busy, self.pause_s = busy, pause_s


class JudgeClient:
    """Judges completions by a service; the protocol `CodeJudge`. Belongs to one event loop; call `close`.

    Args:
        address: of the service, as in `OJ_API`; "http://" is added where it names no scheme.
        num_tries: of one request, >= 1; tries that found it busy do not count.
        pause_s: before the second try; doubles with each, up to 10 s.
        timeout_s: of one try, from the first byte sent to the last one received; and, for a problem with a limit for
            each test, all that a service gives it by default (`JudgeLimits.time_for`).
        patience_s: longest wait for a service that says it is busy.
        max_in_flight: requests at a time; more wait here.

    Raises:
        ConfigError: the address is none.
    """

    def __init__(
        self,
        address: str,
        *,
        num_tries: int = 6,
        pause_s: float = 0.5,
        timeout_s: float = 60.0,
        patience_s: float = 600.0,
        max_in_flight: int = 32,
    ) -> None:
        import httpx2

        self.address = address if "://" in address else f"http://{address}"
        try:
            url = httpx2.URL(self.address)
        except httpx2.InvalidURL as error:
            raise ConfigError(f"OJ_API: {address!r} is no address: {error}. Give e.g. http://127.0.0.1:9999") from error
        if url.scheme not in ("http", "https") or not url.host:
            raise ConfigError(f"OJ_API: {address!r} is no address. Give e.g. http://127.0.0.1:9999")
        self._num_tries, self._pause_s, self._patience_s = num_tries, pause_s, patience_s
        self._timeout_s = timeout_s
        self._http = httpx2.AsyncClient(
            limits=httpx2.Limits(max_connections=max_in_flight),
            trust_env=not _is_loopback(url.host),  # a proxy that the environment names can't reach this machine's own
        )
        self._in_flight = asyncio.Semaphore(max_in_flight)

    async def judge(self, problem: Problem, completion: str) -> Judgement:
        """Has the code in a completion judged.

        Raises:
            TaskError: the service refuses the problem, or its cases are no JSON.
            JudgeError: the service can't be reached, or answers rubbish, again and again.
        """
        more_s = 0.0 if problem.timeout_s is None else JudgeLimits().time_for(problem)
        content = {"problem": problem.to_record(), "completion": completion, "details": True}
        async with self._in_flight:
            data = await self._ask(content, self._timeout_s + more_s)
        if "code" not in data:  # only our own service says what it judged
            data["code"] = None if data["result"] == NO_CODE else extract_code(completion, problem.names)
        return Judgement.from_record(data)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()

    async def _ask(self, content: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        num_failed = 0
        patient_until = time.monotonic() + self._patience_s
        while True:
            try:
                return await self._try(content, timeout_s)
            except _Failed as failed:
                num_failed += not failed.busy
                if num_failed >= self._num_tries or time.monotonic() >= patient_until:
                    raise JudgeError(
                        f"the judge at {self.address} (OJ_API) can't be used: {failed}; {num_failed} tries failed. "
                        "Start it (uvicorn mcts_math.judge:app --port 9999), or unset OJ_API to judge on this machine."
                    ) from failed
                pause_s = failed.pause_s or min(self._pause_s * 2 ** max(num_failed - 1, 0), _MAX_PAUSE_S)
            await asyncio.sleep(min(pause_s, _MAX_PAUSE_S) * random.uniform(0.8, 1.2))  # not all at the same moment

    async def _try(self, content: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        import httpx2

        with written_as_json():
            text = json.dumps(content)
        try:
            # httpx bounds each read by itself: a service that drips would never be too slow.
            response, body = await within(timeout_s, self._send(text, timeout_s))
        except (httpx2.TimeoutException, asyncio.TimeoutError) as error:
            raise _Failed("no answer in time") from error
        except (httpx2.HTTPError, httpx2.StreamError) as error:
            raise _Failed(f"{type(error).__name__}: {error}") from error
        if response.status_code == 413 and len(content["completion"]) < len(json.dumps(content["problem"])):
            raise TaskError(
                f"the judge at {self.address} finds the problem too long ({len(content['problem']['test'])} characters "
                "of tests). Start it with a larger JUDGE_MAX_BODY_KB, or unset OJ_API to judge on this machine."
            )
        return _read(response, body)

    async def _send(self, content: str, timeout_s: float) -> tuple[httpx2.Response, bytes]:
        sent = self._http.stream("POST", self.address, content=content, headers=_JSON, timeout=timeout_s)
        async with sent as response:
            return response, await _bounded(response)


async def _bounded(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > _MAX_REPLY_BYTES:
            raise _Failed(f"it answered more than {_MAX_REPLY_BYTES} bytes")
    return bytes(body)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def _read(response: httpx2.Response, body: bytes) -> dict[str, Any]:
    """The record of a judgement. Raises _Failed, or TaskError where the service won't have the problem."""
    shown = body[:_SHOWN].decode("utf-8", "replace")
    status = response.status_code
    if status in (429, 503):
        raise _Failed(f"it is busy ({status})", busy=True, pause_s=_seconds(response.headers.get("Retry-After", "")))
    if status == 413:
        return {"passed": False, "result": "failed: too long for the judge"}
    if status == 422:
        raise TaskError(f"the judge at {response.url} refuses the problem: {shown}")
    if status != 200:
        raise _Failed(f"it answered with status {status}: {shown!r}")
    try:
        data: dict[str, Any] = json.loads(body)
        Judgement.from_record(data)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise _Failed(f"it answered {shown!r}, not {{passed, result}}: {error}") from error
    return data


def _seconds(text: str) -> float:
    """The seconds of a Retry-After header; 0 where it holds none (a date, or nothing)."""
    return min(float(text), _MAX_PAUSE_S) if text.isascii() and text.isdigit() else 0.0
