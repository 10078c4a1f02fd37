"""Questions: tasks, the files and published data sets that they come from."""

from mcts_math.tasks.benchmarks import BENCHMARKS
from mcts_math.tasks.source import Source, digest_of, load_tasks, make_tasks, parse_source, take_shard
from mcts_math.tasks.task import (
    RUN_KEYS,
    JsonObject,
    Task,
    answers_of,
    derived_id,
    given_id,
    is_ours,
    result_columns,
    stated_task,
    user_columns,
)

__all__ = [
    "BENCHMARKS",
    "RUN_KEYS",
    "JsonObject",
    "Source",
    "Task",
    "answers_of",
    "derived_id",
    "digest_of",
    "given_id",
    "is_ours",
    "load_tasks",
    "make_tasks",
    "parse_source",
    "result_columns",
    "stated_task",
    "take_shard",
    "user_columns",
]
