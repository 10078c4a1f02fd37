"""What the programs print when something is wrong, and in which language they can."""

from __future__ import annotations

import json
import os
import re
import runpy
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mcts_math.errors import ConfigError, EngineError, MctsMathError, RecordError, boundary
from mcts_math.methods import METHODS
from mcts_math.run import cli
from mcts_math.run.program import make_parser, parse_words, run_program

REPO = Path(__file__).parent.parent


def failing(error: BaseException) -> Any:
    def solve_file(*args: Any, **options: Any) -> Any:
        raise error

    return solve_file


@pytest.mark.parametrize(
    ("error", "goes_on"),
    [
        (EngineError("out of memory"), True),
        (RecordError("the disk is full"), False),
        (RecordError("made with other settings (temperature: 0.6 -> 0.9)"), False),
        (ConfigError("num_few_shot is 99"), False),
    ],
)
def test_a_command_that_would_be_refused_again_is_not_offered(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: MctsMathError,
    goes_on: bool,
) -> None:
    (tmp_path / "c.yaml").write_text("mode: sbs\n")
    output = tmp_path / "out.jsonl"
    output.write_text("{}\n")
    monkeypatch.setattr(cli, "solve_file", failing(error))
    argv = ["--custom_cfg", str(tmp_path / "c.yaml"), "--qaf", "q.jsonl", "--output", str(output)]
    assert cli.solve_main(cli.solve_parser("x"), argv) == 2
    told = capsys.readouterr().err
    assert str(error) in told
    assert ("--resume" in told) is goes_on


@pytest.mark.parametrize("has_file", [False, True])
def test_an_interrupt_before_the_first_result_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], has_file: bool
) -> None:
    output = tmp_path / "out.jsonl"
    if has_file:
        output.touch()
    monkeypatch.setattr(cli, "solve_file", failing(KeyboardInterrupt()))
    argv = ["--custom_cfg", "configs/mini/sbs.yaml", "--qaf", "q.jsonl", "--output", str(output)]
    assert cli.solve_main(cli.solve_parser("x"), argv) == 130
    told = capsys.readouterr().err
    assert told == "\ninterrupted\nNo question is finished yet. Give the same command again.\n"


def test_a_fault_of_the_code_shows_its_traceback_and_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out.jsonl"
    output.write_text("{}\n")
    monkeypatch.setattr(cli, "solve_file", failing(KeyError("mine")))
    argv = ["--custom_cfg", "configs/mini/sbs.yaml", "--qaf", "q.jsonl", "--output", str(output)]
    with pytest.raises(KeyError, match="mine"):
        cli.solve_main(cli.solve_parser("x"), argv)
    assert "--resume" in capsys.readouterr().err


@pytest.mark.parametrize("error", [KeyboardInterrupt(), EngineError("out of memory")])
@pytest.mark.parametrize("has_begun", [False, True])
def test_old_results_are_not_offered_where_new_ones_were_asked_for(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    has_begun: bool,
) -> None:
    """To resume them is not what `--overwrite` asked for: until the new run begins, the same command is the way."""

    def solve_file(*args: Any, **options: Any) -> Any:
        if has_begun:
            output.rename(tmp_path / "out.jsonl.bak")
            output.write_text("{}\n")
        raise error

    output = tmp_path / "out.jsonl"
    output.write_text("{}\n")
    monkeypatch.setattr(cli, "solve_file", solve_file)
    argv = ["--custom_cfg", "configs/mini/sbs.yaml", "--qaf", "q.jsonl", "--output", str(output), "--overwrite"]
    assert cli.solve_main(cli.solve_parser("x"), argv) in (2, 130)
    told = capsys.readouterr().err
    assert ("--resume" in told) is has_begun
    assert "--overwrite" not in told
    is_interrupted = isinstance(error, KeyboardInterrupt)
    assert told.endswith("No question is finished yet. Give the same command again.\n") is (
        is_interrupted and not has_begun
    )
    with pytest.raises(SystemExit):  # a shortened word could not be taken out of the command that goes on
        cli.solve_main(cli.solve_parser("x"), [*argv[:-1], "--over"])


@pytest.mark.parametrize(
    ("word", "near"), [("--outptu", "--output"), ("--resum", "--resume"), ("--Shard=0/2", "--shard")]
)
def test_a_misspelt_option_is_no_config_key(capsys: pytest.CaptureFixture[str], word: str, near: str) -> None:
    with pytest.raises(SystemExit):
        cli.solve_main(cli.solve_parser("x"), ["--cfg", "c.yaml", "--question-answer-file", "q.jsonl", word])
    assert capsys.readouterr().err.endswith(f"unrecognized arguments: {word}. Did you mean {near}?\n")


