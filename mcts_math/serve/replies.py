"""A finished search as the protocol shows it: choices, usage, and under `search` what the protocol has no word for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from mcts_math.files import dump_line
from mcts_math.run.run import to_record
from mcts_math.scheduler import Solved
from mcts_math.search.expansion import CONTEXT_LENGTH
from mcts_math.serve.orders import Order
from mcts_math.tasks import JsonObject
from mcts_math.tree import Node, Tree
from mcts_math.web import Refused

_KINDS: Final = {401: "authentication_error", 404: "not_found_error", 429: "rate_limit_error"}


@dataclass(frozen=True, slots=True)
class Writer:
    id: str
    order: Order
    created: int = field(default_factory=lambda: int(time.time()))  # when, seconds since 1970

    def completion(self, solved: Solved) -> JsonObject:
        ends = self.chosen(solved.tree)
        choices = [
            {"index": i, "message": self._message(solved.tree, end), "logprobs": None, "finish_reason": reason(solved)}
            for i, end in enumerate(ends)
        ]
        return self._object("chat.completion", choices) | {"usage": usage(solved, ends), "search": self.search(solved)}

    def chunk(self, delta: JsonObject, index: int = 0, finish_reason: str | None = None) -> JsonObject:
        choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return self._object("chat.completion.chunk", [choice])

    def last_chunk(self, solved: Solved) -> JsonObject:
        """What ends a stream: no choice, but what the search has found, and what it has cost where that was asked."""
        told = self._object("chat.completion.chunk", []) | {"search": self.search(solved)}
        options = self.order.request.stream_options
        wants_usage = options is not None and options.include_usage
        return told | ({"usage": usage(solved, self.chosen(solved.tree))} if wants_usage else {})

    def chosen(self, tree: Tree) -> list[Node]:
        """The ends of the solutions that are choices. A chain is one, whatever it ended in; else there may be none."""
        found = [tree.nodes[i] for i in tree.solutions[: self.order.request.n or 1]]
        return found or [tree.nodes[-1] if self.order.model.config.method.is_chain else tree.root]

    def search(self, solved: Solved) -> JsonObject:
        tree, config, form = solved.tree, self.order.model.config, self.order.model.expansion.format
        tags = {node.id: tag for tag, node in tree.tags()}
        ends = [tree.nodes[i] for i in tree.solutions]
        record: JsonObject = {"tree": to_record(solved, config, form)} if self.order.request.return_tree else {}
        return {
            "mode": config.mode,
            "seed": self.order.seed,
            "solutions": [
                {"answer": end.answer, "value": end.value, "solution": self._text(tree, end), "tag": tags[end.id]}
                for end in ends
            ],
            "steps": len(tree.nodes) - 1,
            "stopped": tree.stopped or None,
            "seconds": round(solved.cost.wall_s, 3),
        } | record

    def _message(self, tree: Tree, end: Node) -> JsonObject:
        messages = [step.message for step in tree.turn(end)]
        thoughts = [message.thought for message in messages if message is not None and message.thought]
        message = {"role": "assistant", "content": self._text(tree, end), "refusal": None}
        return message | ({"reasoning_content": "\n\n".join(thoughts)} if thoughts else {})

    def _text(self, tree: Tree, end: Node) -> str:
        return self.order.model.expansion.format.step_delim.join(step.text for step in tree.turn(end))

    def _object(self, kind: str, choices: list[Any]) -> JsonObject:
        name = self.order.model.name
        return {"id": self.id, "object": kind, "created": self.created, "model": name, "choices": choices}


def reason(solved: Solved) -> str:
    """Why the reply ends: a solution was found; or there were no steps, tokens or seconds left to find one."""
    return "stop" if solved.tree.solutions else "length"


def usage(solved: Solved, ends: Sequence[Node]) -> JsonObject:
    """All tokens of the search. Those of steps that are in no choice count as thoughts."""
    tree, cost = solved.tree, solved.cost
    shown = {id(step): step.num_tokens for end in ends for step in tree.turn(end)}
    return {
        "prompt_tokens": cost.prompt_tokens,
        "completion_tokens": cost.tokens,
        "total_tokens": cost.prompt_tokens + cost.tokens,
        "prompt_tokens_details": {"cached_tokens": cost.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": max(cost.tokens - sum(shown.values()), 0)},
    }


def require_solved(solved: Solved) -> Solved:
    """Raises Refused where the search broke down, or could not begin."""
    if solved.error:
        raise Refused(422, f"the search broke down: {solved.error[:500]}", code="search_failed")
    if solved.tree.stopped == CONTEXT_LENGTH and len(solved.tree.nodes) == 1:
        raise Refused(400, "the messages do not fit the model's context", "messages", "context_length_exceeded")
    return solved


def error(refused: Refused) -> JsonObject:
    """An error as the protocol shows it."""
    kind = _KINDS.get(refused.status, "invalid_request_error" if refused.status < 500 else "server_error")
    return {"error": {"message": refused.detail, "type": kind, "param": refused.param, "code": refused.code}}


def event(data: JsonObject) -> bytes:
    return b"data: " + dump_line(data) + b"\n"
