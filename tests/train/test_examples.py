"""Examples and preference pairs from trees, and the files that hold them."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from scripted import Behaviour, RandomPolicy, ScriptedPolicy, scripted
from stand_ins import code, final, grow_tree

from mcts_math.errors import ConfigError, RecordError
from mcts_math.evaluate.grading import Grader
from mcts_math.files import dump_line
from mcts_math.formats import FormatOptions, StepFormat, make_format
from mcts_math.formats.react_sft import SftFormat
from mcts_math.messages import Conversation, Message, Sample
from mcts_math.methods import METHODS
from mcts_math.requests import Generate, Generation
from mcts_math.run.record import error_to_record, nodes_of, tree_to_record
from mcts_math.settings import make_settings
from mcts_math.tasks import Task
from mcts_math.train.collect import write_examples
from mcts_math.train.config import ExamplesConfig
from mcts_math.train.examples import (
    EXAMPLES,
    PAIRS,
    Example,
    Solution,
    choose,
    format_of,
    pairs_of,
    solutions_of,
    to_example,
)
from mcts_math.tree import Tree

MCTS = {"mode": "mcts", "n_generate_sample": 3, "iterations": 12, "max_depth": 5, "is_sampling": True}
ROOT = "<question> Q </question>\n"
Write = Callable[[str, list[dict[str, Any]]], str]


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    with Grader(1) as grader:
        yield grader


def config(**settings: Any) -> ExamplesConfig:
    return make_settings(ExamplesConfig, settings)


def random_tree(seed: int = 1, **more: Any) -> Tree:
    return grow_tree({**MCTS, **more}, RandomPolicy(seed, Behaviour()))


def small_tree() -> Tree:
    """One code step with three ends: right, wrong, and one that can't be read."""
    a = f"{ROOT}{code('A')}\n</code>\n<output>\nok after 0\n</output>\n</step>\n"
    script = {ROOT: scripted(*[code("A")] * 3, value=0.2), a: scripted(final("1"), final("2"), "?", value=0.4)}
    return grow_tree(
        {**MCTS, "n_generate_sample": 3, "iterations": 2, "remove_duplicate": True}, ScriptedPolicy(script)
    )


def record_of(tree: Tree, form: StepFormat | None = None, **more: Any) -> dict[str, Any]:
    record = tree_to_record(tree, METHODS["mcts"], form or SftFormat())
    return dict(json.loads(dump_line(record))) | more


def example_of(tree: Tree, solution: Solution, tag: str = "", form: StepFormat | None = None) -> Example:
    example = to_example(tree, solution, tag, form or SftFormat())
    assert example is not None
    return example


def test_an_example_in_full() -> None:
    tree = small_tree()
    right, wrong, failed = solutions_of(tree, failed=True)
    assert (right.correct, wrong.correct, failed.correct) == (True, False, False)
    example = example_of(tree, right, "0.0.0")
    q = tree.nodes[1].q_value
    assert EXAMPLES.dump(example) == {
        "id": "t/0.0.0",
        "question": "Q",
        "prompt": ROOT,
        "steps": [
            {"text": f"{code('A')}\n</code>\n<output>\nok after 0\n</output>\n</step>\n", "q": q},
            {"text": f"{final('1')}\n</step>\n", "q": 1.0},
        ],
        "correct": True,
    }
    assert example_of(tree, wrong, "0.0.1").steps[-1].q == -1.0
    assert -1 < q < 1
    assert EXAMPLES.load(EXAMPLES.dump(example), "here") == example


def test_the_text_of_an_example_is_the_prompt_that_the_search_shows() -> None:
    tree = random_tree()
    for solution in solutions_of(tree, failed=False):
        example = example_of(tree, solution)
        text = example.prompt + "".join(step.text for step in example.steps)
        assert text == SftFormat().prompt(tree.task, tree.steps(solution.node))


def test_choice_is_bounded_and_seeded() -> None:
    tree = random_tree(1, n_generate_sample=6, iterations=30)
    solutions = solutions_of(tree, failed=True)
    assert sum(s.correct is True for s in solutions) > 2
    taken = choose(tree, solutions, config(max_correct=2, max_incorrect=1))
    assert [s.correct for s in taken] == [True, True, False]
    assert taken == choose(tree, solutions, config(max_correct=2, max_incorrect=1))
    orders = {tuple(s.node.id for s in choose(tree, solutions, config(choose="random", seed=i))) for i in range(9)}
    assert len(orders) > 1