def test_no_word_at_all_is_told_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.solve_main(cli.solve_parser("x"), [])
    assert "the following arguments are required: --cfg" in capsys.readouterr().err


def test_a_misspelt_option_is_told_before_the_one_that_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    for parser in (cli.solve_parser("x"), make_parser("no config keys")):
        parser.add_argument("--needed", required=True)
        with pytest.raises(SystemExit):
            parse_words(parser, ["--neded", "x"])
        assert capsys.readouterr().err.endswith("unrecognized arguments: --neded. Did you mean --needed?\n")


@pytest.mark.parametrize(
    ("word", "way"), [("--temperature=1", "temperature=1"), ("--top_p", "top_p=VALUE"), ("--top_p .5", "top_p=.5")]
)
def test_a_key_that_is_written_as_an_option_is_told_how(
    capsys: pytest.CaptureFixture[str], word: str, way: str
) -> None:
    with pytest.raises(SystemExit):
        cli.solve_main(cli.solve_parser("x"), ["--cfg", "c.yaml", "--qaf", "q.jsonl", *word.split()])
    assert capsys.readouterr().err.endswith(f"{word.split()[0]}. A config key is written without dashes: {way}\n")


def test_an_interrupt_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def main(argv: list[str]) -> int:
        raise KeyboardInterrupt

    assert run_program(main) == 130
    assert capsys.readouterr().err == "\ninterrupted\n"


