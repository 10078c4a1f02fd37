"""Published data sets as tasks; files of solved cases."""

# ruff: noqa: E501 - tables are read by columns

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import os
import pickle
import sys
import zlib
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from stand_ins import line_of, run_scripted

from mcts_math import to_dataset
from mcts_math.errors import RecordError, TaskError
from mcts_math.files import dump_line, part_of
from mcts_math.judge import Judge, Judgement, Problem
from mcts_math.run.record import read_results, record_to_task
from mcts_math.tasks import digest_of, load_tasks, parse_source
from mcts_math.tasks.cases import cases_path, without_cases, write_cases
from mcts_math.tasks.source import plain_rows
from mcts_math.tree import new_tree


def packed(cases: object) -> str:
    """Private cases as LiveCodeBench publishes them."""
    return base64.b64encode(zlib.compress(pickle.dumps(json.dumps(cases)))).decode()


HUMANEVAL = {
    "task_id": "HumanEval/7",
    "prompt": 'def f(x):\n    """One {more}."""\n',
    "entry_point": "f",
    "canonical_solution": "    return x + 1\n",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n",
}
MBPP = {
    "text": "Write a function that adds one.",
    "code": "import math\r\ndef helper(x): return 1\r\ndef f(x):\r\n  return x + helper(x)",
    "task_id": 11,
    "test_setup_code": "one = 1",
    "test_list": ["assert round(f(one)) == 2", "assert f(2) == 3"],
    "challenge_test_list": ["assert f(3) == 4"],
}
SANITIZED = {
    "source_file": "x.ipynb",
    "task_id": 12,
    "prompt": "Write a function that adds one.",
    "code": "def f(x):\n  return x + 1",
    "test_imports": ["import math"],
    "test_list": ["assert f(1) == 2"],
}
GSM8K = {"question": "How many?", "answer": "Some #### of it: 1,000 + 1.\n#### 1,001"}
MATH500 = {"problem": "What?", "solution": "…", "answer": "\\frac12", "subject": "Algebra", "level": 2, "unique_id": "test/algebra/1.json"}  # fmt: skip
LIVECODEBENCH = {
    "question_id": "abc300_a",
    "question_content": "Add one to the number.",
    "starter_code": "class Solution:\n    def f(self, x: int) -> int:\n        ",
    "public_test_cases": json.dumps([{"input": "1", "output": "2", "testtype": "functional"}]),
    "private_test_cases": packed([{"input": "[3]\n4", "output": "[7]", "testtype": "functional"}]),
    "metadata": '{"func_name": "f"}',
}
HOSTILE, GREEDY, EMPTY, LONG, MANY = (
    base64.b64encode(zlib.compress(pickled)).decode()
    for pickled in (
        b"cos\nsystem\n(S'touch pwned'\ntR.",
        b"\x8c\x02[]r\xff\xff\xff\x0f.",  # a memo of two billion bytes
        b"\x80\x04.",
        b"\x8c\x02[]" + b"\x94" * (1 << 26) + b".",
        b"\x8c\x02[]" * 2 + b".",
    )
)
RECORDS: dict[str, dict[str, Any]] = {
    "humaneval": HUMANEVAL, "mbpp": MBPP, "mbpp-sanitized": SANITIZED, "livecodebench": LIVECODEBENCH, "gsm8k": GSM8K,
    "math500": MATH500,
}  # fmt: skip


