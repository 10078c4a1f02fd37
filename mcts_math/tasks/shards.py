"""A share of the questions, for runs that are divided among machines that know nothing of each other."""

from __future__ import annotations

import re
from collections.abc import Sequence

from mcts_math.errors import TaskError
from mcts_math.tasks.task import Task


def take_shard(tasks: Sequence[Task], shard: str) -> list[Task]:
    """Every N-th task from the I-th on: the shards of one N have every task once, and about as many each.

    Args:
        tasks: all of them, in the same order in every shard.
        shard: `I/N`, I from 0 to N - 1.

    Raises:
        TaskError: it is no such text, or there are fewer tasks than shards.
    """
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", shard.strip(), re.ASCII)
    index, count = (int(found[1]), int(found[2])) if found else (0, 0)
    if not index < count:
        raise TaskError(f"--shard {shard}: expected I/N, I from 0 to N - 1, such as 0/8 to 7/8.")
    if count > len(tasks):
        raise TaskError(f"--shard {shard}: there are {len(tasks)} questions only. Make at most as many shards.")
    return list(tasks[index::count])
