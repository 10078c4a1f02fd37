"""Questions: tasks, the files and published data sets that they come from."""

from mcts_math.tasks.benchmarks import BENCHMARKS
from mcts_math.tasks.source import digest_of, load_tasks, make_tasks, parse_source, take_shard
from mcts_math.tasks.task import JsonObject, Task, is_ours

__all__ = [
    "BENCHMARKS", "JsonObject", "Task", "digest_of", "is_ours", "load_tasks", "make_tasks", "parse_source", "take_shard"
]  # fmt: skip