def write(path: Path, *records: object) -> Path:
    text = json.dumps(records) if path.suffix == ".json" else "".join(json.dumps(record) + "\n" for record in records)
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", RECORDS)
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".jsonl.gz", ".json.gz"])
def test_known_by_name_and_by_fields(tmp_path: Path, name: str, named: bool, suffix: str) -> None:
    path = write(tmp_path / f"test{suffix.removesuffix('.gz')}", RECORDS[name])
    if suffix.endswith(".gz"):
        plain, path = path, tmp_path / f"test{suffix}"
        path.write_bytes(gzip.compress(plain.read_bytes()))
    (task,) = load_tasks(f"{name}:{path}" if named else path)
    ids = ["HumanEval/7", "mbpp/11", "mbpp/12", "livecodebench/abc300_a", "gsm8k/test/0", "math500/test/algebra/1.json"]
    assert task.id == dict(zip(RECORDS, ids, strict=True))[name]
    assert task.record["task"] == name.removesuffix("-sanitized")
    assert task.answers == {"gsm8k": ("1001",), "math500": ("\\frac12",)}.get(name, ())
    if task.is_code:
        assert Problem.from_record(task.record).names == ["Solution" if name == "livecodebench" else "f"]
        assert "```python block" in task.question
    else:
        assert task.question == RECORDS[name].get("problem", RECORDS[name].get("question"))  # bare, for tuned models
        assert "\\boxed{}" in task.chat_question


@pytest.mark.parametrize("name", RECORDS)
def test_a_task_survives_the_results_file(tmp_path: Path, name: str) -> None:
    (task,) = load_tasks(write(tmp_path / "test.jsonl", RECORDS[name]))
    line = dump_line(line_of(new_tree(task)))
    back = record_to_task(json.loads(line))
    assert (back.id, back.question, back.answers) == (task.id, task.question, task.answers)
    assert {key: back.record[key] for key in task.record} == task.record
    again = tmp_path / "again.jsonl"  # and a file of such records is a question file
    again.write_bytes(dump_line(dict(task.record)))
    assert load_tasks(again) == [task]


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("size", [1, 300, 70_000])
def test_pickled_cases_of_any_protocol(tmp_path: Path, protocol: int, size: int) -> None:
    text = json.dumps([{"input": "1", "output": json.dumps("é" * size)}], ensure_ascii=False)
    cases = base64.b64encode(zlib.compress(pickle.dumps(text, protocol))).decode()
    (task,) = load_tasks(write(tmp_path / "x.jsonl", LIVECODEBENCH | {"private_test_cases": cases}))
    assert Problem.from_record(task.record).cases[1].output == "é" * size


def test_prompts_are_whole(tmp_path: Path) -> None:
    (task,) = load_tasks(write(tmp_path / "x.jsonl", HUMANEVAL))
    assert HUMANEVAL["prompt"].strip() in task.question
    (task,) = load_tasks(write(tmp_path / "y.jsonl", MBPP))
    assert "`f`" in task.question
    assert "assert f(2) == 3" in task.question
    assert "assert f(3) == 4" not in task.question
    assert task.record["test"] == "one = 1\nassert round(f(one)) == 2\nassert f(2) == 3\nassert f(3) == 4\n"
    (task,) = load_tasks(write(tmp_path / "z.jsonl", SANITIZED))
    assert task.record["test"] == "import math\nassert f(1) == 2\n"


METHOD = "class Solution:\n    def f(self, x): "
REPLIES = [
    (METHOD, [("1\n[2]", "[1, 2]")], "class Solution:\n  def f(self, x, y): return [x, *y]", True),
    (METHOD, [("1", "2")], "class Solution:\n  def f(self, x: List[int]): return ceil(x + pow(3, 2, 4))", True),
    (METHOD, [("1", "2"), ("5", "0")], "class Solution:\n  def f(self, x): return 2", False),
    ("", [("3\n1 2 3\n", "6\n")], "n = int(input())\nprint(sum(map(int, input().split())) + Counter()[n])", True),
    ("", [("3\n1 2 3\n", "6\n"), ("1\n1\n", "1\n")], "print(6)", False),
    ("", [("", "0.10\n5.0")], "print(0.1)\nprint(5)", True),
    ("", [("", "5000000.5\n")], "print(5000000.50001)", False),
]


