"""Finding the code in a completion: the rule that `judge.code` states."""

# ruff: noqa: E501 - tables are read by columns

from __future__ import annotations

import time

import pytest
from problems import ADD, GOOD, Ask

from mcts_math.judge import Problem, extract_code
from mcts_math.judge.code import readings

DEF = "def add(a, b):\n    return a + b"
INDENTED = "    import operator\n    def add(a, b):\n        return operator.add(a, b)"
TWENTY = "\n\n".join(f"Step {i}:\n```python\nx{i} = {i}\n```" for i in range(19))
BODY = Problem('def add(a, b):\n    """The sum."""\n', ADD.test, "add")


@pytest.mark.parametrize(
    ("completion", "code"),
    [
        (GOOD, DEF),
        (f"```\n{DEF}\n```", DEF),
        (f"~~~py\n{DEF}\n~~~", DEF),
        (f"````Python\n{DEF}\n````", DEF),
        (f"1. So:\n\n   ```python\n   {DEF.replace(chr(10), chr(10) + '   ')}\n   ```", DEF),
        (f"```python\n{DEF}", DEF),  # never closed
        (f"```python\ndef add(a, b):\n    return 0\n```\nNo, better:\n```python\n{DEF}\n```\nUse it so:\n```python\nadd(1, 2)\n```", DEF),
        (f"{TWENTY}\n```python\n{DEF}\n```", DEF),
        (f"```bash\npip install x\n```\n```python\n{DEF}\n```\n```text\n3\n```", DEF),
        (f"{DEF}\n```\nThis adds.", DEF),  # the prompt ended with the opening fence
        (GOOD.replace("\n", "\r\n"), DEF),
        *((mark.join(parts), DEF) for mark in ("\ufeff", "\n\ufeff") for parts in (["", GOOD], ["", DEF], ["Here:\n\n", GOOD], ["<think>x</think>", GOOD], ["```python\n", f"{DEF}\n```"])),
        ("```python\nadd = lambda a, b: a + b\n```", "add = lambda a, b: a + b"),
        (f"```python\nimport os\n\n{DEF}\n```", f"import os\n\n{DEF}"),
        (f"<think>\n```python\ndef add(a, b): return 0\n```\n</think>\n{DEF}", DEF),
        (f"I try\n```python\ndef add(a, b): return 0\n```\nno.\n</think>\n```python\n{DEF}\n```", DEF),
        (f"<think>\n```python\n{DEF}\n```", None),  # it never came to an answer
        (f"[BEGIN]\n{DEF}\n[DONE]", DEF),
        (f"{DEF}\n[DONE]\n\nYou are next:", DEF),
        (f"[PYTHON]\n{DEF}\n[/PYTHON]\nTests:\n[TESTS]\nassert 1\n[/TESTS]", DEF),
        (f"<code>\n{DEF}\n</code>", DEF),
        (">>> def add(a, b):\n...     return a + b\n>>> add(1, 2)\n3".join(("```\n", "\n```")), f"{DEF}\nadd(1, 2)"),
        ("```python\ndef add(a, b):\n    '''\n    ```\n    add(1, 2)\n    ```\n    '''\n    return a + b\n```",
         "def add(a, b):\n    '''\n    ```\n    add(1, 2)\n    ```\n    '''\n    return a + b"),
        ("```python\nif True:\n    def add(a, b):\n        return a + b\n```", "if True:\n    def add(a, b):\n        return a + b"),
        ("No code here.", None),
        ("", None),
        ("```python\n\n```", None),
        ("```json\n{}\n```", None),
        ("add(a, b) returns the sum.", None),
    ],
)  # fmt: skip
def test_extract(completion: str, code: str | None) -> None:
    assert extract_code(completion, "add") == code


READING = (
    "n = int(input())",
    "import os\nn = os.read(0, 9)",
    "from os import read\nn = read(0, 9)",
    "n = open('/dev/stdin').read()",
    "import fileinput",
)


