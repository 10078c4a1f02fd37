"""Re-scoring saved trees: choose solutions anew from a complete tree, without a model (SPEC A8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcts_math.config import Config
from mcts_math.record import is_answer, read_records, read_solutions, record_to_tree, sorted_tags, tree_to_record
from mcts_math.search.extract import extract
from mcts_math.task import JsonObject


@dataclass(frozen=True, slots=True)
class Rescored:
    """One line after re-scoring.

    Attributes:
        golds: accepted answers; empty where unknown.
        answer: the tree's answer; None where it has none.
        record: the line, with its `solutions` chosen anew.
    """

    golds: tuple[str, ...]
    answer: str | None
    record: JsonObject


def rescore_file(path: str | Path, config: Config) -> Iterator[Rescored]:
    """Streams the lines of a results file with solutions chosen by the config (prune, step_beam_width,
    mcts_infer_strategy, c_puct).

    A tree of step-level beam search was cut to its beams while it grew, so its own solutions stand.

    Raises:
        RecordError: a line without a whole tree.
    """
    for where, record in read_records(path):
        yield _rescore(record, where, config)


def _rescore(record: JsonObject, where: str, config: Config) -> Rescored:
    tree = record_to_tree(record, where)
    is_mcts = "visit_count" in record["react"]["0"]
    if not is_mcts and record.get("solutions") is not None:
        answers = (item.get("final_answer") for item in read_solutions(record, where))
        return Rescored(tree.task.answers, next(filter(is_answer, answers), None), record)
    tree.solutions = extract(
        tree,
        strategy=config.mcts_infer_strategy if is_mcts else "value",
        beam_width=config.step_beam_width,
        c_puct=config.c_puct,
        pruned=config.prune,
    )
    tags = sorted_tags(record)
    solutions = tree_to_record(tree, mcts=is_mcts, step_delim=config.delimiter)["solutions"]
    chosen = [item | {"tag": tags[i]} for i, item in zip(tree.solutions, solutions, strict=True)]
    answer = tree.nodes[tree.solutions[0]].answer if tree.solutions else None
    return Rescored(tree.task.answers, answer, record | {"solutions": chosen})
