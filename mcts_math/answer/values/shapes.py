"""What lists, matrices, sets and propositions are, whatever brackets and names they were written with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from operator import eq, ge, gt, le, lt, ne
from typing import Any, Final

from mcts_math.answer.text.things import singular
from mcts_math.answer.text.units import DEGREE
from mcts_math.answer.text.vocabulary import VARIABLES
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.exact import exact
from mcts_math.answer.values.nodes import (
    ZERO,
    Bound,
    Call,
    Group,
    Matrix,
    Node,
    Power,
    Prod,
    Quantity,
    SetOp,
    Sym,
    Text,
    symbols,
)
from mcts_math.answer.values.show import show

HOLDS: Final[dict[str, Callable[[Any, Any], bool]]] = {"<": lt, "<=": le, ">": gt, ">=": ge, "=": eq, "!=": ne}
_LARGEST: Final = 200  # of the integers that are tried
_FEW: Final = 60
_DISTRIBUTIONS: Final = ("N", "U")  # normal and uniform
_VARIABLES: Final = frozenset(map(Sym, VARIABLES))
_SAYS_NOTHING: Final = frozenset({"value", "number", "of", "the"})  # in a label: maximum value, number of boys


def unwrap(node: Node) -> Node:
    """A list, set or tuple of one element is that element; `A(1,2)` is the point, `N(0,1)` a distribution."""
    while isinstance(node, Group) and len(node.items) == 1:
        inner = node.items[0]
        if node.left == "{" and isinstance(inner, Group) and inner.left == "{":
            break  # a set whose element is a set
        node = inner
    if (named := named_point(node)) is not None:
        name, point = named
        node = Call(name.name.lower(), point.items, free=True) if name.name in _DISTRIBUTIONS else point
    while isinstance(node, Matrix) and len(node.rows) == len(node.rows[0]) == 1:
        node = node.rows[0][0]
    return node


def named_point(node: Node) -> tuple[Sym, Group] | None:
    """Name and coordinates of `V(3,-2)`; None for anything else."""
    match node:
        case Prod((Sym(name) as letter, Group() as point)) if len(name) == 1 and name.isupper():
            return (letter, point) if closed(point) and len(point.items) > 1 else None
        case Call(name, (_, _, *_) as items, True) if len(name) == 1 and name.isupper() and not symbols(node):
            return Sym(name), Group("(", ")", items)  # P is the name of a point, or of a function
    return None


def definite_set(node: Node) -> bool:
    """A union, a condition, or an interval that can't be a point or a list."""
    return isinstance(node, tree.SetOp) or (
        isinstance(node, Group) and (node.left, node.right) in (("(", "]"), ("[", ")"))
    )


def as_rows(node: Node) -> tuple[tuple[Node, ...], ...] | None:
    """A matrix, or a list of lists of one length, as rows."""
    if isinstance(node, Matrix):
        return node.rows
    if isinstance(node, Group) and node.left in ("[", "(", "{") and node.items:
        rows = [item.items for item in node.items if isinstance(item, Group) and item.left in ("[", "(", node.left)]
        if len(rows) == len(node.items) and all(len(row) == len(rows[0]) for row in rows):
            return tuple(rows)
    return None


def letters(node: Node) -> tuple[Node, ...]:
    """The capitals of a run of them (`ACF`), read as one word or as a product; none of anything else."""
    parts = [Sym(node.words)] if isinstance(node, Text) else node.items if isinstance(node, Prod) else ()
    name = "".join(part.name for part in parts if isinstance(part, Sym))
    whole = len(name) >= len(parts) and name.isalpha() and name.isupper() and len(name) < 9
    return tuple(map(Text, name)) if whole else ()


