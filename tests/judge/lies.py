"""Attempts to pass by what an answer says of itself, as data: name, fields of the problem, code."""

# ruff: noqa: E501 - a table is read by columns

from __future__ import annotations

from typing import Any

Lie = tuple[str, dict[str, Any], str]


def _f(test: str, **fields: Any) -> dict[str, Any]:
    return {"prompt": "", "test": test, "entry_point": "f"} | fields


_YES = "__eq__=lambda o: True, __ne__=lambda o: False, __lt__=lambda o: True, __gt__=lambda o: True, __le__=lambda o: True, __ge__=lambda o: True"
_NUMBER = f"from types import SimpleNamespace\nclass N(SimpleNamespace):\n    __sub__ = __rsub__ = __add__ = lambda s, o: 0\n    __round__ = __abs__ = lambda s, n=0: s\n    __len__ = lambda s: 3\n    __iter__ = lambda s: iter([s] * 3)\n    __getitem__ = lambda s, k: s\ndef f(*a): return N(__sub__=lambda o: 0.0, __rsub__=lambda o: 0.0, __contains__=lambda o: True, {_YES})"
_COMPARED = {
    "equal": "assert f(1) == 3",
    "equal on the right": "assert [1] == f(3)",
    "not unequal": "assert not (f(1) != 'x')",
    "ordered": "assert 5 < f(1) and f(1) < 2",
    "near": "assert abs(f(1) - 3.14) < 0.01",
    "rounded": "assert round(f(1), 2) == 3.14",
    "within": "assert 3 in f(1)",
    "items": "assert list(f(1)) == [1, 2, 3]",
    "sorted": "assert sorted(f(1)) == [1, 2, 3]",
    "approx": "import pytest\ndef test_a():\n    assert f(1) == pytest.approx(3.14)",
    "unittest": "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), 3)",
}
_LIST = "class L(list):\n    __len__ = lambda s: 3\n    __iter__ = lambda s: iter(())\n    __eq__ = lambda s, o: True\n    __ne__ = lambda s, o: False\ndef f(x): return L()"
_DICT = "class D(dict):\n    items = lambda s: ()\n    keys = lambda s: {'a': 1}.keys()\n    __eq__ = lambda s, o: True\n    __ne__ = lambda s, o: False\ndef f(x): return D()"
_SET = "class S(set):\n    o = ()\n    def difference(s, o):\n        s.o = o\n        return set()\n    issuperset = issubset = lambda s, o: True\n    isdisjoint = lambda s, o: False\n    __iter__ = lambda s: iter(s.o)\ndef f(x): return S()"
_WAYS = "import sys\nfrom types import SimpleNamespace\nfrom collections import UserDict\n_acts, _values, _classes, _peer = (sys.modules['_judge.' + n] for n in ('acts', 'values', 'classes', 'peer'))\nclass L(list):\n    __contains__ = lambda s, o: True\nreal = _values.pack\n"
_PLAIN = _WAYS + "_acts._WAYS['plain'] = lambda v: {}\ndef f(x): return L()"
_PLAIN_PACKED = _PLAIN.format("S") + "\nS = object()\n_values.pack = lambda v: {} if v is S else real(v)"
_CLAIM = (
    _WAYS + "describe = _classes.describe_class\nclass A:\n    {}\n"
    "def describe_class(k):\n    d = list(describe(k))\n    if k is A: d[2:4] = {!r}, []\n    return tuple(d)\n"
    "_classes.describe_class = describe_class\ndef f(x): return A()"
)
LIES: list[Lie] = [
    *((f"attributes: {name}", _f(test), _NUMBER) for name, test in _COMPARED.items()),
    ("attributes: a case", {"entry_point": "f", "cases": [{"input": [1], "output": 3}]}, _NUMBER),
    ("attributes: a case of lists", {"entry_point": "f", "cases": [{"input": [1], "output": [1, {"a": 2}]}]}, _NUMBER),
    ("attributes: a tolerance", _f("assert f(1) == 3.5", tolerance=0.1), _NUMBER),
    *((f"a length and other items: {test}", _f(test, tolerance=0.1), _LIST) for test in ("assert f(1) == [1.5, 2, 3]", "assert [1.5, 2, 3] == f(1)", "assert (1, f(1)) == (1, [1.5])")),
    *((f"keys and other items: {test}", _f(test, tolerance=0.1), _DICT) for test in ("assert f(1) == {'a': 1.5}", "assert {'a': 1.5} == f(1)")),
    ("methods of sets: unittest", _f("import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertSetEqual(f(1), {3, 4})"), _SET),
    *((f"methods of sets: {test}", _f(f"assert {test}"), _SET) for test in ("f(1).issuperset({3, 4})", "not f(1).symmetric_difference({3})", "not f(1).isdisjoint({3})")),
    *(
        (f"content: {name}: {test}", _f(test), code)
        for test in ("assert f(1) == [1, 2]", "assert 3 in f(1)", "assert f(1) + [3] == [3]", "import unittest\nunittest.TestCase().assertListEqual(f(1), [3])")
        for name, code in {
            "attributes": _PLAIN.format(f"SimpleNamespace({_YES}, __add__=lambda o: o)"),
            "another type": _PLAIN.format("(3,)"),
            "a dictionary": _PLAIN.format("UserDict()"),
            "an error with attributes": _PLAIN_PACKED.format("('error', (9000, ValueError, (), {'__eq__': lambda o: True, '__contains__': lambda o: True, '__add__': lambda o: o}, None, None))"),
            "a packed namespace": _PLAIN_PACKED.format("('SimpleNamespace', (('__eq__', lambda o: True), ('__contains__', lambda o: True)))"),
            "an object": _PLAIN.format("A()") + "\nclass A:\n    __eq__ = __contains__ = lambda s, o: True\n    __add__ = lambda s, o: o",
        }.items()
    ),
    *((f"says that it is a {kind}", _f(test, tolerance=0.1), _CLAIM.format("__abs__ = lambda s: 1e300\n    __complex__ = lambda s: 0j\n    __float__ = lambda s: 0.0\n    __len__ = lambda s: 3\n    __iter__ = lambda s: iter(())\n    items = lambda s: ()\n    keys = lambda s: {'a': 1}.keys()", kind)) for kind, test in (("complex", "assert f(1) == 3.5"), ("float", "assert f(1) == 3.5"), ("list", "assert f(1) == [1.5, 2, 3]"), ("dict", "assert f(1) == {'a': 1}"))),
    (
        "text that is none",
        {"cases": [{"input": "1\n", "output": "YES\n"}, {"input": "2\n", "output": "17\n"}]},
        _WAYS + "class Line:\n    strip = lambda s: 'x'\n    split = lambda s: [SimpleNamespace(__eq__=lambda o: True)]\nclass Text:\n    split = lambda s, *a: [Line()]\n_values.LIKE['str'] = Text\n"
        "def go():\n    g = sys._getframe()\n    while g:\n        if 'text_of' in g.f_globals: g.f_globals['text_of'] = lambda out: Text() if sys._getframe(1).f_code.co_name == 'run' else ''\n        g = g.f_back\ngo()",
    ),
    (
        "text of a class of its own",
        {"cases": [{"input": "1\n", "output": "YES\n"}]},
        "import sys\nclass Text(str):\n    split = lambda s, *a: ['YES']\n    __eq__ = lambda s, o: True\n    __hash__ = str.__hash__\n"
        "def go():\n    g = sys._getframe()\n    while g:\n        if 'text_of' in g.f_globals: g.f_globals['text_of'] = lambda out: Text('no') if sys._getframe(1).f_code.co_name == 'run' else ''\n        g = g.f_back\ngo()",
    ),
]  # fmt: skip