def test_diverse_takes_new_answers_first() -> None:
    script = {ROOT: scripted(*[final("5")] * 3, final("6"), final("7"), final("1"), value=0.0)}
    tree = grow_tree({**MCTS, "n_generate_sample": 6, "iterations": 1}, ScriptedPolicy(script))
    solutions = solutions_of(tree, failed=True)
    assert len(solutions) == 4  # equal ones once
    taken = choose(tree, solutions, config(max_incorrect=3))
    assert sorted(s.node.answer or "" for s in taken) == ["1", "5", "6", "7"]


def test_few_shot_steps_become_tagged_ones() -> None:
    """A step of thought alone begins the thought of the next one, whose Q counts."""
    call = "Thought: Add.\nAction: python_interpreter\nAction Input:\n```python\nprint(1)\n```"
    thought = "Thought: First, think.\nAction: None\nAction Input:\n"

    def script(request: Generate) -> Generation:
        prompt = str(request.prompt)
        if "First, think" not in prompt:
            return scripted(thought, value=0.1)
        return scripted("Thought: Done. Final Answer: 1" if "ok after" in prompt else call, value=0.3)

    settings = {**MCTS, "prompt_wrap": "react", "num_few_shot": 0, "n_generate_sample": 1}
    tree = grow_tree(settings, ScriptedPolicy(script))
    form = make_format("react", FormatOptions(num_few_shot=0))
    (solution,) = solutions_of(tree, failed=False)
    path = tree.path(solution.node)
    assert len(path) == 3
    example = example_of(tree, solution, form=form)
    assert example.prompt == ROOT
    first, last = (SftFormat().read(Sample(step.text.split("</code>")[0], 0.0, 1)) for step in example.steps)
    assert (first.actions[0].code, last.answer) == ("```python\nprint(1)\n```", "1")
    assert "First, think.\nAdd." in example.steps[0].text
    assert example.steps[0].text.endswith("</code>\n<output>\nok after 0\n</output>\n</step>\n")
    assert [step.q for step in example.steps] == [path[1].q_value, 1.0]
    assert not any("Thought:" in step.text or "Action" in step.text for step in example.steps)


def test_the_format_is_that_of_the_tree() -> None:
    tree = small_tree()
    record = record_of(tree)
    told = {"format": "react_sft", "step_delim": "\n\n"}
    assert format_of(record | told, tree, config(), "f:1").step_delim == "\n\n"
    published = {key: record[key] for key in ("question", "answer", "react")}
    assert format_of(published, tree, config(), "f:1").name == "react_sft"  # recognised, an unreadable sample or not
    assert format_of(published, tree, config(step_delim="\n\n"), "f:1").step_delim == "\n\n"
    for theirs in ("chat", "mine", ["mine"]):  # a column of the user's
        assert format_of(published | {"format": theirs}, tree, config(), "f:1").name == "react_sft"
    assert format_of(published | {"step_delim": "|"}, tree, config(), "f:1").step_delim == "\n"
    assert format_of(published, tree, config(format="chat"), "f:1").name == "chat"
    assert format_of(record, tree, config(format="chat"), "f:1").name == "react_sft"  # a line knows best
    with pytest.raises(RecordError, match=r"f:1: .* format 'mine'. Say it with the key format: react, react_sft, chat"):
        format_of(record | {"format": "mine"}, tree, config(), "f:1")
    strange = grow_tree({**MCTS, "prompt_wrap": "chat", "iterations": 1}, ScriptedPolicy(lambda _: scripted(*"123")))
    with pytest.raises(RecordError, match="f:1: the line does not tell the format"):
        format_of({}, strange, config(), "f:1")


def test_examples_and_pairs_of_conversations(tmp_path: Path, write: Write, grader: Grader) -> None:
    replies = scripted(r"It is \boxed{1}.", r"It is \boxed{2}.", "", value=0.0)
    settings = {**MCTS, "prompt_wrap": "chat", "iterations": 1}
    tree = grow_tree(settings, ScriptedPolicy(lambda _: replies))
    path = write("t.jsonl", [record_of(tree, make_format("chat"))])
    write_examples([path], tmp_path / "e.jsonl", config(pair_margin=0.5), grader, pairs=tmp_path / "p.jsonl")
    right, wrong = (json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines())
    assert right["prompt"] == [{"role": "user", "content": "Q"}]
    (step,) = right["steps"]
    assert (step["text"], step["q"]) == (r"It is \boxed{1}.", 1.0)
    assert step["turns"] == [{"role": "assistant", "content": r"It is \boxed{1}."}]
    assert (wrong["correct"], wrong["steps"][0]["q"]) == (False, -1.0)
    assert EXAMPLES.load(right, "here").prompt == Conversation((Message("user", "Q"),))
    (pair, *_) = (json.loads(line) for line in (tmp_path / "p.jsonl").read_text().splitlines())
    assert pair["chosen"] == [{"role": "assistant", "content": r"It is \boxed{1}."}]  # as TRL reads conversations
    assert PAIRS.load(pair, "here").to_json() == pair


