"""Results on disk: resume, repair, locks, a full disk, and kills at random moments."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from scripted import RandomPolicy, ScriptedPolicy, scripted
from stand_ins import EchoInterpreter, EqualChecker, code, final, run_scripted

from mcts_math.config import make_config
from mcts_math.errors import MctsMathError, RecordError, TaskError
from mcts_math.files import dump_line, new_file, part_of, read_records, replace_file, require_writable
from mcts_math.requests import Evaluate, Evaluation
from mcts_math.run.cli import summarise
from mcts_math.run.description import compare_descriptions, describe_run
from mcts_math.run.merge import merge_files
from mcts_math.run.results import ResultsFile
from mcts_math.run.run import default_output, solve_file
from mcts_math.tasks import make_tasks

META = {"config": {"mode": "mcts", "temperature": 0.6, "batch_size": -1}}


def results(path: Path, **options: Any) -> ResultsFile:
    meta = options.pop("meta", META)
    file = ResultsFile(path).open(meta, **options)
    file.begin(meta)
    return file


def entry(task_id: str, **more: Any) -> dict[str, Any]:
    nodes: dict[str, Any] = {"0": {}} if "error" in more else {"0": {}, "0.0": {}}
    return {"id": task_id, "question": f"q{task_id}", "react": nodes, **more}


def ids(path: Path) -> list[str]:
    return [record["id"] for _, record in read_records(path)]


def test_a_run_that_never_begins_leaves_no_file(tmp_path: Path) -> None:
    """Neither that of its output, nor anything for the solved cases."""
    ResultsFile(tmp_path / "new" / "out.jsonl").open(META).close()
    require_writable(tmp_path / "cases" / "solved.json", "Mend it.")
    assert list(tmp_path.rglob("*")) == [tmp_path / "new"]


def test_an_existing_file_is_never_touched_without_being_told(tmp_path: Path) -> None:
    path = tmp_path / "a" / "out.jsonl"
    with results(path) as out:
        out.append(entry("1"))
    before = path.read_bytes()
    with pytest.raises(RecordError, match=r"exists\. Add --resume .* --overwrite"):
        results(path)
    assert path.read_bytes() == before
    with results(path, resume=True) as out:
        assert out.done == {"1"}
        out.append(entry("2"))
    assert ids(path) == ["1", "2"]
    with results(path, overwrite=True) as out:
        assert out.done == set()
    assert path.read_bytes() == b""
    assert ids(path.with_name("out.jsonl.bak")) == ["1", "2"]


def test_overwrite_destroys_nothing_before_the_run_begins(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with results(path) as out:
        out.append(entry("1"))
    meta = out.meta_path.read_bytes()
    before = path.read_bytes()
    with ResultsFile(path).open(META, overwrite=True):
        pass  # a model that can't be loaded
    assert (path.read_bytes(), out.meta_path.read_bytes()) == (before, meta)
    with ResultsFile(tmp_path / "new.jsonl").open(META):
        pass
    assert not (tmp_path / "new.jsonl").exists()


def test_a_full_disk_is_found_out_before_the_old_results_are_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with results(path) as out:
        out.append(entry("1"))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    with ResultsFile(path).open(META, overwrite=True) as out:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (10, old[1]))
            with pytest.raises(RecordError, match="Make room, or choose another output"):
                out.begin(META)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_model_that_cannot_be_loaded_leaves_the_old_results(tmp_path: Path) -> None:
    qaf, path = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    qaf.write_text(json.dumps({"question": "Q", "answer": "1"}) + "\n")
    run_scripted(qaf, path)
    before = path.read_bytes()
    with pytest.raises(MctsMathError, match="does not exist"):
        solve_file(make_config({"model_dir": str(tmp_path / "none")}), qaf, path, overwrite=True)
    assert path.read_bytes() == before


@pytest.mark.parametrize("alias", ["q.jsonl", "./q.jsonl", "link.jsonl", "hard.jsonl"])
def test_the_output_may_not_be_the_question_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, alias: str) -> None:
    monkeypatch.chdir(tmp_path)
    qaf = tmp_path / "q.jsonl"
    qaf.write_text(json.dumps({"question": "Q", "answer": "1"}) + "\n")
    (tmp_path / "link.jsonl").symlink_to(qaf)
    (tmp_path / "hard.jsonl").hardlink_to(qaf)
    with pytest.raises(RecordError, match="is a file that this run reads"):
        solve_file(make_config({}), qaf, alias, overwrite=True)
    assert json.loads(qaf.read_text())["question"] == "Q"


def test_an_output_that_is_removed_ends_the_run(tmp_path: Path) -> None:
    """What it writes from then on could never be read; one that was moved goes on."""
    path = tmp_path / "a.jsonl"
    with ResultsFile(path).open({}) as results:
        results.begin({})
        path.rename(tmp_path / "b.jsonl")
        results.append({"id": "1"})
        (tmp_path / "b.jsonl").unlink()
        with pytest.raises(RecordError, match=r"a\.jsonl was removed while the run wrote it"):
            results.append({"id": "2"})


def test_a_file_system_that_counts_no_names_is_no_removal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fstat(descriptor: int, real: Any = os.fstat) -> os.stat_result:
        status = real(descriptor)
        return os.stat_result([*status[:3], 0, *status[4:]])

    path = tmp_path / "a.jsonl"
    with ResultsFile(path).open({}) as results:
        results.begin({})
        monkeypatch.setattr(os, "fstat", fstat)
        results.append({"id": "1"})
        path.unlink()
        with pytest.raises(RecordError, match=r"a\.jsonl was removed"):
            results.append({"id": "2"})


def test_descriptions_of_names_with_dots_are_apart(tmp_path: Path) -> None:
    names = ["run_t0.1", "run_t0.2", "run_t0.1.jsonl", "a.seed1.jsonl", "a.seed2.jsonl"]
    paths = {name: ResultsFile(tmp_path / name).meta_path.name for name in names}
    assert paths["run_t0.1"] != paths["run_t0.2"]
    assert paths["run_t0.1.jsonl"] == "run_t0.1.meta.json"
    assert paths["a.seed1.jsonl"] != paths["a.seed2.jsonl"]


@pytest.mark.parametrize(("first", "second"), [("a", "a.jsonl"), ("a.jsonl", "a")])
def test_no_two_files_share_a_description(tmp_path: Path, first: str, second: str) -> None:
    """Else a resumed run would be held against the other one's settings."""
    with ResultsFile(tmp_path / first).open({}) as results:
        results.begin({"config": {"mode": "mcts"}}, [{"id": "1"}])
    with pytest.raises(RecordError, match=r"would share .*a\.meta\.json\. Choose another output"):
        ResultsFile(tmp_path / second).open({})
    assert {path.name for path in tmp_path.iterdir()} == {first, "a.meta.json"}