def test_livecodebench_is_judged_by_all_cases(tmp_path: Path) -> None:
    def problem(starter: str, cases: list[tuple[str, str]]) -> Problem:
        kind = "functional" if starter else "stdin"
        told = [{"input": given, "output": wanted, "testtype": kind} for given, wanted in cases]
        changed = {"public_test_cases": json.dumps(told[:1]), "private_test_cases": packed(told[1:])}
        (task,) = load_tasks(write(tmp_path / "x.jsonl", LIVECODEBENCH | changed | {"starter_code": starter}))
        return Problem.from_record(task.record)

    async def judged() -> list[Judgement]:
        async with Judge() as judge:
            return [
                await judge.judge(problem(starter, cases), f"```python\n{reply}\n```")
                for starter, cases, reply, _ in REPLIES
            ]

    assert [judgement.passed for judgement in asyncio.run(judged())] == [passes for *_, passes in REPLIES]


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        *((("humaneval", {field: None}, f"`{field}` is missing")) for field in ("prompt", "test", "entry_point", "task_id")),
        ("humaneval", {"test": 3}, "`test` must be a string, not int"),
        *((("mbpp", {field: None}, f"`{field}` is missing")) for field in ("text", "code", "test_list")),
        ("mbpp", {"task_id": "11"}, "`task_id` must be a whole number, not '11'"),
        ("mbpp", {"test_list": ["assert f(1)", 3]}, "`test_list` must be a list of strings"),
        ("mbpp", {"test_list": []}, "no test in `test_list` calls a function that `code` defines"),
        ("mbpp", {"code": "g = 1"}, "no test in `test_list` calls a function that `code` defines"),
        *((("livecodebench", {field: None}, f"`{field}` is missing")) for field in ("question_content", "starter_code", "metadata")),
        ("livecodebench", {"metadata": "{}"}, "`metadata` must be a JSON object with `func_name`"),
        ("livecodebench", {"public_test_cases": "[3]"}, "a case needs `input` and `output`, in JSON"),
        ("livecodebench", {"public_test_cases": "{}"}, "`public_test_cases` must be a list of cases in JSON"),
        ("livecodebench", {"private_test_cases": "AAAA"}, "`private_test_cases` can't be unpacked"),
        ("livecodebench", {"private_test_cases": HOSTILE}, "it holds more than a text: GLOBAL"),
        ("livecodebench", {"private_test_cases": GREEDY}, "it holds more than a text: LONG_BINPUT"),
        ("livecodebench", {"private_test_cases": LONG}, "it holds more than a text: MEMOIZE"),
        ("livecodebench", {"private_test_cases": MANY}, "it holds more than a text: SHORT_BINUNICODE"),
        ("livecodebench", {"private_test_cases": EMPTY}, "it holds no text"),
        ("gsm8k", {"answer": "1001"}, "`answer` has no `#### NUMBER`"),
        ("gsm8k", {"answer": "1001\n#### "}, "`answer` has no `#### NUMBER`"),
        ("gsm8k", {"question": None}, "`question` is missing"),
        ("math500", {"answer": None}, "`answer` must be a string or a number, not NoneType"),
        ("math500", {"problem": ["x"]}, "`problem` must be a string, not list"),
    ],
)  # fmt: skip
def test_errors_name_file_line_and_field(tmp_path: Path, name: str, change: dict[str, Any], words: str) -> None:
    first = RECORDS[name] | ({"task_id": "x"} if name == "humaneval" else {"task_id": 1} if name == "mbpp" else {})
    first |= {"unique_id": "other"} if name == "math500" else {}
    broken = {key: value for key, value in (RECORDS[name] | change).items() if value is not None}
    path = write(tmp_path / "some.jsonl", first, broken)
    with pytest.raises(TaskError) as caught:
        load_tasks(f"{name}:{path}")
    assert f"{path}:2: " in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "x.jsonl", "holds no question"),
        (b"[3]", "x.json", "expected an object"),
        (b"{}\n", "x.jsonl", "no key `question`"),
        (b"{", "x.jsonl", r"x\.jsonl:1: not valid JSON: Expecting property name"),
        (b"not gzip", "x.jsonl.gz", "can't be read"),
        (gzip.compress(b'{"question": "?"}\n' * 99, mtime=0)[:-9], "x.jsonl.gz", "can't be read"),
        ('{"question": "?"}'.encode("utf-16"), "x.jsonl", "is not UTF-8 text: .* in UTF-8"),
        (b"", "x.txt", "must end in .json, .jsonl or .csv"),
        (b"", "x.gz", "must end in .json, .jsonl or .csv"),
        (b"{}", "x.json", r"an object with the keys \[\]"),
        (b"question,answer\nHow many, in all?,4\n", "x.csv", "x.csv, row 1: it has more or fewer cells"),
        (b"question,answer\nWhat?\n", "x.csv", "row 1: it has more or fewer cells"),
        (b'question\n"What', "x.csv", "x.csv: not valid CSV"),
        (b"problem\nWhat?\n", "x.csv", "no key `question`"),
        (b"question,answer,answer\nWhat?,1,2\n", "x.csv", "x.csv: two columns have one name"),
        (b"question;answer\nWhat?;1\n", "x.csv", "Separate cells by commas"),
        (b'{"question": "A"}\n{"question": "B"}\n', "x.json", "is called .jsonl"),
    ],
)
def test_bad_files(tmp_path: Path, content: bytes, name: str, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TaskError, match=words):
        load_tasks(tmp_path / name)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_table_is_questions(tmp_path: Path, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / ("x.csv" if pack is bytes else "x.csv.gz")
    path.write_bytes(pack(b'\xef\xbb\xbfquestion, answer,level\r\n"How many,\r\nin ""all""?",04,1\r\nWhy?,,2\r\n'))
    first, second = load_tasks(path)
    assert (first.question, first.answers) == ('How many,\nin "all"?', ("04",))
    assert (second.question, second.answers) == ("Why?", ())


@pytest.mark.parametrize(
    ("source", "name", "split", "path"),
    [
        ("humaneval", "humaneval", "", None),
        ("GSM8K/train", "gsm8k", "train", None),
        ("mbpp/test:a/b.jsonl", "mbpp", "test", "a/b.jsonl"),
        ("humaneval:C:/x.jsonl", "humaneval", "", "C:/x.jsonl"),
        ("data/gsm8k.jsonl", "", "", "data/gsm8k.jsonl"),
        ("gsm8k.jsonl", "", "", "gsm8k.jsonl"),
        ("my:file.jsonl", "", "", "my:file.jsonl"),
    ],
)
def test_sources(source: str, name: str, split: str, path: str | None) -> None:
    found = parse_source(source)
    assert (found.name, found.split, found.path) == (name, split, None if path is None else Path(path))


def test_a_file_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gsm8k").mkdir()
    write(tmp_path / "gsm8k" / "train.jsonl", GSM8K)
    assert load_tasks("gsm8k/train.jsonl")[0].id == "gsm8k/train/0"


def test_mbpp_splits(tmp_path: Path) -> None:
    path = write(tmp_path / "mbpp.jsonl", *(MBPP | {"task_id": number} for number in range(1, 975)))
    sizes = {split: len(load_tasks(f"mbpp/{split}:{path}")) for split in ("prompt", "test", "validation", "train")}
    assert sizes == {"prompt": 10, "test": 500, "validation": 90, "train": 374}
    assert len(load_tasks(path)) == 974
    with pytest.raises(TaskError, match="no split 'all'"):
        load_tasks(f"mbpp/all:{path}")


def stand_in_hub(monkeypatch: pytest.MonkeyPatch, load: Any) -> None:
    module = ModuleType("datasets")
    module.load_dataset = load  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)


