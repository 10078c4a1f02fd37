"""Benchmarks as tasks: MATH500, GSM8K, MBPP and HumanEval in their published forms, and qaf files.

A question source (`--qaf`) is one of

    FILE                a qaf file, or one of the files below, known by the fields of its records; .json, .jsonl, .gz
    NAME[/SPLIT]:FILE   a published file: humaneval, mbpp, mbpp-sanitized, gsm8k, math500
    NAME[/SPLIT]        the same from the Hugging Face Hub, by the package `datasets`

Each record becomes a qaf record: `id`, `question` (the prompt, in our words), `answer` where there is one, `task`, and
what its verifier needs. So tasks go through a results file and come back whole. Departures from the published files:

1. The answer of GSM8K is what follows `####`; of MATH500 it is the field `answer`.
2. MBPP is judged by `test_list` and `challenge_test_list`; the prompt shows `test_list`, which names the function.
3. MBPP's splits are ranges of `task_id`, as its authors give them: test is 11 to 510.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mcts_math.errors import TaskError
from mcts_math.task import JsonObject, Task, collect_tasks, read_records

_MATH_PROMPT: Final = (
    "Solve the problem below. Reason step by step, and give the final answer in \\boxed{{}}.\n\nProblem: {problem}"
)
_COMPLETE_PROMPT: Final = (
    "Complete the Python function below. Reply with the whole function, and the imports that it needs, in one "
    "```python block.\n\n```python\n{prompt}\n```"
)
_WRITE_PROMPT: Final = (
    "{text}\n\nThe Python function is called `{entry_point}` and has to pass these tests:\n\n```python\n{tests}\n```\n"
    "\nReply with the whole function, and the imports that it needs, in one ```python block."
)
_MBPP_SPLITS: Final = {"prompt": (1, 10), "test": (11, 510), "validation": (511, 600), "train": (601, 974)}
_DEFINED: Final = re.compile(r"^(?:def|class)\s+(\w+)", re.MULTILINE)
_CALLED: Final = re.compile(r"\b([A-Za-z_]\w*)\s*\(")


@dataclass(frozen=True, slots=True)
class Source:
    """Where questions come from.

    Attributes:
        name: of a benchmark; "" where the fields of the records tell.
        split: of it; "" for the file as it is, or the benchmark's test split on the Hub.
        path: the file; None for the Hub.
    """

    name: str
    split: str
    path: Path | None


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A published data set.

    Attributes:
        title: as in the names of published files.
        hub: repository and configuration on the Hugging Face Hub.
        file: what its published file is called.
        convert: a record -> a qaf record: (record, where, position in the file, split).
    """

    title: str
    hub: tuple[str, str | None]
    file: str
    convert: Callable[[Mapping[str, Any], str, int, str], JsonObject]


def _humaneval(record: Mapping[str, Any], where: str, _: int, __: str) -> JsonObject:
    prompt, test, entry_point = (_text(record, name, where) for name in ("prompt", "test", "entry_point"))
    return {
        "id": _text(record, "task_id", where),
        "question": _COMPLETE_PROMPT.format(prompt=prompt.rstrip("\n")),
        "task": "humaneval",
        "prompt": prompt,
        "test": test,
        "entry_point": entry_point,
    }


def _mbpp(record: Mapping[str, Any], where: str, _: int, __: str) -> JsonObject:
    text = _text(record, "prompt" if "prompt" in record and "text" not in record else "text", where)
    code, tests = _text(record, "code", where), _texts(record, "test_list", where)
    number = record.get("task_id")
    if isinstance(number, bool) or not isinstance(number, int):
        raise TaskError(f"{where}: the field `task_id` must be a whole number, not {number!r}.")
    defined = set(_DEFINED.findall(code))
    entry_point = next((name for test in tests for name in _CALLED.findall(test) if name in defined), None)
    if entry_point is None:
        raise TaskError(f"{where}: no test in `test_list` calls a function that `code` defines.")
    setup = [*_texts(record, "test_imports", where, ()), _text(record, "test_setup_code", where, "")]
    challenge = _texts(record, "challenge_test_list", where, ())
    return {
        "id": f"mbpp/{number}",
        "question": _WRITE_PROMPT.format(text=text.strip(), entry_point=entry_point, tests="\n".join(tests)),
        "task": "mbpp",
        "prompt": "",
        "test": "\n".join(part for part in [*setup, *tests, *challenge] if part).replace("\r\n", "\n") + "\n",
        "entry_point": entry_point,
    }