@pytest.mark.parametrize(
    ("completion", "code"),
    [
        *((f"```python\n{code}\n```\nprints\n```\n3\n```", code) for code in READING),
        *((f"```\n{code}\n```\nprints\n```\n3\n```", code) for code in READING),
        ("```python\nn = input()\n```\nRun it:\n```\npython a.py < stdin.txt\n```", "n = input()"),
        ("```py\nn = input()\n```\nNo, better:\n```py\nm = input()\n```", "m = input()"),
        ("```python\nprint(3)\n```\nprints\n```\n3\n```", "print(3)"),
        ("```python\nx = 1\n```\nin\n```\nprint(input())\n```", "print(input())"),
        ("```\nn = 1\n```\nno:\n```\nn = 2\n```", "n = 2"),
    ],
)  # fmt: skip
def test_the_block_that_is_a_whole_program(completion: str, code: str) -> None:
    assert extract_code(completion) == code


def test_an_unmarked_block_that_is_not_python_gives_way(ask: Ask) -> None:
    problem = Problem.from_record({"cases": [{"input": "3", "output": "3"}]})
    (judgement,) = ask((problem, "```python\nprint(3)\n```\nRun it:\n```\npython a.py < stdin.txt\n```"))
    assert judgement.result == "passed"
    assert judgement.code == "print(3)"


@pytest.mark.parametrize(
    "completion",
    [
        f"Here is the code:\n\n{DEF}\n\nIt adds the two numbers.",
        f"from here on it is easy.\nimport math is what I need:\nimport math\n\n{DEF}\n",
        f"import math\n\n{DEF}\nThis function's argument isn't checked.\n\nprint(add(1, 2)",
        f"```python\n{DEF}\nand that is all I have to say",
        "```python\nfrom operator import add as plus\n```\nand\n```python\ndef add(a, b):\n    return both(a, b)\n```\nwith\n"
        "```python\ndef both(a, b):\n    return plus(a, b)\nprint(undefined)\n```",
        "```python\nfrom __future__ import annotations\ndef plus(a: Number, b): return a + b\nclass Number: ...\n```\nand\n"
        "```python\nfrom __future__ import annotations\ndef add(a: Number, b):\n    return plus(a, b)\n```",
        "```python\ntry:\n    import fast_add as add\nexcept ImportError:\n    def add(a, b):\n        return a + b\n```",
        "if 1 > 0:\n    def add(a, b):\n        return a + b\n",
        "```python\ndef add(a: Optional[int], b: 'Union[int, str]') -> Dict[str, int]:\n    return a + b\n```",
        f"```python\n'''An unclosed fence within:\n```python\n'''\n{DEF}\n```",
        f"```python\n# don't stop at ''' here\n{DEF}\n```\nand ''' more",
        f'```python\nx = """\n{DEF}\n```\nThis was a mistake:\n```python\n{DEF}\n```',
        f"[BEGIN]\n```python\n{DEF}\n```\n[DONE]\n[BEGIN]\n",
        f"<code>\n\n~~~\n{DEF}\n~~~\n</code>",
        f"```python\n{DEF}```\nThis adds.",
        f"```python\n{INDENTED}\n```",
        f"So:\n\n{INDENTED}\n\nThis adds.",
        TWENTY + "\n```python\nadd = 1\ndef add(a, b):\n    return x18 * 0 + a + b\n```".replace("x18", "18"),
    ],
)
def test_text_around_the_code(ask: Ask, completion: str) -> None:
    (judgement,) = ask((ADD, completion))
    assert judgement.result == "passed"


