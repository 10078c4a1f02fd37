"""Propositions, and sets made of others: they are the same where they hold for the same choices of their letters."""

from __future__ import annotations

from itertools import product
from typing import Final

from mcts_math.answer.values.nodes import Call, Node, Power, SetOp, Sym, symbols

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
    return len(names) <= _MAX_LETTERS and all(_holds(left, at) == _holds(right, at) for at in choices)


def _holds(node: Node, at: dict[str, bool]) -> bool:
    match node:
        case Sym(name):
            return at[name.removesuffix(" bar")] != name.endswith(" bar")
        case Power(inner, _) | Call("not" | "prime", (inner,)):
            return not _holds(inner, at)
        case Call(name, (first, second)):
            return _holds(second, at) if _holds(first, at) else name == "implies" or not _holds(second, at)
        case SetOp("and" | "cap", parts):
            return all(_holds(part, at) for part in parts)
        case SetOp("or" | "cup", parts):
            return any(_holds(part, at) for part in parts)
        case SetOp(_, (first, *others)):
            return _holds(first, at) and not any(_holds(part, at) for part in others)
    raise ValueError(f"no proposition: {node}")
