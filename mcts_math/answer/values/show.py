"""A tree as one line for people."""

from __future__ import annotations

from mcts_math.answer.values.nodes import (
    Bound,
    Call,
    Cases,
    Const,
    Group,
    Matrix,
    Node,
    Num,
    PlusMinus,
    Power,
    Prod,
    Quantity,
    Ratio,
    Relation,
    SetOp,
    Sum,
    Sym,
    Text,
    Time,
)


def show(node: Node, limit: int = 400) -> str:
    """`node` as one line for people, cut after `limit` characters."""
    text = _show(node)
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _show_number(number: Num) -> str:
    if number.value.numerator.bit_length() + number.value.denominator.bit_length() > 4000:
        return f"<number of {number.value.numerator.bit_length()} bits>"
    if not number.digits or number.places <= 0 or number.places > 50:
        return str(number.value)
    scaled = number.value * 10**number.places
    if scaled.denominator != 1:
        return str(number.value)
    digits = str(abs(scaled.numerator)).rjust(number.places + 1, "0")
    return f"{'-' if number.value < 0 else ''}{digits[: -number.places]}.{digits[-number.places :]}"


def _show(node: Node) -> str:
    if isinstance(node, Num):
        return _show_number(node)
    if isinstance(node, (Const, Sym)):
        return node.name
    if isinstance(node, Text):
        return repr(node.words) if not node.choice else f"choice {node.words}"
    if isinstance(node, Sum):
        return "(" + " + ".join(map(_show, node.items)) + ")"
    if isinstance(node, Prod):
        return "*".join(map(_show, node.items))
    if isinstance(node, Power):
        return f"({_show(node.base)})^({_show(node.exponent)})"
    if isinstance(node, Call):
        return f"{node.name}({', '.join(map(_show, node.args))})"
    if isinstance(node, Bound):
        return f"{node.kind}({_show(node.body)}, {node.name}, {_show(node.low)}, {_show(node.high)})"
    if isinstance(node, Cases):
        rows = (f"{_show(v)} if {_show(c)}" if c is not None else f"{_show(v)} otherwise" for v, c in node.rows)
        return "; ".join(rows)
    if isinstance(node, PlusMinus):
        return f"({_show(node.left)} {'±' if node.sign > 0 else '∓'} {_show(node.right)})"
    return _show_structure(node)


def _show_structure(node: Node) -> str:
    if isinstance(node, Quantity):
        return f"{_show(node.value)} [{node.unit}]"
    if isinstance(node, Group):
        inner = ", ".join(map(_show, node.items))
        return f"{node.left}{inner}{node.right}" if node.left else f"list {inner}"
    if isinstance(node, Relation):
        parts = [_show(node.items[0])]
        for op, item in zip(node.ops, node.items[1:], strict=True):
            parts += [op, _show(item)]
        return " ".join(parts)
    if isinstance(node, SetOp):
        return f" {node.op} ".join(map(_show, node.items))
    if isinstance(node, Matrix):
        return "[" + "; ".join(" ".join(map(_show, row)) for row in node.rows) + "]"
    if isinstance(node, Ratio):
        return " : ".join(map(_show, node.items))
    assert isinstance(node, Time)
    return f"{node.minutes // 60}:{node.minutes % 60:02d}{' ' + node.half if node.half else ''}"
