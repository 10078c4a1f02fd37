"""A published data set from file to results: real judge and checker, scripted model; solved cases out and in again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripted import ScriptedPolicy, scripted
from stand_ins import EchoInterpreter

from mcts_math.config import make_config
from mcts_math.files import read_records
from mcts_math.monitor import Totals
from mcts_math.requests import Generate, Generation
from mcts_math.run.run import solve_file

CONFIG = {"mode": "best_of_n", "prompt_wrap": "chat", "trials": 2, "temperature": 0.6}


def humaneval(number: int) -> dict[str, Any]:
    name = f"add_{number}"
    return {
        "task_id": f"HumanEval/{number}",
        "prompt": f'def {name}(x):\n    """Adds {number} to x."""\n',
        "entry_point": name,
        "canonical_solution": f"    return x + {number}\n",
        "test": f"def check(candidate):\n    assert candidate(1) == {number + 1}\n",
    }


def answer(request: Generate) -> Generation:
    """Solves the even ones; writes no code for every third."""
    text = request.prompt if isinstance(request.prompt, str) else request.prompt.messages[-1].content
    number = int(text.split("def add_")[1].split("(")[0])
    if number % 3 == 2:
        return scripted("I don't know.")
    return scripted(f"```python\ndef add_{number}(x):\n    return x + {number if number % 2 == 0 else 0}\n```")


def run(qaf: Path, output: Path, **options: Any) -> Totals:
    policy = ScriptedPolicy(answer)
    return solve_file(make_config(CONFIG), qaf, output, policy=policy, interpreter=EchoInterpreter(), **options)


def test_code_tasks_are_judged_and_solved_cases_saved_and_left_out(tmp_path: Path) -> None:
    qaf, cases = tmp_path / "HumanEval.jsonl", tmp_path / "metadata" / "cases.json"
    qaf.write_text("".join(json.dumps(humaneval(number)) + "\n" for number in range(8)))
    said: list[str] = []
    totals = run(qaf, tmp_path / "all.jsonl", save_correct=cases, report=said.append)
    assert (totals.judged, totals.correct, totals.errors) == (8, 3, 0)
    assert json.loads(cases.read_text()) == [0, 4, 6]
    assert f"3 of 8 questions are solved: {cases}" in said
    lines = {record["id"]: record for _, record in read_records(tmp_path / "all.jsonl")}
    assert lines["HumanEval/4"]["correct"] is True
    assert lines["HumanEval/4"]["test"] == humaneval(4)["test"]
    assert lines["HumanEval/3"]["correct"] is False

    totals = run(qaf, tmp_path / "rest.jsonl", exclude=cases, report=said.append)
    assert (totals.judged, totals.correct) == (5, 0)
    # A resumed run that has nothing to do writes the file all the same.
    cases.unlink()
    run(qaf, tmp_path / "all.jsonl", save_correct=cases, resume=True, report=said.append)
    assert json.loads(cases.read_text()) == [0, 4, 6]
