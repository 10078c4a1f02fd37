"""Files of questions that greedy decoding solves (SPEC B): a JSON list of positions in the source, counted from 0."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from mcts_math.errors import TaskError
from mcts_math.files import read_json, replace_file, writing
from mcts_math.run.program import run_script
from mcts_math.tasks.benchmarks import BENCHMARKS
from mcts_math.tasks.source import Source, parse_source
from mcts_math.tasks.task import Task


def without_cases(tasks: Sequence[Task], path: str | Path) -> list[Task]:
    """The tasks that a file of solved cases does not name. Raises TaskError: it is no such file, or of other
    questions."""
    remedy = "Give --exclude a JSON list of the positions of solved questions, such as [0, 3, 17]."
    data = read_json(path, remedy, TaskError)
    if not isinstance(data, list) or any(isinstance(item, bool) or not isinstance(item, int) for item in data):
        raise TaskError(f"{path} is no such list. {remedy}")
    wrong = [item for item in data if not 0 <= item < len(tasks)]
    if wrong:
        raise TaskError(
            f"{path} names question {wrong[0]}, but there are {len(tasks)} questions (0 to {len(tasks) - 1}). "
            "It was made for another data set or split."
        )
    solved = set(data)
    return [task for index, task in enumerate(tasks) if index not in solved]


def write_cases(path: str | Path, tasks: Sequence[Task], solved: Iterable[str]) -> int:
    """Writes which tasks were solved (ids), whole or not at all. Returns their number. Raises TaskError where it
    can't."""
    ids = set(solved)
    positions = [index for index, task in enumerate(tasks) if task.id in ids]
    with writing(path, "Make room, or choose another --save_correct, and add --resume.", TaskError):
        replace_file(Path(path), json.dumps(positions) + "\n")
    return len(positions)


def cases_path(model: str, source: str | Path) -> Path:
    """Where published systems keep the solved cases, of the test split: metadata/MODEL_DATASET_correct_cases.json."""
    where = parse_source(source)
    name = BENCHMARKS[where.name].title + _part(where) if where.name else where.stem
    return Path("metadata") / f"{Path(model).name}_{name}_correct_cases.json"


def _part(source: Source) -> str:
    """Positions count within what is read: another split, or MBPP's whole file, has a file of cases of its own."""
    stem = "" if source.path is None else source.path.name.partition(".")[0]
    whole = "all" if source.path is not None and source.name.startswith("mbpp") else ""
    part = source.split or (stem if stem in ("train", "validation", "prompt") else whole)
    return f"-{part}" if part not in ("", "test") else ""


if __name__ == "__main__":  # for the scripts of the shell: MODEL DATASET
    run_script(lambda: print(cases_path(*sys.argv[1:])))
