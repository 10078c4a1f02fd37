"""The page in headless Chromium: opens, filters, is walked by keyboard, compares, prints; nothing else runs there."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lines import MODES, Write, answer_line, mcts_line, published_line, solved_line
from scripted import ScriptedPolicy, scripted
from stand_ins import EchoInterpreter, EqualChecker

from mcts_math.config import make_config
from mcts_math.evaluate.grading import Grader
from mcts_math.run.record import record_to_tree
from mcts_math.run.run import solve_file
from mcts_math.services import Provided
from mcts_math.tree import puct
from mcts_math.view.build import build_page
from mcts_math.view.follow import Follower
from mcts_math.view.serve import PageServer

Open = Callable[..., None]


@pytest.fixture
def look(tab: Any, tmp_path: Path) -> Open:
    """Opens the page of a results file, and waits for the first tree."""

    def look(results: Path, than: Path | None = None, address: str = "") -> None:
        page = tmp_path / "page.html"
        build_page(results, than, page, workers=1)
        tab.goto(page.as_uri() + address)
        tab.locator("#panes .node.at").first.wait_for()

    return look


def ids(tab: Any) -> list[str]:
    return [str(text) for text in tab.locator(".row .title b").all_inner_texts()]


def at(tab: Any) -> str:
    """The node whose panel is shown."""
    return str(tab.locator("#panel h2").first.inner_text()).split()[1]


def facts(tab: Any) -> dict[str, str]:
    names, values = tab.locator(".facts dt").all_inner_texts(), tab.locator(".facts dd").all_inner_texts()
    return dict(zip(names, values, strict=True))


def shown(value: float) -> str:
    """A number as the page writes it."""
    return f"{value:#.4g}".replace("-", "−") if value != int(value) else f"{int(value)}".replace("-", "−")


def test_it_opens_with_its_list_and_the_first_tree(tab: Any, look: Open, trees: Path) -> None:
    look(trees)
    assert ids(tab) == [f"q{i}" for i in range(12)]
    record = json.loads(trees.read_text().splitlines()[0])
    tree = record_to_tree(record)
    assert tab.locator("#panes .node").count() == len(tree.nodes)
    assert tab.locator("#panes .node.answer").count() == sum(node.answer is not None for node in tree.nodes)
    chosen = tree.path(tree.nodes[tree.solutions[0]])
    assert tab.locator("#panes .edge.chosen").count() == len(chosen)
    assert at(tab) == {node.id: tag for tag, node in tree.tags()}[tree.solutions[0]]
    assert "12 of 12" in tab.locator("#number").inner_text()


def test_every_number_of_a_node_is_that_of_the_tree(tab: Any, look: Open, trees: Path) -> None:
    record = json.loads(trees.read_text().splitlines()[3])
    tree = record_to_tree(record)
    tag, node = max(
        ((tag, node) for tag, node in tree.tags() if node.children and node.id), key=lambda pair: pair[1].depth
    )
    look(trees, address=f"#q3&{tag}")
    assert at(tab) == tag
    found = facts(tab)
    assert node.value is not None
    assert node.step is not None
    assert found["value"] == shown(node.value)
    assert found["Q"] == shown(node.q_value)
    assert found["visits N"] == str(node.visit_count)
    assert found["prior"] == shown(node.prior)
    assert found["PUCT (c = 1.50)"] == shown(puct(node, tree.nodes[node.parent].visit_count, 1.5))
    assert found["tokens"] == str(node.step.num_tokens)
    assert found["log-probability"] == shown(node.step.logprob)
    assert tab.locator("tr.child").count() == len(node.children)


def test_code_is_highlighted(tab: Any, look: Open, write: Write) -> None:
    line = published_line(1)
    code = "```python\nfor i in range(3):  # three\n    s = f\"{i} # no\" + 'a'\n```"
    text = f"<step>\n<p>\nx\n</p>\n<code>\n{code}\n</code>\n<output>\n1\n</output>\n</step>"
    line["react"]["0.0"] |= {"action_input": code, "text": text}
    look(write("trees.jsonl", [line]), address="#&0.0")
    tab.keyboard.press("ArrowLeft")
    kinds = {kind: tab.locator(f".part.code .{kind}").all_inner_texts() for kind in ("keyword", "builtin", "number")}
    assert kinds == {"keyword": ["for", "in"], "builtin": ["range"], "number": ["3"]}
    assert tab.locator(".part.code .comment").all_inner_texts() == ["# three"]
    assert tab.locator(".part.code .string").all_inner_texts() == ['f"{i} # no"', "'a'"]
    assert tab.locator(".part.code .written").text_content() == code.removeprefix("```python\n").removesuffix("\n```")


def test_filters_and_orders(tab: Any, look: Open, trees: Path) -> None:
    records = [json.loads(line) for line in trees.read_text().splitlines()]
    look(trees)
    tab.select_option("#ending", "wrong")
    assert ids(tab) == [record["id"] for record in records if not record["correct"]]
    tab.select_option("#ending", "all")
    tab.select_option("select[name=level]", "2")
    assert ids(tab) == [record["id"] for record in records if record["level"] == 2]
    tab.select_option("select[name=type]", "counting")
    assert ids(tab) == [r["id"] for r in records if (r["level"], r["type"]) == (2, "counting")]
    tab.select_option("select[name=level]", "")
    tab.select_option("select[name=type]", "")
    tab.select_option("#order", "nodes")
    tab.check("#descending")
    by_nodes = sorted(records, key=lambda record: -len(record["react"]))
    assert ids(tab) == [record["id"] for record in by_nodes]
    assert tab.locator("#list .row[aria-selected=true]").is_visible()  # the open question stays in sight
    tab.fill("#words", "Q7")
    assert ids(tab) == ["q7"]
    tab.fill("#words", "nowhere")
    assert ids(tab) == []


def test_a_search_through_all_steps(tab: Any, look: Open, write: Write) -> None:
    lines = [answer_line(i, "1") for i in range(4)]
    lines[2]["react"]["0.0"]["text"] = "<step>\n<p>\nA Rare word.\n</p>\n<p>\nFinal Answer: 1\n</p>\n</step>"
    look(write("trees.jsonl", lines))
    tab.fill("#words", "rare WORD")
    assert ids(tab) == []
    tab.check("#deep")
    tab.locator(".row").first.wait_for()
    assert ids(tab) == ["q2"]


def test_the_keyboard_walks_questions_and_nodes(tab: Any, look: Open, trees: Path) -> None:
    record = json.loads(trees.read_text().splitlines()[1])
    look(trees)
    tab.keyboard.press("j")
    tab.locator("#row-1[aria-selected=true]").wait_for()
    tab.locator(".question-head h2", has_text="q1").wait_for()
    chosen = record["react"]["solutions"][0]["tag"]
    assert at(tab) == chosen
    tab.keyboard.press("ArrowLeft")
    assert at(tab) == chosen.rpartition(".")[0]
    tab.keyboard.press("ArrowRight")
    assert at(tab) == chosen
    for _ in range(10):
        tab.keyboard.press("ArrowLeft")
    assert at(tab) == "0"
    tab.keyboard.press("ArrowRight")
    first = at(tab)
    tab.keyboard.press("ArrowUp" if first == "0.2" else "ArrowDown")
    assert at(tab) != first
    assert at(tab).count(".") == 1
    tab.keyboard.press("s")
    assert at(tab) == chosen
    tab.keyboard.press("k")
    tab.locator("#row-0[aria-selected=true]").wait_for()
    tab.keyboard.press("/")
    tab.keyboard.type("q5j")  # in the field, letters are letters
    assert tab.locator("#words").input_value() == "q5j"
    tab.keyboard.press("Escape")
    tab.keyboard.press("?")
    assert tab.locator("#help").is_visible()
    tab.keyboard.press("Escape")
    assert tab.locator("#help").is_hidden()


def test_folding(tab: Any, look: Open, trees: Path) -> None:
    look(trees)
    whole = tab.locator("#panes .node").count()
    for _ in range(10):
        tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("Enter")
    assert tab.locator("#panes .node").count() == 1
    assert f"+ {whole - 1} nodes" in str(tab.locator("#panes .label").text_content())
    tab.keyboard.press("s")  # what is marked is in sight
    assert tab.locator("#panes .node").count() == whole


def test_a_large_tree_is_folded_at_first(tab: Any, look: Open, write: Write) -> None:
    line = answer_line(1, "1")
    node = line["react"]["0.0"]
    for i in range(60):
        line["react"][f"0.{i + 1}"] = node | {"final_answer": "", "outcome": "continue"}
        for k in range(60):
            line["react"][f"0.{i + 1}.{k}"] = node
    look(write("large.jsonl", [line]))
    assert tab.locator("#panes .node").count() == 62
    assert "3,662 nodes" in tab.locator(".tree-head").inner_text()
    tab.locator("#panes .label", has_text="+ 60 nodes").first.dblclick()
    assert tab.locator("#panes .node").count() == 122


def test_the_conversation_of_a_path(tab: Any, look: Open, trees: Path) -> None:
    record = json.loads(trees.read_text().splitlines()[0])
    look(trees)
    tab.keyboard.press("c")
    chosen = record["react"]["solutions"][0]["tag"]
    tags = [chosen[: 2 * i + 1] for i in range(1, chosen.count(".") + 1)]
    texts = tab.locator(".turn .written").all_text_contents()
    asked = f"<question> {record['question']} </question>\n"
    assert texts == [asked, *(record["react"][tag]["text"] + "\n" for tag in tags)]
    tab.keyboard.press("c")
    assert tab.locator(".turn").count() == 0


def test_worked_examples_are_shown_where_they_are_known(tab: Any, look: Open, tmp_path: Path) -> None:
    asked: list[Any] = []

    def answer(request: Any) -> Any:
        asked.append(request.prompt)
        return scripted("Thought: easy\nFinal Answer: 1")

    (tmp_path / "q.jsonl").write_text(json.dumps({"question": "How many?", "answer": "1"}) + "\n")
    output, config = tmp_path / "out.jsonl", make_config({"mode": "react", "prompt_wrap": "react", "num_few_shot": 3})
    services = Provided(policy=ScriptedPolicy(answer), interpreter=EchoInterpreter(), checker=EqualChecker())
    with ThreadPoolExecutor(1) as thread:
        thread.submit(solve_file, config, tmp_path / "q.jsonl", output, report=lambda text: None, **services).result()
    look(output)
    tab.keyboard.press("c")
    turns = tab.locator(".turn .written").all_text_contents()
    assert "".join(turns[:2]) == asked[0]
    output.with_name("out.meta.json").unlink()
    look(output)
    tab.keyboard.press("c")
    assert "not to be found" in tab.locator(".conversation").inner_text()


def test_formulas_are_set_and_prices_are_not(tab: Any, look: Open, write: Write) -> None:
    question = r"Find $\frac{1}{2}x$ and \(y^2\): it costs $5 or $6. $\broken{$ stays."
    look(write("trees.jsonl", [answer_line(1, r"\frac{3}{4}", question=question)]))
    head = tab.locator(".question-head .written")
    assert head.locator(".katex").count() == 2
    assert "it costs $5 or $6" in head.inner_text()
    assert r"$\broken{$ stays" in head.inner_text()
    assert tab.locator(".tree-head .answer .katex").count() == 1
    fonts = tab.evaluate(
        "document.fonts.ready.then(() => [...document.fonts].filter(f => f.status === 'loaded').length)"
    )
    assert fonts > 0  # they come with the page


def test_two_files_where_they_differ(tab: Any, look: Open, write: Write) -> None:
    first = write("first.jsonl", [answer_line(1, "1"), answer_line(2, "1"), answer_line(3, "7"), answer_line(4, "1")])
    second = write("second.jsonl", [answer_line(2, "5"), answer_line(1, "1"), answer_line(3, "1"), answer_line(5, "1")])
    look(first, second)
    assert tab.is_checked("#differing")
    assert ids(tab) == ["q2", "q3", "q4", "q5"]
    assert "first.jsonl" in tab.locator(".pane").nth(0).inner_text()
    assert tab.locator(".pane").nth(0).locator(".state").inner_text() == "✓ right"
    assert tab.locator(".pane").nth(1).locator(".state").inner_text() == "✗ wrong"
    tab.keyboard.press("x")
    assert "active" in (tab.locator(".pane").nth(1).get_attribute("class") or "")
    assert facts(tab)["answer"] == "5"
    tab.select_option("#ending", "lost")
    assert ids(tab) == ["q3", "q5"]
    tab.select_option("#ending", "all")
    tab.locator(".row", has_text="q4").click()
    tab.get_by_text("second.jsonl has no such question").wait_for()
    tab.uncheck("#differing")
    assert ids(tab) == ["q1", "q2", "q3", "q4", "q5"]


def test_dark_and_light(tab: Any, look: Open, trees: Path) -> None:
    look(trees)

    def darkness() -> float:
        colour = tab.evaluate("getComputedStyle(document.body).backgroundColor")
        return 255 - sum(map(int, colour[4:-1].split(","))) / 3

    assert darkness() < 50
    tab.keyboard.press("t")
    assert darkness() > 200
    tab.keyboard.press("t")
    assert darkness() < 50
    tab.emulate_media(color_scheme="dark")
    tab.reload()
    assert darkness() > 200


def test_it_can_be_printed(tab: Any, look: Open, trees: Path) -> None:
    look(trees)
    tab.keyboard.press("t")  # dark on the screen, light on paper
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(251, 250, 248)"
    assert tab.locator("#list").is_hidden()
    assert tab.locator(".drawing svg").is_visible()
    assert tab.locator(".node-panel").is_visible()
    assert tab.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("mode", MODES)
def test_every_mode(tab: Any, look: Open, write: Write, mode: str) -> None:
    line = solved_line(MODES[mode], {"id": "t", "question": "Q", "answer": "3"})
    look(write("trees.jsonl", [line]))
    num_nodes = len(line["react"]) - ("solutions" in line["react"])
    assert tab.locator("#panes .node").count() == num_nodes
    assert tab.locator(".attempts tr").count() == len(line.get("attempts", []))


def test_a_line_without_a_question(tab: Any, look: Open, write: Write) -> None:
    look(write("published.jsonl", [published_line(1, question="")]))
    for _ in range(3):
        tab.keyboard.press("ArrowLeft")
    assert at(tab) == "0"
    tab.keyboard.press("c")
    assert tab.locator(".turn").count() == 1


def test_published_files(tab: Any, look: Open, write: Write) -> None:
    look(write("published.jsonl", [published_line(1), published_line(2, answer=["2"])]))
    assert tab.locator(".tree-head .state").inner_text() == "✓ right"
    assert "solution chosen here" in tab.locator(".tree-head").inner_text()
    tab.keyboard.press("ArrowLeft")
    assert tab.locator(".part.observation .written").inner_text() == "1"


MARKUP = '<img src=x onerror="document.title=1"><script>document.title=2</script></script>&lt;b&gt; javascript:alert(1)'


def test_hostile_text_is_text(tab: Any, look: Open, write: Write) -> None:
    said = MARKUP + r"$\href{javascript:alert(1)}{x}$ $\htmlClass{a}{b}$ $\def\a{\a\a}\a$" + "\x00\x1b[31m\u202e\ufeff"
    line = answer_line(1, said, question=said, id=said, type=said)
    line["react"]["0.0"] |= {"text": f"<step>\n<p>\n{said}\n</p>\n<p>\nFinal Answer: {said}\n</p>\n</step>"}
    code = f"```python\n{said}\n```"
    line["react"]["0.1"] = line["react"]["0.0"] | {
        "final_answer": "", "action": "python_interpreter", "action_input": code, "observation": said,
        "status": "error",
        "text": f"<step>\n<p>\nx\n</p>\n<code>\n{code}\n</code>\n<output>\n{said}\n</output>\n</step>",
    }  # fmt: skip
    other = answer_line(2, "1", type="b")
    line["attempts"] = [{"tag": "0.0", "verdict": "incorrect", "answer": said, "note": said}]
    look(write("trees.jsonl", [line, other]))
    assert tab.title() == "trees.jsonl: trees"
    assert tab.locator("img, iframe, object, a[href]").count() == 0
    assert tab.locator("body script:not([type])").count() == 2
    assert tab.locator(".attempts summary").inner_text() == "1 attempt"
    assert MARKUP in tab.locator(".question-head .written").inner_text()
    assert r"$\href{javascript:alert(1)}{x}$ $\htmlClass{a}{b}$" in tab.locator(".question-head .written").inner_text()
    assert r"\x00\x1b[31m\u202e\ufeff" in tab.locator(".question-head .written").inner_text()
    assert MARKUP in tab.locator(".part.thought .written").inner_text()
    tab.locator("#panes .node").nth(2).click()
    assert MARKUP in tab.locator(".part.code .written").inner_text()
    assert MARKUP in tab.locator(".part.observation .written").inner_text()
    tab.keyboard.press("c")
    assert MARKUP in tab.locator(".turn.assistant .written").inner_text()


def test_joiners_that_shape_emojis_and_letters_are_left_alone(tab: Any, look: Open, write: Write) -> None:
    said = "\U0001f469\u200d\U0001f4bb \u0645\u06cc\u200c\u0634\u0648\u062f 1\u200d2 \u200c\u0645 \u0645\u200d"
    said += " \u03c0\u200d\u03c0"  # no letters that join
    look(write("trees.jsonl", [answer_line(1, "1", question=said)]))
    hidden = tab.locator(".question-head .hidden-character").all_inner_texts()
    assert hidden == [r"\u200d", r"\u200c", r"\u200d", r"\u200d"]
    assert said[:10] in tab.locator(".question-head .written").inner_text()


def test_a_long_answer_is_seen_to_go_on(tab: Any, look: Open, write: Write) -> None:
    look(write("trees.jsonl", [answer_line(1, "7" * 50)]))
    assert tab.locator("#panes .node .answer").text_content() == "7" * 33 + "…"


def test_small_trees_side_by_side_fit(tab: Any, look: Open, write: Write) -> None:
    look(write("a.jsonl", [answer_line(1, "1")]), write("b.jsonl", [answer_line(1, "5")]))
    widths = tab.evaluate("[...document.querySelectorAll('.drawing')].map((one) => one.scrollWidth - one.clientWidth)")
    assert widths == [0, 0]


def test_a_far_node_is_scrolled_to(tab: Any, look: Open, trees: Path) -> None:
    tab.set_viewport_size({"width": 1300, "height": 420})
    look(trees)
    for key in ("ArrowRight", *["ArrowDown"] * 20) * 3:
        tab.keyboard.press(key)
    box = "(one) => { const { top, bottom } = one.getBoundingClientRect(); return [top, bottom, one.scrollTop]; }"
    (top, bottom, scrolled), (above, below, _) = (
        tab.locator(css).first.evaluate(box) for css in (".drawing", "#panes .node.at")
    )
    assert scrolled > 0
    assert top - 1 <= above
    assert below <= bottom + 1


@pytest.mark.parametrize("pair", [False, True])
def test_on_a_narrow_screen_all_is_below_each_other(
    tab: Any, look: Open, trees: Path, write: Write, pair: bool
) -> None:
    tab.set_viewport_size({"width": 400, "height": 800})
    look(trees, write("other.jsonl", [answer_line(i, "5") for i in range(12)]) if pair else None)
    assert tab.evaluate("document.documentElement.scrollWidth") == 400
    assert tab.evaluate("scrollY") == 0
    boxes = [
        part.bounding_box() for css in ("#list", "#about", ".drawing", "#panel") for part in tab.locator(css).all()
    ]
    assert len(boxes) == (5 if pair else 4)
    assert all(box["width"] > 350 and box["height"] > 30 for box in boxes)
    assert all(upper["y"] + upper["height"] <= lower["y"] for upper, lower in pairwise(boxes))


def test_a_million_characters(tab: Any, look: Open, write: Write) -> None:
    said = "x" * 1_000_000
    line = answer_line(1, "1", question=said)
    line["react"]["0.0"]["text"] = f"<step>\n<p>\n{said}\n</p>\n<p>\nFinal Answer: 1\n</p>\n</step>"
    look(write("trees.jsonl", [line]))
    thought = tab.locator(".part.thought .written")
    assert thought.inner_text().startswith("x" * 20_000)
    assert "show the other 980,000 characters" in thought.inner_text()
    thought.locator("button").click()
    assert len(thought.inner_text()) == 1_000_000


def test_a_lone_half_of_a_character(tab: Any, look: Open, write: Write) -> None:
    line = answer_line(1, "1") | {"id": "half \ud83d"}
    line["react"]["0.0"]["text"] = "half \ud83d here"
    look(write("trees.jsonl", [line]))
    assert "half" in tab.locator(".part.thought .written").inner_text()
    tab.reload()
    tab.locator("#panes .node.at").wait_for()


def test_a_run_is_followed_while_it_writes(tab: Any, tmp_path: Path) -> None:
    results = tmp_path / "grow.jsonl"
    first, second = (json.dumps(mcts_line(i)).encode() + b"\n" for i in (1, 2))
    with Grader(1) as grader, PageServer([Follower(results, grader)], 0) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            tab.goto(server.url)
            tab.get_by_text("waiting for the first one").wait_for()
            results.write_bytes(first + second[:50])
            tab.locator("#panes .node.at").first.wait_for()
            assert tab.locator("#notice").is_hidden()
            assert ids(tab) == ["q1"]
            with results.open("ab") as file:
                file.write(second[50:])
            tab.locator("#row-1").wait_for()
            assert ids(tab) == ["q1", "q2"]
            assert tab.locator(".figures dd").first.inner_text() == "2"
            tab.keyboard.press("j")
            tab.locator(".question-head h2", has_text="q2").wait_for()
            live = {
                "time": time.time(),
                "total": 8,
                "done": 1,
                "trees": 7,
                "requests": 21,
                "seconds": 60,
                "seconds_left": 3700,
            }
            (tmp_path / "grow.live.json").write_text(json.dumps(live))
            tab.get_by_text("questions in flight").wait_for()
            head = tab.locator(".summary").inner_text()
            assert "2 of 9" in head
            assert "1 h 1 min" in head
            (tmp_path / "grow.live.json").write_text(json.dumps(live | {"loading": True}))
            tab.get_by_text("loading the model").wait_for()
        finally:
            server.stop()
            thread.join()


def test_two_runs_are_compared_while_they_write(tab: Any, write: Write) -> None:
    first = write("first.jsonl", [answer_line(1, "1"), answer_line(2, "1")])
    second = write("second.jsonl", [answer_line(1, "1"), answer_line(2, "5")])
    with Grader(1) as grader, PageServer([Follower(path, grader) for path in (first, second)], 0) as server:
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            tab.goto(server.url)
            tab.locator("#panes .node.at").first.wait_for()
            assert ids(tab) == ["q2"]
            assert tab.locator(".pane .state").all_inner_texts() == ["✓ right", "✗ wrong"]
            with second.open("a") as file:
                file.write(json.dumps(answer_line(3, "1")) + "\n")
            tab.locator("#row-1").wait_for()
            assert ids(tab) == ["q2", "q3"]
        finally:
            server.stop()
            thread.join()