def test_from_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stand-in for the package: what is asked of it, and what is made of its rows. No hub is reached here."""
    asked = []

    def load(repository: str, configuration: str | None, split: str) -> list[dict[str, Any]]:
        asked.append((repository, configuration, split))
        return [GSM8K, GSM8K]

    stand_in_hub(monkeypatch, load)
    assert [task.id for task in load_tasks("gsm8k")] == ["gsm8k/test/0", "gsm8k/test/1"]
    tasks = load_tasks("gsm8k/train")
    assert [task.id for task in tasks] == ["gsm8k/train/0", "gsm8k/train/1"]
    assert asked == [("openai/gsm8k", "main", "test"), ("openai/gsm8k", "main", "train")]
    assert parse_source("gsm8k/train").stem == "gsm8k-train"
    assert digest_of(tasks) == digest_of(load_tasks("gsm8k/train"))


def test_columns_that_json_cannot_hold_are_found_before_anything_is_paid_for(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [GSM8K | {"day": datetime(2024, 5, 1, 12, 30), "seen": [date(2024, 1, 2)]}]
    stand_in_hub(monkeypatch, lambda *_, **__: rows)
    assert list(plain_rows(rows, "here")) == [
        ("here, record 0", GSM8K | {"day": "2024-05-01T12:30:00", "seen": ["2024-01-02"]})
    ]
    assert load_tasks("gsm8k")[0].answers == ("1001",)
    rows[0]["picture"] = b"\x89PNG"
    with pytest.raises(TaskError, match=r"record 0: column 'picture' .* bytes is no JSON.*remove_columns\('picture'\)"):
        load_tasks("gsm8k")


def test_a_hub_out_of_reach_names_the_local_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object, **__: object) -> None:
        raise ConnectionError("no route\nto host")

    stand_in_hub(monkeypatch, load)
    with pytest.raises(TaskError, match=r"no route to host.*--qaf humaneval:/path/to/HumanEval.jsonl"):
        load_tasks("humaneval")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(TaskError, match=r"pip install 'mcts_math\[datasets\]'.*--qaf mbpp:/path/to/mbpp.jsonl"):
        load_tasks("mbpp")


def test_cases_there_and_back(tmp_path: Path) -> None:
    tasks = load_tasks(write(tmp_path / "test.jsonl", *[GSM8K] * 5))
    path = tmp_path / "metadata" / "mini_GSM8K_correct_cases.json"
    assert write_cases(path, tasks, ["gsm8k/test/3", "gsm8k/test/0", "of another run"]) == 2
    assert json.loads(path.read_text()) == [0, 3]
    assert [task.id for task in without_cases(tasks, path)] == ["gsm8k/test/1", "gsm8k/test/2", "gsm8k/test/4"]
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "is no such list"),
        ("[true]", "is no such list"),
        ('["1"]', "is no such list"),
        ("[0", "is not JSON"),
        ("[5]", r"names question 5, but there are 5 questions \(0 to 4\)"),
        ("[-1]", "names question -1"),
        (None, "no such file"),
    ],
)
def test_bad_cases(tmp_path: Path, text: str | None, words: str) -> None:
    tasks = load_tasks(write(tmp_path / "test.jsonl", *[GSM8K] * 5))
    path = tmp_path / "cases.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(TaskError, match=words):
        without_cases(tasks, path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_cases_on_a_full_disk_keep_what_was_there(tmp_path: Path) -> None:
    tasks = load_tasks(write(tmp_path / "test.jsonl", GSM8K))
    path = tmp_path / "cases.json"
    path.write_text("[0]\n")
    part_of(path).symlink_to("/dev/full")
    with pytest.raises(TaskError, match="can't be written"):
        write_cases(path, tasks, [])
    assert path.read_text() == "[0]\n"


@pytest.mark.parametrize("source", ["gsm8kk:FILE", "gsm8kk", "GSM8kk/test"])
def test_a_slip_in_the_name_of_a_data_set_is_told(tmp_path: Path, source: str) -> None:
    path = write(tmp_path / "test.jsonl", GSM8K)
    with pytest.raises(TaskError, match="Did you mean 'gsm8k'"):
        load_tasks(source.replace("FILE", str(path)))


def test_name_of_a_cases_file() -> None:
    assert str(cases_path("models/llama", "gsm8k:x/test.jsonl")) == "metadata/llama_GSM8K_correct_cases.json"
    assert str(cases_path("mini", "data/eval.json")) == "metadata/mini_eval_correct_cases.json"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("mbpp", "MBPP"),
        ("mbpp/test:mbpp.jsonl", "MBPP"),
        ("mbpp/train:mbpp.jsonl", "MBPP-train"),
        ("mbpp:mbpp.jsonl", "MBPP-all"),
        ("gsm8k/train", "GSM8K-train"),
        ("gsm8k:train.jsonl", "GSM8K-train"),
        ("math500:test.jsonl", "MATH500"),
    ],
)
def test_positions_in_other_parts_are_other_files(source: str, name: str) -> None:
    assert str(cases_path("m", source)) == f"metadata/m_{name}_correct_cases.json"


@pytest.fixture
def data() -> Path:
    folder = os.environ.get("MCTS_MATH_DATA")
    if not folder:
        pytest.skip("set MCTS_MATH_DATA to a folder with the published data sets")
    return Path(folder)


@pytest.mark.parametrize(
    ("source", "count", "first"),
    [
        ("{}/humaneval/HumanEval.jsonl", 164, "HumanEval/0"),
        ("{}/mbpp/mbpp.jsonl", 974, "mbpp/1"),
        ("mbpp/test:{}/mbpp/mbpp.jsonl", 500, "mbpp/11"),
        ("{}/mbpp/sanitized-mbpp.json", 427, "mbpp/2"),
        ("{}/gsm8k/test.jsonl", 1319, "gsm8k/test/0"),
        ("gsm8k:{}/gsm8k/train.jsonl", 7473, "gsm8k/train/0"),
        ("{}/math500/test.jsonl", 500, "math500/test/precalculus/807.json"),
    ],
)
def test_published_files(data: Path, source: str, count: int, first: str) -> None:
    tasks = load_tasks(source.format(data))
    assert (len(tasks), tasks[0].id) == (count, first)
    assert len({task.id for task in tasks}) == count


def test_questions_from_a_saved_data_set(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = [{"question": f"What is {i}?", "answer": str(i)} for i in range(3)]
    one = datasets.Dataset.from_list(rows)
    one.save_to_disk(tmp_path / "one")
    datasets.DatasetDict(test=one, train=one).save_to_disk(tmp_path / "many")
    datasets.Dataset.from_list([GSM8K]).save_to_disk(tmp_path / "gsm8k")
    assert [(task.question, task.answers) for task in load_tasks(tmp_path / "one")] == [
        (row["question"], (row["answer"],)) for row in rows
    ]
    assert load_tasks(tmp_path / "many" / "test") == load_tasks(tmp_path / "one")
    assert load_tasks(tmp_path / "gsm8k")[0].answers == ("1001",)  # recognised by its fields, as in a file
    with pytest.raises(TaskError, match=r"splits test, train\. Name one: .*many/test"):
        load_tasks(tmp_path / "many")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TaskError, match="is a folder, but none that `datasets` has saved"):
        load_tasks(tmp_path / "empty")


def test_results_as_a_data_set(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    questions, out = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    write(questions, *({"id": i, "question": f"{i}?", "answer": str(i)} for i in range(3)))
    run_scripted(questions, out)
    lines = out.read_text().splitlines()
    data = to_dataset(out)
    assert data["tree"] == lines
    assert data["id"] == [str(json.loads(line)["id"]) for line in lines]
    for row, line in zip(data, map(json.loads, lines), strict=True):
        assert row["correct"] == line["correct"]
        assert row["answers"] == [line["answer"]]
        assert row["final_answer"] == next((s["final_answer"] for s in line["react"]["solutions"]), None)
        assert (row["steps"], row["tokens"]) == (len(line["react"]) - 2, line["cost"]["tokens"])
    write(questions, {"question": "?", "react": {"0": {}}, "correct": True, "stopped": "early", "cost": {"seconds": 1}})
    (row,) = to_dataset(questions)  # a published line: these columns are the user's
    assert (row["correct"], row["stopped"], row["seconds"]) == (None, None, None)
    assert [row["id"]] == [task_id for _, task_id, _ in read_results(questions)]  # it has one from its question
    write(questions, {"question": "?", "react": {"0": {}, "solutions": "none"}})
    with pytest.raises(RecordError, match=r"q.jsonl:1: .solutions. is not a list"):
        to_dataset(questions)
