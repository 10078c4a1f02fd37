"""Re-scoring saved trees: choose solutions anew from a complete tree, without a model (SPEC A8)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mcts_math.config import Config
from mcts_math.errors import ConfigError
from mcts_math.files import read_records
from mcts_math.methods import METHODS
from mcts_math.run import record as records
from mcts_math.run.nodes import answer_in
from mcts_math.search.extract import extract
from mcts_math.search.mcts import MctsOptions
from mcts_math.tasks import JsonObject

CHOOSING: Final = ("mcts_infer_strategy", "step_beam_width", "prune", "c_puct")
"""The config's keys that choose solutions."""


@dataclass(frozen=True, slots=True)
class Rescored:
    golds: tuple[str, ...]  # accepted answers; empty where unknown
    answer: str | None  # the tree's answer; None where it has none
    record: JsonObject  # the line, with its `solutions` chosen anew
    strategy: str = ""  # which chose them; "" where the line's own solutions stand


def rescore_file(path: str | Path, config: Config) -> Iterator[Rescored]:
    """Streams the lines of a results file with solutions chosen by the config's keys in `CHOOSING`.

    A tree of step-level beam search was cut to its beams while it grew, so its own solutions stand; those of a task of
    code do too, since nobody here runs tests. Raises ConfigError for a method that chooses nothing from complete trees,
    and RecordError for a line without a whole tree.
    """
    options = config.options
    if not isinstance(options, MctsOptions):
        able = ", ".join(name for name, method in METHODS.items() if method.backs_up)
        raise ConfigError(f"mode {config.mode} chooses nothing from complete trees. Give a config of mode {able}.")
    for where, record in read_records(path):
        yield _rescore(record, where, options)


def _rescore(record: JsonObject, where: str, options: MctsOptions) -> Rescored:
    tree = records.record_to_tree(record, where)
    has_qs = records.is_backed_up(record)
    if (tree.task.is_code or not has_qs) and records.has_solutions(record):
        answers = filter(None, map(answer_in, records.read_solutions(record, where)))
        return Rescored(tree.task.answers, next(answers, None), record)
    strategy = options.mcts_infer_strategy if has_qs else "value"
    tree.solutions = extract(
        tree,
        strategy=strategy,
        beam_width=options.step_beam_width,
        c_puct=options.c_puct,
        pruned=options.prune,
    )
    tags, delim = records.sorted_tags(record), str(record.get("step_delim", "\n"))
    chosen = [records.solution_of(tree, tree.nodes[i], tags[i], delim) for i in tree.solutions]
    answer = tree.nodes[tree.solutions[0]].answer if tree.solutions else None
    return Rescored(tree.task.answers, answer, records.with_solutions(record, chosen), strategy)
