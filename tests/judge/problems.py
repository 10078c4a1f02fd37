"""Problems and completions that several tests use."""

from __future__ import annotations

from collections.abc import Callable

from mcts_math.judge import Judgement, Problem

Ask = Callable[..., list[Judgement]]
ADD = Problem(prompt="", test="assert add(1, 2) == 3\nassert add(-1, 1) == 0\n", entry_point="add")
GOOD = "```python\ndef add(a, b):\n    return a + b\n```"
