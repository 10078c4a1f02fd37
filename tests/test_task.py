"""Question files: every form of SPEC A1, and every way to get one wrong."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from mcts_math.errors import TaskError
from mcts_math.files import dump_line
from mcts_math.tasks import load_tasks, make_tasks
from mcts_math.tasks.task import make_task


def write(path: Path, data: Any) -> Path:
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


RECORDS = [
    {"question": "a?", "answer": "1", "level": 3},
    {"question": "b?", "answer": ["2", "two"]},
    {"question": "c?"},
]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("q.json", RECORDS),
        ("q.json", {"example": RECORDS, "other": 1}),
        ("q.jsonl", "\n".join(map(json.dumps, RECORDS))),
        ("q.jsonl", "\ufeff" + "\n\n".join(map(json.dumps, RECORDS)) + "\n"),
    ],
)
def test_published_forms(tmp_path: Path, name: str, data: Any) -> None:
    tasks = load_tasks(write(tmp_path / name, data))
    assert [t.question for t in tasks] == ["a?", "b?", "c?"]
    assert [t.answers for t in tasks] == [("1",), ("2", "two"), ()]
    assert tasks[0].record["level"] == 3


def test_ids_are_given_or_derived_and_stay_when_the_file_is_cut() -> None:
    all_three = make_tasks([{"question": "x", "id": 7}, {"question": "y"}, {"question": "z", "id": "z"}])
    assert [t.id for t in all_three][::2] == ["7", "z"]
    assert make_tasks([{"question": "y"}])[0].id == all_three[1].id


def test_equal_questions_are_different_tasks() -> None:
    first, second, other = make_tasks([{"question": "x"}, {"question": "x"}, {"question": "y"}])
    assert len({first.id, second.id, other.id}) == 3


def test_a_line_of_results_asks_its_question_anew() -> None:
    found = {"react": {"0": {}, "solutions": []}, "error": "bad luck", "stopped": "max_total_time", "correct": False}
    (task,) = make_tasks([{"question": "x", "id": "7", "answer": "1", "level": 3} | found])
    assert task.record == {"question": "x", "id": "7", "answer": "1", "level": 3}
    (other,) = make_tasks([{"question": "x", "method": "by parts"}])
    assert other.record["method"] == "by parts"


@pytest.mark.parametrize(
    ("answer", "accepted"),
    [
        ("She buys 5 + 10.\n####15", ["15"]),
        ("She buys 15.\n#### 15\nThe answer is: 15", ["15"]),
        ("#### 1,234", ["1234"]),
        ("#### 12,5", ["12,5"]),  # no separator of thousands
        ("#### -$1,234.50", ["-$1234.50"]),
        ("Half: #### 1/2", ["1/2"]),
        ("9 (apples)", ["9"]),
        ("1/2 (cups of flour)", ["1/2"]),
        ("3 (mod 5)", ["3 (mod 5)"]),
        ("12 (base 7)", ["12 (base 7)"]),
        ("(1, 2)", ["(1, 2)"]),
        ("2 (x + 1)", ["2 (x + 1)"]),
        ("1,234", ["1,234"]),
        (float("nan"), []),
        ("", []),
        (None, []),
        ([float("nan"), "5"], ["5"]),
        (5.0, ["5.0"]),
    ],
)
def test_what_is_accepted_of_an_answer_column(answer: Any, accepted: list[str]) -> None:
    (task,) = make_tasks([{"question": "x", "answer": answer}])
    assert list(task.answers) == accepted


def test_a_mark_on_a_later_line_of_the_file_counts_too(tmp_path: Path) -> None:
    lines = [
        {"question": "a", "answer": "1"},
        {"question": "b", "answer": "so 2\n#### 2"},
        {"question": "c", "answer": "3"},
    ]
    tasks = load_tasks(write(tmp_path / "q.jsonl", "\n".join(map(json.dumps, lines))))
    assert [task.answers for task in tasks] == [("1",), ("2",), ("3",)]


def test_what_makes_a_task_one_of_code() -> None:
    problem = {"question": "x", "prompt": "", "test": "def check(f): ...", "entry_point": "f"}
    with_answer, empty, plain = {"answer": "1"}, {"entry_point": None, "test": None}, {"test": "unit 3"}
    tasks = make_tasks([problem, problem | with_answer, problem | empty, {"question": "y"} | plain])
    assert [task.is_code for task in tasks] == [True, False, False, False]


def test_numbers_are_answers_too() -> None:
    assert make_tasks([{"question": "x", "answer": 5}, {"question": "y", "answer": [0.5, "1/2"]}])[1].answers == (
        "0.5",
        "1/2",
    )


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("q.jsonl", '{"question": "a"}\n{"question": ', r"q\.jsonl:2: not valid JSON"),
        ("q.jsonl", '{"question": "a"}\n[1]', r"q\.jsonl:2: expected an object"),
        ("q.jsonl", '{"problem": "a"}', r"q\.jsonl:1: no key `question` \(keys: 'problem'\)"),
        ("q.jsonl", '{"question": "  "}', "the question is empty"),
        ("q.jsonl", '{"question": 3}', "`question` must be a string, not int"),
        ("q.jsonl", '{"question": "a", "answer": {"x": 1}}', "`answer` must be"),
        ("q.jsonl", '{"question": "a", "answer": true}', "`answer` must be"),
        ("q.jsonl", '{"question": "a", "id": [1]}', "`id` must be"),
        ("q.jsonl", '{"question": "ab\\ud800"}', "q.jsonl:1: character 2 of the question is half of"),
        ("q.jsonl", '{"question": "a", "id": "1"}\n{"question": "b", "id": 1}', r":2: id '1' stands at .*:1 too"),
        ("q.jsonl", "\n\n", "holds no question"),
        ("q.json", "", "holds no question"),
        ("q.json", {"examples": []}, "whose `example` key"),
        ("q.json", "[" * 100_000, "not valid JSON"),
        ("q.json", '[{"question": "a"},\n {"question": b}]', r"q\.json: .* at line 2, column 15, before 'b}]'"),
        ("q.jsonl", '{"question": "b', r"Unterminated string starting at column 14, before"),
        ("q.jsonl", '{"question": b}', r"q\.jsonl:1: not valid JSON: Expecting value at column 14, before 'b}'"),
        ("q.jsonl", '{"question": ', "at column 14, where it ends"),
        ("q.json", '{"question": ["a", "b"]}', r"with the keys \['question'\]\. .*orient='records'"),
        ("q.txt", "a", r"must end in \.json, \.jsonl or \.csv"),
    ],
)
def test_bad_files_are_named_with_the_remedy(tmp_path: Path, name: str, data: Any, message: str) -> None:
    with pytest.raises(TaskError, match=message):
        load_tasks(write(tmp_path / name, data))


def test_all_faults_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = [{"question": "a", "id": 1}, {"question": "b", "id": 1}, {"question": " "}]
    with pytest.raises(TaskError) as caught:
        make_tasks(records)
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == ["record 1", "record 2"]
    with pytest.raises(TaskError, match=r"\nand 3 more$"):
        make_tasks([{}] * 13)


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="no such file"):
        load_tasks(tmp_path / "none.jsonl")
    (tmp_path / "b.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(TaskError, match="is not UTF-8 text"):
        load_tasks(tmp_path / "b.jsonl")
    (tmp_path / "dir.jsonl").mkdir()
    with pytest.raises(TaskError, match="is a folder, but none that `datasets` has saved"):
        load_tasks(tmp_path / "dir.jsonl")


def test_odd_questions_are_questions(tmp_path: Path) -> None:
    odd = ["x" * 1_000_000, "\x00\x01\x1b[2J", "a\u2028b\u0085c", "<question> </question>", "{}%s{0}"]
    path = write(tmp_path / "q.jsonl", "\n".join(json.dumps({"question": q}) for q in odd))
    assert [t.question for t in load_tasks(path)] == odd


def test_a_question_may_follow_a_conversation() -> None:
    said = [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "1"}]
    plain, after = make_tasks([{"id": "a", "question": "Two?"}, {"id": "b", "question": "Two?", "chat_before": said}])
    assert [message.to_json() for message in after.before] == said
    assert plain.digest != after.digest  # a result depends on it
    for wrong in ("One?", 5, {"role": "user"}, [{"role": "judge", "content": "1"}], [None]):
        with pytest.raises(TaskError, match="record 0: `chat_before` must be a list"):
            make_tasks([{"question": "Two?", "chat_before": wrong}])


def test_numbers_that_json_has_not_do_not_make_a_question_another_one() -> None:
    """A results file has null for them: the run over the same file must go on."""
    (task,) = make_tasks([{"question": "Q", "entry_point": "f", "cases": [{"input": [1], "output": math.inf}]}])
    back = make_task(json.loads(dump_line(task.record)), "line 1", Counter())
    assert back.digest == task.digest
    with pytest.raises(TaskError, match=r"record 0: `answer` is inf, a number that JSON has not"):
        make_tasks([{"question": "Q", "answer": math.inf}])