@pytest.mark.parametrize(
    ("body", "passed"),
    [
        ("    return a + b\n", True),
        ("\n    # add\n    c = a + b\n    return c\n\n\nprint(add(1, 2))\n", True),
        ("    return a + b\n\nThis function isn't hard.\n```\nmore", True),
        ("return a + b", True),  # stripped
        ("c = a\nfor x in [b]:\n    c += x\nreturn c", True),  # dedented
        ("for x in [b]:\n        a += x\n    return a", True),  # its first line stripped
        ("```python\n    return a + b\n```", True),
        ("```python\nreturn a + b\n```", True),
        ("    return a - b\n", False),
        ("    pass", False),
    ],
)
def test_a_bare_body_goes_on_with_the_prompt(ask: Ask, body: str, passed: bool) -> None:
    (judgement,) = ask((BODY, body))
    assert judgement.passed == passed
    assert judgement.code is not None


def test_prose_is_no_body(ask: Ask) -> None:
    judgements = ask(*((BODY, text) for text in ("Sorry", "    Sorry, no.", "I return the sum.", "return of the sum")))
    assert [judgement.code for judgement in judgements] == [None] * 4


def test_a_prompt_s_imports_are_there_for_a_program_of_its_own(ask: Ask) -> None:
    problem = Problem("from typing import List\n\ndef f(xs: List[int]):\n", "assert f([2]) == 2", "f")
    (judgement,) = ask((problem, "```python\ndef f(xs: List[int]) -> int:\n    return xs[0]\n```"))
    assert judgement.result == "passed"


@pytest.mark.parametrize(
    "text",
    [
        "\n" * 250_000,
        "```\n" * 60_000,
        "x\n```\n```\n" * 25_000,
        "add " * 60_000,
        "add" + " " * 250_000,
        "def " * 60_000,
        "add:" * 60_000,
        "`" * 250_000,
        " " * 250_000 + "```",
        "async def\n" * 25_000,
        "```python\n" * 25_000,
        "```python\nx\n```\n" * 12_000,
        "```python\n" + "'''\n```\n" * 25_000,
        "```python\n" + "'''" * 80_000,
        "```python\n" + '"\\' * 100_000,
        "```python\n" + "'\"" * 100_000,
        "<think>" * 30_000,
        "[BEGIN]\n" * 30_000,
        "    \n```\n" * 25_000,
        ">>> \n" * 50_000,
        "input(" * 40_000,
        "os.read" + " " * 250_000,
        "```\ninput()\n```\n```python\nx\n```\n" * 6_000,
        "[DONE]\n" * 35_000,
        "</code>\n" * 30_000,
        "    \n[/PYTHON]\n" * 16_000,
        "x\n</python>\n" * 18_000,
        "\ufeff" * 250_000,
        "\n" * 200_000 + "\ufeff" * 50_000,
    ],
)
def test_hostile_text_takes_no_time(text: str) -> None:
    begun = time.process_time()
    readings(text, "add")
    readings(text)
    assert time.process_time() - begun < 2.0


MARKS = (
    "[begin]",
    "[done]",
    "<code>",
    "</code>",
    "```",
    "```py",
    "~~~",
    "> ```",
    "<think>",
    "</think>",
    "'''",
    '"""',
    "\ufeff",
)
OTHERS = (
    "x",
    "def add(",
    "add = 1",
    "    x",
    "    ",
    "'",
    "\\",
    "#",
    "input(",
    "open(0",
    "import x",
    ">>> x",
    "return",
    "@x",
)


@pytest.mark.parametrize("opening", ["", "x\n", "```python\n"])
def test_reading_takes_time_by_the_length_of_the_text_alone(opening: str) -> None:
    """Whatever two pieces of it are repeated."""

    def is_slow(pair: str) -> bool:
        begun = time.process_time()
        readings(opening + pair * (12_000 // len(pair)), "add")
        return time.process_time() - begun > 0.2

    pairs = [f"{mark}\n{other}\n" for mark in MARKS for other in (*MARKS, *OTHERS)]
    # Three times in a row: Python's search for cycles of garbage may fall into one of them, with a heap of many tests.
    assert [pair for pair in pairs if all(is_slow(pair) for _ in range(3))] == []
