"""Judges programs by the tests of a question file: verdict, test by test, and why.

python -m mcts_math.judge humaneval:HumanEval.jsonl solution.py --id HumanEval/0     one program, or a whole reply
python -m mcts_math.judge mine.jsonl completions.jsonl     lines of {"id": …, "completion": …}; `task_id` will do

Exit code: 0 all passed, 1 some did not, 2 wrong input.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mcts_math.run.program import make_parser, parse_words, run_program

# isort: split
from mcts_math.errors import TaskError
from mcts_math.files import read_records, read_text
from mcts_math.judge import Judge, Judgement, Problem
from mcts_math.tasks import load_tasks


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument("problems", help="as --qaf of solver_demo.py; docs/judge.md says how a problem is stated")
    parser.add_argument("programs", type=Path, help="a program, or a .jsonl file of completions")
    parser.add_argument("--id", help="problem of the program; may be left out where there is one problem only")
    parser.add_argument("--every_test", action="store_true", help="go on after a test that failed")
    parser.add_argument("--json", action="store_true", help="print a line of JSON for each program")
    return parse_words(parser, argv)


def read_problems(source: str) -> dict[str, Problem]:
    """The problems of code of a question source, by id. Raises TaskError: there is none, or one is badly stated."""
    code = [task for task in load_tasks(source) if task.is_code]
    if not code:
        raise TaskError(f"{source} holds no problem of code: no record states tests. See docs/judge.md.")
    return {task.id: Problem.from_record(task.record, f"question {task.id!r}") for task in code}


def read_programs(path: Path, task_id: str | None, problems: Mapping[str, Problem]) -> Iterator[tuple[str, str]]:
    """(id of the problem, completion). Raises RecordError or TaskError, naming file and line."""
    if path.suffix != ".jsonl":
        only = next(iter(problems)) if len(problems) == 1 else ""
        known = _known(only if task_id is None else task_id, problems, "--id")
        yield known, read_text(path, "Give a program in Python.", TaskError)
        return
    if task_id is not None:
        raise TaskError(f"--id {task_id}: each line of {path} names its own problem. Leave --id out.")
    for where, record in read_records(path):
        completion = record.get("completion")
        if not isinstance(completion, str):
            raise TaskError(f"{where}: no text under the key `completion`. Put the program there.")
        yield _known(str(record.get("id", record.get("task_id", ""))), problems, where), completion


def _known(task_id: str, problems: Mapping[str, Problem], where: str) -> str:
    if task_id not in problems:
        known = ", ".join(list(problems)[:5]) + ", …" * (len(problems) > 5)
        missing = f"no problem {task_id!r}" if task_id else "no problem is named"
        raise TaskError(f"{where}: {missing}. Give one of {known}.")
    return task_id


async def judge_programs(programs: Sequence[tuple[str, str]], problems: Mapping[str, Problem]) -> list[Judgement]:
    """The judgements, in order. Raises TaskError, naming the problem, where its own tests can't be run."""

    async def judge_one(task_id: str, completion: str) -> Judgement:
        try:
            return await judge.judge(problems[task_id], completion)
        except TaskError as error:
            raise TaskError(f"question {task_id!r}: {error}") from error

    async with Judge() as judge:
        return list(await asyncio.gather(*(judge_one(*program) for program in programs)))


def render(task_id: str, judgement: Judgement) -> str:
    """The verdict, and a line for each test that ran."""
    lines = [f"{task_id}: {judgement.result}"]
    for test in judgement.tests:
        why = "" if test.passed else f": {test.detail.replace(f': {test.name}', '')}"
        lines.append(f"  {'passed' if test.passed else 'FAILED'}  {test.name}{why}")
    return "\n".join(lines)


def main(argv: Sequence[str]) -> int:
    """Runs the program; returns its exit code."""
    args = parse(argv)
    problems = read_problems(args.problems)
    if args.every_test:
        problems = {task_id: replace(problem, every_test=True) for task_id, problem in problems.items()}
    programs = list(read_programs(args.programs, args.id, problems))
    judgements = asyncio.run(judge_programs(programs, problems))
    for (task_id, _), judgement in zip(programs, judgements, strict=True):
        print(json.dumps({"id": task_id, **judgement.to_record(True)}) if args.json else render(task_id, judgement))
    passed = sum(judgement.passed for judgement in judgements)
    if not args.json and len(programs) > 1:
        print(f"{passed} of {len(programs)} programs passed")
    return 0 if passed == len(programs) else 1


if __name__ == "__main__":
    sys.exit(run_program(main))
