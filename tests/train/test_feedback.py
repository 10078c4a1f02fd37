"""Feedback files: which attempts are taken, what the gold solution is, and the program that makes them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent))
sys.path.insert(0, str(Path(__file__).parent.parent.parent / "scripts"))

import make_feedback
from scripted import ScriptedPolicy, scripted
from stand_ins import EchoInterpreter, EqualChecker, final

from mcts_math.config import make_config
from mcts_math.errors import RecordError
from mcts_math.formats import FormatOptions, StepFormat, make_format
from mcts_math.messages import Sample
from mcts_math.requests import Generate, Generation
from mcts_math.run.run import solve_file
from mcts_math.step import Verdict
from mcts_math.tasks import Task
from mcts_math.tasks.source import make_tasks
from mcts_math.train.feedback import FEEDBACK, FeedbackCounts, feedback_of, gold_only, gold_solution

Write = Callable[[str, list[dict[str, Any]]], str]
SFT = make_format("react_sft", FormatOptions())
CHAT = make_format("chat", FormatOptions())


def task(**record: Any) -> Task:
    (made,) = make_tasks([{"question": "Q", **record}])
    return made


def read(form: StepFormat, text: str) -> str | None:
    return form.read(Sample(text, 0.0, 1)).answer


def attempts(write: Write, tmp_path: Path, *texts: str, long: str = "", **record: Any) -> Path:
    """A results file of best-of-n whose attempts at one question are the texts; `long` is as long as it may be."""
    qaf, out = write("q.jsonl", [{"id": "q", "question": "Q", "answer": "1", **record}]), tmp_path / "attempts.jsonl"

    def behave(request: Generate) -> Generation:
        samples = scripted(*texts[: request.num_samples]).samples
        return Generation(tuple(Sample(s.text, s.logprob, 50 if s.text == long else 5) for s in samples))

    config = make_config(
        {"mode": "best_of_n", "prompt_wrap": "react_sft", "trials": len(texts), "n_generate_sample": len(texts),
         "stop_at_success": False, "max_tokens": 50}
    )  # fmt: skip
    solve_file(config, qaf, out, policy=ScriptedPolicy(behave), interpreter=EchoInterpreter(), checker=EqualChecker(),
               report=lambda text: None)  # fmt: skip
    return out


def test_right_and_wrong_attempts_are_taken_and_unfinished_ones_are_not(write: Write, tmp_path: Path) -> None:
    texts = (final("2"), final("1"), "no step at all", final("3"))
    trees = attempts(write, tmp_path, *texts, long=final("3"), solution="One.")
    counts = FeedbackCounts()
    found = list(feedback_of(trees, SFT, 50, counts))
    again = Verdict.INCORRECT  # in place of the attempt without an answer, which does not count
    assert [line.verdict for line in found] == [Verdict.INCORRECT, Verdict.CORRECT, again]
    assert [line.id for line in found] == ["q/0", "q/1", "q/2"]
    question = "<question> Q </question>\n"
    assert found[0].question == question
    assert found[0].attempt == f"{question}{final('2')}\n</step>\n"
    assert {line.feedback for line in found} == {"<question> Your answer is incorrect. </question>\n"}
    assert {line.solution for line in found} == {"<step>\n<p>\nOne.\n</p>\n<p>\nFinal Answer: 1\n</p>\n</step>"}
    assert (counts.questions, counts.unfinished) == (1, 2)
    assert "incorrect" in counts.render()
    assert [FEEDBACK.load(json.loads(json.dumps(FEEDBACK.dump(line))), "x") for line in found] == found


def test_attempts_of_an_earlier_run_at_questions_that_are_not_asked_for_do_not_count(
    write: Write, tmp_path: Path
) -> None:
    trees, counts = attempts(write, tmp_path, final("2"), solution="One."), FeedbackCounts()
    assert not list(feedback_of(trees, SFT, 50, counts, chosen={"other"}))
    assert counts == FeedbackCounts()
    assert len(list(feedback_of(trees, SFT, 50, counts, chosen={"other", "q"}))) == 1


def test_a_question_without_gold_solution(write: Write, tmp_path: Path) -> None:
    """Is an error; or a right attempt stands for it, and a question without one is left out."""
    with pytest.raises(RecordError, match=r"attempts.jsonl:1.*'q' has no gold solution.*--own_solutions"):
        list(feedback_of(attempts(write, tmp_path, final("2")), SFT, 50, FeedbackCounts()))
    (tmp_path / "attempts.jsonl").unlink()
    right = attempts(write, tmp_path, final("2"), final("1"))
    assert {line.solution for line in feedback_of(right, SFT, 50, FeedbackCounts(), own=True)} == {
        f"{final('1')}\n</step>"
    }
    right.unlink()
    counts = FeedbackCounts()
    assert not list(feedback_of(attempts(write, tmp_path, final("2")), SFT, 50, counts, own=True))
    assert counts.unsolved == 1


def test_gold_solutions_are_in_the_format_of_the_prompt() -> None:
    gsm8k = "She has <<3+4=7>>7 apples.\n#### 7"
    assert (
        gold_solution(task(answer="7", solution=gsm8k), CHAT, "x") == "She has 7 apples.\n\nThe answer is \\boxed{7}."
    )
    assert read(SFT, gold_solution(task(answer="7", solution=gsm8k), SFT, "x")) == "7"
    boxed = "So it is $\\boxed{8}$."
    assert gold_solution(task(answer="8", solution=boxed), CHAT, "x") == boxed
    few_shot = make_format("react", FormatOptions())
    assert read(few_shot, gold_solution(task(answer="7", solution=gsm8k), few_shot, "x")) == "7"
    problem = {"prompt": "", "test": "assert f() == 1", "entry_point": "f", "solution": "def f():\n    return 1"}
    assert gold_solution(task(**problem), CHAT, "x") == "```python\ndef f():\n    return 1\n```"
    with pytest.raises(RecordError, match="no answer to put into it"):
        gold_solution(task(solution="Somehow."), CHAT, "x")
    with pytest.raises(RecordError, match="no gold solution"):
        list(gold_only([task(answer="7")], CHAT, FeedbackCounts()))


def test_the_program_makes_attempts_once(repo: Path, write: Write, tmp_path: Path, capsys: Any) -> None:
    """On the bundled model: drawn questions, both verdicts' counts, and a second call that samples nothing anew."""
    lines = (repo / "data/mini/train.jsonl").read_text("utf-8").splitlines()[2:8]
    qaf = write("train.jsonl", [json.loads(text) for text in lines])
    output = tmp_path / "feedback.jsonl"
    argv = [
        "--cfg", str(repo / "configs/mini/best_of_n.yaml"), "--qaf", qaf, "--output", str(output), "--questions", "3",
        f"model_dir={repo / 'models/mini'}", "trials=2", "n_generate_sample=2", "stop_at_success=false",
        "engine_args={num_threads: 1, device: cpu}",
    ]  # fmt: skip
    with pytest.raises(RecordError, match="has no gold solution"):
        make_feedback.main(argv)
    assert make_feedback.main([*argv, "--own_solutions"]) == 0
    first, made = output.read_bytes(), (tmp_path / "feedback.attempts.jsonl").read_bytes()
    assert len(made.splitlines()) == 3
    assert b'"solution"' in first
    assert make_feedback.main([*argv, "--own_solutions"]) == 0
    assert output.read_bytes() == first
    assert (tmp_path / "feedback.attempts.jsonl").read_bytes() == made  # seconds and all
    assert not [*tmp_path.glob("*.bak")]
    output.write_bytes(b"mine")
    assert make_feedback.main([*argv, "--own_solutions"]) == 0
    assert (output.read_bytes(), output.with_name("feedback.jsonl.bak").read_bytes()) == (first, b"mine")
    output.unlink()
    output.mkdir()
    with pytest.raises(RecordError, match=r"it is no ordinary file\. Choose another --output"):
        make_feedback.main([*argv, "--own_solutions"])
    assert "3 of 3 questions are done" in capsys.readouterr().out