def _gsm8k(record: Mapping[str, Any], where: str, index: int, split: str) -> JsonObject:
    problem, solution = _text(record, "question", where), _text(record, "answer", where)
    _, mark, answer = solution.rpartition("####")
    if not mark or not answer.strip():
        raise TaskError(f"{where}: the field `answer` has no `#### NUMBER` at its end.")
    return {
        "id": f"gsm8k/{split}/{index}" if split else f"gsm8k/{index}",
        "question": _MATH_PROMPT.format(problem=problem.strip()),
        "answer": answer.strip().replace(",", ""),
        "task": "gsm8k",
        "problem": problem,
    }


def _math500(record: Mapping[str, Any], where: str, index: int, _: str) -> JsonObject:
    problem, answer = _text(record, "problem", where), record.get("answer")
    if isinstance(answer, bool) or not isinstance(answer, (str, int, float)):
        raise TaskError(f"{where}: the field `answer` must be a string or a number, not {type(answer).__name__}.")
    own = record.get("unique_id", index)
    extra = {name: record[name] for name in ("subject", "level") if name in record}
    return {
        "id": f"math500/{own}",
        "question": _MATH_PROMPT.format(problem=problem.strip()),
        "answer": str(answer),
        "task": "math500",
        "problem": problem,
        **extra,
    }


BENCHMARKS: Final[Mapping[str, Benchmark]] = {
    "humaneval": Benchmark("HumanEval", ("openai/openai_humaneval", None), "HumanEval.jsonl", _humaneval),
    "mbpp": Benchmark("MBPP", ("google-research-datasets/mbpp", "full"), "mbpp.jsonl", _mbpp),
    "mbpp-sanitized": Benchmark(
        "MBPP-sanitized", ("google-research-datasets/mbpp", "sanitized"), "sanitized-mbpp.json", _mbpp
    ),
    "gsm8k": Benchmark("GSM8K", ("openai/gsm8k", "main"), "test.jsonl", _gsm8k),
    "math500": Benchmark("MATH500", ("HuggingFaceH4/MATH-500", None), "test.jsonl", _math500),
}


def parse_source(source: str | Path) -> Source:
    """Reads a question source; see the head of this file. Anything that names no benchmark is a file."""
    text = str(source)
    head, colon, rest = text.partition(":")
    name, _, split = head.partition("/")
    if name.lower() not in BENCHMARKS or (not colon and Path(text).exists()):
        return Source("", "", Path(text))
    if colon and not rest:
        raise TaskError(f"--qaf {text}: no file after the colon. Leave the colon out to ask the Hugging Face Hub.")
    return Source(name.lower(), split, Path(rest) if colon else None)


def load_questions(source: str | Path) -> list[Task]:
    """The tasks of a question source.

    Raises:
        TaskError: naming file, line and field, and what to change; or why the Hub can't be had, and what to do instead.
    """
    where = parse_source(source)
    records = list(_from_hub(where) if where.path is None else read_records(where.path))
    name = where.name or (_recognise(records[0][1]) if records else "")
    if name:
        records = list(_converted(records, BENCHMARKS[name], name, where))
    tasks = collect_tasks(records)
    if not tasks:
        raise TaskError(f"{source} holds no question. It needs at least one record with a `question` key.")
    return tasks


