"""Files of trees -> files of training examples and preference pairs, in constant memory; answers are judged where
need be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

from mcts_math.errors import RecordError
from mcts_math.evaluate.grading import Grader
from mcts_math.evaluate.table import number, percent, render_table
from mcts_math.files import dump_line, is_same_file, new_file, require_different, writing
from mcts_math.formats import StepFormat
from mcts_math.run.record import ROOT_TAG, error_of, nodes_of, read_results, record_to_tree
from mcts_math.tasks import JsonObject, is_ours
from mcts_math.train.config import ExamplesConfig
from mcts_math.train.examples import (
    EXAMPLES,
    Example,
    Pair,
    Solution,
    choose,
    format_of,
    pairs_of,
    solutions_of,
    to_example,
)
from mcts_math.tree import Tree

_READ_AHEAD = 64  # trees that are judged together
_ROUNDING = 1e-9  # of a mean of many results


@dataclass(slots=True)
class Statistics:
    trees: int = 0  # read, broken-off searches included
    failed: int = 0  # searches that had broken down
    unanswered: int = 0  # questions without an accepted answer, whose solutions can't be judged
    empty: int = 0  # questions without any solution
    never_right: int = 0  # questions with solutions, none of them right
    always_right: int = 0  # questions whose solutions are all right
    found: Counter[bool] = field(default_factory=Counter)  # of right (True) and wrong (False) solutions
    taken: Counter[bool] = field(default_factory=Counter)
    steps: Counter[bool] = field(default_factory=Counter)
    q_sum: dict[bool, float] = field(default_factory=lambda: {True: 0.0, False: 0.0})
    pairs: int = 0  # preference pairs
    margins: float = 0.0  # sum of their margins

    def count(self, solutions: Sequence[Solution]) -> None:
        """Adds the judged solutions of one tree."""
        kinds = [solution.correct is True for solution in solutions]
        self.found.update(kinds)
        self.empty += not kinds
        self.never_right += bool(kinds) and not any(kinds)
        self.always_right += bool(kinds) and all(kinds)

    def take(self, example: Example) -> None:
        self.taken[example.correct] += 1
        self.steps[example.correct] += len(example.steps)
        self.q_sum[example.correct] += sum(step.q for step in example.steps[:-1])

    def render(self) -> str:
        rows = []
        for name, kind in (("right", True), ("wrong", False)):
            inner, taken = self.steps[kind] - self.taken[kind], self.taken[kind]
            q = number(self.q_sum[kind] / inner, 3) if inner else "-"
            rows.append([name, f"{self.found[kind]:,}", f"{taken:,}", number(self.steps[kind] / max(taken, 1), 2), q])
        judged = self.trees - self.failed - self.unanswered
        lines = [
            f"{self.trees:,} trees: {self.never_right:,} never right "
            f"({percent(self.never_right / judged) if judged else '-'}%), {self.always_right:,} always right, "
            f"{self.empty:,} without a solution, {self.unanswered:,} without an accepted answer, "
            f"{self.failed:,} broken down",
            render_table(["solutions", "found", "taken", "steps", "mean Q of inner steps"], rows),
        ]
        if self.pairs:
            lines.append(f"{self.pairs:,} preference pairs, mean margin {self.margins / self.pairs:.3f}")
        return "\n".join(lines)


def collect(
    trees: Iterable[str | Path], config: ExamplesConfig, grader: Grader, statistics: Statistics, *, pairs: bool = False
) -> Iterator[tuple[list[Example], list[Pair]]]:
    """Yields examples and, if wanted, pairs of one question after another. Raises RecordError: a line that is
    broken, or without Qs and values."""
    stream = _read_trees(trees, config, statistics)
    while batch := list(islice(stream, _READ_AHEAD)):
        solutions_by_tree = _judge([tree for tree, _, _ in batch], config, grader)
        for (tree, form, source), solutions in zip(batch, solutions_by_tree, strict=True):
            if any(solution.correct is None for solution in solutions):
                statistics.unanswered += 1
                continue
            statistics.count(solutions)
            tags = {node.id: tag for tag, node in tree.tags()}
            chosen = choose(tree, solutions, config)
            made = [to_example(tree, solution, tags[solution.node.id], form, source) for solution in chosen]
            examples = [example for example in made if example is not None]
            found = pairs_of(tree, form, config.pair_margin) if pairs else []
            for example in examples:
                statistics.take(example)
            statistics.pairs += len(found)
            statistics.margins += sum(pair.margin for pair in found)
            yield examples, found


def write_examples(
    trees: Sequence[str | Path],
    output: str | Path,
    config: ExamplesConfig,
    grader: Grader,
    *,
    pairs: str | Path | None = None,
) -> Statistics:
    """Writes an examples file and, where named, a pairs file; each whole or not at all, and old ones become backups.
    Raises RecordError: a file can't be read or written, an output is another file of these, no tree could be judged."""
    statistics = Statistics()
    outputs = [Path(output), *([Path(pairs)] if pairs else [])]
    _require_own_files(trees, outputs)
    remedy = "Make room, or choose another output."
    with writing(output, remedy), ExitStack() as made, ExitStack() as opened:
        files = []
        for path in outputs:
            with writing(path, remedy):
                files.append(opened.enter_context(made.enter_context(new_file(path, keep=True)).open("wb")))
        for examples, found in collect(trees, config, grader, statistics, pairs=pairs is not None):
            files[0].writelines(dump_line(EXAMPLES.dump(example)) for example in examples)
            if pairs is not None:
                files[1].writelines(dump_line(pair.to_json()) for pair in found)
        _require_examples(statistics, trees)
    return statistics


