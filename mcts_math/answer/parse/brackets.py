"""Brackets of all kinds, sets with a condition, matrices and cases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mcts_math.answer.parse.tokens import CELL, LOGIC, PRODUCT, Cursor, UnreadableError
from mcts_math.answer.text.vocabulary import COMPLEX
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.nodes import EMPTY_SET, ONE, Group, Node, Relation, SetOp, Sym
from mcts_math.answer.values.shapes import integers

_MATRICES: Final = frozenset({"matrix", "pmatrix", "bmatrix", "Bmatrix", "vmatrix", "smallmatrix", "array"})
_AROUND: Final = frozenset({"^", "*", "/", "+", "-", "!"})
_BOUNDS: Final = frozenset({"<", "<=", ">", ">=", "!="})
_CONDITIONS: Final = _BOUNDS | {"in", "="}
_IF: Final = frozenset({"if", "for", "when", "where", "while", "if and only if"})
_OTHERWISE: Final = frozenset({"otherwise", "else", "elsewhere"})
_OPENING: Final = {"]": "(", "{{": "{"}
_CLOSING: Final = {"[": ")", "}}": "}"}


def brackets(cursor: Cursor, left: str) -> Node:
    """What the bracket `left`, just taken, encloses: a value, tuple, list, set, interval or a set's condition."""
    start = cursor.index
    of = None
    if left == "{{":
        of = _of_integers(cursor)
        cursor.index += _set_builder(cursor) if of is None else 4
    condition = cursor.index > start
    items = cursor.comma_list(")", "]", "}}", "}")
    trailing = cursor.previous.text == ","
    if left == "{":
        cursor.expect("}")
        if not items:
            return EMPTY_SET if start == 1 else ONE
        return items[0] if len(items) == 1 else Group("{", "}", tuple(items), cursor.spaced)
    right = cursor.token.text
    if not cursor.take(")", "]", "}}", "["):
        raise UnreadableError("a bracket that is not closed")
    if (left == "{{") != (right == "}}") or (not items and left == "("):
        raise UnreadableError("brackets that do not match, or hold nothing")
    if of is not None:
        name, domain = of
        return integers(items, name, domain) or SetOp("and", (Relation(("in",), (Sym(name), Sym(domain))), *items))
    if left == "{{" and condition:  # what holds together, or solves an equation
        ops = {item.ops[0] for item in items if isinstance(item, Relation)}
        listed = bool(ops & {"in", "!="}) or (len(items) == 1 and bool(ops - {"=", "~"}))
        return tree.listing(items) if listed else SetOp("cap", tuple(items))
    if left == "{{":
        match items:
            case [Relation((op,), (tree.Ratio((body, Sym(name) as index)), at)), *rest] if name in tree.symbols(body):
                return Group("", "", (body, Relation((op,), (index, at)), *rest))  # 2k : k = 0, 1, 2
        pairs = [item.items if isinstance(item, tree.Ratio) and len(item.items) == 2 else () for item in items]
        items = [Relation(("=",), pair) if pair else item for pair, item in zip(pairs, items, strict=True)]  # {x: 1}
    if len(items) == 1 and not trailing:
        only = items[0]
        if left + right == "()":
            return only
        if left + right == "[]" and _in_formula(cursor, start):
            return only
    return Group(_OPENING.get(left, left), _CLOSING.get(right, right), tuple(items), cursor.spaced)


def _in_formula(cursor: Cursor, start: int) -> bool:
    """Whether square brackets, just closed, group a part of a formula: a power, factor or term."""
    before = cursor.tokens[start - 2] if start > 1 else None
    return cursor.token.text in _AROUND or (
        before is not None and (before.text in {*_AROUND, "}", ")"} or before.kind in ("num", "sym"))
    )


def _of_integers(cursor: Cursor) -> tuple[str, str] | None:
    """Name and domain of `x in Z |`, where a condition follows."""
    name, op, domain, bar = (cursor.peek(distance) for distance in range(4))
    if name.kind != "sym" or op.text != "in" or domain.text not in ("Z", "N") or bar.text not in ("|", ":"):
        return None
    return (name.text, domain.text) if any(token.text in _BOUNDS for token in cursor.tokens[cursor.index :]) else None


def _set_builder(cursor: Cursor) -> int:
    """How many tokens introduce a condition: `x |`, `x :`, `x in R |`; 0 where there is none."""
    if cursor.token.kind != "sym" or cursor.token.text in COMPLEX:
        return 0
    length = 4 if cursor.peek().text == "in" and cursor.peek(2).text == "reals" else 2
    if cursor.peek(length - 1).text not in ("|", ":"):
        return 0
    return length if any(token.text in _CONDITIONS for token in cursor.tokens[cursor.index + length :]) else 0


def environment(cursor: Cursor, name: str) -> Node:
    """A LaTeX environment with rows of cells: a matrix, the determinant of one, or cases."""
    kind = name.rstrip("*")
    cases = kind in ("cases", "dcases")
    if not cases and kind not in _MATRICES:
        raise UnreadableError(f"the environment {name}")
    rows = [row for row in _rows(cursor, f"end {name}", cases) if row]
    if cases:
        return _cases(rows)
    if not rows or any(len(row) != len(rows[0]) for row in rows):
        raise UnreadableError("rows of different lengths")
    matrix = tree.Matrix(tuple(tuple(cell for cell in row if cell is not None) for row in rows))
    return tree.Call("det", (matrix,)) if kind == "vmatrix" else matrix


def _rows(cursor: Cursor, end: str, cases: bool) -> Iterator[list[Node | None]]:
    """The cells of each row; in `cases` commas and words such as "if" divide them too, and "otherwise" is None."""
    cells: list[Node | None] = []
    while not cursor.take(end):
        word = cursor.token.text.strip(" ,.;:").lower() if cases and cursor.token.kind == "word" else ""
        if cursor.take("newline"):
            yield cells
            cells = []
        elif word in _IF or word in _OTHERWISE:
            cursor.advance()
            cells += [None] if word in _OTHERWISE else []
        elif not cursor.take("&", *",;." if cases else ()):
            cells.append(cursor.within(CELL))  # "&" separates cells here
            if not cases and not cursor.sees("&", "newline", end):
                raise UnreadableError("a matrix that is not rows of cells")
    yield cells


def _cases(rows: list[list[Node | None]]) -> Node:
    """Values with their conditions, or the equations of a system."""
    if rows and all(len(row) == 2 for row in rows):
        return tree.Cases(tuple((value, condition) for value, condition in rows if value is not None))
    systems = [row[0] for row in rows if len(row) == 1 and isinstance(row[0], Relation)]
    if not systems or len(systems) != len(rows):
        raise UnreadableError("cases that are no pairs of value and condition")
    return Group("", "", tuple(systems))


def bar_power(cursor: Cursor) -> int:
    """How a vertical bar after an operand binds: it closes, opens an absolute value, or means "or"."""
    if cursor.bars:
        return 0
    return LOGIC if cursor.previous.text == ")" and cursor.peek().text == "(" else PRODUCT
