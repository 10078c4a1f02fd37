"""Is this answer equal to that one? The pure part: one process, no side effects, work bounded by the size guards."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Final, NamedTuple, TypeAlias

from mcts_math.answer.parse.numbers import MEASURED_COMMA
from mcts_math.answer.parse.read import Reading, read, read_as_list
from mcts_math.answer.rules.collections import compare_collections, compare_sets
from mcts_math.answer.rules.compare import Decision, compare
from mcts_math.answer.rules.families import same_family
from mcts_math.answer.rules.quantities import (
    clocks_equal,
    compare_quantities,
    compare_texts,
    in_common_units,
    ratios_equal,
)
from mcts_math.answer.rules.relations import compare_relations
from mcts_math.answer.rules.scalars import scalars_equal
from mcts_math.answer.rules.special import cases_equal, congruences_equal, families_equal, spans_equal
from mcts_math.answer.text.chemistry import same_formula, same_particle
from mcts_math.answer.text.remarks import conflict, said_twice, same_remark
from mcts_math.answer.text.verdicts import phrase
from mcts_math.answer.values.matrices import as_matrices, tells_of_matrices
from mcts_math.answer.values.nodes import Group, Node, Relation, Sym, Text, walk
from mcts_math.answer.values.shapes import letters, same_truth
from mcts_math.answer.values.show import show
from mcts_math.answer.verdict import DEFAULT_POLICY, Policy, Status, Verdict

Rule: TypeAlias = Callable[[Any, Node, Policy], Decision]


def _compare_scalars(left: Node, right: Node, policy: Policy) -> Decision:
    if scalars_equal(left, right, policy):
        return Decision(True, "values of the expressions")
    return Decision(same_family((left,), (right,)), "values of the expressions, for all constants of integration")


def _rule(equal: Callable[[Any, Node, Policy], bool], reason: str) -> Rule:
    return lambda own, other, policy: Decision(equal(own, other, policy), reason)


# The rule of each kind: it gets a value of its own kind first, then one of that kind or of a kind below.
RULES: Final[dict[str, Rule]] = {
    "relation": compare_relations,
    "text": compare_texts,
    "cases": _rule(cases_equal, "values and conditions of the cases"),
    "congruence": _rule(congruences_equal, "residues"),
    "span": _rule(spans_equal, "ranks of the vectors"),
    "family": _rule(families_equal, "families over the integers"),
    "proposition": _rule(lambda own, other, policy: same_truth(own, other), "truth tables"),
    "set": compare_sets,
    "collection": compare_collections,
    "time": _rule(clocks_equal, "times of day"),
    "ratio": _rule(ratios_equal, "ratios"),
    "quantity": compare_quantities,
    "scalar": _compare_scalars,
}
KINDS: Final = tuple(RULES)


Gold: TypeAlias = str | Sequence[str]
Answer: TypeAlias = str | float | Fraction
Answers: TypeAlias = Answer | Sequence[Answer]

_GROUPED: Final = re.compile(rf"\d,\d{{3}}|{MEASURED_COMMA.pattern}")
_FIGURES: Final = (frozenset({"angle", "triangle", "ray", "line", "segment"}), frozenset({"times", "cdot"}))
_FILLED: Final = re.compile(r"\d,0\d")  # 1,048,576: no item of a list starts with a zero


class _Outcome(NamedTuple):
    """A verdict before the readings are put in words."""

    status: Status
    reason: str
    gold: Reading
    pred: Reading


def check(gold: Answers, pred: Answer, policy: Policy = DEFAULT_POLICY) -> Verdict:
    """Compares an answer with the accepted one, or with each of several.

    Args:
        gold: the accepted answer (a text, or a number), or a list of accepted answers, any of which is right.
        pred: the answer to judge.
        policy: the rules where checkers disagree.

    Returns:
        EQUAL at the first gold that is equal; else DIFFERENT where one could be compared, else UNPARSED. Never raises
        for any text, and never runs any.
    """
    outcome = _judge(gold, pred, policy)
    return Verdict(outcome.status, outcome.reason, _shown(outcome.gold), _shown(outcome.pred))


def is_equiv(gold: Answers, pred: Answer, policy: Policy = DEFAULT_POLICY) -> bool:
    """Whether `check` says EQUAL."""
    return _judge(gold, pred, policy).status is Status.EQUAL


def math_is_equiv(gold: Answers, pred: Answer) -> bool:
    """The name and semantics of the published evaluator: `gold` may be a list of accepted strings."""
    return is_equiv(gold, pred)


def _judge(gold: Answers, pred: Answer, policy: Policy) -> _Outcome:
    golds = (gold,) if isinstance(gold, str) or not isinstance(gold, Sequence) else gold
    pred = str(pred)
    best = _Outcome(Status.UNPARSED, "no accepted answer was given", read(""), read(pred))
    for accepted in golds:
        outcome = _judge_one(str(accepted), pred, policy)
        if outcome.status is Status.EQUAL:
            return outcome
        if best.status is Status.UNPARSED:
            best = outcome
    return best


def _judge_one(gold: str, pred: str, policy: Policy) -> _Outcome:
    outcome = _judge_once(gold, pred, policy)
    if outcome.status is Status.EQUAL:
        return outcome
    for reading, other in ((outcome.gold, pred), (outcome.pred, gold)):
        sayings = said_twice(reading.text)
        pairs = ((sayings[0], other), sayings) if sayings is not None else ()
        if pairs and all(_judge_once(*pair, policy).status is Status.EQUAL for pair in pairs):
            return outcome._replace(status=Status.EQUAL, reason="one value, said twice")
    return outcome


def _judge_once(gold: str, pred: str, policy: Policy) -> _Outcome:
    first, second = read(gold), read(pred)
    if gold == pred and gold.strip():
        return _Outcome(Status.EQUAL, "the same text", first, second)
    if (same := same_particle(first.text, second.text)) is not None:
        return _Outcome(Status.EQUAL if same else Status.DIFFERENT, "a nuclide or its electrons", first, second)
    if any(mine != theirs for kind in _FIGURES if (mine := first.figures & kind) and (theirs := second.figures & kind)):
        return _Outcome(Status.DIFFERENT, "different figures", first, second)
    if conflict(gold, pred):
        return _Outcome(Status.DIFFERENT, "what joins the words", first, second)
    remarks = first.beside, second.beside
    if all(remarks) and not same_remark(*remarks) and _judge_one(*remarks, policy).status is not Status.EQUAL:
        return _Outcome(Status.DIFFERENT, "what is said beside yes or no", first, second)
    if first.node is None or second.node is None:
        if same_formula(gold, pred) or "".join(first.text.split()) == "".join(second.text.split()) != "":
            return _Outcome(Status.EQUAL, "the same formula but for spaces", first, second)
        if _same_phrase(first, second, policy):
            return _Outcome(Status.EQUAL, "the same words, with equal formulas", first, second)
        problem = f"gold: {first.problem}" if first.node is None else f"answer: {second.problem}"
        return _Outcome(Status.UNPARSED, problem, first, second)
    if (ordered := _same_order(first.node, second.node, first.figures | second.figures)) is not None:
        status = Status.EQUAL if ordered else Status.DIFFERENT
        return _Outcome(status, "points in order", first, second)
    try:
        both = first.node, second.node
        if tells_of_matrices(first.text) or tells_of_matrices(second.text):
            both = as_matrices(both[0]), as_matrices(both[1])
        bounds = in_common_units(*both)
        if bounds is None:
            return _Outcome(Status.DIFFERENT, "bounds in units of different kinds", first, second)
        decision = compare(*bounds, policy)
        if not decision.equal and _as_lists_equal(first, second, policy):
            return _Outcome(Status.EQUAL, "items, commas being separators", first, second)
        if not decision.equal and _same_phrase(first, second, policy):
            return _Outcome(Status.EQUAL, "the same words, with equal formulas", first, second)
    except RecursionError:
        return _Outcome(Status.UNPARSED, "nested too deeply for the caller's stack", first, second)
    return _Outcome(Status.EQUAL if decision.equal else Status.DIFFERENT, decision.reason, first, second)


def _same_phrase(first: Reading, second: Reading, policy: Policy) -> bool:
    """Whether two texts that are no formulas are the same words, with formulas in between that are equal."""
    if policy.letter_case or not _is_phrase(first.node) or not _is_phrase(second.node):
        return False
    mine, theirs = phrase(first.text), phrase(second.text)
    if mine is None or theirs is None or mine.words != theirs.words or len(mine.formulas) != len(theirs.formulas):
        return False
    pairs = list(zip(mine.formulas, theirs.formulas, strict=True))
    if mine.level and theirs.level:
        pairs.append((mine.level, theirs.level))
    return all(  # an index of a word is no formula
        own == other or (own[0] not in "_^" and _judge_one(own, other, policy).status is Status.EQUAL)
        for own, other in pairs
    )


def _is_phrase(node: Node | None) -> bool:
    said = node.items[0] if isinstance(node, Relation) else node
    return said is None or isinstance(said, Text)


def _same_order(first: Node, second: Node, figures: frozenset[str]) -> bool | None:
    """Whether two vectors, angles or triangles have the same points; None for anything else (lengths commute)."""
    names = [[part.name for part in walk(node) if isinstance(part, Sym)] for node in (first, second)]
    if "times" in figures and names[0] != names[1]:  # of vectors
        return False
    if not figures & {"ray", "angle", "triangle"}:
        return None
    mine, theirs = letters(first), letters(second)
    if not mine or not theirs:
        return None
    if figures == {"triangle"}:
        return set(mine) == set(theirs)
    return theirs == mine or ("angle" in figures and theirs == mine[::-1])


def _as_lists_equal(first: Reading, second: Reading, policy: Policy) -> bool:
    """`100,200` is one number and `6,8 m` one length, but against a list each is one too."""
    for grouped, other in ((first, second), (second, first)):
        if _GROUPED.search(grouped.text) and not _FILLED.search(grouped.text) and isinstance(other.node, Group):
            items: Node | None = read_as_list(grouped.text)
            if items is not None and compare(items, other.node, policy).equal:
                return True
    return False


def _shown(reading: Reading) -> str:
    return show(reading.node) if reading.node is not None else repr(reading.text[:200])