@pytest.mark.parametrize("text", ["x", "x" * 100_000])  # as it is printed, and at the end
def test_no_room_for_what_is_printed_is_one_line(text: str) -> None:
    program = f"from mcts_math.run.program import run_program; raise SystemExit(run_program(lambda _: print({text!r})))"
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([sys.executable, "-c", program], cwd=REPO, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 2
    assert done.stderr == b"error: the output can't be written: [Errno 28] No space left on device. Make room.\n"


MODULES = [f"-m mcts_math.{name}" for name in ("answer", "interpreter", "judge", "serve", "train")]


@pytest.mark.parametrize("module", MODULES)
def test_a_module_is_called_as_it_was_started_and_spells_as_all_do(module: str) -> None:
    command = [sys.executable, *module.split(), "--help"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True)
    assert done.stdout.startswith(f"usage: python {module} ")
    assert not re.search(r"(?m)^ +--\w+-", done.stdout)


@pytest.mark.parametrize(
    ("argv", "found"),
    [
        (["--two-words", "x-y", "a"], "x-y"), (["--two_words=x-y", "a"], "x-y"), (["--two-words=x-y", "a"], "x-y"),
        (["--two-words=1", "--", "--two-words", "-b"], "1"), (["a", "--two-words", "=", "b"], "="),
    ],
)  # fmt: skip
def test_dashes_stand_for_underscores_and_all_is_a_word_behind_two(argv: list[str], found: str) -> None:
    parser = make_parser("")
    parser.add_argument("--two_words")
    parser.add_argument("files", nargs="*")
    args = parse_words(parser, argv)
    assert args.two_words == found
    assert args.files in (["a"], ["a", "b"], ["--two-words", "-b"])


PROGRAMS = sorted(str(path.relative_to(REPO)) for path in (*REPO.glob("*.py"), *(REPO / "scripts").glob("*.py")))


@pytest.mark.parametrize("program", [*PROGRAMS, "-m mcts_math.serve", "-m mcts_math.train"])
def test_an_interrupt_while_a_program_is_imported_is_one_line(tmp_path: Path, program: str) -> None:
    for name in ("pydantic", "yaml", "torch"):  # one of them is imported by every program, at once or when it begins
        (tmp_path / f"{name}.py").write_text("raise KeyboardInterrupt")
    given = {
        "scripts/save_value_head.py": ["models/mini", "--out", str(tmp_path / "out"), "--force"],
        "scripts/convert_gguf.py": [str(tmp_path / "model.gguf"), str(tmp_path / "out")],
        "scripts/get_model.py": ["smollm2", str(tmp_path / "out")],
    }
    (tmp_path / "model.gguf").write_bytes(b"GGUF")
    path = {"PYTHONPATH": f"{tmp_path}:{REPO}"}
    command = [sys.executable, *program.split(), *given.get(program, [])]
    done = subprocess.run(command, cwd=REPO, env=os.environ | path, capture_output=True)
    told = done.stderr.decode()
    if not told.startswith("usage: "):  # else nothing slow is imported before the words are read
        assert told == "\ninterrupted\n"
        assert done.returncode in (130, -signal.SIGINT)


@pytest.mark.parametrize(
    "command",
    [
        "eval_output_jsonl.py --res_file EMPTY",
        "offline_inference.py --cfg configs/offline_inference.yaml --tree_jsonl EMPTY",
        "view_trees.py EMPTY",
        "scripts/merge.py EMPTY EMPTY --output OUT",
        "scripts/make_examples.py EMPTY --output OUT",
        "solver_demo.py --cfg configs/mini/sbs.yaml --qaf EMPTY --output OUT",
        "-m mcts_math.judge EMPTY EMPTY",
        "-m mcts_math.interpreter NONE",
        "-m mcts_math.engine.serve NONE",
        "-m mcts_math.engine.serve --port",
    ],
)
def test_wrong_input_is_one_line_and_2(repo: Path, tmp_path: Path, command: str) -> None:
    (tmp_path / "empty.jsonl").write_text("\n")
    names = {"EMPTY": "empty.jsonl", "OUT": "out.jsonl", "NONE": "none"}
    words = [str(tmp_path / names[word]) if word in names else word for word in command.split()]
    path = os.environ | {"PYTHONPATH": str(repo)}
    done = subprocess.run([sys.executable, *words], cwd=repo, env=path, capture_output=True, text=True)
    assert done.returncode == 2
    (told,) = done.stderr.splitlines()
    assert told.startswith("error: ")
    assert "--port" in command or str(tmp_path) in told
    assert [file.name for file in tmp_path.iterdir()] == ["empty.jsonl"]


@pytest.mark.parametrize(
    "command",
    [
        "solver_demo.py --cfg FOLDER --qaf QUESTIONS",
        "solver_demo.py --cfg configs/mini/sbs.yaml --qaf FOLDER",
        "solver_demo.py --cfg configs/mini/sbs.yaml --qaf QUESTIONS --exclude FOLDER",
        "solver_demo.py --cfg configs/mini/sbs.yaml --qaf QUESTIONS --save_correct FOLDER",
        "solver_demo.py --cfg configs/mini/sbs.yaml --qaf QUESTIONS --output FOLDER",
        "eval_output_jsonl.py FOLDER",
        "offline_inference.py --cfg configs/offline_inference.yaml FOLDER",
        "view_trees.py FOLDER",
        "view_trees.py FOLDER --serve 0",
        "scripts/merge.py FOLDER --output OUT",
        "scripts/make_examples.py FOLDER --output OUT",
    ],
)
def test_a_folder_in_the_place_of_a_file_is_told(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    monkeypatch.chdir(repo)
    names = {"FOLDER": str(tmp_path), "OUT": str(tmp_path / "out.jsonl"), "QUESTIONS": "data/mini/test.jsonl"}
    program, *words = (names.get(word, word) for word in command.split())
    monkeypatch.setattr(sys, "argv", [program, *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(program, run_name="__main__")
    (told,) = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert re.search("is a folder|Is a directory|is no ordinary file", told)
    assert not re.search("Error|Errno", told)
    assert (told.count(str(tmp_path)), told[-1]) == (1, ".")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("program", ["eval_output_jsonl.py", "offline_inference.py"])
def test_file_names_and_texts_of_any_language_in_any_locale(repo: Path, tmp_path: Path, program: str) -> None:
    folder = tmp_path / "größe 数学"
    folder.mkdir()
    node = {"text": "", "extra_info": "", "action": "", "action_input": "", "final_answer": "", "value": -100}
    scored = node | {"q_value": 0.5, "prior": 0.5, "visit_count": 1}
    react = {"0": scored, "0.0": scored | {"final_answer": "是"}, "solutions": [{"final_answer": "是", "tag": "0.0"}]}
    trees = folder / "bäume.jsonl"
    trees.write_text(json.dumps({"question": "何?", "answer": "是", "react": react, "type": "代数"}) + "\n", "utf-8")
    command = {
        "eval_output_jsonl.py": ["--res_file", str(trees)],
        "offline_inference.py": ["--custom_cfg", "configs/offline_inference.yaml", "--tree_jsonl", str(trees),
                                 "--output", str(folder / "neu.jsonl")],
    }[program]  # fmt: skip
    ascii_only = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = subprocess.run([sys.executable, program, *command], cwd=repo, env=ascii_only, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert "100.00" in done.stdout.decode()


def test_the_readme_shows_the_table_of_methods(repo: Path) -> None:
    lines = ["| `mode:` | method | what it does |", "|---|---|---|"]
    for name, method in METHODS.items():
        mark = " \\*" if method.reads_verdicts(method.options()) else ""
        lines.append(f"| `{name}`{mark} | {method.title} | {method.summary} |")
    assert "\n".join(lines) in (repo / "README.md").read_text()


def test_what_a_package_raises_is_one_line_with_a_remedy() -> None:
    told = r"^it broke: ValueError: one two\. Mend it\.$"
    with pytest.raises(ConfigError, match=told), boundary("it broke", ConfigError, "Mend it."):
        raise ValueError("one\n  two.\n")
