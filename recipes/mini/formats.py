"""The text of prompts and steps (`react_sft`), as the model is trained on it and as the solver shows it.

A prompt is `head(question)` and then every step with `DELIM` behind it. A code step as the model writes it ends with
`</code>`; the observation and the closing tag are the program's.
"""

from __future__ import annotations

import re

DELIM = "\n"
FENCE = "```python\n"
STEP_OPEN = "<step>\n<p>\n"
CODE_OPEN = "\n</p>\n<code>\n" + FENCE
CODE_CLOSE = "\n```\n</code>"
OUTPUT_OPEN = "\n<output>\n"
OUTPUT_CLOSE = "\n</output>\n</step>"
ANSWER_OPEN = "\n</p>\n<p>\nFinal Answer: "
ANSWER_CLOSE = "\n</p>\n</step>"
QUESTION_OPEN = "<question> "
QUESTION_CLOSE = " </question>\n"


def head(question: str) -> str:
    """The prompt of a question with no step yet."""
    return QUESTION_OPEN + question + QUESTION_CLOSE


def code_step(sentence: str, code: str) -> str:
    """What the model writes in a step with code, up to and including `</code>`."""
    return STEP_OPEN + sentence + CODE_OPEN + code + CODE_CLOSE


def observed(observation: str) -> str:
    """What the program appends to a code step."""
    return OUTPUT_OPEN + observation + OUTPUT_CLOSE


def final_step(sentence: str, answer: str) -> str:
    """The whole last step."""
    return STEP_OPEN + sentence + ANSWER_OPEN + answer + ANSWER_CLOSE


def same_answer(given: str, gold: str) -> bool:
    """Equal as text, or as numbers to six digits; the project's checker judges more kinds than these questions need."""
    if given == gold:
        return True
    try:
        a, b = float(given.replace(",", "")), float(gold.replace(",", ""))
    except ValueError:
        return given.lower() == gold.lower()
    return abs(a - b) <= 1e-6 * max(1.0, abs(b))


def tidy(observation: str) -> str:
    """An observation as a final answer: without a trailing `.0`."""
    return observation[:-2] if re.fullmatch(r"-?\d+\.0", observation) else observation