def with_words(node: Node) -> Node:
    """`{HT, TH}` with words as its items, which as products would be equal; other nodes as they are."""
    if isinstance(node, tree.Relation):
        return tree.rebuild(node, with_words)
    if isinstance(node, tree.SetOp) or (isinstance(node, Group) and node.left in ("", "{")):
        runs = set(filter(None, map(letters_of, node.items)))
        if len(runs) > len({"".join(sorted(run)) for run in runs}):
            return replace(node, items=tuple(Text(run) if (run := letters_of(item)) else item for item in node.items))
        return tree.rebuild(node, with_words)
    return node


def closed(node: Group) -> bool:
    return (node.left, node.right) in (("(", ")"), ("[", "]"))


def assignments(node: Node) -> dict[str, Node] | None:
    """The values by name in `x = 1, y = 2`, `{x: 1, y: 2}`, `(x, y) = (1, 2)`; None for anything else."""
    items = node.items if isinstance(node, Group) else (node,)
    values: dict[str, Node] = {}
    for item in items:
        if not isinstance(item, tree.Relation) or set(item.ops) != {"="}:
            return None
        if len(item.ops) > 1:  # x = y = 2
            names = [name.name for name in item.items[:-1] if isinstance(name, Sym)]
            if len(set(names)) < len(item.ops) or values.keys() & set(names):
                return None
            values.update(dict.fromkeys(names, item.items[-1]))
            continue
        left, right = item.items
        label = label_of(left)
        if label is not None and label not in values:
            values[label] = right
        elif isinstance(left, Group) and isinstance(right, Group) and len(left.items) == len(right.items):
            for name, value in zip(left.items, right.items, strict=True):
                if not isinstance(name, Sym) or name.name in values:
                    return None
                values[name.name] = value
        else:
            return None
    return values or None


def label_of(node: Node) -> str | None:
    """The name of a value: a letter, words, capitals (TP, the length AB), f for f(x), or f(2); None for others."""
    if isinstance(node, Call) and node.free:
        return " ".join([node.name, *(show(argument) for argument in node.args if argument not in _VARIABLES)])
    name = node.words if isinstance(node, Text) else letters_of(node)
    if name.isalpha() and name.isupper():
        return "".join(sorted(name))
    said = node.name if isinstance(node, Sym) else label_key(node.words) if isinstance(node, Text) else ""
    return said or None  # words that say nothing are no name


def letters_of(node: Node) -> str:
    """The word that a product of letters may be: SSE, pOH; empty for anything else."""
    parts = node.items if isinstance(node, Prod) else ()
    names = [part.name for part in parts if isinstance(part, (Sym, tree.Const)) and len(part.name) == 1]
    return "".join(names) if len(names) == len(parts) > 1 else ""


def label_key(words: str) -> str:
    """A label, or what is counted, in the form in which labels are compared."""
    said = [singular(word) for word in words.split()]
    return " ".join([word for word in said if word not in _SAYS_NOTHING] or said)


def is_congruence(node: Node) -> bool:
    """Whether `node` is a residue with its modulus."""
    return isinstance(node, Call) and node.name == "pmod"


def is_family(node: Node) -> bool:
    """Whether `node` stands for its values at all integers."""
    return isinstance(node, Bound) and node.kind in ("family", "line")


def over_integers(node: Node, letters: Iterable[str]) -> Node:
    """`pi/4 + k pi` as a family over the integers, where one of the letters is multiplied by an angle."""
    found = [letter for letter in letters if letter in symbols(node)]
    if len(found) != 1 or len(symbols(node)) != 1:
        return node
    turning = [item for item in (node.items if isinstance(node, tree.Sum) else (node,)) if symbols(item)]
    if len(turning) != 1 or not isinstance(turning[0], Prod) or Sym(found[0]) not in turning[0].items:
        return node
    angle = any(
        part == tree.PI or (isinstance(part, Quantity) and part.unit == DEGREE) for part in tree.walk(turning[0])
    )
    return family(node, found[0]) if angle else node


