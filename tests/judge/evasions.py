"""Attempts to pass without a value: a failed check that is caught, cut short or never run; text that runs as the tests'."""

# ruff: noqa: E501 - a table is read by columns

from __future__ import annotations

from kinds import Kind
from lies import Lie, _f

_STOPS = "class B(BaseException): pass\ndef stop(): raise {}\n"
_MANAGER = (
    "class f:\n    def __enter__(s): return s\n    def __exit__(s, *e): return True\n    def go(s, *x): return {}\n"
)
_WITHIN = "def test_a():\n    with f() as t:\n        "
_OF_UNITTEST = (
    "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        with f() as t:\n            "
)
_SWALLOWS = "def f(g):\n    try: g({})\n    except BaseException: pass"
CAUGHT: list[Lie] = [
    *(
        (f"{error}: {name}", _f(test), _STOPS.format(error) + code.format("stop" if "lambda" in code else "stop()"))
        for error in ("SystemExit", "KeyboardInterrupt", "GeneratorExit", "B", "BaseExceptionGroup('a', [B()])")
        for name, test, code in (
            ("a context manager", _WITHIN + "assert t.go() == 5", _MANAGER),
            ("a context manager beside unittest", _OF_UNITTEST + "self.assertEqual(t.go(), 5)", _MANAGER),
            ("a function of the tests", "def test_a():\n    def told(x): assert x() == 5\n    f(told)", _SWALLOWS.format("stop")),
        )
    ),
    *(
        (f"a context manager: {check}", _f(f"import pytest, sys\n{_WITHIN}{check}"), _MANAGER.format(3))
        for check in ("if t.go() != 5: pytest.fail('no')", "if t.go() != 5: sys.exit(1)", "if t.go() != 5: raise AssertionError", "with pytest.raises(ValueError): t.go(-1)")
    ),
    *(
        (f"a function of the tests: {check}", _f(f"import pytest\ndef test_a():\n    def told(g):\n        {check}\n    f(told)"), _SWALLOWS.format("lambda: 1"))
        for check in ("if g() != 5: pytest.fail('no')", "if g() != 5: raise AssertionError", "with pytest.raises(ValueError): g()")
    ),
    ("a time limit of the code's", _f("def test_a():\n    def told(x):\n        for _ in range(10**7): pass\n        assert x() == 5\n    f(told)"), "import _judge.peer as p\nreal = p.Peer.send\np.Peer.send = lambda s, m: real(s, m[:5] + (0.001,) + m[6:] if m[0] == 'ask' else m)\n" + _SWALLOWS.format("lambda: 1")),
]  # fmt: skip
"""A check of the tests that fails, and would not be heard of."""

_ENDS = "class f:\n    n = 0\n    def __enter__(s): return s\n    def __exit__(s, kind, *e):\n        s.n = 1\n        return kind is not None and issubclass(kind, {})\n"
STILL_CAUGHT: list[Kind] = [
    (f"a context manager: {error}", _f(f"class B(BaseException): pass\ndef test_a():\n    t = f()\n    with t: raise {error}\n    assert t.n == 1"), _ENDS.format("BaseException"), _ENDS.format("ArithmeticError"))
    for error in ("ValueError", "KeyboardInterrupt", "B")
]  # fmt: skip
