"""What is said of a letter beside a value: that it is an integer, or a real number, which makes a family or a line."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import ceil, floor
from typing import Final

from mcts_math.answer.parse.dots import listed
from mcts_math.answer.text.spelled import REALS
from mcts_math.answer.text.vocabulary import ALONG, COMPLEX, COUNTERS, INTEGERS
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.matrices import as_tuple
from mcts_math.answer.values.nodes import Group, Matrix, Node, Num, Prod, Relation, SetOp, Sum, Sym
from mcts_math.answer.values.polynomials import linear_function
from mcts_math.answer.values.shapes import assignments, family, integers
from mcts_math.answer.values.show import show

_NO_VALUES: Final = (Relation, SetOp, Group, tree.Text)
_MOST_SAID: Final = 30  # values and domains of one answer
_NUMBER_SETS: Final = (REALS, *map(Sym, "ZNQC"))


def without_domain(node: Group) -> Node | None:
    """`2k, k in Z` as a family over the integers; `f(x) = x^2, x in R` without what goes without saying; else None."""
    if len(node.items) > _MOST_SAID:  # each costs a level of the stack
        return None
    result, *rest = _several(node.items) or sorted(node.items, key=_is_domain) or (node,)
    known = tree.symbols(result)
    *_, last = rest or (result,)
    if _is_domain(last) and isinstance(last, Relation) and isinstance(result, Relation):  # f(x) = a x + b, a, b in R
        rest = [Relation(("in",), (item, last.items[1])) if isinstance(item, Sym) else item for item in rest]
    equations = tuple(item for item in (result, *rest) if not _is_domain(item))
    if len(equations) > 1 and (named := assignments(Group("", "", equations))) is not None:  # x = 2k, y = 3k, k in Z
        names = sorted(named)
        values = _point(named[name] for name in names)
        result, known = Relation(("=",), (_point(map(Sym, names)), values)), tree.symbols(values)
        rest = [item for item in node.items if _is_domain(item)]
    elif isinstance(result, (Prod, Matrix)):
        result = as_tuple(result) or result
    if not rest or not all(_is_domain(item) and tree.symbols(item) & known for item in rest):
        return None
    for item in rest:
        match item:
            case Relation(_, (label, _)) if (
                isinstance(result, Relation) and result.ops == ("=",) and label in result.items[:1]
            ):
                continue  # x = 5, x in N
            case Relation(_, (Sym(name), Sym("Z" | "N" as domain))):
                result = _within(result, name)
                if isinstance(result, Relation) and len(result.ops) > 1 and Sym(name) in result.items:
                    return integers([result], name, domain)
                if isinstance(result, Relation) and result.ops in (("=",), ("in",)):
                    label, body = result.items
                    result = Relation(result.ops, (label, family(body, name, domain)))
                elif isinstance(result, Relation) and result.ops == ("!=",):
                    return SetOp("minus", (REALS, family(result.items[1], name, domain)))
                else:
                    result = family(_at_integers(result, name), name, domain)
            case Relation(_, (Sym(name), Sym("C"))) if name in COMPLEX:
                continue
            case Relation(_, (_, Sym("Q" | "C"))) if isinstance(result, Relation) and result.ops[0] != "=":
                return SetOp("and", (*equations, *rest))  # rational numbers between two others
            case Relation(_, (Sym(name), domain)) if name in COUNTERS or domain != REALS:
                result = tree.rename(result, {name: f"{name} in {show(domain).lower()}"})  # no integer
            case Relation(_, (Sym(name), _)):
                labels = result.items[:-1] if isinstance(result, Relation) and result.ops == ("=",) else ()
                body = result.items[-1] if labels and isinstance(result, Relation) else result
                body = as_tuple(body) or body
                if isinstance(body, Group) and body.left == "(" and len(body.items) > 1:
                    points = tree.Bound("line", body, name, tree.ZERO, tree.ZERO)
                    result = Relation(("=",), (*labels, points)) if labels else points
    return result


def _within(node: Node, name: str) -> Node:
    """`2k < x < 2k + 1` as x in an interval, for each k; other nodes as they are."""
    match node:
        case Relation(("<" | "<=" as low, "<" | "<=" as high), (first, Sym(letter) as label, last)) if letter != name:
            return Relation(("in",), (label, Group("(["[low == "<="], ")]"[high == "<="], (first, last))))
    return node


def _at_integers(node: Node, name: str) -> Node:
    """`n > 2` as `n >= 3`, n being an integer; other nodes as they are."""
    match node:
        case Relation((">" | ">=" as op,), (Sym(letter), Num(end))) | Relation(
            ("<" | "<=" as op,), (Num(end), Sym(letter))
        ):
            least = floor(end) + 1 if "=" not in op else ceil(end)
            return Relation((">=",), (Sym(name), Num(Fraction(least)))) if letter == name else node
        case Relation(("<" | "<=" as op,), (Sym(letter), Num(end))) | Relation(
            (">" | ">=" as op,), (Num(end), Sym(letter))
        ):
            most = ceil(end) - 1 if "=" not in op else floor(end)
            return Relation(("<=",), (Sym(name), Num(Fraction(most)))) if letter == name else node
    return node


def _several(items: Sequence[Node]) -> tuple[Node, ...] | None:
    """`x = k pi or x = pi/2 + k pi, k in Z` as a set of values with the domain behind it; None for anything else."""
    joined = [part for item in items for part in (item.items if isinstance(item, SetOp) else (item,))]
    stated = [item for item in joined if not _is_domain(item)]
    labels = {item.items[0] for item in stated if isinstance(item, Relation) and item.ops == ("=",)}
    values = tuple(item.items[1] if isinstance(item, Relation) and item.ops == ("=",) else item for item in stated)
    match [item for item in joined if _is_domain(item)]:
        case [Relation(_, (Sym(name), Sym("Z" | "N"))) as domain] if len(values) > 1 and len(labels) < 2:
            known = all(name in tree.symbols(value) and not isinstance(value, _NO_VALUES) for value in values)
            body = Group("{", "}", values)
            return (Relation(("=",), (*labels, body)) if labels else body, domain) if known else None
    return None


def over_range(node: Group) -> Node | None:
    """`2k, k = 0, 1, 2` as the set of its values, `2k, k = 0, 1, 2, …` as a family; None for anything else."""
    body, *rest = node.items or (node,)
    label, body = body.items if isinstance(body, Relation) and body.ops == ("=",) else (None, body)
    numbers: Sequence[Node] = ()
    match rest:
        case [Relation(("=",), (Sym(name), first)), *others] if name in INTEGERS:
            numbers = first, *others
        case [Relation(("in",), (Sym(name), Group("{", _, numbers)))]:
            pass
        case [Relation((">" | ">=" as op,), (Sym(name), Num(end)))] if name in COUNTERS and (
            tree.symbols(body) == {name} or (isinstance(label, Sym) and label.name.endswith(f"_{name}"))
        ):
            numbers = Num(Fraction(floor(end) + 1 if op == ">" else ceil(end))), tree.DOTS
        case [Relation((_, _), (_, Sym(name), _))] if name in INTEGERS and tree.PI in tree.walk(body):
            numbers = getattr(integers(rest, name, "Z"), "items", ())
    *known, last = listed(numbers) if tree.DOTS in numbers else numbers or (node,)
    if (
        not known
        or name not in tree.symbols(body)
        or isinstance(body, _NO_VALUES)
        or not all(isinstance(item, Num) for item in known)
    ):
        return None
    values: Node = Group("{", "}", tuple(tree.substitute(body, {name: number}) for number in (*known, last)))
    if last == tree.DOTS:
        values = tree.Bound("family", body, name, known[0], tree.INFINITY)
    return values if label is None else Relation(("=",), (label, values))


def _point(items: Iterable[Node]) -> Group:
    return Group("(", ")", tuple(items))


def line(node: Relation) -> Relation | None:
    """`(x-1)/2 = y/3 = (z+1)/4` as the line that it is; None for anything else."""
    if set(node.ops) != {"="} or sorted(map(tree.symbols, node.items), key=sorted) != [{"x"}, {"y"}, {"z"}]:
        return None
    sides = sorted((min(tree.symbols(item)), item) for item in node.items)
    linear = [(name, linear_function(item, name)) for name, item in sides]
    places = [
        Prod((Sum((Sym("t"), Num(-start))), Num(1 / slope)))
        for _, found in linear
        if found and found[1]
        for start, slope in [found]
    ]
    if len(places) < 3:
        return None
    points = tree.Bound("line", _point(places), "t", tree.ZERO, tree.ZERO)
    return Relation(("=",), (_point(Sym(name) for name, _ in linear), points))


def through_point(node: Sum) -> tree.Bound | None:
    """`(1, 2, 3) + t (1, 0, -1)` as the line that it is; None for anything else."""
    match [item for item in node.items if tree.symbols(item)]:
        case [Prod(factors)] if len(node.items) == 2 and tree.symbols(node) <= ALONG:
            names = [item.name for item in factors if isinstance(item, Sym)]
            points = as_tuple(node) if len(names) == len(tree.symbols(node)) == 1 else None
            return tree.Bound("line", points, names[0], tree.ZERO, tree.ZERO) if points is not None else None
    return None


def _is_domain(node: Node) -> bool:
    match node:
        case Relation(("in",), (Sym(), domain)):
            return domain in _NUMBER_SETS
    return False