def test_default_outputs_of_other_questions_or_configs_are_other_files(tmp_path: Path) -> None:
    paths = set()
    for folder, question in (("a", "1?"), ("b", "2?")):
        (tmp_path / folder).mkdir()
        qaf = tmp_path / folder / "test.jsonl"
        qaf.write_text(json.dumps({"question": question}) + "\n")
        paths |= {
            default_output(config, qaf, make_config({})) for config in ("configs/sbs.yaml", "configs/mini/sbs.yaml")
        }
    assert len(paths) == 4


@pytest.mark.parametrize("torn", [b'{"id": "3", "question": "q', b"{", b'{"id": "3"', b"\xc3", b"\x00" * 100])
def test_a_torn_last_line_is_cut(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "out.jsonl"
    with results(path) as out:
        out.append(entry("1"))
        out.append(entry("2"))
    with path.open("ab") as file:
        file.write(torn)
    with pytest.raises(RecordError, match=r"out\.jsonl:3: the last line is torn"):
        ids(path)
    with results(path, resume=True) as out:
        assert out.done == {"1", "2"}
        out.append(entry("3"))
    assert ids(path) == ["1", "2", "3"]


def test_a_last_line_that_only_lacks_its_newline_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text(json.dumps(entry("1")))
    with results(path, resume=True) as out:
        assert out.done == {"1"}
        out.append(entry("2"))
    assert ids(path) == ["1", "2"]


@pytest.mark.parametrize(
    "why", [{"error": "bad luck"}, {"stopped": "max_run_tokens", "format": "react", "step_delim": "\n"}]
)
def test_questions_that_failed_or_were_cut_by_the_run_are_tried_again(tmp_path: Path, why: dict[str, str]) -> None:
    path = tmp_path / "out.jsonl"
    kept = entry("3", stopped="max_question_tokens", format="react", step_delim="\n")
    with results(path) as out:
        for record in (entry("1"), entry("2", **why), kept):
            out.append(record)
    with results(path, resume=True) as out:
        assert out.done == {"1", "3"}
        out.append(entry("2"))
    assert ids(path) == ["1", "3", "2"]


def test_a_broken_line_in_the_middle_is_an_error_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text(json.dumps(entry("1")) + "\n{oops\n" + json.dumps(entry("2")) + "\n")
    before = path.read_bytes()
    with pytest.raises(RecordError, match=r"out\.jsonl:2: not a JSON object"):
        results(path, resume=True)
    assert path.read_bytes() == before


def test_published_files_without_ids_resume_by_question(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    record = entry("x")
    del record["id"]
    path.write_text(json.dumps(record) + "\n" + json.dumps(record) + "\n")
    with results(path, resume=True) as out:
        assert len(out.done) == 2


def test_a_published_line_does_not_count_as_a_wrong_one(tmp_path: Path) -> None:
    qaf, out, said = tmp_path / "q.jsonl", tmp_path / "out.jsonl", list[str]()
    questions = [{"question": "A", "answer": "1"}, {"question": "B", "answer": "1"}]
    qaf.write_text("".join(json.dumps(question) + "\n" for question in questions))
    nodes = {"0": {"final_answer": ""}, "0.0": {"final_answer": "1"}}
    out.write_text(json.dumps({"question": "A", "answer": "1", "react": nodes}) + "\n")
    config = make_config({"mode": "react", "prompt_wrap": "react_sft"})
    policy = ScriptedPolicy(lambda request: scripted(final("1")))
    totals = solve_file(config, qaf, out, resume=True, policy=policy, interpreter=EchoInterpreter(),
                        checker=EqualChecker(), report=said.append)  # fmt: skip
    assert (totals.questions, totals.before, totals.accuracy) == (2, 1, "accuracy 1/1 = 100.00%")
    assert summarise(totals, out).startswith("2 questions, accuracy 1/1 = 100.00%; 1 of them now, in ")


def test_another_config_is_refused_but_for_keys_that_change_no_tree(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with results(path) as out:
        out.append(entry("1"))
    same, other = META["config"] | {"batch_size": 4}, META["config"] | {"temperature": 0.9}
    with pytest.raises(RecordError, match=r"other settings \(temperature: 0.6 -> 0.9\)"):
        results(path, resume=True, meta={"config": other})
    with results(path, resume=True, meta={"config": same}):
        pass
    newer = same | {"a_key_of_tomorrow": None, "c_puct": 1.5}  # c_puct: a key that the stored description lacks
    with results(path, resume=True, meta={"config": newer}):
        pass
    with pytest.raises(RecordError, match=r"c_puct: 1.5 -> 1.25"):
        results(path, resume=True, meta={"config": same | {"c_puct": 1.25}})
    path.with_suffix(".meta.json").write_text("{")
    with pytest.raises(RecordError, match=r"meta.json is (broken|not JSON)"):
        results(path, resume=True)


def test_what_stands_beside_the_output_may_not_be_read_either(tmp_path: Path) -> None:
    path, other = tmp_path / "out.jsonl", tmp_path / "out.meta.json"
    for file, number in ((path, "1"), (other, "2")):
        file.write_text(json.dumps(entry(number)) + "\n")
    with pytest.raises(RecordError, match="is a file that this run reads"):
        merge_files([other], path, overwrite=True)
    assert ids(other) == ["2"]


def test_overwriting_again_and_again_loses_nothing(tmp_path: Path) -> None:
    """Results and their description are kept under the same number, whichever of them is taken already."""
    path = tmp_path / "out.jsonl"
    path.with_name("out.meta.json.bak3").write_text("mine")
    for number in range(4):
        with results(path, overwrite=True, meta=META | {"number": number}) as out:
            out.append(entry(str(number)))
    kept = {"": "0", "2": "1", "4": "2"}
    assert {n: ids(path.with_name(f"out.jsonl.bak{n}")) for n in kept} == {n: [one] for n, one in kept.items()}
    assert ids(path) == ["3"]
    stored = {n: json.loads(path.with_name(f"out.meta.json.bak{n}").read_text())["number"] for n in kept}
    assert stored == {n: int(one) for n, one in kept.items()}
    assert path.with_name("out.meta.json.bak3").read_text() == "mine"


def test_merged_files_without_descriptions_can_be_resumed(tmp_path: Path) -> None:
    (tmp_path / "old.jsonl").write_text(json.dumps(entry("1")) + "\n")
    merge_files([tmp_path / "old.jsonl"], tmp_path / "out.jsonl")
    with results(tmp_path / "out.jsonl", resume=True) as out:
        assert out.done == {"1"}


@pytest.mark.parametrize("name", ["folder", "file/solved.json"])
def test_where_solved_cases_go_is_looked_at_before_the_run(tmp_path: Path, name: str) -> None:
    qaf = tmp_path / "q.jsonl"
    qaf.write_text(json.dumps({"question": "Q", "answer": "1"}))
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(TaskError, match=f"{name} can't be written: .*Choose another --save_correct"):
        solve_file(make_config({}), qaf, tmp_path / "out.jsonl", save_correct=tmp_path / name)
    assert not (tmp_path / "out.jsonl").exists()


@pytest.mark.parametrize("name", ["q.json", "solved.json", "out.jsonl", "out.meta.json", "link.json"])
def test_solved_cases_are_not_written_over_a_file_of_the_run(tmp_path: Path, name: str) -> None:
    qaf = tmp_path / "q.json"
    qaf.write_text(json.dumps([{"question": "Q", "answer": "1"}, {"question": "R", "answer": "1"}]))
    (tmp_path / "link.json").hardlink_to(qaf)
    (tmp_path / "solved.json").write_text("[0]")
    with pytest.raises(RecordError, match=r"--save_correct .* is a file of this run"):
        solve_file(
            make_config({}), qaf, tmp_path / "out.jsonl", exclude=tmp_path / "solved.json", save_correct=tmp_path / name
        )
    assert len(json.loads(qaf.read_text())) == 2
    (tmp_path / "solved.json").write_text("[0, 1]")
    with pytest.raises(MctsMathError, match="names all 2 questions: none is left to solve"):
        solve_file(make_config({}), qaf, tmp_path / "out.jsonl", exclude=tmp_path / "solved.json")


def test_a_run_with_other_values_takes_no_results_of_another(tmp_path: Path) -> None:
    """Values of an object that was passed in and values of the config are two scales."""
    qaf, out = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    qaf.write_text(json.dumps({"question": "Q", "answer": "1"}) + "\n")
    services = {"policy": RandomPolicy(1), "interpreter": EchoInterpreter(), "checker": EqualChecker()}
    config = make_config({"mode": "sbs", "prompt_wrap": "react_sft"})

    def solve_again(resume: bool, **more: Any) -> None:
        solve_file(config, qaf, out, report=lambda text: None, resume=resume, **services, **more)  # type: ignore[arg-type]

    solve_again(False, value_model=RandomPolicy(2))
    for resume in (True, False):  # who did not ask to go on is not told to
        said = r"made with other settings \(value: 'object' -> 'none'.*\)\. Choose another output, or add --overwrite"
        with pytest.raises(RecordError, match=said):
            solve_again(resume)
    solve_again(True, value_model=RandomPolicy(2))


@pytest.mark.parametrize(
    "changed", [{"test": "assert f() == 2"}, {"entry_point": "g"}, {"chat_instruction": "Box it."}]
)
def test_a_run_over_other_tests_or_another_instruction_is_not_resumed(tmp_path: Path, changed: dict[str, Any]) -> None:
    before = {"id": "1", "question": "q1", "entry_point": "f", "test": "assert f() == 1", "chat_instruction": "Say it."}
    with results(tmp_path / "out.jsonl") as out:
        out.append(before | entry("1"))
    with results(out.path, resume=True, tasks=make_tasks([before])) as out:
        assert out.done == {"1"}
    with pytest.raises(RecordError, match="question '1' has another text or answer, or other tests"):
        results(out.path, resume=True, tasks=make_tasks([before | changed]))


def test_a_file_that_goes_away_between_opening_and_locking_is_taken_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run that ends takes its empty file away, or puts a repaired one in its place: nothing may be written
    into what has no name any more."""
    path = tmp_path / "out.jsonl"
    path.touch()
    asked = 0

    def after_another_run(descriptor: int) -> bool:
        nonlocal asked
        asked += 1
        if asked == 1:
            path.unlink()
        if asked == 2:
            path.with_name("new").write_text(json.dumps(entry("1")) + "\n")
            path.with_name("new").replace(path)
        return True

    monkeypatch.setattr("mcts_math.run.results.try_lock", after_another_run)
    with results(path, resume=True) as out:
        assert out.done == {"1"}
        out.append(entry("2"))
    assert (ids(path), asked) == (["1", "2"], 3)


def test_a_file_that_goes_away_before_the_run_begins_is_an_error(tmp_path: Path) -> None:
    with ResultsFile(tmp_path / "out.jsonl").open(META) as out:
        out.path.unlink()
        with pytest.raises(RecordError, match="was taken away or replaced"):
            out.begin(META)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    link, target = tmp_path / "out.jsonl", tmp_path / "disk" / "far.jsonl"
    link.symlink_to(target)
    with results(link) as out:
        for record in (entry("1"), entry("2", error="x")):
            out.append(record)
    with results(link, resume=True) as out:
        out.append(entry("2"))
    assert ids(target) == ["1", "2"]
    with results(link, overwrite=True) as out:
        out.append(entry("3"))
    assert (ids(target), ids(target.with_name("far.jsonl.bak")), link.is_symlink()) == (["3"], ["1", "2"], True)


def test_blank_lines_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    path.write_text("\n" + json.dumps(entry("1")) + "\n \n" + json.dumps(entry("2", error="x")))
    for _ in range(2):
        with results(path, resume=True) as out:
            assert out.done == {"1"}
            out.append(entry("2", error="x"))
    assert ids(path) == ["1", "2"]


def test_two_runs_in_one_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with results(path) as out:
        with pytest.raises(RecordError, match="another run is writing"):
            results(path, resume=True)
        out.append(entry("1"))
    with results(path, resume=True):
        pass


def test_only_an_ordinary_file_can_be_an_output(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    for path in (tmp_path / "pipe.jsonl", Path("/dev/full"), Path("/dev/null")):
        with pytest.raises(RecordError, match="is no ordinary file"):
            results(path)


def test_nothing_takes_the_place_of_what_is_no_ordinary_file(tmp_path: Path) -> None:
    """A device, for who may: a file in the place of /dev/null is the machine's end."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(OSError, match="no ordinary file"):
            replace_file(tmp_path / name, "x")
        with pytest.raises(RecordError, match=f"{name} can't be written: it is no ordinary file. Mend it"):
            require_writable(tmp_path / name, "Mend it.")
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


@pytest.mark.parametrize("name", ["dir", "file/out.jsonl"])
def test_an_output_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordError, match="can't be written"):
        results(tmp_path / name)


def fill(out: ResultsFile) -> None:
    for number in range(100):
        out.append(entry(str(number), text="x" * 300))


def test_a_full_disk_leaves_whole_lines_and_can_be_resumed(tmp_path: Path) -> None:
    """A file size limit fails a write half-way, as a full disk does."""
    path = tmp_path / "out.jsonl"
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    with results(path) as out:
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (2000, old[1]))
            with pytest.raises(RecordError, match="Make room and add --resume"):
                fill(out)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, old)
    done = ids(path)
    assert len(done) == 5
    with results(path, resume=True) as out:
        assert out.done == set(done)


