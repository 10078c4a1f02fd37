"""Brackets of all kinds, sets with a condition, matrices."""

from __future__ import annotations

from mcts_math.answer.parse.cursor import CELL, Cursor
from mcts_math.answer.parse.tokens import UnreadableError
from mcts_math.answer.values.nodes import (
    EMPTY_SET,
    ONE,
    ZERO,
    Bound,
    Call,
    Cases,
    Group,
    Matrix,
    Node,
    Ratio,
    Relation,
    Sym,
)


def brackets(cursor: Cursor, left: str) -> Node:
    """What the bracket `left`, just taken, encloses: a value, tuple, list, set, interval or a set's condition."""
    start = cursor.index
    bars, cursor.bars = cursor.bars, 0
    if left == "{{":
        cursor.index += _set_builder(cursor)
    items = cursor.comma_list(frozenset({")", "]", "}}", "}"}))
    cursor.bars = bars
    closer = cursor.token
    if left == "{":
        cursor.expect("}")
        if not items:
            return EMPTY_SET if start == 1 else ONE
        return items[0] if len(items) == 1 else Group("{", "}", tuple(items), cursor.spaced)
    if closer.kind != "op" or closer.text not in (")", "]", "}}", "["):
        raise UnreadableError("a bracket that is not closed")
    trailing = cursor.previous.text == ","
    cursor.advance()
    if left == "(" and closer.text == ")" and len(items) == 1 and not trailing:
        return items[0] if not isinstance(items[0], Group) or items[0].left else Group("(", ")", items[0].items)
    if (left == "{{") != (closer.text == "}}"):
        raise UnreadableError("brackets that do not match")
    if left == "{{":
        if len(items) == 1 and (family := _family(items[0])) is not None:
            return family
        items = [Relation(("=",), item.items) if isinstance(item, Ratio) else item for item in items]
        if len(items) == 1 and isinstance(items[0], Relation) and items[0].ops[0] not in ("=", "~"):
            return items[0]
    if left == "[" and closer.text == "]" and len(items) == 1 and not trailing and _in_formula(cursor, start):
        return items[0]
    if not items and left == "(":
        raise UnreadableError("empty brackets")
    opening, closing = {"]": "(", "{{": "{"}.get(left, left), {"[": ")", "}}": "}"}.get(closer.text, closer.text)
    return Group(opening, closing, tuple(items), cursor.spaced)


def _in_formula(cursor: Cursor, start: int) -> bool:
    """Whether square brackets, just closed, group a part of a formula: a power, factor or term."""
    before = cursor.tokens[start - 2] if start > 1 else None
    after = cursor.token
    return after.text in _AROUND or (before is not None and (before.text in _AROUND or before.kind in ("num", "sym")))


def _family(node: Node) -> Node | None:
    """`n pi : n in Z` between the braces of a set."""
    if not isinstance(node, Relation) or node.ops != ("in",) or not isinstance(node.items[0], Ratio):
        return None
    (body, name), domain = node.items[0].items, node.items[1]
    if not isinstance(name, Sym) or domain not in (Sym("Z"), Sym("N")):
        return None
    start = ONE if domain == Sym("N") else ZERO
    return Bound("family", body, name.name, start, start)


def _set_builder(cursor: Cursor) -> int:
    """How many tokens introduce a condition: `x |`, `x :`, `x in R |`; 0 where there is none."""
    if cursor.token.kind != "sym":
        return 0
    length = 4 if cursor.peek().text == "in" and cursor.peek(2).text == "reals" else 2
    if cursor.peek(length - 1).text not in ("|", ":"):
        return 0
    conditions = ("<", "<=", ">", ">=", "!=", "in")
    return length if any(token.text in conditions for token in cursor.tokens[cursor.index + length :]) else 0


def environment(cursor: Cursor, name: str) -> Node:
    """A LaTeX environment with rows of cells: a matrix, or the determinant of one."""
    if name.rstrip("*") in ("cases", "dcases"):
        return _cases(cursor, name)
    if name.rstrip("*") not in ("matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "smallmatrix", "array"):
        raise UnreadableError(f"the environment {name}")
    rows: list[tuple[Node, ...]] = []
    cells: list[Node] = []
    while True:
        token = cursor.token
        if token.text not in ("&", "newline", f"end {name}"):
            cells.append(_cell(cursor))
            token = cursor.token
        cursor.advance()
        if token.text == "&":
            continue
        if cells:
            rows.append(tuple(cells))
            cells = []
        if token.text == f"end {name}":
            break
        if token.text != "newline":
            raise UnreadableError("a matrix that is not rows of cells")
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise UnreadableError("rows of different lengths")
    matrix = Matrix(tuple(rows))
    return Call("det", (matrix,)) if name == "vmatrix" else matrix


_AROUND = frozenset({"^", "*", "/", "+", "-", "!"})
_IF = frozenset({"if", "for", "when", "where", "while", "if and only if"})
_OTHERWISE = frozenset({"otherwise", "else"})


def _cases(cursor: Cursor, name: str) -> Node:
    """The rows of `cases`: values with their conditions, or the equations of a system."""
    rows: list[tuple[Node | None, ...]] = []
    cells: list[Node | None] = []
    while True:
        token = cursor.token
        if token.text in ("newline", f"end {name}"):
            cursor.advance()
            if cells:
                rows.append(tuple(cells))
            cells = []
            if token.text != "newline":
                break
        elif token.text in ("&", ",", ";", ".") or (token.kind == "word" and _bare(token.text) in _IF):
            cursor.advance()
        elif token.kind == "word" and _bare(token.text) in _OTHERWISE:
            cursor.advance()
            cells.append(None)
        else:
            cells.append(_cell(cursor))
    if rows and all(len(row) == 2 for row in rows):
        return Cases(tuple((value, condition) for value, condition in rows if value is not None))
    systems = [row[0] for row in rows if len(row) == 1 and isinstance(row[0], Relation)]
    if not systems or len(systems) != len(rows):
        raise UnreadableError("cases that are no pairs of value and condition")
    return Group("", "", tuple(systems))


def _bare(word: str) -> str:
    return word.strip(" ,.;:").lower()


def _cell(cursor: Cursor) -> Node:
    bars, cursor.bars = cursor.bars, 0
    node = cursor.expression(CELL)  # "&" separates cells here
    cursor.bars = bars
    return node


def bar_power(cursor: Cursor, logic: int, product: int) -> int:
    """How a vertical bar after an operand binds: it closes, opens an absolute value, or means "or"."""
    if cursor.bars:
        return 0
    if cursor.previous.text == ")" and cursor.peek().text == "(":
        return logic
    return product
