"""Tree search and self-training with reasoning LLMs.

    from mcts_math import load_config, load_tasks, solve
    solved = solve(load_config("configs/mini/mcts.yaml"), load_tasks("data/mini/test.jsonl"))

The public names below are imported when first used, so that a program pays only for what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mcts_math.answer import check as check
    from mcts_math.answer import extract_answer as extract_answer
    from mcts_math.answer import is_equiv as is_equiv
    from mcts_math.answer import majority as majority
    from mcts_math.config import Config as Config
    from mcts_math.config import load_config as load_config
    from mcts_math.config import make_config as make_config
    from mcts_math.errors import MctsMathError as MctsMathError
    from mcts_math.interpreter import SandboxInterpreter as SandboxInterpreter
    from mcts_math.run.dataset import to_dataset as to_dataset
    from mcts_math.scheduler import Solved as Solved
    from mcts_math.solver import solve as solve
    from mcts_math.solver import solve_async as solve_async
    from mcts_math.solver import solve_stream as solve_stream
    from mcts_math.tasks import Task as Task
    from mcts_math.tasks import load_tasks as load_tasks
    from mcts_math.tree import Node as Node
    from mcts_math.tree import Tree as Tree

_NAMES = {
    "answer": ("check", "extract_answer", "is_equiv", "majority"),
    "config": ("Config", "load_config", "make_config"),
    "errors": ("MctsMathError",),
    "interpreter": ("SandboxInterpreter",),
    "run.dataset": ("to_dataset",),
    "scheduler": ("Solved",),
    "solver": ("solve", "solve_async", "solve_stream"),
    "tasks": ("Task", "load_tasks"),
    "tree": ("Node", "Tree"),
}
_HOMES = {name: home for home, names in _NAMES.items() for name in names}

__all__ = [*_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'mcts_math' has no attribute {name!r}")
    return getattr(import_module(f"mcts_math.{_HOMES[name]}"), name)