def test_pairs_are_siblings_with_a_margin() -> None:
    tree = small_tree()
    (pair,) = pairs_of(tree, SftFormat(), 0.5)
    assert (pair.chosen, pair.rejected) == (f"{final('1')}\n</step>\n", f"{final('2')}\n</step>\n")
    assert pair.prompt == SftFormat().prompt(tree.task, tree.steps(tree.nodes[1]))
    assert pair.margin == 2.0
    line = pair.to_json()
    assert {"prompt", "chosen", "rejected"} <= line.keys()
    assert PAIRS.load(line, "here") == pair
    for seed in range(5):
        for pair in pairs_of(random_tree(seed), SftFormat(), 0.3):
            assert pair.q_chosen - pair.q_rejected >= 0.3


def test_a_file_of_trees(tmp_path: Path, write: Write, grader: Grader) -> None:
    trees = [record_of(random_tree(seed), id=f"t{seed}") for seed in range(4)]
    trees.append(error_to_record(Task("failed", "Q", ("1",)), "broke down"))
    path = write("trees.jsonl", trees)
    out, pairs = tmp_path / "new" / "examples.jsonl", tmp_path / "pairs.jsonl"
    statistics = write_examples([path], out, config(), grader, pairs=pairs)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [EXAMPLES.dump(EXAMPLES.load(line, "here")) for line in lines] == lines
    assert statistics.taken.total() == len(lines)
    assert statistics.pairs == len(pairs.read_text().splitlines()) > 0
    assert (statistics.trees, statistics.failed) == (5, 1)
    shown = statistics.render()
    assert "1 broken down" in shown
    assert "preference pairs" in shown
    again = tmp_path / "again.jsonl"
    write_examples([path], again, config(), grader)
    assert again.read_bytes() == out.read_bytes()
    assert not [*tmp_path.rglob("*.part"), *tmp_path.rglob("*.tmp*")]


def test_other_examples_take_no_older_ones_away(tmp_path: Path, write: Write, grader: Grader) -> None:
    outputs = tmp_path / "e.jsonl", tmp_path / "p.jsonl"
    made: list[list[bytes]] = []
    for seed in (0, 1, 1, 2):
        trees = write(f"t{seed}.jsonl", [record_of(random_tree(seed), id=f"t{seed}")])
        write_examples([trees], outputs[0], config(pair_margin=0.1), grader, pairs=outputs[1])
        made.append([path.read_bytes() for path in outputs])
    kept = [[path.with_name(f"{path.name}.bak{n}").read_bytes() for path in outputs] for n in ("", "2")]
    assert kept == [made[0], made[1]]
    assert made[1] == made[2]  # equal ones leave nothing behind
    assert len([*tmp_path.glob("*.bak*")]) == 4


def test_answers_that_were_not_judged_are_judged_now(tmp_path: Path, write: Write, grader: Grader) -> None:
    record = record_of(small_tree())
    for node in nodes_of(record).values():
        node.pop("correct", None)
    published = {key: record[key] for key in ("question", "answer", "react")}
    statistics = write_examples([write("t.jsonl", [published])], tmp_path / "e.jsonl", config(), grader)
    assert statistics.taken == {True: 1, False: 2}
    (first, *_) = (json.loads(line) for line in (tmp_path / "e.jsonl").read_text().splitlines())
    assert first["id"].startswith("q-")  # a published line has no id


