"""The public list is honest."""

from __future__ import annotations

import subprocess
import sys

import pytest

import mcts_math


def test_every_public_name_exists() -> None:
    assert sorted(mcts_math._HOMES) == sorted(mcts_math.__all__)
    for name in mcts_math.__all__:
        assert getattr(mcts_math, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        mcts_math.nothing  # noqa: B018


def test_every_public_name_says_what_it_is() -> None:
    for name in mcts_math.__all__:
        public = getattr(mcts_math, name)
        text = vars(public)["__doc__"] if isinstance(public, type) else public.__doc__
        assert text, name
        assert not text.startswith(f"{name}("), "the docstring is the one that `dataclass` makes"


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, mcts_math; print([m for m in sys.modules if m.startswith('mcts_math.')])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