def test_merge(tmp_path: Path) -> None:
    a, b, c = tmp_path / "a.jsonl", tmp_path / "b.jsonl", tmp_path / "c.jsonl"
    first = [entry("1"), entry("2", error="x")]
    second = [entry("3"), entry("2"), entry("4", error="y")]
    for path, records in ((a, first), (b, second)):
        with results(path) as out:
            for record in records:
                out.append(record)
    assert merge_files([a, b], c) == 4
    assert ids(c) == ["1", "3", "2", "4"]
    with pytest.raises(RecordError, match="is solved at"):
        merge_files([a, b, b], tmp_path / "d.jsonl")
    (tmp_path / "q.jsonl").write_text('{"question": "Q"}\n')
    with pytest.raises(RecordError, match=r"q\.jsonl:1: no search tree .*Is this a results file"):
        merge_files([a, tmp_path / "q.jsonl"], tmp_path / "d.jsonl")
    with pytest.raises(RecordError, match="is a file that this run reads"):
        merge_files([a, b], a)
    with pytest.raises(RecordError, match="exists"):
        merge_files([a, b], c)
    assert merge_files([a, b], c, overwrite=True) == 4
    assert ids(c.with_name("c.jsonl.bak")) == ids(c)


def test_a_merge_that_breaks_off_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a, c = tmp_path / "a.jsonl", tmp_path / "c.jsonl"
    with results(a) as out:
        out.append(entry("1"))
        out.append(entry("2"))
    dumped: list[bytes] = []

    def dump(record: dict[str, Any]) -> bytes:
        if dumped:
            raise KeyboardInterrupt
        dumped.append(dump_line(record))
        return dumped[-1]

    monkeypatch.setattr("mcts_math.run.results.dump_line", dump)
    with pytest.raises(KeyboardInterrupt):
        merge_files([a], c)
    assert {path.name for path in tmp_path.iterdir()} == {"a.jsonl", "a.meta.json"}
    monkeypatch.undo()
    assert merge_files([a], c) == 2
    with pytest.raises(RecordError, match=r"exists\. Add --overwrite"):  # and no flag that it does not have
        merge_files([a], c)