def test_trees_that_can_not_be_used(tmp_path: Path, write: Write, grader: Grader) -> None:
    record = record_of(small_tree())
    for node in nodes_of(record).values():
        node.pop("correct", None)
    no_answer = {**record, "answer": None}
    out = tmp_path / "e.jsonl"

    def refused(name: str, records: list[dict[str, Any]], match: str) -> None:
        with pytest.raises(RecordError, match=match):
            write_examples([write(f"in_{name}", records)], out, config(), grader)
        assert not out.exists()

    refused("a.jsonl", [no_answer], r"1 of 1 questions have no accepted `answer`")
    refused("b.jsonl", [], "is empty")
    beam = {k: {a: b for a, b in n.items() if a != "q_value"} for k, n in nodes_of(record).items()}
    refused("c.jsonl", [{**record, "react": beam}], r"c.jsonl:1: node '0.0' has no q_value")
    bare = {k: {a: b for a, b in n.items() if a != "visit_count"} for k, n in nodes_of(record).items()}
    refused("g.jsonl", [{**record, "react": bare}], r"node '0.0' has no visit_count")
    for q in (2.0, float("nan")):
        odd = {k: n | {"q_value": q} for k, n in nodes_of(record).items()}
        refused("h.jsonl", [{**record, "react": odd}], r"h.jsonl:1: a Q of")
    refused("d.jsonl", [{"question": "Q", "answer": "1"}], r"d.jsonl:1: no search tree")
    refused("e.jsonl", [record, {**record, "react": {**record["react"], "0.7.1": {}}}], r"e.jsonl:2")
    refused("f.jsonl", [record_of(small_tree(), react={"0": record["react"]["0"]})], "no example in 1 trees")
    with pytest.raises(RecordError, match="no such file"):
        write_examples([tmp_path / "none.jsonl"], out, config(), grader)
    with pytest.raises(ConfigError, match="Did you mean 'max_correct'"):
        config(max_corect=1)


def test_never_right_questions_give_wrong_examples_only(tmp_path: Path, write: Write, grader: Grader) -> None:
    record = record_of(small_tree(), answer="9")
    for node in nodes_of(record).values():
        node.pop("correct", None)
    statistics = write_examples([write("t.jsonl", [record])], tmp_path / "e.jsonl", config(failed=False), grader)
    assert (statistics.never_right, statistics.taken) == (1, {False: 2})


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, write: Write, repo: Path) -> None:
    trees = write("t.jsonl", [record_of(random_tree(seed), id=f"t{seed}") for seed in range(3)])
    command = [sys.executable, "-B", "scripts/make_examples.py", trees, "--output", str(tmp_path / "e.jsonl")]
    done = subprocess.run(
        command,
        cwd=repo,
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},  # else what is imported first is cut off for good
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (900, 900)),
    )
    assert done.returncode == 2
    assert "can't be written" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["t.jsonl"]


def test_the_program(tmp_path: Path, write: Write, repo: Path) -> None:
    trees = write("t.jsonl", [record_of(small_tree())])
    command = [sys.executable, "scripts/make_examples.py", trees, "max_incorrect=1", "--output"]
    command.append(str(tmp_path / "e.jsonl"))
    done = subprocess.run(command, cwd=repo, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert [example.correct for example in EXAMPLES.read([tmp_path / "e.jsonl"])] == [True, False]


@pytest.mark.parametrize("name", ["t.jsonl", "./t.jsonl", "soft.jsonl", "hard.jsonl"])
def test_nothing_is_written_over_the_trees_or_over_another_output(
    tmp_path: Path, write: Write, grader: Grader, name: str
) -> None:
    trees = Path(write("t.jsonl", [{"question": "Q"}]))
    (tmp_path / "soft.jsonl").symlink_to(trees)
    (tmp_path / "hard.jsonl").hardlink_to(trees)
    before = trees.read_bytes()
    fine = tmp_path / "e.jsonl"
    for output, pairs in ((tmp_path / name, None), (fine, tmp_path / name), (fine, tmp_path / "." / "e.jsonl")):
        with pytest.raises(RecordError, match="would be written over"):
            write_examples([trees], output, config(), grader, pairs=pairs)
    assert trees.read_bytes() == before


@pytest.mark.parametrize("name", ["t.jsonl", "./t.jsonl", "soft.jsonl", "hard.jsonl"])
def test_trees_that_are_given_twice_do_not_count_double(
    tmp_path: Path, write: Write, grader: Grader, name: str
) -> None:
    trees = Path(write("t.jsonl", [record_of(small_tree())]))
    (tmp_path / "soft.jsonl").symlink_to(trees)
    (tmp_path / "hard.jsonl").hardlink_to(trees)
    with pytest.raises(RecordError, match=f"{name} is given twice"):
        write_examples([trees, f"{tmp_path}/{name}"], tmp_path / "e.jsonl", config(), grader)
    assert not (tmp_path / "e.jsonl").exists()
