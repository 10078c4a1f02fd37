"""Talking to an OpenAI-compatible server: JSON in, JSON out, again after a pause where that may help, clear errors."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import re
import time
from contextlib import suppress
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import httpx2

from mcts_math.concurrency import within
from mcts_math.engine.loop_thread import LoopThread, T, Work
from mcts_math.engine.openai.arguments import ServerArguments
from mcts_math.errors import EngineError, RefusedError
from mcts_math.messages import whole_texts

_log = logging.getLogger(__name__)
_AGAIN = frozenset({408, 409, 425, 429})  # as all failures of the server's own, but these
_NEVER = frozenset({501, 505})  # it does not know the method, or the protocol
_SILENT = 2  # failures of a request before its user hears of them
_NO_JSON = object()  # in the place of a reply
_NO_MONEY = "insufficient_quota"  # as OpenAI calls a 429 that no waiting mends
_SHORTEST_PAUSE_S = 0.01
_LONGEST_PAUSE_S = 30.0
_HOPELESS = ("CERTIFICATE_VERIFY_FAILED", "WRONG_VERSION_NUMBER", "Name or service not known")  # to connect again
_ABOUT_LENGTH = re.compile(r"prompt|input|token|context|messages")
_TOO_LONG = re.compile(
    r"context.(length|window|size)|too (long|many)|max(imum |_)model.len|max_(new|num)_tokens|completion tokens|"
    r"exceeds? the maximum|must have less than|reduce the length"
)
_NUMBER = re.compile(r"\d+(?:,\d{3})*")
_LIMIT = re.compile(r"(?:context|max|limit|most|size)\D{0,60}(\d+(?:,\d{3})*)", re.IGNORECASE)


class ServerRefusedError(Exception):
    """The server understood and said no; whether that ends the run is for the caller to say."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP {status}, {message}")
        self.status, self.message = status, message

    def as_error(self, what: str) -> EngineError:
        """What to raise of it: `what`, such as "URL refuses the request", and why. It ends its question alone where the
        request is too large, not to the server's taste, or breaks it each time."""
        kind = RefusedError if self.status in (400, 413, 422, 500) else EngineError
        return kind(f"{what}: {self}")

    def names(self, field: str) -> bool:
        """Whether the message is about a field of the request; of one letter it must stand in quotes, or get a rule."""
        more = r"|\bn\b(?= *(?:=|>|must|should|is))" if field == "n" else rf"|\b{field}\b"
        return self.status in (400, 404, 422) and bool(re.search(f"['\"`]{field}['\"`]" + (more), self.message))

    @property
    def is_for_want_of_room(self) -> bool:
        """The prompt, or the prompt with the tokens that were asked for, is too long for the model."""
        message = self.message.lower()
        return self.status in (400, 413, 422, 500) and all(p.search(message) for p in (_ABOUT_LENGTH, _TOO_LONG))

    def find_limit(self, num_prompt_tokens: int, max_tokens: int) -> int | None:
        """The model's context, if the message says so: the one number that the prompt fits into, but not the request;
        of several, the one that follows a word for it."""
        for pattern in (_LIMIT, _NUMBER):
            told = {int(text.replace(",", "")) for text in pattern.findall(self.message)} - {max_tokens}
            limits = [number for number in told if num_prompt_tokens < number < num_prompt_tokens + max_tokens]
            if len(limits) == 1:
                return limits[0]
        return None


