"""What our HTTP services share: bodies of bounded size and time, and answers in JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mcts_math.concurrency import within
from mcts_math.files import dump_line

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

BODY_TIMEOUT_S = 10.0


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """A request that gets an error status of HTTP: what is wrong and what to do, the key that is to blame, and the word
    that programs know for the kind of error."""

    def __init__(self, status: int, detail: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(detail)
        self.status = status  # of HTTP
        self.detail, self.param, self.code = detail, param, code

    @property
    def headers(self) -> dict[str, str]:
        """Busy now: a client may try again."""
        return {"Retry-After": "1"} if self.status in (429, 503) else {}


def reply(status: int, content: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON, whatever a model wrote into it; see `dump_line`."""
    from starlette.responses import Response

    return Response(dump_line(content), status, headers, "application/json")


async def read_body(request: Request, max_bytes: int) -> bytes:
    """The body, read no further than the limit. Raises Refused where it is longer, or does not arrive."""
    from starlette.requests import ClientDisconnect

    async def read() -> bytes:
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > max_bytes:
                raise Refused(413, f"the request is longer than {max_bytes} bytes")
        return bytes(body)

    try:
        return await within(BODY_TIMEOUT_S, read())
    except asyncio.TimeoutError:
        raise Refused(408, f"the request did not arrive within {BODY_TIMEOUT_S:g} s") from None
    except ClientDisconnect:
        raise Refused(400, "the client hung up before the request was complete") from None
