"""Lines of results, made by searches with a scripted model."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

from scripted import RandomPolicy, ScriptedPolicy, scripted
from stand_ins import EchoInterpreter, EqualChecker, EqualVerifier, final

from mcts_math.config import make_config
from mcts_math.requests import Policy
from mcts_math.run.run import to_record
from mcts_math.services import Provided
from mcts_math.solver import solve

MCTS = {"mode": "mcts", "prompt_wrap": "react_sft", "n_generate_sample": 3, "iterations": 12, "max_depth": 6,
        "need_value_func": True, "errors_threshold": 2}  # fmt: skip

MODES: dict[str, dict[str, Any]] = {
    "react": {"mode": "react", "max_depth": 8},
    "sbs": {"mode": "sbs", "step_beam_width": 2, "n_generate_sample": 3, "need_value_func": True},
    "mcts": MCTS,
    "best_of_n": {"mode": "best_of_n", "trials": 4},
    "self_consistency": {"mode": "self_consistency", "trials": 4},
    "revision": {"mode": "revision", "trials": 3},
    "self_refine": {"mode": "self_refine", "trials": 3},
}

Write: TypeAlias = Callable[[str, list[dict[str, Any]]], Path]
"""Writes records as a results file of a name."""


def solved_line(config: dict[str, Any], record: dict[str, Any], policy: Policy | None = None) -> dict[str, Any]:
    """The line of a question, as a run of this config writes it."""
    made = make_config({"prompt_wrap": "react_sft", **config})
    services = Provided(
        policy=policy or RandomPolicy(1),
        interpreter=EchoInterpreter(),
        checker=EqualChecker(),
        verifier=EqualVerifier(),
    )
    with ThreadPoolExecutor(1) as thread:  # a browser's driver has an event loop in this one
        (solved,) = thread.submit(solve, made, [record], **services).result()
    return to_record(solved, made, made.make_format())


def mcts_line(number: int, *, seed: int = 0, **columns: Any) -> dict[str, Any]:
    """A searched question; two seeds are two searches of it."""
    record = {"id": f"q{number}", "question": f"What is $x^{{{number}}}$?", "answer": "3", "level": number % 3 + 1,
              "type": ("algebra", "counting")[number % 2]} | columns  # fmt: skip
    return solved_line(MCTS, record, RandomPolicy(100 * seed + number))


def answer_line(number: int, answer: str, **columns: Any) -> dict[str, Any]:
    """A question that is answered in one step."""
    record = {"id": f"q{number}", "question": f"Question {number}?", "answer": "1"} | columns
    return solved_line({"mode": "sbs"}, record, ScriptedPolicy(lambda request: scripted(final(answer))))


def published_line(number: int, **changes: Any) -> dict[str, Any]:
    """A line as the published system writes it: no id, no costs, no verdict."""
    node = {"text": "", "extra_info": "", "action": "", "action_input": "", "final_answer": "", "value": -100}
    code = "```python\nprint(1)\n```"
    shown = f"<step>\n<p>\nThink.\n</p>\n<code>\n{code}\n</code>\n<output>\n1\n</output>\n</step>"
    done = "<step>\n<p>\nDone.\n</p>\n<p>\nFinal Answer: 1\n</p>\n</step>"
    react = {
        "0": node | {"extra_info": f"question: Q{number}"},
        "0.0": node | {"text": shown, "action": "python_interpreter", "action_input": code, "value": 0.25},
        "0.0.0": node | {"text": done, "final_answer": "1", "value": 0.5},
    }
    return {"question": f"Q{number}", "answer": ["1"], "react": react} | changes
