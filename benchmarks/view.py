"""What the page of trees costs: its size, how soon its list and a tree are there, in headless Chromium.

    python benchmarks/view.py [--questions 10000] [--nodes 100] [--json] [--keep FOLDER]

The results file is made here: trees in the shape of MCTS, steps of random words and code, so that nothing repeats but
the format itself. What a model writes repeats more, and packs better. Times are of a fresh browser each: from the call
to open the file until the first row is drawn, and from a click on a question until its tree is drawn. Extra `browser`.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "view"))

from browser import chromium_path

from mcts_math.run.program import run_script
from mcts_math.view.build import build_page

_RANDOM = random.Random(1)
_SYLLABLES = [c + v for c in "bdfghklmnprstvwz" for v in ("a", "e", "i", "o", "u", "ai", "ou")]
_WORDS = ["".join(_RANDOM.choices(_SYLLABLES, k=_RANDOM.choice((1, 2, 2, 3)))) for _ in range(8000)]
_WEIGHTS = [1 / (rank + 3) for rank in range(len(_WORDS))]  # as words of a language are spread
_PUBLISHED = {"extra_info": "", "action": "", "action_input": "", "final_answer": ""}


def words(count: int) -> str:
    return " ".join(_RANDOM.choices(_WORDS, _WEIGHTS, k=count))


def step(is_final: bool) -> dict[str, Any]:
    """One node's texts: about 100 tokens, as the format `react_sft` has them."""
    number = str(_RANDOM.randrange(10**6))
    if is_final:
        text = f"<step>\n<p>\n{words(12)}\n</p>\n<p>\nFinal Answer: ${number}$\n</p>\n</step>"
        return {"text": text, "final_answer": number}
    names = _RANDOM.sample(_WORDS, 3)
    lines = [
        f"{name} = {_RANDOM.randrange(10**4)} * x**{_RANDOM.randrange(9)} + sqrt({_RANDOM.random():.4f})"
        for name in names
    ]
    code = (
        "```python\nfrom sympy import *\nx = symbols('x')\n"
        + "\n".join([*lines, f"print({' + '.join(names)})"])
        + "\n```"
    )
    text = f"<step>\n<p>\n{words(30)}\n</p>\n<code>\n{code}\n</code>\n<output>\n{number}\n</output>\n</step>"
    return {"text": text, "action": "python_interpreter", "action_input": code, "observation": number, "status": "ok"}


def line(number: int, num_nodes: int) -> dict[str, Any]:
    """A question and its tree: children in groups of five below nodes that are chosen at random."""
    question = f"{words(40)} $x^{number}$?"
    react: dict[str, Any] = {"0": _PUBLISHED | {"text": "", "extra_info": f"question: {question}", **numbers()}}
    tags = ["0"]
    while len(react) < num_nodes:
        parent = tags.pop(_RANDOM.randrange(len(tags)))
        for child in range(min(5, num_nodes - len(react))):
            tag = f"{parent}.{child}"
            is_final = tag.count(".") > 5 or _RANDOM.random() < 0.15
            react[tag] = (
                _PUBLISHED | step(is_final) | numbers() | {"logprob": -30 * _RANDOM.random(), "num_tokens": 100}
            )
            if not is_final:
                tags.append(tag)
        if not tags:
            tags.append("0.0")  # all ended early: go on below an answer, which the page must bear
    react["solutions"] = solutions(react, question)
    own = {
        "id": f"q{number}",
        "question": question,
        "answer": "1",
        "level": number % 5 + 1,
        "correct": bool(number % 3),
    }
    return own | {"react": react, "format": "react_sft", "step_delim": "\n", "cost": {"tokens": 9900, "seconds": 1.5}}


def numbers() -> dict[str, Any]:
    value = 2 * _RANDOM.random() - 1
    return {
        "value": value,
        "q_value": value / 2,
        "prior": _RANDOM.random(),
        "visit_count": _RANDOM.randrange(40),
        "estimate": value,
    }


def solutions(react: dict[str, Any], question: str) -> list[dict[str, Any]]:
    tag = next((tag for tag, node in react.items() if node["final_answer"]), "0")
    end = react[tag]
    chosen = {"value": end["value"], "final_answer": end["final_answer"], "solution": end["text"], "tag": tag}
    return [{"question": question, "ground_truth": "1"} | chosen]


def write_results(path: Path, questions: int, nodes: int) -> None:
    with path.open("w", encoding="utf-8") as file:
        for number in range(questions):
            file.write(json.dumps(line(number, nodes)) + "\n")


def first_list_s(browser: Any, page: Path) -> float:
    """Seconds from the call to open the file until a row of the list is drawn."""
    context = browser.new_context()
    tab = context.new_page()
    begun = time.perf_counter()
    tab.goto(page.as_uri(), wait_until="commit", timeout=120_000)
    tab.locator(".row").first.wait_for(timeout=120_000)
    seconds = time.perf_counter() - begun
    context.close()
    return seconds


_OPEN: str = """
share => new Promise(done => {
  const list = document.getElementById("list");
  list.scrollTop = share * list.scrollHeight;
  setTimeout(() => {
    const row = document.querySelectorAll(".row")[8];
    const id = row.querySelector("b").textContent;
    const begun = performance.now();
    const isDrawn = () => document.querySelector(".question-head h2").firstChild.textContent === id;
    const painted = () => requestAnimationFrame(() => setTimeout(() => done(performance.now() - begun)));
    const look = () => isDrawn() ? painted() : requestAnimationFrame(look);
    row.click();
    look();
  }, 150);
})
"""


def trees_s(browser: Any, page: Path, count: int) -> list[float]:
    """Seconds from a click on a question, far from the last one, until its tree is painted."""
    tab = browser.new_page()
    tab.goto(page.as_uri(), timeout=300_000)
    tab.locator("#panes .node.at").wait_for(timeout=300_000)
    times = [tab.evaluate(_OPEN, (part + 0.5) / count) / 1000 for part in range(count)]
    tab.close()
    return times


def measure(folder: Path, questions: int, nodes: int) -> dict[str, float]:
    from playwright.sync_api import sync_playwright

    results, page = folder / "trees.jsonl", folder / "trees.html"
    write_results(results, questions, nodes)
    begun = time.perf_counter()
    built = build_page(results, None, page)
    build_s = time.perf_counter() - begun
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=["--no-sandbox"])
        lists = [first_list_s(browser, page) for _ in range(3)]
        trees = trees_s(browser, page, 12)
        browser.close()
    return {
        "questions": questions,
        "nodes": built["nodes"],
        "jsonl_mb": results.stat().st_size / 1e6,
        "html_mb": built["bytes"] / 1e6,
        "share": built["bytes"] / results.stat().st_size,
        "build_s": build_s,
        "first_list_s": statistics.median(lists),
        "slowest_first_list_s": max(lists),
        "tree_s": statistics.median(trees),
        "slowest_tree_s": max(trees),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What the page of trees costs.")
    parser.add_argument("--questions", type=int, default=10_000)
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", metavar="FOLDER", help="leave the files there")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(args.keep or temporary)
        folder.mkdir(parents=True, exist_ok=True)
        measured = measure(folder, args.questions, args.nodes)
    if args.json:
        print(json.dumps(measured))
    else:
        print("\n".join(f"{key:>22}  {value:,.3f}" for key, value in measured.items()))


if __name__ == "__main__":
    run_script(main)
