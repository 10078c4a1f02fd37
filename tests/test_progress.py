"""What a run tells of itself while it goes on."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from scripted import Behaviour, RandomPolicy, ScriptedPolicy, scripted
from stand_ins import EchoInterpreter, EqualChecker, code, grow_tree
from tqdm import tqdm

from mcts_math.config import make_config
from mcts_math.cost import Cost
from mcts_math.errors import RecordError
from mcts_math.monitor import Monitor, Totals
from mcts_math.run import progress
from mcts_math.run.cli import summarise
from mcts_math.run.progress import Progress, describe, describe_short
from mcts_math.run.results import require_other_file
from mcts_math.run.run import show, solve_file
from mcts_math.scheduler import Solved
from mcts_math.search.expansion import CONTEXT_LENGTH
from mcts_math.step import Outcome, Step
from mcts_math.tasks import Task
from mcts_math.tree import new_tree

CONFIG = {"mode": "sbs", "prompt_wrap": "react_sft", "max_depth": 8, "n_generate_sample": 2, "batch_size": 2}


class Idle:
    """A scheduler."""

    in_flight = (0, 0)
    tokens = 0


def bar() -> tqdm[Any]:
    return tqdm(total=4, disable=True)


@pytest.mark.parametrize("task", [Task("1", "Q", ("7",)), Task("1", "Q", record={"entry_point": "f", "test": "f()"})])
def test_a_question_that_broke_down_counts_as_not_solved(task: Task) -> None:
    totals, tree = Totals(), new_tree(task)
    tree.correct = True  # an attempt was right; the line of results holds none of them
    totals.add(Solved(tree, Cost(), "the engine died"))
    assert (totals.judged, totals.accuracy, totals.errors) == (1, "accuracy 0/1 = 0.00%", 1)


def test_the_last_lines_tell_what_has_no_answer_and_what_was_cut_by_what(tmp_path: Path) -> None:
    totals = Totals()
    for number, (stopped, error) in enumerate((("max_run_tokens", ""), ("max_run_tokens", ""), ("", ""), ("", "lost"))):
        tree = new_tree(Task(str(number), "Q", ("7",)))
        tree.stopped = stopped
        tree.solutions = [0] if number >= 2 else []
        totals.add(Solved(tree, Cost(), error))
    told = summarise(totals, tmp_path / "x.jsonl")
    assert "\nwithout an answer: 2\ncut short: 2 by max_run_tokens (raise max_run_tokens, or set 0 for none; " in told
    tree.stopped = CONTEXT_LENGTH
    totals.add(Solved(tree, Cost()))
    told = summarise(totals, tmp_path / "x.jsonl")
    assert "1 by context_length (raise max_run_tokens, or set 0 for none; a context is the model's own: lower " in told


def test_the_last_lines_tell_that_most_steps_cannot_be_read(tmp_path: Path) -> None:
    totals = Totals()
    for outcomes in ([Outcome.CONTINUE, Outcome.USER], [Outcome.UNPARSABLE], [Outcome.UNPARSABLE]):
        tree = new_tree(Task("1", "Q", ("7",)))
        for outcome in outcomes:
            tree.add_child(tree.root, Step("s", outcome), 1.0)
        totals.add(Solved(tree, Cost()))
        told = summarise(totals, tmp_path / "x.jsonl")
        assert ("\nsteps that can't be read: 2 of 3 (" in told) is (totals.questions == 3)


def test_the_last_lines_tell_of_searches_that_ended_before_any_way_did(tmp_path: Path) -> None:
    tree = grow_tree(
        {"mode": "mcts", "n_generate_sample": 2}, ScriptedPolicy(lambda request: scripted(code("x"), code("y")))
    )
    totals = Totals()
    totals.add(Solved(tree, Cost()))
    told = summarise(totals, tmp_path / "x.jsonl")
    assert "without an answer: 1 (1 of them had steps to go on from: raise iterations or max_depth)\n" in told


@pytest.mark.parametrize("mode", [{"mode": "mcts"}, {}])
def test_a_method_that_nobody_named_is_told(tmp_path: Path, mode: dict[str, str]) -> None:
    (tmp_path / "q.jsonl").write_text('{"question": "Q", "answer": "1"}\n')
    notes: list[str] = []
    solve_file(
        make_config({"prompt_wrap": "react_sft"} | mode), tmp_path / "q.jsonl", tmp_path / "out.jsonl",
        report=notes.append, policy=RandomPolicy(1, Behaviour()), interpreter=EchoInterpreter(), checker=EqualChecker(),
    )  # fmt: skip
    assert any("mode is not set: it is mcts" in note for note in notes) is not bool(mode)


@pytest.mark.parametrize(
    ("settings", "values", "said"),
    [
        ({"mode": "mcts"}, True, ""),
        ({}, True, "mode is not set: it is mcts"),
        ({"mode": "sbs"}, False, "mode sbs ranks by values, and value is not set"),
        ({"mode": "mcts", "is_sampling": True, "update_leaf_value": False}, False, ""),
    ],
)
def test_what_may_not_be_meant_is_noted(settings: dict[str, Any], values: bool, said: str) -> None:
    told = make_config(settings).notes(values=values)
    assert [note[: len(said)] for note in told] == [said] * bool(said)


def test_a_resumed_run_with_nothing_to_do_has_no_figures(tmp_path: Path) -> None:
    assert summarise(Totals(questions=3, before=3), tmp_path / "x.jsonl").startswith(
        "nothing was left to solve: 3 questions\n"
    )


def test_verbose_shows_the_longest_way_where_there_is_no_answer() -> None:
    question = "long " * 100
    tree = new_tree(Task("1", question, ("7",)))
    tree.add_child(tree.root, Step("short", Outcome.UNPARSABLE), 1.0)
    tree.add_child(tree.add_child(tree.root, Step("first", Outcome.CONTINUE), 1.0), Step("next", Outcome.TOO_DEEP), 1.0)
    told = show(Solved(tree, Cost()))
    assert told == f"--- 1: {question}\nfirst\nnext\n--- no answer: 3 steps, the longest way ended as too_deep"
    tree.solutions, tree.correct = [1], False
    assert show(Solved(tree, Cost())).endswith("\nshort\n--- wrong")
    assert show(Solved(new_tree(Task("1", "Q")), Cost(), "lost")) == "--- 1: Q\n--- failed: lost"


def test_a_log_shows_life_before_the_first_question_is_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    out = io.StringIO()
    told = Progress(Monitor(4, Totals(begun=now[0])), tmp_path / "x.live.json", print, out=out)
    told.tell(bar())
    assert out.getvalue() == ""
    now[0] += 61
    told.tell(bar())
    told.tell(bar())
    now[0] += 61
    told.tell(bar())
    first, second = out.getvalue().splitlines()
    assert "0/4 questions" in first
    assert first[8:] == second[8:]  # but for the time of day, nothing has happened


def test_the_time_that_a_model_takes_to_load_counts_in_no_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy:
        in_flight = (2, 3)
        tokens = 500

    now = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    told = Progress(Monitor(6, Totals(questions=3, before=2, begun=now[0])), tmp_path / "x.live.json", print)
    told.tell(bar())
    assert json.loads(told.path.read_bytes())["loading"] is True
    assert describe(told.monitor.facts()) == "3/6 questions, loading, 00:00 left"
    now[0] = 1000.0
    told.watch(Busy(), None)  # type: ignore[arg-type]
    now[0] = 1010.0
    facts = told.monitor.facts()
    assert (facts["tokens_per_s"], facts["seconds"], facts["seconds_left"]) == (50.0, 10.0, 30)
    assert (facts["trees"], facts["requests"], facts["batch_rows"]) == (2, 3, None)
    assert "3 questions; 1 of them now, in 10.0 s: " in summarise(told.monitor.counts, tmp_path / "x.jsonl")
    told.tell(bar())
    assert json.loads(told.path.read_bytes())["loading"] is False


def test_a_terminal_gets_no_lines(tmp_path: Path) -> None:
    out = io.StringIO()
    told = Progress(Monitor(4, Totals()), tmp_path / "x.live.json", print, out=out, line_s=0.0)
    with tqdm(total=4, file=io.StringIO()) as shown:
        told.tell(shown)
        assert shown.postfix == "loading"
        told.watch(Idle(), None)  # type: ignore[arg-type]
        told.tell(shown)
        assert "in flight" in shown.postfix
    assert out.getvalue() == ""


def test_a_run_is_watched_while_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    questions, output = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    questions.write_text("".join(json.dumps({"question": f"Q{i}", "answer": "1"}) + "\n" for i in range(4)))
    written: list[dict[str, Any]] = []
    monkeypatch.setattr(progress, "_TICK_S", 0.01)
    monkeypatch.setattr(progress, "_FILE_S", 0.01)

    def keep(path: Path, data: bytes) -> None:
        assert path == tmp_path / "out.live.json"
        written.append(json.loads(data))

    monkeypatch.setattr(progress, "replace_file", keep)
    solve_file(
        make_config(CONFIG), questions, output, report=lambda text: None,
        policy=RandomPolicy(1, Behaviour(max_delay_s=0.02)), interpreter=EchoInterpreter(), checker=EqualChecker(),
    )  # fmt: skip
    assert all(facts["total"] == 4 and facts["trees"] <= 2 for facts in written)
    assert max(facts["requests"] for facts in written) > 0
    assert max(facts["tokens_per_s"] for facts in written) > 0
    assert [facts["done"] for facts in written] == sorted(facts["done"] for facts in written)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.jsonl", "out.meta.json", "q.jsonl"]


def test_the_file_goes_when_the_run_ends(tmp_path: Path) -> None:
    path = tmp_path / "x.live.json"
    told = Progress(Monitor(4, Totals()), path, print)
    told.watch(None, None)  # type: ignore[arg-type]
    path.write_text("{}")
    told.close()
    assert not path.exists()
    told.close()


def test_a_file_that_can_not_be_written_is_told_once(tmp_path: Path) -> None:
    notes: list[str] = []

    told = Progress(Monitor(4, Totals()), tmp_path / "no" / "x.live.json", notes.append)
    (tmp_path / "no").write_text("a file, no folder")
    told.watch(Idle(), None)  # type: ignore[arg-type]
    told.tell(bar())
    told.tell(bar())
    assert len(notes) == 1
    assert "can't be written" in notes[0]


def test_the_file_is_never_one_that_the_run_reads(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"out\.live\.json is a file that this run reads"):
        require_other_file(tmp_path / "out.jsonl", tmp_path / "out.live.json")


def test_the_line() -> None:
    facts = {
        "done": 30, "total": 500, "right": 15, "judged": 30, "errors": 1, "tokens_per_s": 1234.5, "trees": 64,
        "batch_rows": 41.6, "loading": False, "cached_share": 0.713, "interpreter_states": 250, "seconds_left": 7384,
    }  # fmt: skip
    assert describe(facts) == (
        "30/500 questions, acc 50.00% (33.2–66.8), 1 failed, 1,234 tok/s, 64 in flight, batch 42, cached 71%, 250 "
        "states, 2:03:04 left"
    )
    assert describe_short(facts, 5) == "acc 50.00% (33.2–66.8)"
    assert describe_short(facts, 33) == "acc 50.00% (33.2–66.8), 1 failed"


def test_a_narrow_terminal_shows_whole_numbers(tmp_path: Path) -> None:
    screen, totals = io.StringIO(), Totals(questions=3, judged=3, correct=2)
    told = Progress(Monitor(20, totals), tmp_path / "x.live.json", print)
    told.watch(Idle(), None)  # type: ignore[arg-type]
    with tqdm(total=20, file=screen, ncols=64, initial=3) as shown:
        told.tell(shown)
        line = str(shown)
    assert len(line) <= 64
    assert line.endswith(", acc 66.67% (20.8–93.9)]")
