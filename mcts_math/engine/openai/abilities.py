"""What a server can do, tried out before the first request of a kind: the standard leaves much to it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from mcts_math.engine.openai.client import Client, ServerRefusedError
from mcts_math.engine.openai.replies import checked, logprobs_of, reading
from mcts_math.errors import EngineError, RefusedError

_log: Final = logging.getLogger(__name__)
_TRIES: Final = 3  # replies that must agree on what is not there: one may be odd
_OPTIONAL: Final = {
    "logprobs": "tells no log-probabilities (the samples of a node get equal priors)",
    "n": "gives one sample a request (several are asked for one by one)",
    "seed": "takes no seed (the same run will not write the same again)",
}
"""Fields that can be left out, and what that means."""
_DEFAULTS: Final = {"temperature": 1.0, "top_p": 1.0}
"""Fields that mean nothing at these values: hosted models that reason refuse them even so."""


@dataclass(frozen=True, slots=True)
class Abilities:
    lacks: frozenset[str] = frozenset()  # fields that it refuses or ignores, of `_OPTIONAL` and `_DEFAULTS`; left out
    max_tokens: str = "max_tokens"  # what it calls the field of that name

    def fit(self, body: Mapping[str, Any]) -> dict[str, Any]:
        fitting = {name: value for name, value in body.items() if not (name in self.lacks and _can_go(name, value))}
        if "max_tokens" in fitting:
            fitting[self.max_tokens] = fitting.pop("max_tokens")
        return fitting


def make_trial(body: Mapping[str, Any], num_samples: int) -> dict[str, Any]:
    """A short request of the kind of another one, for 16 tokens: too few, and some servers refuse."""
    trial = {
        name: value for name, value in body.items() if name not in ("add_generation_prompt", "continue_final_message")
    }
    asked = {"messages": [{"role": "user", "content": "1 + 1 = ?"}]} if "messages" in body else {"prompt": "1 + 1 ="}
    return trial | asked | {"max_tokens": 16, "n": num_samples}


async def try_out(client: Client, path: str, body: Mapping[str, Any]) -> Abilities:
    """Sends a short request, without what the server refuses by name, for two samples where several are wanted later;
    says once what it lacks. Raises EngineError where even this one is refused, or all replies are odd: so all would
    be."""
    able, told, failures = Abilities(), set[str](), list[RefusedError]()
    wanted = {"logprobs", "n"} if body["n"] > 1 else {"logprobs"}
    for _ in range(_TRIES):
        try:
            able, reply = await _ask(client, path, body, able)
            told |= _told(client, reply)
        except RefusedError as error:
            failures.append(error)
        if wanted <= told | able.lacks:
            break
    if len(failures) == _TRIES:
        last = failures[-1]
        raise EngineError(f"{last}. So it was with all of {_TRIES} short requests for a trial") from last
    able = replace(able, lacks=able.lacks | wanted - told)
    if missed := sorted(able.lacks & _OPTIONAL.keys()):
        lacks = "; ".join(_OPTIONAL[name] for name in missed)
        _log.warning("%s (%s) %s", client.base_url, path, lacks)
    return able


async def _ask(client: Client, path: str, body: Mapping[str, Any], able: Abilities) -> tuple[Abilities, Any]:
    """The reply, and what had to be left out for it."""
    while True:
        try:
            return able, await client.post(path, able.fit(body))
        except ServerRefusedError as error:
            less = _without(able, body, error)
            if less is None:
                remedy = "set in the config what it names, or in extra_body in engine_args"
                raise EngineError(f"{client.base_url} refuses even a short request: {error}; {remedy}") from error
            able = less


def _without(able: Abilities, body: Mapping[str, Any], error: ServerRefusedError) -> Abilities | None:
    """One thing less, or by another name, as a refusal says; None where it says nothing of the kind."""
    if able.max_tokens == "max_tokens" and error.names("max_completion_tokens"):
        return replace(able, max_tokens="max_completion_tokens")
    for field in (*_OPTIONAL, *_DEFAULTS):
        if field in body and field not in able.lacks and _can_go(field, body[field]) and error.names(field):
            return replace(able, lacks=able.lacks | {field})
    return None


def _can_go(field: str, value: Any) -> bool:
    return field in _OPTIONAL or value == _DEFAULTS.get(field)


def _told(client: Client, reply: Any) -> set[str]:
    """What a reply shows that the server can do."""
    with reading(client.base_url):
        choices = checked(reply, client.base_url)
        told = {"logprobs"} if any(map(logprobs_of, choices)) else set[str]()  # a tool call may have none
        return told | {"n"} if len(choices) > 1 else told
