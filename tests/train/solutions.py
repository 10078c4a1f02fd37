"""Training examples made by hand."""

from __future__ import annotations

from typing import Any

PROMPT = "<question> {} </question>\n"


def example(number: int, *, correct: bool = True, q: float = 0.5, filling: str = "") -> dict[str, Any]:
    """A solution of two steps: one with code, one with the answer."""
    code = f"<step>\n<p>\nA{filling}\n</p>\n<code>\nx={number}\n</code>\n<output>\n{number}\n</output>\n</step>\n"
    last = f"<step>\n<p>\nFinal Answer: {number}\n</p>\n</step>\n"
    steps = [{"text": code, "q": q}, {"text": last, "q": 1.0 if correct else -1.0}]
    question = f"{number}?"
    return {
        "id": f"q{number}/0.1.0",
        "question": question,
        "prompt": PROMPT.format(question),
        "steps": steps,
        "correct": correct,
    }
