"""Tree search and self-training with reasoning LLMs.

    from mcts_math import load_config, load_tasks, solve
    solved = solve(load_config("configs/mini/mcts.yaml"), load_tasks("data/mini/test.jsonl"))

The public names below are imported when first used, so that a program pays only for what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcts_math.answer import check, extract_answer, is_equiv, majority
    from mcts_math.config import Config, load_config, make_config
    from mcts_math.errors import MctsMathError
    from mcts_math.interpreter import SandboxInterpreter
    from mcts_math.run.dataset import to_dataset
    from mcts_math.scheduler import Solved
    from mcts_math.solver import solve, solve_async, solve_stream
    from mcts_math.tasks import Task, load_tasks
    from mcts_math.tree import Node, Tree

_HOMES = {
    "Config": "config",
    "MctsMathError": "errors",
    "Node": "tree",
    "SandboxInterpreter": "interpreter",
    "Solved": "scheduler",
    "Task": "tasks",
    "Tree": "tree",
    "check": "answer",
    "extract_answer": "answer",
    "is_equiv": "answer",
    "load_config": "config",
    "load_tasks": "tasks",
    "majority": "answer",
    "make_config": "config",
    "solve": "solver",
    "solve_async": "solver",
    "solve_stream": "solver",
    "to_dataset": "run.dataset",
}

__all__ = [
    "Config",
    "MctsMathError",
    "Node",
    "SandboxInterpreter",
    "Solved",
    "Task",
    "Tree",
    "check",
    "extract_answer",
    "is_equiv",
    "load_config",
    "load_tasks",
    "majority",
    "make_config",
    "solve",
    "solve_async",
    "solve_stream",
    "to_dataset",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mcts_math' has no attribute {name!r}")
    return getattr(import_module(f"mcts_math.{_HOMES[name]}"), name)