def _require_own_files(trees: Sequence[str | Path], outputs: Sequence[Path]) -> None:
    """Raises RecordError where trees would count twice, or an output take the place of what is no older one of it."""
    require_different(trees)
    for place, path in enumerate(outputs):
        for other in (*trees, *outputs[:place]):
            if is_same_file(path, other):
                raise RecordError(f"{path} would be written over {other}. Choose another output.")


def _read_trees(
    paths: Iterable[str | Path], config: ExamplesConfig, statistics: Statistics
) -> Iterator[tuple[Tree, StepFormat, str]]:
    """Trees that hold more than a question, their formats, and who scored them."""
    for where, task_id, record in read_results(*paths):
        statistics.trees += 1
        if error_of(record):
            statistics.failed += 1
            continue
        tree = record_to_tree(record, where)
        if not _has_qs(record, where):
            _take_values(tree, where)
        if wrong := [node.q_value for node in tree.nodes if not abs(node.q_value) <= 1 + _ROUNDING]:
            raise RecordError(f"{where}: a Q of {wrong[0]}. Search with rewards in [-1, 1], as values are.")
        tree.task = replace(tree.task, id=task_id)
        if len(tree.nodes) > 1:  # else there is nothing to render
            source = record.get("value_source") if is_ours(record) else None
            scorer = source if isinstance(source, str) and source != "none" else ""
            yield tree, format_of(record, tree, config, where), scorer
        else:
            statistics.empty += 1


def _has_qs(record: JsonObject, where: str) -> bool:
    """Whether nodes have Q and visits, as those of MCTS. Raises RecordError where only some have."""
    nodes = {tag: node for tag, node in nodes_of(record).items() if tag != ROOT_TAG and isinstance(node, dict)}
    lacking = [(tag, key) for tag, node in nodes.items() for key in ("q_value", "visit_count") if key not in node]
    if 0 < len(lacking) < 2 * len(nodes):
        raise RecordError(
            f"{where}: node {lacking[0][0]!r} has no {lacking[0][1]}: the tree is not whole. Search again."
        )
    return not lacking


def _take_values(tree: Tree, where: str) -> None:
    """Where nothing is backed up, a step's value is the one result that is known of it. Raises RecordError for none."""
    scored = [node for node in tree.nodes[1:] if node.value is not None]
    if len(tree.nodes) > 1 and not scored:
        raise RecordError(
            f"{where}: no step has a q_value or a value. Search with mode: mcts and is_sampling: true, or with values."
        )
    for node in scored:
        assert node.value is not None
        node.visit_count, node.value_sum = 1, node.value


def _judge(trees: Sequence[Tree], config: ExamplesConfig, grader: Grader) -> Iterator[list[Solution]]:
    """The solutions of every tree, judged where there is an accepted answer."""
    found = [solutions_of(tree, failed=config.failed) for tree in trees]
    open_answers: list[tuple[Sequence[str], str]] = [
        (tree.task.answers, solution.node.answer or "")
        for tree, solutions in zip(trees, found, strict=True)
        for solution in solutions
        if solution.correct is None and tree.task.answers
    ]
    verdicts = grader.verdicts(open_answers) if open_answers else iter(())
    for tree, solutions in zip(trees, found, strict=True):
        is_open = bool(tree.task.answers)
        yield [replace(s, correct=next(verdicts)) if s.correct is None and is_open else s for s in solutions]


def _require_examples(statistics: Statistics, trees: Sequence[Any]) -> None:
    if statistics.taken.total():
        return
    files = ", ".join(str(path) for path in trees) or "no file"
    if statistics.unanswered or not statistics.trees:
        raise RecordError(
            f"{files}: no example. {statistics.unanswered} of {statistics.trees} questions have no accepted `answer`."
        )
    raise RecordError(f"{files}: no example in {statistics.trees} trees ({statistics.empty} have no solution).")
