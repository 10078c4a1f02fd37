"""The file: all that was in the results comes back out of it, nothing else runs in it, bad input costs nothing."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from lines import Write, answer_line, mcts_line, published_line

from mcts_math.errors import RecordError
from mcts_math.files import read_records
from mcts_math.view import program
from mcts_math.view.assemble import MODULES, page
from mcts_math.view.build import build_page
from mcts_math.view.questions import read_question

BLOCK = re.compile(r'<script type="text/plain" id="([\w-]+)">([^<]*)</script>')


def blocks(page: Path) -> dict[str, Any]:
    """The data of a page, as the page unpacks it."""
    found = BLOCK.findall(page.read_text("utf-8"))
    return {name: json.loads(gzip.decompress(base64.b64decode(data))) for name, data in found}


def built(results: Path, than: Path | None = None, **options: Any) -> dict[str, Any]:
    output = results.with_suffix(".html")
    build_page(results, than, output, workers=1, **options)
    return blocks(output)


def test_all_trees_come_back(trees: Path) -> None:
    data = built(trees)
    (source,) = data["head"]["sources"]
    assert len(source["entries"]) == 12
    for entry, (where, record) in zip(source["entries"], read_records(trees), strict=True):
        chunk, place = entry["at"]
        expected = json.loads(json.dumps(read_question(record, where, entry["id"]).tree))
        assert data[f"chunk-{chunk}"][place] == expected
    assert source["summary"]["done"] == 12
    assert source["summary"]["right"] == sum(entry["state"] == "right" for entry in source["entries"])


def test_a_question_that_broke_down_counts_as_wrong(write: Write) -> None:
    """As `eval_output_jsonl.py` counts it, where its answer is known."""
    lines = [answer_line(1, "1"), answer_line(2, "2"), answer_line(3, "1"), answer_line(4, "1")]
    for line in lines[2:]:
        line |= {"react": {"0": line["react"]["0"]}, "error": "the engine went away"}
        del line["correct"]
    lines[3]["answer"] = None
    summary = built(write("broken.jsonl", lines))["head"]["sources"][0]["summary"]
    assert (summary["right"], summary["judged"], summary["errors"]) == (1, 3, 2)


def test_many_trees_are_in_many_chunks(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcts_math.view.build._CHUNK_BYTES", 20_000)
    data = built(write("trees.jsonl", [mcts_line(i) for i in range(12)]))
    places = [tuple(entry["at"]) for entry in data["head"]["sources"][0]["entries"]]
    assert len({chunk for chunk, _ in places}) == len(data) - 1 > 2
    assert len(set(places)) == 12
    for entry in data["head"]["sources"][0]["entries"]:
        assert data[f"chunk-{entry['at'][0]}"][entry["at"][1]]["id"] == entry["id"]


def test_two_files(trees: Path, write: Write) -> None:
    other = write("other.jsonl", [mcts_line(i, seed=1) for i in range(3)])
    head = built(trees, other)["head"]
    assert [source["name"] for source in head["sources"]] == ["trees.jsonl", "other.jsonl"]
    assert [len(source["entries"]) for source in head["sources"]] == [12, 3]


def test_the_weight_of_exploration_is_that_of_the_run(trees: Path) -> None:
    assert built(trees)["head"]["sources"][0]["c_puct"] == 1.5
    trees.with_name("trees.meta.json").write_text(json.dumps({"config": {"c_puct": 0.75}, "questions": {"number": 99}}))
    source = built(trees)["head"]["sources"][0]
    assert (source["c_puct"], source["summary"]["total"]) == (0.75, 99)


def test_published_lines_are_judged(write: Write) -> None:
    head = built(write("published.jsonl", [published_line(1), published_line(2, answer=["2"])]))["head"]
    assert [entry["state"] for entry in head["sources"][0]["entries"]] == ["right", "wrong"]


def test_the_policy_names_all_that_may_run(trees: Path) -> None:
    built(trees)
    html = trees.with_suffix(".html").read_text("utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)
    assert policy is not None
    assert "unsafe" not in policy[1]
    assert "default-src 'none'" in policy[1]
    assert "require-trusted-types-for 'script'" in policy[1]
    for text in re.findall(r"<script>(.*?)</script>|<style>(.*?)</style>", html, re.DOTALL):
        digest = base64.b64encode(hashlib.sha256("".join(text).encode()).digest()).decode()
        assert f"'sha256-{digest}'" in policy[1]
    assert len(re.findall("<script>", html)) == 2
    assert "connect-src 'none'" in policy[1]
    assert "connect-src 'self'" in page(served=True)[0]
    assert "http://" not in re.sub(r"http://www\.w3\.org/[\w/]+", "", html)


def test_modules_stand_behind_those_that_they_import(repo: Path) -> None:
    modules = {path.stem: path.read_text("utf-8") for path in (repo / "mcts_math/view/page").glob("*.js")}
    assert sorted(modules) == sorted(MODULES)
    for name, text in modules.items():
        for imported in re.findall(r'from "\./(\w+)\.js";', text):
            assert MODULES.index(imported) < MODULES.index(name), f"{name} imports {imported}"


def test_no_module_makes_markup_of_text(repo: Path) -> None:
    makers = r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function"
    for path in (repo / "mcts_math/view/page").glob("*.*"):
        assert not re.search(makers, path.read_text("utf-8")), path


def test_a_text_can_not_close_its_block(write: Write) -> None:
    hostile = '</script><script>alert(1)</script><!-- "'
    page_file = write("trees.jsonl", [answer_line(1, "1", question=hostile, type=hostile)])
    entry = built(page_file)["head"]["sources"][0]["entries"][0]
    assert entry["question"] == hostile
    assert page_file.with_suffix(".html").read_text("utf-8").count("<script>") == 2


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (b"", "is empty"),
        (b'{"question": "Q"}\n', "trees.jsonl:1: no search tree"),
        (b"{broken\n", "trees.jsonl:1: not a JSON object"),
        (b'{"question": "Q"', "torn"),
    ],
)
def test_bad_files_are_named_and_nothing_is_left(tmp_path: Path, lines: bytes, message: str) -> None:
    results, output = tmp_path / "trees.jsonl", tmp_path / "trees.html"
    results.write_bytes(lines)
    output.write_text("as it was")
    with pytest.raises(RecordError, match=message):
        build_page(results, None, output, workers=1)
    assert output.read_text() == "as it was"
    assert len(list(tmp_path.iterdir())) == 2


def test_results_are_never_written_over(trees: Path, write: Write) -> None:
    with pytest.raises(RecordError, match="is a file that is to be shown"):
        build_page(trees, None, trees, workers=1)
    with pytest.raises(RecordError, match="no such file"):
        build_page(trees.with_name("none.jsonl"), None, trees.with_suffix(".html"), workers=1)
    with pytest.raises(RecordError, match="can't be written"):
        build_page(trees, None, trees / "page.html", workers=1)


def test_a_question_that_stands_twice_can_not_be_compared(write: Write, trees: Path) -> None:
    twice = write("twice.jsonl", [answer_line(1, "1"), answer_line(1, "2")])
    assert len(built(twice)["head"]["sources"][0]["entries"]) == 2
    with pytest.raises(RecordError, match=r"twice\.jsonl: question 'q1' stands in it twice"):
        built(trees, twice)


def test_a_broken_description_is_named(trees: Path) -> None:
    trees.with_name("trees.meta.json").write_text("{")
    with pytest.raises(RecordError, match=r"trees\.meta\.json is (broken|not JSON)"):
        built(trees)


def test_the_program(trees: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.main([str(trees), "--workers", "1"]) == 0
    assert "12 questions" in capsys.readouterr().out
    assert trees.with_suffix(".html").is_file()
    other = trees.with_name("other.jsonl")
    other.write_text(trees.read_text())
    assert program.main([str(trees), "--than", str(other), "--workers", "1"]) == 0
    assert ": 12 questions, " in capsys.readouterr().out
    for wrong in (["--serve", "1", "-o", "x"], ["--workers", "-1"]):
        with pytest.raises(SystemExit):
            program.main([str(trees), *wrong])