def family(body: Node, name: str, domain: str = "Z") -> Bound:
    """The values of `body` for every integer `name` (Z), or every positive one (N)."""
    start = tree.ONE if domain == "N" else ZERO
    return Bound("family", body, name, start, start)


def integers(conditions: Sequence[Node], name: str, domain: str) -> Group | None:
    """The integers (Z), or the positive ones (N), for which inequalities hold; None where they are not few."""
    found: list[int] = []
    for number in range(1 if domain == "N" else -_LARGEST, _LARGEST):
        held = [_holds(condition, {name: Fraction(number)}) for condition in conditions]
        if None in held:
            return None
        found += [number] * all(held)
    few = 0 < len(found) <= _FEW and max(map(abs, found)) <= _LARGEST // 2
    return Group("{", "}", tuple(tree.Num(Fraction(number)) for number in found)) if few else None


def _holds(node: Node, at: Mapping[str, Fraction]) -> bool | None:
    """Whether an inequality holds at a point; None where that is not known."""
    if not isinstance(node, tree.Relation) or not set(node.ops) <= HOLDS.keys():
        return None
    values = [exact(item, at) for item in node.items]
    known = [value for value in values if value is not None]
    steps = zip(known, node.ops, known[1:], strict=False)
    return all(HOLDS[op](a, b) for a, op, b in steps) if len(known) == len(values) else None


CONNECTIVES: Final = frozenset({"not", "implies", "iff"})
_OF_SETS: Final = frozenset({"cup", "cap", "minus"})
_COMPLEMENT: Final = Sym("c")
_MAX_LETTERS: Final = 8


def is_proposition(node: Node) -> bool:
    """Whether `node` is a letter, or joins letters by not, and, or, if, if and only if."""
    match node:
        case Call(name, parts):
            return name in CONNECTIVES and all(map(is_proposition, parts))
        case SetOp("and" | "or", parts):
            return all(map(is_proposition, parts))
    return isinstance(node, Sym)


def is_of_sets(node: Node) -> bool:
    """Whether `node` is the name of a set, or a union, intersection, difference or complement of such."""
    match node:
        case Power(base, exponent):
            return exponent == _COMPLEMENT and is_of_sets(base)
        case SetOp(op, parts):
            return op in _OF_SETS and all(map(is_of_sets, parts))
        case Call("prime", (base,)):
            return is_of_sets(base)
    return isinstance(node, Sym) and node.name.removesuffix(" bar").isupper()


def is_compound(node: Node) -> bool:
    """Whether `node` joins propositions or sets."""
    return isinstance(node, (Call, SetOp, Power)) and (is_proposition(node) or is_of_sets(node))


def same_truth(left: Node, right: Node) -> bool:
    """Whether both are propositions, or both sets, that hold for the same choices of their letters."""
    if not any(kind(left) and kind(right) for kind in (is_proposition, is_of_sets)):
        return False
    names = sorted({name.removesuffix(" bar") for name in symbols(left) | symbols(right)})
    choices = (dict(zip(names, values, strict=True)) for values in product((False, True), repeat=len(names)))
    return len(names) <= _MAX_LETTERS and all(_is_true(left, at) == _is_true(right, at) for at in choices)


def _is_true(node: Node, at: dict[str, bool]) -> bool:
    match node:
        case Sym(name):
            return at[name.removesuffix(" bar")] != name.endswith(" bar")
        case Power(inner, _) | Call("not" | "prime", (inner,)):
            return not _is_true(inner, at)
        case Call(name, (first, second)):
            return _is_true(second, at) if _is_true(first, at) else name == "implies" or not _is_true(second, at)
        case SetOp("and" | "cap", parts):
            return all(_is_true(part, at) for part in parts)
        case SetOp("or" | "cup", parts):
            return any(_is_true(part, at) for part in parts)
        case SetOp(_, (first, *others)):
            return _is_true(first, at) and not any(_is_true(part, at) for part in others)
    raise ValueError(f"no proposition: {node}")
