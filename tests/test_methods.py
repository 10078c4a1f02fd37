"""The table of methods: a new one is a file and an entry, and nobody else knows a method by its name."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from pydantic import Field
from scripted import ScriptedPolicy, scripted
from stand_ins import EchoInterpreter, EqualChecker, final

from mcts_math.config import describe_config, load_config, make_config
from mcts_math.engine.table import ENGINES
from mcts_math.errors import ConfigError
from mcts_math.evaluate.accuracy import evaluate_file
from mcts_math.evaluate.grading import Grader
from mcts_math.files import read_records
from mcts_math.formats import FORMATS
from mcts_math.methods import METHODS, Method
from mcts_math.requests import Generation
from mcts_math.run.record import record_to_tree
from mcts_math.run.run import solve_file
from mcts_math.search.expand import grow
from mcts_math.search.expansion import Expansion, Search
from mcts_math.settings import Integer, Settings
from mcts_math.tree import Tree


class ToyOptions(Settings):
    """All keys of the toy."""

    tries: Integer = Field(2, description="samples of the root", ge=1)


def toy(tree: Tree, expansion: Expansion, options: ToyOptions) -> Search:
    """Takes the last of a few samples that gives an answer."""
    (generation,) = yield [expansion.generate(tree, tree.root, options.tries)]
    assert isinstance(generation, Generation)
    children = yield from grow(expansion, tree, tree.root, generation)
    tree.solutions = [node.id for node in children if node.answer is not None][-1:]


@pytest.fixture
def with_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "toy", Method("toy", "the last of a few samples", ToyOptions, toy, ranks_answers=True))  # type: ignore[arg-type]


@pytest.mark.usefixtures("with_toy")
def test_a_new_method_goes_through_the_whole_house(tmp_path: Path) -> None:
    """Config and help, solver, results and back, evaluation: nothing but the table knows of it."""
    path, qaf, out = tmp_path / "toy.yaml", tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    path.write_text("mode: toy\ntries: 3\nprompt_wrap: react_sft\n")
    qaf.write_text("".join(json.dumps({"question": f"{i}?", "answer": "7"}) + "\n" for i in range(4)))
    config = load_config(path)
    assert "tries = 2" in describe_config(["mode=toy"])
    with pytest.raises(ConfigError, match="mode toy does not take trials"):
        load_config(path, ["trials=5"])
    policy = ScriptedPolicy(lambda request: scripted(final("1"), "?", final("7" if request.task_id else "0")))
    totals = solve_file(
        config, qaf, out, policy=policy, interpreter=EchoInterpreter(), checker=EqualChecker(), report=lambda text: None
    )
    assert (totals.correct, totals.questions) == (4, 4)
    for _, record in read_records(out):
        tree = record_to_tree(record)
        assert [tree.nodes[i].answer for i in tree.solutions] == ["7"]
    with Grader(1) as grader:
        assert evaluate_file(out, grader).top1.accuracy == 1.0


@pytest.mark.parametrize("name", METHODS)
def test_an_entry_is_whole(name: str) -> None:
    method = METHODS[name]
    assert method.title
    assert method.summary
    assert (
        method.options()
        == make_config({"mode": name} | ({"temperature": 0.0} if method.needs_token_beams else {})).options
    )


NAMES = {*METHODS, *FORMATS, *ENGINES}


def test_nobody_compares_names(repo: Path) -> None:
    """`mode == "mcts"`, `engine in ("hf", …)` and their like: what differs is an attribute of the table's entry."""
    found = []
    for path in sorted([*(repo / "mcts_math").rglob("*.py"), *(repo / "scripts").glob("*.py")]):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Compare):
                continue
            constants = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)}
            names = {n.attr if isinstance(n, ast.Attribute) else n.id for n in ast.walk(node)
                     if isinstance(n, (ast.Attribute, ast.Name))}  # fmt: skip
            if constants & NAMES and names & {"mode", "method", "engine", "prompt_wrap", "format"}:
                found.append(f"{path.relative_to(repo)}:{node.lineno}: {ast.unparse(node)}")
    assert found == []