class Client:
    def __init__(self, arguments: ServerArguments, key: str = "engine_args") -> None:
        """Raises EngineError where the API key that the arguments name, the bearer token, can't be sent."""
        self.arguments = arguments
        self.base_url = arguments.base_url
        self.key = key  # of the config under which they stand
        self._api_key = _read_api_key(arguments.api_key_env)
        self._client: httpx2.AsyncClient | None = None
        self._turns = asyncio.Semaphore(arguments.max_connections)
        self._works: dict[str, asyncio.Future[Any]] = {}
        self._has_told = False  # that requests are sent again
        self._limited_until = 0.0  # on time.monotonic: nobody asks before
        self._thread = LoopThread("openai-client")

    def get(self, path: str) -> Any:
        """A GET that blocks. Raises EngineError, and ServerRefusedError where the server said no."""
        return self._thread.call(lambda: self._send("GET", path, None))

    async def post(self, path: str, body: dict[str, Any]) -> Any:
        """A POST; may be awaited on any loop. Raises EngineError, and ServerRefusedError where the server said no."""
        return await self._thread.run(lambda: self._send("POST", path, body))

    def try_out(self, path: str, body: dict[str, Any], doubt: str = "") -> Any:
        """A POST that blocks. Raises EngineError, which ends with a `doubt` where the server said no."""
        try:
            return self._thread.call(lambda: self._send("POST", path, body))
        except ServerRefusedError as error:
            raise EngineError(f"{self._url(path)} refuses a first request: {error}{doubt and '. '}{doubt}") from error

    async def once(self, key: str, work: Work[T]) -> T:
        """What `work` returns or raises. Of several calls with one key, the first one's work is done for all; where it
        raises, a later call tries anew."""
        return await self._thread.run(lambda: self._shared(key, work))

    async def _shared(self, key: str, work: Work[T]) -> T:
        if key not in self._works:
            self._works[key] = asyncio.ensure_future(work())
            self._works[key].add_done_callback(partial(self._forget_failed, key))
        result: T = await asyncio.shield(self._works[key])
        return result

    def _forget_failed(self, key: str, done: asyncio.Future[Any]) -> None:
        if done.cancelled() or done.exception() is not None:
            del self._works[key]

    def close(self) -> None:
        """Closes the connections; whoever still waits gets an EngineError. May be called again."""
        self._thread.close(self._close)

    async def _send(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        if self._client is None:
            self._client = httpx2.AsyncClient(**self._settings())
        attempt, waited = 0, 0.0
        while True:
            try:
                return self._read(await self._request(self._client, method, path, body))
            except (httpx2.InvalidURL, httpx2.UnsupportedProtocol) as error:
                told = f"is {self.base_url!r}, which is no address: {error}. Give e.g. http://HOST:8000/v1"
                raise EngineError(f"base_url in {self.key} {told}") from error
            except (httpx2.TransportError, httpx2.DecodingError, _TryAgainError) as error:
                if isinstance(error, _TryAgainError) and error.status == 429:
                    waited += self._limit(error, waited)
                    continue
                if attempt == self.arguments.retries or any(words in str(error) for words in _HOPELESS):
                    raise self._explain(error, attempt + 1) from error
                if attempt == _SILENT and not self._has_told:
                    self._has_told = True
                    _log.warning("%s does not serve (%s); requests are sent again", self.base_url, error)
                await asyncio.sleep(self._pause(attempt, error))
                attempt += 1

    def _limit(self, error: _TryAgainError, waited: float) -> float:
        """Holds all requests back until a rate limit is lifted; the seconds until then. They cost no retries. Raises
        RefusedError where this would take longer than a reply may."""
        pause = error.retry_after
        if not pause:  # nothing told, or no time left by a clock that may differ from ours
            pause = min(max(waited, self.arguments.pause_s, _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
        if waited + pause > self.arguments.timeout_s:
            raise RefusedError(
                f"{self.base_url} limits the rate of requests for longer than timeout_s ({self.arguments.timeout_s:g} "
                f"s): {error.message}; lower max_connections in {self.key}"
            ) from error
        self._limited_until = max(self._limited_until, time.monotonic() + pause)
        return pause

    async def _request(
        self, client: httpx2.AsyncClient, method: str, path: str, body: dict[str, Any] | None
    ) -> httpx2.Response:
        """One try. httpx bounds each read by itself: a server that drips would never be too slow."""
        async with self._turns:
            while (pause := self._limited_until - time.monotonic()) > 0:
                await asyncio.sleep(pause * random.uniform(1.0, 1.1))  # not all at once
            try:
                return await within(self.arguments.timeout_s, client.request(method, self._url(path), json=body))
            except asyncio.TimeoutError:
                raise httpx2.ReadTimeout("no reply in time") from None

    async def _close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    def _settings(self) -> dict[str, Any]:
        most = self.arguments.max_connections
        return {
            "timeout": httpx2.Timeout(self.arguments.timeout_s, connect=10.0, pool=None),
            "limits": httpx2.Limits(max_connections=most, max_keepalive_connections=most),
            "trust_env": not self.arguments.is_loopback,  # proxies are for other machines
            "headers": {} if self._api_key is None else {"Authorization": f"Bearer {self._api_key}"},
        }

    def _url(self, path: str) -> str:
        """Paths are the API's; those that begin with "/" are the server's."""
        base = self.base_url.rstrip("/")
        return f"{base.removesuffix('/v1')}{path}" if path.startswith("/") else f"{base}/{path}"

    def _read(self, response: httpx2.Response) -> Any:
        try:
            reply = response.json()
        except (ValueError, RecursionError):
            reply = _NO_JSON
        status, message = _status(response, reply), _message(response, reply)
        if status == 429 and _NO_MONEY in response.text:
            raise EngineError(f"{self.base_url} has no more to give to this API key: {message}")
        if (refusal := ServerRefusedError(status, message)).is_for_want_of_room:  # some say so by a 500
            raise refusal
        # Failures that may pass have other numbers behind a gateway (Cloudflare's 52x).
        if status in _AGAIN or (status >= 500 and status not in _NEVER):
            raise _TryAgainError(status, message, _seconds(response.headers.get("Retry-After")))
        if status in (401, 403):
            raise EngineError(
                f"{self.base_url} wants another API key ({message}); put it into the environment variable "
                f"{self.arguments.api_key_env}, or name another one with api_key_env in {self.key}"
            )
        if status >= 400:
            raise refusal
        if status >= 300:
            raise RefusedError(f"{response.url} has moved to {response.headers.get('Location')}; set base_url to that")
        if reply is _NO_JSON and response.text.startswith("{"):
            raise httpx2.RemoteProtocolError(f"the reply is no whole JSON: {response.text[:80]!r}")
        if reply is _NO_JSON or _error_of(reply):
            what = f"no JSON but {response.text[:80]!r}" if reply is _NO_JSON else f"an error: {message}"
            doubt = f"is base_url in {self.key} that of an OpenAI-compatible API, with /v1 at its end?"
            raise RefusedError(f"{response.url} answered {what}; {doubt}")
        return whole_texts(reply) if b"\\u" in response.content else reply  # an escape can spell half a character

    def _pause(self, attempt: int, error: Exception) -> float:
        """Doubled each time, and no less than the server wants: what it tells is often a mere default of a second."""
        told = (error.retry_after or 0.0) if isinstance(error, _TryAgainError) else 0.0
        pause = min(self.arguments.pause_s * 2.0 ** min(attempt, 9), _LONGEST_PAUSE_S)
        return float(max(pause, min(told, self.arguments.timeout_s)))

    def _explain(self, error: Exception, tries: int) -> EngineError | ServerRefusedError:
        """Only a server that is not there ends the run at once: anything else may be the matter of one request."""
        tried = f"(tried {tries} times). Finished questions are safe: go on with --resume"
        if isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
            remedy = (
                "Does SSL_CERT_FILE name its authority's certificate, or is it http://"
                if "[SSL" in str(error)
                else "Is the server running"
            )
            return EngineError(f"nothing answers at {self.base_url}: {error}. {remedy}? {tried}")
        if isinstance(error, httpx2.TimeoutException):
            return RefusedError(
                f"{self.base_url} did not reply within {self.arguments.timeout_s:g} s; raise timeout_s or lower "
                f"max_connections in {self.key} {tried}"
            )
        if isinstance(error, _TryAgainError) and error.status == 500:
            return ServerRefusedError(error.status, error.message)
        if isinstance(error, _TryAgainError):
            return RefusedError(f"{self.base_url} is not able to serve: HTTP {error.status}, {error.message} {tried}")
        return RefusedError(f"the connection to {self.base_url} broke: {type(error).__name__}: {error} {tried}")


def _read_api_key(variable: str) -> str | None:
    """The key in an environment variable. Raises EngineError, without showing it, where it can't be sent."""
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise EngineError(f"the API key in {variable} holds characters that no HTTP header may have; set it again")
    return key or None


class _TryAgainError(Exception):
    """The server can't serve just now; 429: it takes no more for a while. `retry_after` in seconds, where it tells."""

    def __init__(self, status: int, message: str, retry_after: float | None) -> None:
        super().__init__(message)
        self.status, self.message, self.retry_after = status, message, retry_after


def _seconds(retry_after: str | None) -> float | None:
    """A header `Retry-After`, which holds seconds or a date; None where it holds neither."""
    if retry_after is None:
        return None
    for read in (float, lambda date: parsedate_to_datetime(date).timestamp() - time.time()):
        with suppress(ValueError):
            return max(0.0, read(retry_after))
    return None


def _error_of(reply: Any) -> Any:
    """What went wrong, in a reply without results: some servers tell it under HTTP 200 (OpenRouter, LM Studio)."""
    is_without = isinstance(reply, dict) and not any(part for part in reply.values() if isinstance(part, list))
    return reply.get("error") if is_without else None


def _status(response: httpx2.Response, reply: Any) -> int:
    error = _error_of(reply)
    code = error.get("code") if isinstance(error, dict) else None
    return code if response.is_success and isinstance(code, int) and code >= 400 else response.status_code


def _message(response: httpx2.Response, reply: Any) -> str:
    """The server's own words, and its code where that is a word."""
    if reply is _NO_JSON:
        return response.text[:300] or response.reason_phrase
    error = reply.get("error", reply) if isinstance(reply, dict) else reply
    if not isinstance(error, dict):
        return str(error)[:500]
    code = error.get("code")
    return str(error.get("message", error))[:500] + (f" ({code})" if isinstance(code, str) else "")
