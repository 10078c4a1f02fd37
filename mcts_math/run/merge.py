"""Uniting results files, such as the shards of one run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mcts_math.errors import RecordError
from mcts_math.run.description import compare_descriptions, read_description
from mcts_math.run.record import error_of, read_results, require_tree
from mcts_math.run.results import ResultsFile, require_other_file
from mcts_math.tasks import JsonObject


def merge_files(inputs: Sequence[str | Path], output: str | Path, *, overwrite: bool = False) -> int:
    """Unites results files, such as the shards of one run; returns the number of lines written. Memory: one entry a
    question.

    A question that failed in one file and was solved in another keeps the solved line. The description of the first
    input that has one stands beside the output, so that a merged run can be resumed. Raises RecordError for a broken
    line, one without a tree, no line at all, a question solved twice, inputs of different settings, or an output that
    is one of the inputs or, without `overwrite`, exists.
    """
    require_other_file(output, *inputs)
    best = _best_lines(inputs)
    if not best:
        raise RecordError(f"{', '.join(map(str, inputs))}: no line to merge. Give results files.")
    meta = _common_meta(inputs) | {"merged": [str(path) for path in inputs]}
    meta.pop("to_solve", None)  # which was a part's
    with ResultsFile(output).open(meta, resume=None, overwrite=overwrite) as out:
        kept = set(best.values())
        out.begin(meta, (record for where, _, record in read_results(*inputs, may_be_empty=True) if where in kept))
    return len(best)


def _common_meta(inputs: Sequence[str | Path]) -> JsonObject:
    """The description that the inputs share; empty where none has one."""
    found: JsonObject = {}
    for path in inputs:
        meta = read_description(ResultsFile(path).meta_path)
        if changes := compare_descriptions(found, meta) if meta else []:
            raise RecordError(f"{path} was made with other settings ({', '.join(changes)}). Merge shards of one run.")
        found = found or meta
    return found


def _best_lines(inputs: Sequence[str | Path]) -> dict[str, str]:
    """Where the line of each question, by its id, stands: the solved one, else the first failed one."""
    solved: dict[str, str] = {}
    failed: dict[str, str] = {}
    for where, task_id, record in read_results(*inputs, may_be_empty=True):
        require_tree(record, where)
        if error_of(record):
            failed.setdefault(task_id, where)
        elif task_id in solved:
            raise RecordError(f"{where}: {task_id!r} is solved at {solved[task_id]} too. Merge the shards of one run.")
        else:
            solved[task_id] = where
    return failed | solved