def describe_questions(source: str | Path, tasks: Sequence[Task]) -> JsonObject:
    """What is stored beside results: where the questions came from, and a digest of them."""
    path = parse_source(source).path
    data = path.read_bytes() if path else json.dumps([dict(t.record) for t in tasks], sort_keys=True).encode()
    return {"file": str(source), "sha256": hashlib.sha256(data).hexdigest()}


def source_stem(source: str | Path) -> str:
    """A short name of a question source, for the names of results files."""
    where = parse_source(source)
    if where.path is None:
        return f"{where.name}-{where.split}" if where.split else where.name
    return Path(where.path.name.removesuffix(".gz")).stem


def _recognise(record: Any) -> str:
    """The benchmark whose fields a record has; "" for a qaf record."""
    if not isinstance(record, Mapping):
        return ""
    if "question" in record:
        answer = record.get("answer")
        return "gsm8k" if isinstance(answer, str) and re.search(r"\n#### ", answer) else ""
    for name, fields in (
        ("humaneval", {"prompt", "test", "entry_point"}),
        ("mbpp", {"test_list", "code"}),
        ("math500", {"problem", "answer", "unique_id"}),
    ):
        if fields <= record.keys():
            return name
    return ""


def _converted(
    records: Iterable[tuple[str, Any]], benchmark: Benchmark, name: str, source: Source
) -> Iterator[tuple[str, JsonObject]]:
    split = source.split or (source.path.name.partition(".")[0] if source.path else "test")
    low, high = _range(name, source)
    if name == "gsm8k" and split not in ("train", "test"):
        split = ""
    for index, (where, record) in enumerate(records):
        if not isinstance(record, Mapping):
            raise TaskError(f"{where}: expected an object, found {type(record).__name__}.")
        converted = benchmark.convert(record, where, index, split)
        if name.startswith("mbpp") and not low <= int(record["task_id"]) <= high:
            continue
        yield where, converted


def _range(name: str, source: Source) -> tuple[float, float]:
    """The task ids of an MBPP split; a file without one is taken whole."""
    if not name.startswith("mbpp") or not source.split:
        return float("-inf"), float("inf")
    if source.split not in _MBPP_SPLITS:
        raise TaskError(f"{name} has no split {source.split!r}. It has: {', '.join(_MBPP_SPLITS)}.")
    return _MBPP_SPLITS[source.split]


def _from_hub(source: Source) -> Iterator[tuple[str, Any]]:
    benchmark = BENCHMARKS[source.name]
    repository, configuration = benchmark.hub
    split = source.split or "test"
    instead = f"Or download {benchmark.file} and pass --qaf {source.name}:/path/to/{benchmark.file}"
    try:
        import datasets
    except ImportError as error:
        raise TaskError(
            f"--qaf {source.name}: the package `datasets` is missing: pip install 'mcts_math[datasets]'. {instead}"
        ) from error
    try:
        rows = datasets.load_dataset(repository, configuration, split=split)
    except Exception as error:  # the package raises what its many parts raise: no list of these would be whole
        reason = " ".join(str(error).split())[:300]
        raise TaskError(
            f"--qaf {source.name}: {repository} can't be had from the Hugging Face Hub: "
            f"{type(error).__name__}: {reason}. {instead}"
        ) from error
    for index, row in enumerate(rows):
        yield f"{repository}, {split}, record {index}", dict(row)


def _text(record: Mapping[str, Any], name: str, where: str, default: str | None = None) -> str:
    value = record.get(name, default)
    if not isinstance(value, str):
        found = "is missing" if value is None else f"must be a string, not {type(value).__name__}"
        raise TaskError(f"{where}: the field `{name}` {found} (fields: {', '.join(map(str, list(record)[:8]))}).")
    return value


def _texts(record: Mapping[str, Any], name: str, where: str, default: Sequence[str] | None = None) -> Sequence[str]:
    value = record.get(name, default)
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        found = "is missing" if value is None else "must be a list of strings"
        raise TaskError(f"{where}: the field `{name}` {found} (fields: {', '.join(map(str, list(record)[:8]))}).")
    return value
