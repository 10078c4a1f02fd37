"""A search as it is followed while it goes on: what it has written so far, or how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from mcts_math.formats import StepFormat
from mcts_math.scheduler import MakeSearch
from mcts_math.search.expansion import Search
from mcts_math.tasks import JsonObject
from mcts_math.tree import Node, Tree

_LINE_S: Final = 0.5
"""Between two lines of progress."""


def told(search: Search, tell: Callable[[], None]) -> Search:
    """The same search, which tells whenever it has worked on replies."""
    try:
        requests = next(search)
        while True:
            replies = yield requests
            requests = search.send(replies)
            tell()
    except StopIteration:
        return
    finally:
        search.close()


@dataclass(slots=True)
class Deltas:
    """What is new in a growing tree, as deltas of a streamed message: the steps of a chain, else now and then how
    far it is."""

    form: StepFormat
    is_chain: bool  # the tree is one chain
    _tree: Tree | None = None
    _sent: int = 0
    _line_at: float = field(default_factory=lambda: time.monotonic() - _LINE_S)

    def watch(self, make_search: MakeSearch, tell: Callable[[], None]) -> MakeSearch:
        """The same search, followed from now on."""

        def search(tree: Tree) -> Search:
            self._tree = tree
            return told(make_search(tree), tell)

        return search

    def news(self) -> Iterator[JsonObject]:
        """What is new since it was asked last."""
        tree = self._tree
        if tree is None or len(tree.nodes) == 1:
            return
        if self.is_chain:
            yield from self.rest(tree, tree.nodes[-1])
        elif time.monotonic() - self._line_at >= _LINE_S:
            self._line_at = time.monotonic()
            yield {"reasoning_content": describe(tree) + "\n"}

    def rest(self, tree: Tree, node: Node) -> Iterator[JsonObject]:
        """What was not sent yet of the solution that ends at a node."""
        for step in tree.turn(node)[self._sent :]:
            if step.message is not None and step.message.thought:
                yield {"reasoning_content": step.message.thought}
            yield {"content": (self.form.step_delim if self._sent else "") + step.text}
            self._sent += 1


def describe(tree: Tree) -> str:
    depth = max(node.depth for node in tree.nodes)
    return f"{len(tree.nodes) - 1} steps tried, depth {depth}, {len(tree.solutions_in(tree.nodes))} answers"
