"""What docs/extending.md shows is run here, word for word."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from scripted import ScriptedPolicy, scripted
from stand_ins import EchoInterpreter, EqualChecker, final

from mcts_math.engine.table import ENGINES
from mcts_math.formats import FORMATS
from mcts_math.methods import METHODS, Method
from mcts_math.solver import solve
from mcts_math.tasks import BENCHMARKS, load_tasks
from solver_demo import main as solve_questions


@pytest.fixture(scope="module")
def page(repo: Path) -> str:
    return (repo / "docs" / "extending.md").read_text()


@pytest.fixture(scope="module")
def shown(page: str) -> dict[str, str]:
    """The code blocks by the name in their first line."""
    return dict(re.findall(r"```python\n# ([\w ]+)\n(.*?)```", page, re.DOTALL))


def run(code: str, **names: Any) -> dict[str, Any]:
    scope: dict[str, Any] = {"__name__": "shown", **names}
    exec(compile(code, "docs/extending.md", "exec", dont_inherit=True), scope)
    return scope


def answers(config: dict[str, Any], policy: Any = None, question: str = "2 + 2?") -> list[str | None]:
    (solved,) = solve(config, [{"question": question, "answer": "4"}], policy=policy, interpreter=EchoInterpreter(),
                      checker=EqualChecker())  # fmt: skip
    assert solved.error == ""
    return [solved.tree.nodes[i].answer for i in solved.tree.solutions]


def add_search(shown: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    entry = eval(f"{{{shown['search entry']}}}", run(shown["search"], Method=Method))
    monkeypatch.setitem(METHODS, "first_answer", entry["first_answer"])  # type: ignore[arg-type]


def test_the_search(shown: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    add_search(shown, monkeypatch)
    policy = ScriptedPolicy(lambda request: scripted("?", final("4"), final("5")))
    assert answers({"mode": "first_answer", "tries": 3, "prompt_wrap": "react_sft"}, policy) == ["4"]


def test_the_format(shown: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FORMATS, "lines", run(shown["format"])["LinesFormat"].make)  # type: ignore[arg-type]
    script = {"2 + 2?\n": scripted("run 2 + 2"), "2 + 2?\nrun 2 + 2 -> ok after 0\n": scripted("answer 4")}
    assert answers({"mode": "react", "prompt_wrap": "lines"}, ScriptedPolicy(script)) == ["4"]


def test_the_engine(shown: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "parrot", run(shown["engine"])["PARROT"])  # type: ignore[arg-type]
    config = {"mode": "react", "engine": "parrot", "engine_args": {"text": final("4")}, "model_dir": "none"}
    assert answers(config | {"prompt_wrap": "react_sft"}) == ["4"]


def test_the_data_set(shown: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(BENCHMARKS, "svamp", run(shown["data set"])["SVAMP"])  # type: ignore[arg-type]
    path = tmp_path / "test.jsonl"
    path.write_text(json.dumps({"Body": "Two and two.", "Question": "How many?", "Answer": 4.0}) + "\n")
    for source in (path, f"svamp:{path}"):
        (task,) = load_tasks(source)
        assert (task.id, task.question, task.answers) == ("svamp/0", "Two and two. How many?", ("4.0",))


def test_the_commands_print_what_the_page_says(
    page: str, shown: dict[str, str], repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """With the bundled model; where it samples, rounding of another machine may cost or give one answer."""
    add_search(shown, monkeypatch)
    monkeypatch.setitem(FORMATS, "lines", run(shown["format"])["LinesFormat"].make)  # type: ignore[arg-type]
    monkeypatch.setitem(ENGINES, "parrot", run(shown["engine"])["PARROT"])  # type: ignore[arg-type]
    monkeypatch.setitem(BENCHMARKS, "svamp", run(shown["data set"])["SVAMP"])  # type: ignore[arg-type]
    monkeypatch.chdir(repo)
    blocks = re.findall(r"```bash\n(?:echo '(.*)' > outputs/(.*)\n)?python solver_demo.py (.*)\n((?:# .*\n)+)```", page)
    assert len(blocks) == page.count("```bash") == 4
    for text, name, words, said in blocks:
        if name:
            (tmp_path / name).write_text(text + "\n")
        assert solve_questions(shlex.split(words.replace("outputs/", f"{tmp_path}/"))) == 0
        printed = capsys.readouterr().out
        expected, found = (int(re.findall(r"accuracy (\d+)/", one)[0]) for one in (said, printed))
        assert abs(found - expected) <= ("mode=first_answer" in words)
        assert all(line[2:] in printed for line in said.splitlines() if "accuracy" not in line)
