"""A tree as one line for people."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.nodes import Node, Num


def show(node: Node, limit: int = 400) -> str:
    """`node` as one line for people, cut after `limit` characters."""
    text = _show(node)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _show(node: Node) -> str:
    return _SHOWN[type(node)](node)


def _joined(between: str, nodes: Iterable[Node]) -> str:
    return between.join(map(_show, nodes))


def _number(number: Num) -> str:
    value, places = number.value, number.places
    if value.numerator.bit_length() + value.denominator.bit_length() > 4000:
        return f"<number of {value.numerator.bit_length()} bits>"
    if not number.digits or not 0 < places <= 50 or (value * 10**places).denominator != 1:
        return str(value)
    digits = str(abs(int(value * 10**places))).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _cases(node: tree.Cases) -> str:
    return "; ".join(
        f"{_show(value)} otherwise" if at is None else f"{_show(value)} if {_show(at)}" for value, at in node.rows
    )


def _relation(node: tree.Relation) -> str:
    steps = zip(node.ops, node.items[1:], strict=True)
    return _show(node.items[0]) + "".join(f" {op} {_show(item)}" for op, item in steps)


_SHOWN: Final[dict[type, Callable[[Any], str]]] = {
    tree.Num: _number,
    tree.Const: lambda node: node.name,
    tree.Sym: lambda node: node.name,
    tree.Text: lambda node: f"choice {node.words}" if node.choice else repr(node.words),
    tree.Sum: lambda node: f"({_joined(' + ', node.items)})",
    tree.Prod: lambda node: _joined("*", node.items),
    tree.Power: lambda node: f"({_show(node.base)})^({_show(node.exponent)})",
    tree.Call: lambda node: f"{node.name}({_joined(', ', node.args)})",
    tree.Bound: lambda node: f"{node.kind}({_show(node.body)}, {node.name}, {_show(node.low)}, {_show(node.high)})",
    tree.Cases: _cases,
    tree.Quantity: lambda node: f"{_show(node.value)} [{node.unit}]",
    tree.Group: lambda node: f"{node.left or 'list '}{_joined(', ', node.items)}{node.right}",
    tree.Relation: _relation,
    tree.SetOp: lambda node: _joined(f" {node.op} ", node.items),
    tree.Matrix: lambda node: "[" + "; ".join(_joined(" ", row) for row in node.rows) + "]",
    tree.Ratio: lambda node: _joined(" : ", node.items),
    tree.Time: lambda node: f"{node.minutes // 60}:{node.minutes % 60:02d} {node.half}".rstrip(),
}
