"""Keys and values of token sequences that were computed lately, to be taken up again by requests that begin alike.

A tree asks for `prompt`, then for `prompt + step`, `prompt + step + step`, …; its siblings share all but the last step.
The cache is a radix tree over tokens: every node holds the tokens of an edge and their keys and values, so a common
prefix is stored once. The least recently used leaves are dropped when it is full. Keys and values depend on the weights
too: each state of an adapter has a namespace, a radix tree of its own, within the common limit.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from torch import Tensor

from mcts_math.engine.tokenizer import common_prefix

States = list[Tensor]  # keys and values: one tensor [H, T, D] a buffer


@dataclass(eq=False, slots=True)
class _Node:
    tokens: tuple[int, ...]
    states: States
    parent: _Node | None
    children: dict[int, _Node] = field(default_factory=dict)


class PrefixCache:
    def __init__(self, max_tokens: int) -> None:
        """`max_tokens`: most tokens to hold; 0 holds nothing."""
        self.num_tokens = 0  # tokens held at present
        self._max_tokens = max_tokens
        self._roots: dict[str, _Node] = {}
        # Oldest first. A node is always touched after the nodes below it, so the oldest one is a leaf.
        self._by_age: OrderedDict[_Node, None] = OrderedDict()

    def match(self, tokens: tuple[int, ...], namespace: str = "") -> int:
        return self._descend(tokens, namespace)[1]

    def fetch(self, tokens: tuple[int, ...], count: int, namespace: str = "") -> list[tuple[int, int, States]]:
        """Keys and values of the first `count` tokens, which must be held (see `match`), in pieces (first, last,
        states) for tokens first..last-1; the states are views, not to be written to."""
        path, _ = self._descend(tokens, namespace)
        self._touch(path)
        pieces: list[tuple[int, int, States]] = []
        first = 0
        for node in path:
            last = min(first + len(node.tokens), count)
            if last <= first:
                break
            pieces.append((first, last, [state[:, : last - first] for state in node.states]))
            first = last
        return pieces

    def insert(self, tokens: tuple[int, ...], read: Callable[[int, int], States], namespace: str = "") -> None:
        """Holds a sequence. `read` gives copies of keys and values of tokens first..last-1, for those not yet held."""
        if not tokens or len(tokens) > self._max_tokens:
            return
        path, held = self._descend(tokens, namespace)
        if held < len(tokens):
            beyond = sum(len(node.tokens) for node in path) - held  # tokens of the last edge that are not shared
            if beyond:
                path[-1] = self._split(path[-1], len(path[-1].tokens) - beyond)
            parent = path[-1] if path else self._roots.setdefault(namespace, _Node((), [], None))
            node = _Node(tokens[held:], read(held, len(tokens)), parent)
            parent.children[tokens[held]] = node
            path.append(node)
            self.num_tokens += len(node.tokens)
        self._touch(path)
        while self.num_tokens > self._max_tokens:
            self._drop(next(iter(self._by_age)))

    def forget(self, namespace: str) -> None:
        """Drops a namespace. Its memory is free at once: no two nodes are left that point to each other."""
        root = self._roots.pop(namespace, None)
        nodes = [] if root is None else [root]
        while nodes:
            node = nodes.pop()
            nodes += node.children.values()
            node.children.clear()
            if node is not root:
                del self._by_age[node]
                self.num_tokens -= len(node.tokens)

    def _descend(self, tokens: Sequence[int], namespace: str) -> tuple[list[_Node], int]:
        """The nodes along a sequence, and how many of its tokens they hold (of each node one at least)."""
        path: list[_Node] = []
        node, position = self._roots.get(namespace), 0
        while node is not None and position < len(tokens):
            child = node.children.get(tokens[position])
            if child is None:
                break
            path.append(child)
            edge = child.tokens
            if tokens[position : position + len(edge)] != edge:
                return path, position + common_prefix(edge, tokens[position : position + len(edge)])
            node, position = child, position + len(edge)
        return path, position

    def _split(self, node: _Node, at: int) -> _Node:
        """Cuts an edge in two and returns the upper part. Both get copies, so that dropping one frees its memory."""
        upper = _Node(node.tokens[:at], [state[:, :at].clone() for state in node.states], node.parent)
        node.states = [state[:, at:].clone() for state in node.states]
        node.tokens = node.tokens[at:]
        assert node.parent is not None
        node.parent.children[upper.tokens[0]] = upper
        node.parent = upper
        upper.children[node.tokens[0]] = node
        return upper

    def _touch(self, path: Sequence[_Node]) -> None:
        for node in reversed(path):
            self._by_age[node] = None
            self._by_age.move_to_end(node)

    def _drop(self, leaf: _Node) -> None:
        assert leaf.parent is not None
        del leaf.parent.children[leaf.tokens[0]]
        del self._by_age[leaf]
        self.num_tokens -= len(leaf.tokens)