@pytest.mark.parametrize("name", ["c.jsonl", "c.meta.json"])
def test_what_a_killed_program_left_is_written_over(tmp_path: Path, name: str) -> None:
    with results(tmp_path / "a.jsonl") as out:
        out.append(entry("1"))
    part_of(tmp_path / name).write_text("half of more than will be written " * 99)
    assert merge_files([tmp_path / "a.jsonl"], tmp_path / "c.jsonl") == 1
    assert {path.name for path in tmp_path.iterdir()} == {f"{n}.{end}" for n in "ac" for end in ("jsonl", "meta.json")}
    assert ids(tmp_path / "c.jsonl") == ["1"]
    assert json.loads((tmp_path / "c.meta.json").read_text())["merged"]


def test_a_file_of_the_user_is_no_part_of_ours(tmp_path: Path) -> None:
    mine = tmp_path / "page.html.part"
    mine.write_text("mine")
    replace_file(tmp_path / "page.html", "ours")
    assert mine.read_text() == "mine"


def test_two_processes_never_write_one_file(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    with new_file(path) as part:
        part.write_text("mine")
        with pytest.raises(OSError, match="another process is writing it"):
            replace_file(path, "yours")
        assert not path.exists()
    assert {file.name: file.read_text() for file in tmp_path.iterdir()} == {"page.html": "mine"}


def test_merged_shards_can_be_resumed(tmp_path: Path) -> None:
    a, b, c = tmp_path / "a.jsonl", tmp_path / "b.jsonl", tmp_path / "c.jsonl"
    for path, name in ((a, "1"), (b, "2")):
        with results(path) as out:
            out.append(entry(name))
    merge_files([a, b], c)
    with results(c, resume=True) as out:
        assert out.done == {"1", "2"}
    with pytest.raises(RecordError, match="other settings"):
        results(c, resume=True, meta={"config": META["config"] | {"temperature": 0.9}})
    with results(tmp_path / "d.jsonl", meta={"config": META["config"] | {"temperature": 0.9}}) as out:
        out.append(entry("3"))
    with pytest.raises(RecordError, match="Merge shards of one run"):
        merge_files([a, tmp_path / "d.jsonl"], tmp_path / "e.jsonl")


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ([{"id": "1", "question": "other"}, {"id": "2", "question": "q2"}], "question '1' has another text or answer"),
        ([{"id": "1", "question": "q1", "answer": "5"}, {"id": "2", "question": "q2"}], "another text or answer"),
        ([{"id": "1", "question": "q1"}], "question '2' is not among the questions of this run"),
    ],
)
def test_a_run_over_other_questions_is_not_resumed(tmp_path: Path, now: list[dict[str, Any]], said: str) -> None:
    path = tmp_path / "out.jsonl"
    with results(path) as out:
        out.append(entry("1"))
        out.append(entry("2"))
    with pytest.raises(RecordError, match=said):
        results(path, resume=True, tasks=make_tasks(now))
    more = [{"id": str(i), "question": f"q{i}"} for i in range(1, 5)]  # questions may be added
    with results(path, resume=True, tasks=make_tasks(more)) as out:
        assert out.done == {"1", "2"}


