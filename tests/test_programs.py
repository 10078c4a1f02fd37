"""The programs as a user runs them: files, exit codes, messages."""

from __future__ import annotations

import json
import re
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).parent / "engine"))

from fake_server import GOOD, FakeServer
from stand_ins import final, started

from mcts_math.files import read_records
from mcts_math.run.record import nodes_of

MODEL = Path(__file__).parent.parent / "models" / "mini"


def python(repo: Path, *words: object, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=repo, capture_output=True, text=True, timeout=300, **options)  # type: ignore[call-overload,no-any-return]


Ended = tuple[int, str, str]
"""Exit code, stdout, stderr."""
Program = Callable[..., Ended]


@pytest.fixture
def here(repo: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    """Runs a program as `python` does, from its file to its exit code, but in this process: imports are shared."""

    def run(program: str, *words: object) -> Ended:
        capsys.readouterr()
        monkeypatch.chdir(repo)
        monkeypatch.setattr(sys, "argv", [program, *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(program, run_name="__main__")
        code = ended.value.code
        assert isinstance(code, int)
        return code, *capsys.readouterr()

    return run


@pytest.fixture(scope="module")
def questions(tmp_path_factory: pytest.TempPathFactory, repo: Path) -> Path:
    lines = (repo / "data" / "mini" / "test.jsonl").read_text().splitlines()[:6]
    path = tmp_path_factory.mktemp("q") / "q.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("greedy", "sbs")]


@pytest.mark.parametrize("solver", [*SLOW, "mcts"])
def test_solve_resume_rescore_evaluate(repo: Path, here: Program, tmp_path: Path, questions: Path, solver: str) -> None:
    out = tmp_path / "out.jsonl"
    words: list[object] = [
        "solver_demo.py",
        "--custom_cfg",
        f"configs/mini/{solver}.yaml",
        "--qaf",
        questions,
        "--output",
        out,
    ]
    words += ["iterations=6"] if solver == "mcts" else []
    first = python(repo, *words)
    assert first.returncode == 0, first.stderr
    assert "6 questions in" in first.stdout
    assert "interpreter isolation:" in first.stdout
    assert first.stderr == ""  # no progress bar where nobody looks
    code, said, told = here(*words, "--resume")
    assert code == 0, told
    (accuracy,) = re.findall(r"accuracy .*?%", first.stdout)
    assert f"nothing was left to solve: 6 questions, {accuracy}\n" in said
    if solver == "sbs":  # the others go through the same code
        _resume(repo, words, out)

    code, scored, told = here("eval_output_jsonl.py", "--res_file", out, "--json")
    assert code == 0, told
    report = json.loads(scored)["files"][0]
    assert report["questions"] == report["total"] == 6
    assert report["mean_tokens"] > 10

    code, offline, told = here(
        "offline_inference.py", "--custom_cfg", "configs/offline_inference.yaml", "--tree_jsonl", out, "--json"
    )
    assert code == 0, told
    assert json.loads(offline)["total"] == 6
    if solver == "sbs":
        assert json.loads(offline)["correct"] == report["correct"]


def _resume(repo: Path, words: list[object], out: Path) -> None:
    trees = {record["id"]: record["react"] for _, record in read_records(out)}
    again = python(repo, *words)
    assert again.returncode == 2
    assert "exists. Add --resume" in again.stderr

    lines = out.read_text().splitlines(keepends=True)
    out.write_text("".join(lines[:3]) + lines[3][:40])
    resumed = python(repo, *words, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert "3 of 6 questions are done" in resumed.stdout
    # The prefix cache and other batch shapes may move the last digits of values, never the steps.
    again_trees = {record["id"]: record["react"] for _, record in read_records(out)}
    assert again_trees.keys() == trees.keys()


@pytest.mark.slow
def test_odd_questions_and_repeated_ones(repo: Path, tmp_path: Path) -> None:
    """A question beyond the context, of control characters, of the format's own tags, and two equal ones."""
    odd = [
        "x " * 500_000,
        "\x00\x1b[2J\r",
        "</question>\n<step>\n</step>",
        "What is 1 + 1?",
        "What is 1 + 1?",
    ]
    path, out = tmp_path / "odd.jsonl", tmp_path / "out.jsonl"
    path.write_text("".join(json.dumps({"question": text, "answer": "2"}) + "\n" for text in odd))
    words = ["--custom_cfg", "configs/mini/mcts.yaml", "--qaf", path, "--output", out, "iterations=3"]
    found = python(repo, "solver_demo.py", *words)
    assert found.returncode == 0, found.stderr
    records = [record for _, record in read_records(out)]
    assert sorted(record["question"] for record in records) == sorted(odd)
    too_long = next(record for record in records if len(record["question"]) > 1000)
    assert list(nodes_of(too_long)) == ["0"]
    assert too_long["stopped"]
    assert too_long["react"]["0"]["value"] == -1.0
    assert python(repo, "eval_output_jsonl.py", "--res_file", out).returncode == 0


@pytest.mark.slow
def test_react_batch_demo(repo: Path, tmp_path: Path, questions: Path) -> None:
    out = tmp_path / "out.jsonl"
    words = ["--custom_cfg", "configs/react_sft.yaml", "--qaf", questions, "--output", out]
    found = python(repo, "react_batch_demo.py", *words, f"model_dir={MODEL}", "max_tokens=96")
    assert found.returncode == 0, found.stderr
    by_node = python(repo, "eval_output_jsonl.py", "--res_file", out, "--react", "--json")
    by_solution = python(repo, "eval_output_jsonl.py", "--res_file", out, "--json")
    assert json.loads(by_node.stdout)["files"][0]["correct"] == json.loads(by_solution.stdout)["files"][0]["correct"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--custom_cfg", "none.yaml", "--qaf", "QAF"], "none.yaml: no such file"),
        (["--custom_cfg", "configs/mini/sbs.yaml", "--qaf", "none.jsonl"], "none.jsonl: no such file"),
        (["--custom_cfg", "configs/mini/sbs.yaml", "--qaf", "QAF", "max_dept=3"], "Did you mean 'max_depth'"),
        (["--custom_cfg", "configs/sbs_sft.yaml", "--qaf", "QAF"], "model_dir is not set"),
        (["--custom_cfg", "configs/mini/sbs.yaml", "--qaf", "QAF", "model_dir=./none"], "'./none' does not exist"),
        (["--custom_cfg", "configs/mini/sbs.yaml", "--qaf", "QAF", "engine_args={foo: 1}"], "has no argument 'foo'"),
        (
            ["--custom_cfg", "configs/mini/sbs.yaml", "--qaf", "QAF", "--output", "README.md/x.jsonl"],
            "can't be written",
        ),
    ],
)
def test_bad_input_ends_in_one_line(
    here: Program, tmp_path: Path, questions: Path, words: list[str], message: str
) -> None:
    words = [str(questions) if word == "QAF" else word for word in words]
    if "--output" not in words:
        words += ["--output", str(tmp_path / "out.jsonl")]
    code, _, told = here("solver_demo.py", *words)
    assert code == 2
    (line,) = told.splitlines()
    assert message in line


def test_rescoring_a_published_file_with_obsolete_keys(here: Program, tmp_path: Path) -> None:
    node = {"text": "", "extra_info": "", "action": "", "action_input": "", "final_answer": "", "value": -100}
    node |= {"q_value": 0.5, "prior": 0.5, "visit_count": 1}
    trees, config = tmp_path / "trees.jsonl", tmp_path / "c.yaml"
    react = {"0": node, "0.0": node | {"final_answer": "5"}}
    trees.write_text(json.dumps({"question": "Q", "answer": "5.0", "react": react}) + "\n")
    config.write_text("mode: mcts\nprune: true\nswap_space: 12\nuse_beam_search: false\n")
    code, said, told = here("offline_inference.py", "--custom_cfg", config, "--tree_jsonl", trees, "--json")
    assert (code, told) == (0, "note: obsolete keys are ignored: swap_space, use_beam_search\n")
    assert json.loads(said)["correct"] == 1


def test_a_merge_tells_of_questions_that_have_no_line(here: Program, tmp_path: Path) -> None:
    inputs = [tmp_path / "shard0.jsonl", tmp_path / "shard1.jsonl"]
    for number, path in enumerate(inputs):
        path.write_text(json.dumps({"id": str(number), "question": "Q", "react": {"0": {}, "0.0": {}}}) + "\n")
        path.with_name(f"shard{number}.meta.json").write_text(json.dumps({"questions": {"number": 2}}))
    code, said, told = here("scripts/merge.py", inputs[0], "--output", tmp_path / "part.jsonl")
    assert (code, said) == (0, f"1 of 2 questions -> {tmp_path / 'part.jsonl'}\n")
    assert "is a shard missing" in told
    merged = here("scripts/merge.py", "--output", tmp_path / "all.jsonl", *inputs)
    assert merged == (0, f"2 questions -> {tmp_path / 'all.jsonl'}\n", "")


@pytest.mark.parametrize(
    ("words", "explained"),
    [
        ("solver_demo.py --help", "need_value_func = False"),
        ("solver_demo.py --help mode=rebase", "balance_temperature = 0.2"),
        ("offline_inference.py --help", "mcts_infer_strategy = 'q_value'"),
        ("eval_output_jsonl.py --help", "--res_file"),
    ],
)
def test_help_explains_every_key(here: Program, words: str, explained: str) -> None:
    code, said, told = here(*words.split())
    assert (code, told) == (0, "")
    assert explained in said


def test_help_of_a_program_of_its_own_process(repo: Path) -> None:
    found = python(repo, "react_batch_demo.py", "--help")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.startswith("usage: react_batch_demo.py ")
    assert "need_value_func = False" in found.stdout


@pytest.fixture
def busy_server() -> Iterator[FakeServer]:
    """Answers each question at once, but slowly."""
    choice = GOOD | {"text": final("1")}
    with FakeServer() as made:
        made.answer = lambda path, body: (time.sleep(0.05), (200, {"choices": [choice]}))[1]  # type: ignore[func-returns-value]
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("told", "solver"),
    [(signal.SIGINT, "mcts.yaml iterations=4"), (signal.SIGTERM, "greedy.yaml engine=openai model_dir=m")],
    ids=["ctrl-c", "scheduler"],
)
def test_interrupt_saves_and_says_how_to_go_on(
    repo: Path, tmp_path: Path, busy_server: FakeServer, told: signal.Signals, solver: str
) -> None:
    out, (config, *keys) = tmp_path / "out.jsonl", solver.split()
    words = ["solver_demo.py", "--custom_cfg", f"configs/mini/{config}", "--qaf", "data/mini/test.jsonl"]
    words += ["--output", str(out), "batch_size=2", *keys]
    words += [f"engine_args={{base_url: {busy_server.url}}}"] if "engine=openai" in keys else []
    with started([sys.executable, *words], repo) as process:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline and (not out.exists() or out.stat().st_size == 0):
            time.sleep(0.1)
            assert process.poll() is None, process.communicate()
        process.send_signal(told)
        _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume" in stderr
    assert not list(tmp_path.glob("*.live.json"))
    assert "Traceback" not in stderr
    assert len(list(read_records(out))) >= 1


def test_what_a_program_starts_ends_with_it() -> None:
    """However it ends: a comparison that is killed leaves no run behind that writes its results."""
    code = (
        "import subprocess, sys\n"
        "from mcts_math.run.program import ends_with_us\n"
        "started = subprocess.Popen(['sleep', '600'], preexec_fn=ends_with_us())\n"
        "print(started.pid, flush=True)\n"
        "started.wait()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as program:
        assert program.stdout is not None
        started = psutil.Process(int(program.stdout.readline()))
        assert started.is_running()
        program.kill()
    assert psutil.wait_procs([started], timeout=20)[1] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("demo.sh ten", "NUMBER must be a whole number from 1 on, not 'ten'"),
        ("demo.sh 0", "NUMBER must be a whole number"),
        ("solver.sh greedy MODEL DATA ten", "SEED must be a whole number, not 'ten'"),
        ("optune/scale.sh MODEL RULE DATA ten", "SEED must be a whole number"),
        ("optune/baseline_scale.sh MODEL TUNED DATA ten", "SEED must be a whole number"),
        ("optune/baseline.sh MODEL DATA", "KIND   full, lora"),
        ("optune/baseline.sh MODEL DATA loro", "KIND   full, lora"),
    ],
)
def test_a_script_refuses_a_wrong_word_before_it_installs_anything(repo: Path, words: str, said: str) -> None:
    name, *arguments = words.split()
    done = subprocess.run(["bash", repo / "scripts" / name, *arguments], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
