"""What stands before an equals sign: the name of a value, which may be that of a function, or a part of an equation."""

from __future__ import annotations

from string import ascii_letters
from typing import Final

from mcts_math.answer.rules.scalars import CLOSE, EXACTLY, scalars_equal
from mcts_math.answer.text.things import rejects, same_things
from mcts_math.answer.text.vocabulary import ADDED, COORDINATES, GREEK, VARIABLES, meanings
from mcts_math.answer.values import nodes as tree
from mcts_math.answer.values.approximate import numbers
from mcts_math.answer.values.evaluate import UndefinedError, evaluate
from mcts_math.answer.values.nodes import MINUS_ONE, Call, Const, Group, Node, Prod, Relation, Sum, Sym, Text, symbols
from mcts_math.answer.values.shapes import letters, letters_of

_FUNCTIONS: Final = "fghFGH"
_ROUNDED: Final = 0.01  # of a value: how far it is rounded in a chain such as r = sqrt(3) = 1.73
_STATISTICS: Final = meanings(
    "mean: mu E mean average expected expectation; median: median; mode: mode; variance: Var variance; "
    "deviation: sigma SD deviation"
)
_INDICES: Final = "nkmij"


def label_value(relation: Relation) -> Node | None:
    """What the relation says its left side is: 5 in `x = 5`, S in `x in S`; None where it is a true equation.

    A chain `A = B ≈ C` is its exact part. Two equal numbers (`2 + 2 = 4`) are that number, with
    the unit of the last.
    """
    relation = label_first(relation)
    first, op, second = relation.items[0], relation.ops[0], relation.items[1]
    if relation.ops == ("in",):
        return second
    if op == "~":
        return second if _is_label(first, second) else None if symbols(first) else first
    if op != "=" or any(other not in ("=", "~") for other in relation.ops):
        return None
    named = [item for item in relation.items if isinstance(item, Sym) or (isinstance(item, Call) and item.free)]
    if len(named) > 1 and not (isinstance(first, Call) and first.args == (second,)):
        return None  # x = y = 2 tells of two, f(x) = x of one
    if _is_label(first, second):
        told = relation.items[1 : relation.ops.index("~") + 1 if "~" in relation.ops else None]
        value = told[-1] if symbols(second) else second  # of sqrt(3) = 1.73 the exact one
        return value if all(_may_be_equal(second, other) for other in told[1:]) else None
    plain = not symbols(first) and not symbols(second) and not isinstance(first, (Group, Text))
    same = plain and scalars_equal(first, second, EXACTLY)
    last = relation.items[-1]
    whole = last if isinstance(last, tree.Quantity) else first
    return whole if same and all(_may_be_equal(first, item) for item in relation.items[2:]) else None


def _may_be_equal(left: Node, right: Node) -> bool:
    """Whether two sides of an equation are about equal (one may be rounded), as far as they are numbers."""
    try:
        first, second = evaluate(left, {}, numbers()), evaluate(right, {}, numbers())
    except UndefinedError:  # no numbers
        return True
    decimals = any(isinstance(part, tree.Num) and part.digits for side in (left, right) for part in tree.walk(side))
    return bool(abs(first - second) <= (_ROUNDED if decimals else CLOSE) * max(abs(first), abs(second)))


def label_first(relation: Relation) -> Relation:
    """`5 = x` as `x = 5`, and the length `|AB|` as `AB`."""
    if relation.ops != ("=",):
        return relation
    left, right = map(_segment, relation.items)
    named = isinstance(right, Sym) or (isinstance(right, Call) and right.free)
    curves = isinstance(right, Sym) and right.name in ADDED and symbols(left) & VARIABLES  # x^2 + y^2 = C
    turn = named and not curves and _is_label(right, left) and not _is_label(left, right)
    return Relation(relation.ops, (right, left) if turn else (left, right))


def _segment(node: Node) -> Node:
    """The segment AB of its length `|AB|`; any other node as it is."""
    inner = node.args[0] if isinstance(node, Call) and node.name == "abs" else None
    ends = inner.items if isinstance(inner, Prod) and len(inner.items) == 2 else ()
    return inner if inner and ends and all(isinstance(end, Sym) and end.name.isupper() for end in ends) else node


def _is_label(left: Node, right: Node) -> bool:
    """Whether `left` only names what is on the right."""
    if isinstance(left, Text):
        return not rejects(left.words)
    if isinstance(left, Sym) or (isinstance(left, Call) and left.free):
        return not (isinstance(left, Sym) and left.name in symbols(right))
    if isinstance(left, (Group, tree.Ratio)):
        return all(isinstance(item, (Sym, Const)) or letters(item) for item in left.items)
    names = symbols(left)
    if isinstance(left, Call) and names and all(isinstance(arg, Sym) and arg.name.isupper() for arg in left.args):
        return not names & symbols(right)  # det(A) = ad - bc
    if not names or symbols(right):
        return False
    if isinstance(left, Call):
        return left.name != "abs" or not names & {"x", "y"}  # |z| may be asked for, |x| = 8 is to be solved
    if names & COORDINATES:
        return False
    factors = left.items if isinstance(left, Prod) else ()  # p/q = 3/7
    bases = [item.base if isinstance(item, tree.Power) and item.exponent == MINUS_ONE else item for item in factors]
    quotient = bool(bases) and all(isinstance(base, Sym) for base in bases)
    return quotient or (isinstance(left, Sum) and len(names) > 1) or all(name[0].isupper() for name in names)