def test_what_makes_results_is_compared(tmp_path: Path) -> None:
    """Prompt files by what they hold, engine arguments by whether they change results, the model by its files."""
    shots = tmp_path / "shots.json"
    shots.write_text(json.dumps(["one"]))
    model = tmp_path / "model"
    model.mkdir()
    (model / "config.json").write_text("{}")

    def described(**changes: Any) -> dict[str, Any]:
        settings = {"few_shot_path": str(shots), "num_few_shot": 1, "model_dir": str(model)} | changes
        return describe_run(make_config(settings), "q.jsonl", make_tasks([{"question": "q"}]))

    before = described()
    assert compare_descriptions(before, described(engine_args={"max_batch_size": 3}, batch_size=9)) == []
    assert compare_descriptions(before, described(model_dir=f"{tmp_path}/./model")) == []
    assert "engine_args" in compare_descriptions(before, described(engine_args={"dtype": "float32"}))[0]
    assert "context_length" in compare_descriptions(before, described(engine_args={"context_length": 99}))[0]
    shots.write_text(json.dumps(["two"]))
    assert "few-shot prompt" in compare_descriptions(before, described())[0]
    (model / "model.safetensors").write_text("new")
    assert "the model" in compare_descriptions(before, described())[0]
    before = described()
    (model / "model.safetensors").write_text("two")  # as another round of training leaves it, of the same size
    assert compare_descriptions(before, described()) == ["the weights of the model or of the reward model"]
    before = described()
    (model / "chat_template.jinja").write_text("{{ messages }}")
    assert compare_descriptions(before, described()) == ["the tokenizer or the chat template of the model"]
    del before["weights"], before["tokenizer"]  # of an earlier version
    assert compare_descriptions(before, described()) == []


PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from stand_ins import run_scripted
run_scripted(Path(sys.argv[2]), Path(sys.argv[3]), resume=Path(sys.argv[3]).exists(), max_delay_s=0.02)
"""


@pytest.mark.parametrize("number", [6, pytest.param(20, marks=pytest.mark.slow)])
def test_kills_lose_and_double_nothing(tmp_path: Path, number: int) -> None:
    """`kill -9` at random moments, resumed each time: the trees are those of an undisturbed run."""
    qaf = tmp_path / "q.jsonl"
    qaf.write_text("".join(json.dumps({"question": f"question {i % 90}", "answer": "1"}) + "\n" for i in range(100)))
    whole, killed = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    run_scripted(qaf, whole)
    command = [sys.executable, "-c", PROGRAM, str(Path(__file__).parent), str(qaf), str(killed)]
    rng, kills = random.Random(7), 0
    while kills < number:
        size = killed.stat().st_size if killed.exists() else 0
        process = subprocess.Popen(command, start_new_session=True)
        # Wait until this run writes, so that every kill hits a run at work and the file grows from kill to kill.
        while process.poll() is None and (not killed.exists() or killed.stat().st_size <= size):
            time.sleep(0.002)
        if kills % 3:
            time.sleep(rng.random() * 0.01)
        if process.poll() is not None:
            break
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        kills += 1
    subprocess.run(command, check=True)
    expected = {record["id"]: record["react"] for _, record in read_records(whole)}
    found = [(record["id"], record["react"]) for _, record in read_records(killed)]
    assert len(found) == len(expected) == 100
    assert dict(found) == expected
    assert kills == number


def test_the_answer_of_a_question_cut_short_is_judged(tmp_path: Path) -> None:
    qaf, out = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    qaf.write_text(json.dumps({"question": "Q", "answer": "1"}) + "\n")
    settings = {"mode": "mcts", "prompt_wrap": "react_sft", "n_generate_sample": 2, "iterations": 50, "max_depth": 50}
    config = make_config(settings | {"need_value_func": True, "max_question_tokens": 100})
    policy = ScriptedPolicy(lambda request: scripted(final("1"), code("x"), value=0.5))
    services = {"policy": policy, "interpreter": EchoInterpreter(), "checker": EqualChecker()}
    totals = solve_file(config, qaf, out, report=lambda text: None, **services)  # type: ignore[arg-type]
    ((_, record),) = read_records(out)
    assert (record["stopped"], record["correct"]) == ("max_question_tokens", True)
    assert (totals.stopped.total(), totals.correct, totals.judged) == (1, 1, 1)


def test_a_value_model_goes_through_a_program_too(tmp_path: Path) -> None:
    class Constant(RandomPolicy):
        async def evaluate(self, request: Evaluate) -> Evaluation:
            return Evaluation(0.25)

    qaf, out = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    qaf.write_text(json.dumps({"question": "Q", "answer": "1"}) + "\n")
    solve_file(
        make_config({"mode": "sbs", "prompt_wrap": "react_sft"}), qaf, out, report=lambda text: None,
        policy=RandomPolicy(1), value_model=Constant(1), interpreter=EchoInterpreter(), checker=EqualChecker(),
    )  # fmt: skip
    ((_, record),) = read_records(out)
    assert record["react"]["0.0"]["estimate"] == 0.25
    assert record["value_source"] == "object"


def test_a_run_shows_the_traceback_of_the_first_fault(tmp_path: Path) -> None:
    class Broken(RandomPolicy):
        async def evaluate(self, request: Evaluate) -> Evaluation:
            raise ValueError("mine")

    qaf, told = tmp_path / "q.jsonl", list[str]()
    qaf.write_text("".join(json.dumps({"question": f"Q{i}"}) + "\n" for i in range(3)))
    totals = solve_file(
        make_config({"mode": "sbs", "prompt_wrap": "react_sft"}), qaf, tmp_path / "out.jsonl", report=told.append,
        policy=RandomPolicy(1), value_model=Broken(1), interpreter=EchoInterpreter(), checker=EqualChecker(),
    )  # fmt: skip
    (trace,) = (text for text in told if "Traceback" in text)
    assert "in evaluate" in trace
    assert trace.endswith("ValueError: mine")
    assert totals.errors == 3


def test_a_resumed_run_goes_on_though_all_that_is_left_fails(tmp_path: Path) -> None:
    class Broken(RandomPolicy):
        async def evaluate(self, request: Evaluate) -> Evaluation:
            if int(request.task_id) < 20:
                raise ValueError("mine")
            return Evaluation(0.25)

    qaf, out = tmp_path / "q.jsonl", tmp_path / "out.jsonl"
    lines = [json.dumps({"id": str(i), "question": f"Q{i}"}) + "\n" for i in range(21)]
    qaf.write_text("".join(reversed(lines)))
    config = make_config({"mode": "sbs", "prompt_wrap": "react_sft", "batch_size": 1})
    for resume in (False, True):
        totals = solve_file(
            config, qaf, out, resume=resume, report=lambda text: None,
            policy=RandomPolicy(1), value_model=Broken(1), interpreter=EchoInterpreter(), checker=EqualChecker(),
        )  # fmt: skip
        assert (totals.new - totals.errors, totals.errors) == (not resume, 20)
        assert len(list(read_records(out))) == 21


@pytest.mark.parametrize("name", ["README.md/x.jsonl", "none/x.jsonl", "x" * 300])
def test_an_impossible_output_is_another_file_than_the_questions(tmp_path: Path, name: str) -> None:
    (tmp_path / "README.md").touch()
    qaf = tmp_path / "q.jsonl"
    qaf.write_text(json.dumps({"question": "Q"}) + "\n")
    with pytest.raises(MctsMathError, match=r"can't be written|model_dir is not set"):
        solve_file(make_config({}), qaf, tmp_path / name)
