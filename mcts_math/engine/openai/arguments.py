"""What `engine: openai` may be told when it connects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from mcts_math.errors import EngineError


@dataclass(frozen=True, slots=True)
class ServerArguments:
    """Arguments of `OpenAIEngine.connect`. Raises EngineError for a number out of range, or an extra_body that is no
    mapping."""

    base_url: str  # the server's address, up to and with "/v1"
    served_name: str | None = None  # on the server, where that is not the given name and there are several models
    api_key_env: str = "OPENAI_API_KEY"  # the environment variable that holds the API key, if one is needed
    # for one reply, to its last byte, from when its turn has come; and for a rate limit to lift
    timeout_s: float = 600.0
    retries: int = 7  # how often a request is sent again; in a minute a server starts anew
    pause_s: float = 0.5  # before it is sent again the first time; doubled each time, at most half a minute
    max_connections: int = 1024  # requests in the air at once; the others wait for theirs
    extra_body: Mapping[str, Any] = field(default_factory=dict)  # further fields of every request; they win over ours

    def __post_init__(self) -> None:
        for name, number, least in (("retries", self.retries, 0), ("max_connections", self.max_connections, 1)):
            if number < least:
                raise EngineError(f"{name} must be at least {least}, not {number}")
        if not (self.timeout_s > 0 and self.pause_s >= 0):
            raise EngineError(f"timeout_s must be above 0 and pause_s at least 0, not {self.timeout_s}, {self.pause_s}")
        if not isinstance(self.extra_body, Mapping):
            raise EngineError(
                f"extra_body must be a mapping, such as {{reasoning_effort: low}}, not {self.extra_body!r}"
            )

    @property
    def is_loopback(self) -> bool:
        """The server runs on this machine, where no proxy leads to."""
        try:
            host = urlsplit(self.base_url).hostname or ""
            return host == "localhost" or ip_address(host).is_loopback
        except ValueError:  # a name, or no address at all, which the first request tells
            return False