def same_label(left: Node, right: Node, value: Node) -> bool | None:
    """Whether two labels may name one thing with such a value; None where they are no names that tell."""
    if isinstance(left, Text) and isinstance(right, Text):
        if left.choice and right.choice:
            return left == right
        mine, theirs = (" ".join(side.words.lower().replace("|", " mid ").split()) for side in (left, right))
        if isinstance(value, Text) or " mid " in mine:  # other people who are the same; E[X | Y]
            return mine == theirs
        return same_things(mine, theirs)
    if left == right:
        return True
    if isinstance(left, Call) and isinstance(right, Call) and {left.name, right.name} == {"det", "abs"}:
        return left.args == right.args
    if isinstance(left, Text) or isinstance(right, Text):
        words, letters = (left, right) if isinstance(left, Text) else (right, left)
        return _may_be_short(words, letters)
    if isinstance(left, Group) and isinstance(right, Group):
        return False  # other names: equal ones are the same label
    if _same_function(left, right):
        return True
    functions = all(isinstance(name, Call) and name.free for name in (left, right))
    return False if functions else None  # other functions, or other arguments: f and f', f(2) and f(3)


def _may_be_short(words: Node, letters: Node) -> bool:
    """Whether a name in words may be one in letters: of two abbreviations, or words, only the same ones."""
    name = letters_of(letters)
    if isinstance(words, Text) and isinstance(letters, Call) and len(letters.name) > 1 and letters.name not in GREEK:
        initials = "".join(word[0] for word in words.words.lower().split())  # det(A), the determinant
        return initials == letters.name or f" {letters.name[:3]}" in f" {words.words.lower()}"
    if isinstance(words, Text) and isinstance(letters, Sym):
        told = {_STATISTICS[word] for word in words.words.split() if word in _STATISTICS}
        meant = "mean" if letters.name.endswith(" bar") else _STATISTICS.get(letters.name, "")
        return not told or not meant or meant in told
    if not isinstance(words, Text) or not name or " " in words.words:
        return True
    is_short = sum(letter.isupper() for letter in words.words) > 1 or not name.isupper()  # else a segment's length AB
    return not is_short or words.words.lower() == name.lower()


def _same_function(left: Node, right: Node) -> bool:
    """Whether two labels may name one function: f(x), g(t) and y, or their derivatives; P and P(A)."""
    if isinstance(left, Call) and isinstance(right, Sym):
        left, right = right, left
    if isinstance(left, Sym) and isinstance(right, Call) and left.name == right.name:
        return True
    if isinstance(left, Sym) and isinstance(right, Sym) and _argument(left) and _argument(right):
        return left.name.partition("_")[0] == right.name.partition("_")[0]  # a_n and a_k
    mine, theirs = _function(left), _function(right)
    if mine is None or theirs is None:
        return False
    letters = {mine[1], theirs[1]}
    if len(letters) > 1 and (len(letters - {""}) > 1 or "x" in letters):
        return False  # dy/dx and dx/dy
    marks = {mine[0], theirs[0]}
    return len(marks) == 1 or marks in ({"y", "^-1"}, {"y", ""})


def _function(name: Node) -> tuple[str, str] | None:
    """Primes or -1, and the letter, of what a function may be called: y, y', f(x), f^-1(x). f(2) is a number.

    A letter such as f says nothing; y without a prime may be any function but a derivative.
    """
    primes = ""
    while isinstance(name, Call) and name.name == "prime":
        primes, name = primes + "'", name.args[0]
    match name:
        case Sym(letter) if primes or letter == "y":
            return primes or "y", "" if letter in _FUNCTIONS else letter
        case Call(letter, args, True) if all(isinstance(arg, Sym) and arg.name.islower() for arg in args):
            mark = letter.lstrip(ascii_letters)
            known = mark[:1] != "'" or letter[0] in _FUNCTIONS
            return primes + (mark if mark[:1] in ("'", "^") else ""), "" if known else letter[0]
    return None


def of_same_variable(value: Node, name: Node, other: Node) -> Node:
    """`value` of the function `name` in the variable of the function `other`: g(t) = t + 1 is f(x) = x + 1."""
    mine, theirs = _argument(name), _argument(other)
    domains = mine.partition(" in ")[2], theirs.partition(" in ")[2]
    if not mine or not theirs or mine == theirs or domains[0] != domains[1]:
        return value
    return tree.rename(value, {mine: theirs, theirs: f"{theirs} given"})  # f(y) = 2x is constant


def _argument(label: Node) -> str:
    """The variable x of f(x), and n of a_n; empty for other labels."""
    match label:
        case Sym(name) if name[1:2] == "_" and len(name) == 3 and name[2] in _INDICES:
            return name[2]
        case Call(name, (Sym(argument),)) if name != "prime":
            return argument
    return ""
