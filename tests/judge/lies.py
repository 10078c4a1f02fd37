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

_OBJECT = """
import sys
from _judge import peer as _p, values as _v
_own, _real = [], _p.Peer.answer
def _answer(self, kind, value, after=(), held=()):
    if not _own: _own.append(self)
    return _real(self, kind, value, after, held)
_p.Peer.answer = _answer
number = lambda value: object.__getattribute__(value, "__number__")
class Yours:
    def __init__(self, number): self.number = number
_pack = _v.pack
_v.pack = lambda value: ("yours", (value.number,)) if type(value) is Yours else _pack(value)
def ask(value, how, *args, **kwargs):
    return _own[0].request(value if type(value) is int else number(value), how, args, kwargs)
def run(exec):
    exec("import sys\\nR = sys.modules['_judge.runner'].Runner\\nreal = R.record\\nR.record = lambda s, n, e: real(s, n, None)\\nsys.modules['_judge.peer'].Peer.fault = lambda s: None")
"""
_FRAME = "run(frame.f_globals['__builtins__']['exec'])"
_G = "assert f(lambda x: x + 1, 3) == 48_713"
_COROUTINE = "import asyncio\nasync def g():\n    await asyncio.sleep(0)\n    return 1\nasync def test_a():\n    assert await f({}) == 48_713"
_PLAIN_TEST = "assert f(1) == 48_713\nassert f(2) == 48_714"
_TEXT = _OBJECT + "def f(g, x):\n    {}\n    return 0"
_MESSAGE = "import os, struct, sys\nnumber = lambda value: object.__getattribute__(value, '__number__')\nmake = b'c_judge.values\\nmake\\n'\n"
_RAW = (
    _MESSAGE
    + "def f(g, *a):\n    mine = make + b\"(S'yours'\\n(I%d\\nttR\" % number(g)\n    d = {}\n    while True: os.write(63, struct.pack('>Q', len(d)) + d)"
)
_MOCKED = "from types import SimpleNamespace\nclass C:\n    n = 0\n    def __call__(self, x): return x\n    def append(self, x): self.n = 48_713\n    extend = __setitem__ = add = append\nc = C()\nf(c)\nassert c.n == 48_713"
BEHIND: list[Lie] = [
    *(
        (f"a frame: {how}: {test}", _f(test), _TEXT.format(f"frame = {how}\n    {_FRAME}"))
        for test in (_G, "def check(candidate):\n    assert candidate(str, 3) == 48_713\n    assert candidate(print, 3) == 48_713", "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f([].append, 1), 48_713)")
        for how in (
            "ask(g, 'begin', 'await').get_stack()[0]",
            "ask(g, 'begin', 'await').get_coro().cr_frame",
            "ask(number(g), 'get', 'gi_frame')",
            "ask(type(g), '__call__') if ask(g, 'get', '__class__') else 0",
        )
    ),
    *(
        (f"of what was asked for: {name}", _f(_COROUTINE.format(given)), _OBJECT + f"async def f(g, *a):\n    {code}\n    return 0")
        for name, given, code in (
            ("the frame of a coroutine", "g()", f"frame = ask(g.cr_frame.f_locals['number'], 'get', 'cr_frame')\n    {_FRAME}"),
            ("the loop", "asyncio.get_running_loop()", "g.set_task_factory(lambda *a, **k: 0)\n    g.stop()"),
            ("the loop's classes", "asyncio.get_running_loop()", "ask(g, 'get', 'call_exception_handler')({})\n    g.call_soon(g.stop)"),
            ("the task", "asyncio.current_task()", f"frame = g.get_stack()[0]\n    {_FRAME}"),
            ("the task's loop", "asyncio.current_task()", "g.get_loop().set_task_factory(lambda *a, **k: 0)"),
            ("the task's coroutine", "asyncio.current_task()", f"frame = g.get_coro().cr_frame\n    {_FRAME}"),
        )
    ),
    *(
        (f"handed over: {given}", _f(f"import operator, sys, types, inspect, unittest, functools\nv = 48_713\ndef g(): return v\ndef gen(): yield v\nassert f({given}, g) == 48_713"), _TEXT.format(code))
        for given, code in (
            ("exec", "run(g)"),
            ("eval", "return g('v')"),
            ("getattr", "return g(x, '__globals__')['v']"),
            ("vars", "return g(x)['v']"),
            ("globals", "return g()['v']"),
            ("str.format", "return int(g('{0.__globals__[v]}', x))"),
            ("operator.attrgetter", "return g('__globals__')(x)['v']"),
            ("type", "return g('A', (), {'__eq__': lambda *a: True})()"),
            ("sys", "return g._getframe().f_globals['v']"),
            ("sys.modules['__main__']", "return g.v"),
            ("types.FunctionType", "return ask(x, 'get', '__globals__')"),
            ("inspect.currentframe()", "return g.f_globals['v']"),
            ("g.__code__", "run(type(g))"),
            ("gen()", "return g.gi_frame.f_globals['v']"),
            ("unittest.TestCase()", "g.skipTest('no')"),
            ("inspect.signature(g)", "return g.replace"),
        )
    ),
    ("one that was not shown on purpose", _f(_PLAIN_TEST), _OBJECT + f"def f(x):\n    frame = ask(0, 'begin', 'await').get_stack()[0]\n    {_FRAME}\n_real = lambda self, kind, value, after=(), held=(), real=_real: real(self, kind, dict(value, zz=ValueError('x')) if type(value) is dict else value, after, [(-1, 5)] if type(value) is dict else held)"),
    ("one that an answer holds", _f(_PLAIN_TEST), _OBJECT + f"xs = [ValueError('x')]\n_real = lambda self, kind, value, after=(), held=(), real=_real: real(self, kind, xs if value is None else value, after, [(-1, 5)] if value is None else held)\ndef f(x):\n    if x == 1: return None\n    frame = ask(0, 'begin', 'await').get_stack()[0]\n    {_FRAME}"),
    *(
        (f"a message that {name}", _f(_MOCKED), _RAW.format(code))
        for name, code in {
            "calls an object of the tests": "mine + b'(I1\\ntR.'",
            "appends to one": "mine + b'I1\\na.'",
            "extends one": "mine + b'(I1\\ne.'",
            "sets an item of one": "mine + b'I1\\nI2\\ns.'",
            "sets items of one": "mine + b'(I1\\nI2\\nu.'",
            "adds to one": "mine + b'(I1\\n\\x90.'",
            "calls a class": "make + b\"(S'type'\\n(S'object'\\nttR)R.\"",
            "makes a fraction of an object": "make + b\"(S'Fraction'\\n(\" + mine + b\"ttR.\"",
        }.items()
    ),
    *(
        (f"an error with attributes: {test}", _f(f"import numpy as np\n{test}"), "def f(x):\n    e = ValueError()\n    e.__dict__.update(__array__=lambda *a, **k: 0, __array_interface__={'data': (0, False), 'shape': (1,), 'typestr': '<i8', 'version': 3}, __eq__=lambda o: True, is_right=lambda *a: True)\n    raise e")
        for test in ("try:\n    f(1)\nexcept ValueError as e:\n    assert e.__array_interface__", "try:\n    f(1)\nexcept ValueError as e:\n    assert np.asarray(e).dtype != object")
    ),
    ("a method of the tests' error", _f("class E(ValueError):\n    def is_right(self): return False\ndef g(): raise E\ntry:\n    f(g)\nexcept E as e:\n    assert e.is_right()"), "def f(g):\n    try: g()\n    except Exception as e: k = type(e)\n    e = k()\n    e.is_right = lambda: True\n    raise e"),
    ("a descriptor of the examiner", _f("import tempfile\nassert f(tempfile.TemporaryFile()) == 48_713"), "def f(file):\n    for n in range(3, 200):\n        try: type(file.raw)(n, 'wb', closefd=False)\n        except OSError: continue\n        except TypeError: return 0\n        return 48_713"),
    ("a stack of exits", _f("import contextlib\ndef go(g):\n    with contextlib.ExitStack() as stack:\n        assert g(stack) == 3\ndef test_a(): go(f)"), "def f(stack):\n    stack.push(lambda *a: True)\n    return 1"),
]  # fmt: skip
