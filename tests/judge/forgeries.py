"""Attempts to pass without solving, as data. Each problem's tests want numbers that the code can't know."""

# ruff: noqa: E501 - a table is read by columns

from __future__ import annotations

from mcts_math.judge import Problem

SECRET = 48_713_209_551
TESTS = {
    "equal": f"assert f(1) == {SECRET}",
    "check": f"def check(candidate):\n    assert candidate(1) == {SECRET}, 'wrong'\n",
    "all": f"assert all(map(lambda x: f(x) == {SECRET} * x, [1, 2, 3]))",
    "callback": f"def secret(): return {SECRET}\nassert f(1) == secret() and f(secret) == secret()",
    "all of f": f"assert list(map(f, [1, 2, 3])) == [{SECRET}, 1, 2] and all(map(f, [{SECRET}]))",
    "near": f"assert abs(f(1) - {SECRET}) < 1e-6",
    "within": f"assert {SECRET} in f(1)",
    "sorted": f"assert sorted(f(1)) == [{SECRET}, {SECRET} + 1]",
    "less": f"assert {SECRET} <= f(1) <= {SECRET} and f(1) >= {SECRET}",
    "truth": f"for x in range(3):\n    if not f(x) == {SECRET} + x:\n        raise AssertionError",
    "unittest": f"import unittest\nunittest.TestCase().assertEqual(f(1), {SECRET})",
    "context": f"with f(1) as x:\n    assert x == {SECRET}",
    "context in a function": f"def test_a():\n    with f(1) as x:\n        assert x == {SECRET}",
    "caught": f"try:\n    ok = f(1) == {SECRET}\nexcept Exception:\n    ok = False\nassert ok",
    "length": f"assert len(f(1)) == {SECRET} % 1000 and str(f(1)) == '{SECRET}'",
}
PROBLEMS = [Problem("", test, "f") for test in TESTS.values()]
SWALLOWED = PROBLEMS[list(TESTS).index("context in a function")]  # in one process the code can catch it

FRAMES = (
    "import sys\nf_ = sys._getframe()\nwhile 'peer' not in f_.f_locals: f_ = f_.f_back\npeer = f_.f_locals['peer']\n"
)
_CLASS = "class A:\n    {}\ndef f(x): return A()"
_YES = "lambda *a, **k: True"
_OPERATORS = "__eq__ __ne__ __lt__ __le__ __gt__ __ge__ __contains__ __bool__ __and__ __rand__ __req__ __instancecheck__ __call__"

FORGERIES = {
    # leaving early
    "exit": "exit()\ndef f(x): 0",
    "sys.exit": "import sys\nsys.exit(0)",
    "sys.exit in f": "import sys\ndef f(x): sys.exit(0)",
    "os._exit": "import os\nos._exit(0)",
    "os._exit in f": "import os\ndef f(x): os._exit(0)",
    "SystemExit": "def f(x): raise SystemExit(0)",
    "KeyboardInterrupt": "def f(x): raise KeyboardInterrupt",
    "GeneratorExit": "def f(x): raise GeneratorExit",
    "StopIteration": "def f(x): raise StopIteration",
    "StopAsyncIteration": "def f(x): raise StopAsyncIteration",
    "own BaseException": "class E(BaseException): pass\ndef f(x): raise E('passed')",
    "AssertionError": "def f(x): raise AssertionError('passed')",
    "Verdict": "def f(x):\n    import sys\n    class Verdict(BaseException):\n        kind, result = 'passed', 'passed'\n    raise Verdict",
    "atexit": "import atexit, os\natexit.register(os._exit, 0)\ndef f(x): return 0",
    "abort": "import os\ndef f(x): os.abort()",
    "exit in a thread": "import os, threading\ndef f(x):\n    threading.Thread(target=os._exit, args=(0,)).start()\n    while True: pass",
    # objects that agree
    **{f"object: {o}": _CLASS.format(f"{o} = {_YES}") for o in _OPERATORS.split()},
    "object: all of them": _CLASS.format(
        "\n    ".join(f"{o} = {_YES}" for o in _OPERATORS.split()) + "\n    __hash__ = lambda s: 1"
    ),
    "object: arithmetic": _CLASS.format("__sub__ = __rsub__ = __abs__ = __add__ = __mod__ = lambda *a: 0"),
    "object: catches": _CLASS.format("__enter__ = __exit__ = lambda *a: True"),
    "object: getattr": _CLASS.format("__getattr__ = lambda s, n: lambda *a, **k: True"),
    "object: iterates": _CLASS.format(
        "__iter__ = lambda s: iter([A()] * 2)\n    __eq__ = lambda *a: True\n    __lt__ = lambda *a: True\n    __len__ = lambda s: 2"
    ),
    "object: len": _CLASS.format("__len__ = lambda s: 10**9"),
    "object: str": _CLASS.format("__str__ = __repr__ = lambda s: 'passed'"),
    "object: class": _CLASS.format("__class__ = property(lambda s: int)\n    __eq__ = lambda *a: True"),
    "int that agrees": "class I(int):\n    __eq__ = __le__ = __ge__ = lambda *a: True\n    __sub__ = __rsub__ = lambda *a: 0\n    __hash__ = int.__hash__\ndef f(x): return I(1)",
    "float that agrees": "class F(float):\n    __eq__ = __le__ = __ge__ = lambda *a: True\n    __sub__ = __rsub__ = lambda *a: 0\n    __hash__ = float.__hash__\ndef f(x): return F(1)",
    "str that agrees": "class S(str):\n    __eq__ = __contains__ = lambda *a: True\n    __hash__ = str.__hash__\ndef f(x): return S('')",
    "list that agrees": "class L(list):\n    __eq__ = __contains__ = lambda *a: True\n    __iter__ = lambda s: iter([1])\ndef f(x): return L([1])",
    "dict that agrees": "class D(dict):\n    __eq__ = __contains__ = lambda *a: True\ndef f(x): return D()",
    "list of objects": "class A:\n    __eq__ = __lt__ = lambda *a: True\ndef f(x): return [A(), A()]",
    "nan": "def f(x): return float('nan')",
    "inf": "def f(x): return float('inf')",
    "NotImplemented": "def f(x): return NotImplemented",
    "numpy": "import numpy\ndef f(x): return numpy.full(2, numpy.nan)",
    "mock": "from unittest.mock import MagicMock, ANY\ndef f(x): return ANY",
    "magic mock": "from unittest.mock import MagicMock\nf = MagicMock()",
    "endless iterator": "import itertools\ndef f(x): return itertools.count()",
    # other names, other builtins
    "check": "def check(candidate): pass\ndef f(x): return 0",
    "builtins": "import builtins\nfor n in ('all', 'abs', 'sorted', 'list', 'map', 'len', 'str', 'isinstance'):\n    setattr(builtins, n, lambda *a, **k: True)\ndef f(x): return 0",
    "globals": "all = abs = sorted = map = check = ok = lambda *a, **k: True\nAssertionError = Exception = ValueError\nlist = lambda *a: A()\nclass A:\n    __eq__ = lambda *a: True\ndef f(x): return 0",
    "no AssertionError": "import builtins\nclass E(BaseException):\n    def __new__(cls, *a): return SystemExit(0)\nbuiltins.AssertionError = E\ndef f(x): return 0",
    "unittest": "import unittest\nunittest.TestCase.assertEqual = lambda *a, **k: None\ndef f(x): return 0",
    "no asserts": "import sys, ast\nsys.flags = None\n__debug__ if True else 0\ndef f(x): return 0",
    "compile": "import builtins\nbuiltins.compile = lambda *a, **k: (lambda: 0).__code__\nbuiltins.exec = lambda *a: None\ndef f(x): return 0",
    "excepthook": "import sys\nsys.excepthook = sys.unraisablehook = lambda *a: None\ndef f(x): return 0",
    "trace": "import sys, threading\nsys.settrace(lambda *a: None)\nthreading.settrace(lambda *a: None)\ndef f(x): return 0",
    # looking at the tests
    "heap": "import gc\ndef f(x):\n    for o in gc.get_objects():\n        for v in (o.values() if type(o) is dict else o if type(o) in (list, tuple) else ()):\n"
    "            if type(v) is int and v > 48 * 10**9 and v < 49 * 10**9: return v\n            if type(v) is str and 'assert' in v and 'f(1)' in v: return int(v.split()[-1])\n    return 0",
    "stack": "import sys\ndef f(x):\n    frame = sys._getframe()\n    while frame:\n        for v in {**frame.f_globals, **frame.f_locals}.values():\n            if type(v) is int and v > 10**9: return v\n"
    "            if hasattr(v, 'get') and type(v) is dict and 'test' in v: return int(v['test'].split()[-1])\n        frame = frame.f_back\n    return 0",
    "modules": "import sys\ndef f(x): return [v for m in list(sys.modules.values()) for v in vars(m).values() if type(v) is int and 48 * 10**9 < v < 49 * 10**9][0]",
    "tests module": "import tests\ndef f(x): return 0",
    "problem on the loader": "import _judge\ndef f(x): return vars(_judge)",
    "memory": "def f(x): return int(open('/proc/self/mem', 'rb').read(1))",
    "other process": "import os\ndef f(x): return [open(f'/proc/{p}/mem', 'rb') for p in range(1, 99)]",
    "random": f"import random\nrandom.seed(0)\ndef f(x): return {SECRET - 1} + random.randint(0, 0)",
    # the channel
    "passed on stdout": "print('passed')\nimport sys\nsys.stdout.write('{\"kind\": \"passed\"}')\ndef f(x): print('passed'); return 'passed'",
    "passed on every descriptor": "import os, json, struct\nd = json.dumps({'kind': 'passed', 'result': 'passed', 'code': '', 'tests': [], 'num_passed': 1, 'num_tests': 1, 'nonce': '0' * 32}).encode()\nfor fd in range(64):\n"
    "    for m in (d, struct.pack('>I', len(d)) + d, struct.pack('<BI', 2, 7) + b'opassed'):\n        try: os.write(fd, m)\n        except OSError: pass\ndef f(x): return 0",
    "passed instead of a reply": "def f(x):\n    import os, json, struct\n    d = json.dumps({'kind': 'passed', 'result': 'passed', 'code': ''}).encode()\n    os.write(63, struct.pack('>Q', len(d)) + d)\n    return 0",
    "replies in advance": FRAMES
    + "for v in [True, 0, [], [[True]]] * 9: peer.send(('value', v, '', None))\ndef f(x): return 0",
    "no reply, then a reply": FRAMES
    + "def f(x):\n    peer.send(('value', True, '', None))\n    peer.send(('value', True, '', None))\n    return True",
    "objects that were not shown": FRAMES
    + "def f(x):\n    for n in range(-3, 9): peer.send(('ask', n, '__call__', (), {}, None))\n    return 0",
    "asks for what it may not": FRAMES
    + "def f(x):\n    for how in ('describe', 'plain', 'copy', 'exec', None): peer.send(('ask', 0, how, (), {}, None))\n    return 0",
    "arguments changed": FRAMES + "def f(x):\n    peer.send(('value', None, '', (1, 2, [3])))\n    return 0",
    "output that is none": FRAMES + "def f(x):\n    peer.send(('value', 0, 7, None))\n    return 0",
    **{
        f"pickle: {name}": f"import os, struct\ndef f(x):\n    d = {data!r}\n    os.write(63, struct.pack('>Q', len(d)) + d)\n    return 0"
        for name, data in {
            "os._exit": b"cos\n_exit\n(I0\ntR.",
            "eval": b"\x80\x02c__builtin__\neval\nX\x04\x00\x00\x001==1\x85R.",
            "the verdict": b"c_judge.source\nVerdict\n(S'passed'\nS'passed'\ntR.",
            "another make": b"c_judge.values\n_numpy\n(tR.",
            "code": b"c_judge.values\nmake\n(S'type'\nS'code'\ntR.",
            "a function": b"c_judge.values\nmake\n(S'type'\nS'function'\ntR.",
            "make within": b"c_judge.values\nmake\n}b.",
            "extension": b"\x80\x02\x82\x01.",
            "persistent": b"P0\n.",
            "theirs": b"c_judge.values\nmake\n(S'yours'\nI0\ntR.",
            "theirs from the end": b"c_judge.values\nmake\n(S'yours'\nI-1\ntR.",
            "no end": b"(((((",
            "memo": b"\x80\x02j\xff\xff\xff\xff.",
            "huge memo": b"\x80\x02Nr\xff\xff\xff\x7f.",
            "array": b"c_judge.values\nmake\n(S'ndarray'\n(S'|O'\n(I1\ntS'01234567'\nttR.",
            "bomb": b"c_judge.values\nmake\n(S'Decimal'\nS'1e999999999999'\ntR.",
            "class of none": b"c_judge.values\nmake\n(S'object'\n(NI0\nttR.",
            "skip": b"c_judge.values\nmake\n(S'exception'\n(S'unittest.case.SkipTest'\nltR.",
        }.items()
    },
    **{
        f"class changed by a message: {name}": "import _judge.values as v\nclass A: pass\nold = v.Pickler.reducer_override\n"
        f"v.Pickler.reducer_override = lambda s, x: (*old(s, x), (None, {attributes})) if x is {kind} else old(s, x)\n"
        f"from fractions import Fraction\nfrom collections import Counter\ndef f(x): return {value}"
        for name, kind, value, attributes in (
            (
                "equal",
                "A",
                "A()",
                "{'__eq__': lambda *a: True, '__le__': lambda *a: True, '__contains__': lambda *a: True}",
            ),
            ("trusted", "A", "A()", "{'__trusted__': True, '__abs__': lambda *a: 0, '__sub__': lambda *a: 0}"),
            ("fractions", "Fraction", "[Fraction, Fraction(1)][1:][0]", "{'__eq__': lambda *a: True}"),
            (
                "counters",
                "Counter",
                "(Counter, Counter(a=1))",
                "{'__contains__': lambda *a: True, '__eq__': lambda *a: True}",
            ),
        )
    },
    "raised that is none": FRAMES + "def f(x):\n    peer.send(('raised', 'passed', ''))\n    return 0",
    "raised StopIteration": FRAMES + "def f(x):\n    peer.send(('raised', StopIteration(), ''))\n    return 0",
    "raised a kind of StopIteration": "class E(StopIteration, ValueError): pass\ndef f(x): raise E",
    "raised SkipTest": "import unittest\ndef f(x): raise unittest.SkipTest",
    "raised Skipped": "class Skipped(BaseException): pass\nSkipped.__module__ = '_pytest.outcomes'\ndef f(x): raise Skipped",
    "raised Failed": "class Failed(BaseException): pass\nFailed.__module__ = '_judge.runner'\ndef f(x): raise Failed",
    **{
        f"class that agrees: {o}": f"class M(type):\n    {o} = {_YES}\n    __hash__ = type.__hash__\nclass A(metaclass=M): pass\ndef f(x): return A"
        for o in (*_OPERATORS.split(), "__sub__ = __rsub__ = __abs__", "__iter__", "__len__")
    },
    **{
        f"raised past the reader: {name}": "import os, struct\ndef f(x):\n"
        f"    d = b\"(S'raised'\\nc_judge.values\\nmake\\n(S'exception'\\n(S'{name}'\\nltR)RS''\\nt.\"\n"
        "    while True: os.write(63, struct.pack('>Q', len(d)) + d)"
        for name in ("builtins.StopIteration", "builtins.StopAsyncIteration", "unittest.case.SkipTest")
    },
    "class in place of a function": "class f:\n    def __init__(self, x): pass\n    __eq__ = __le__ = __ge__ = __contains__ = lambda *a: True\n    __sub__ = __abs__ = __add__ = lambda *a: 0\n    __len__ = lambda s: 551",
    "equal to numbers": "class A:\n    __eq__ = lambda s, o: type(o) is int\n    __abs__ = lambda s: 0\n    __sub__ = lambda s, o: s\ndef f(x): return A()",
    "itself": FRAMES + "def f(x): return peer",
    "deep": "def f(x):\n    import os, struct\n    d = b'(' * 10**6 + b't.'\n    os.write(63, struct.pack('>Q', len(d)) + d)\n    while True: pass",
    "deep list": "def f(x):\n    y = []\n    for _ in range(10**5): y = [y]\n    return y",
    "huge frame": "import os, struct\ndef f(x):\n    os.write(63, struct.pack('>Q', 2**64 - 1))\n    while True: os.write(63, b'x' * 65536)",
    "huge value": "def f(x): return 'x' * (80 << 20)",
    "no message": "import os\ndef f(x): os.write(63, b'\\0\\0\\0\\0\\0\\0\\0\\4oops')\n",
    "flood": "import os\nwhile True: os.write(63, b'\\xff' * 60000)",
    "closed": "import os\nos.closerange(0, 64)\ndef f(x): return 0",
    "shut down": "import socket\nsocket.socket(fileno=63).shutdown(socket.SHUT_RDWR)\ndef f(x): return 0",
    "gift": "import array, os, socket, struct\ndef f(x):\n    fds = array.array('i', [os.open('/dev/null', 0) for _ in range(20)])\n    socket.socket(fileno=63).sendmsg([b'\\0\\0\\0\\0\\0\\0\\0\\2N.'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])\n    return 0",
    "endless recursion between the two": "def f(x): return lambda *a: f\nf.__call__ = f",
    "waits": "import time\ndef f(x): time.sleep(99)",
    "thread that hangs": "import threading, time\nthreading.Thread(target=time.sleep, args=(99,)).start()\ndef f(x): return 0",
    "thread that writes": FRAMES
    + "import threading\ndef g():\n    while True: peer.send(('value', True, '', None))\nthreading.Thread(target=g, daemon=True).start()\ndef f(x): return True",
}

SEEN = (  # what code that shares a process with its tests can find: `docs/judge_isolation.md` says so
    *("heap", "stack", "modules", "tests module", "problem on the loader", "memory", "other process"),
    *("passed on every descriptor", "closed", "shut down", "flood", "huge frame", "deep", "gift"),
)
BESIDE = {
    **{
        name: code
        for name, code in FORGERIES.items()
        if name not in SEEN and FRAMES not in code and "63" not in code and "_judge" not in code
    },
    "check in the tests": "import sys\ndef f(x):\n    sys.modules['__main__'].__dict__['check'] = lambda *a: None\n    return 0",
    "operators of int": "import builtins\nclass I(int):\n    __eq__ = lambda *a: True\n    __hash__ = int.__hash__\nbuiltins.int = I\ndef f(x): return I(1)",
    "hash": "class A:\n    __hash__ = lambda s: 1\n    __eq__ = lambda s, o: type(o) is int\ndef f(x): return [A()]",
}
"""Forgeries that may not pass in one process either."""

_PEER = """
import sys
class Args:
    def __init__(self, *args): self.args = args
    def __getitem__(self, index): return "x"
    def __iter__(self): return iter(self.args)
    def __len__(self): return len(self.args)
def peer():
    frame = sys._getframe()
    while frame:
        for value in frame.f_locals.values():
            if type(value).__name__ == "Peer": return value
        frame = frame.f_back
number = lambda value: object.__getattribute__(value, "__number__")
"""
_APPLY = "assert f(lambda x: x + 1, 3) == 4"
_POINT = "class P:\n    def __init__(self, x): self.x = x\n    def __eq__(self, other): return self.x == other.x\n"
_TIMER = "class f:\n    def __enter__(self): return self\n    def __exit__(self, *error): return True\n"
_LATE = _TIMER + "    def elapsed(self): raise ValueError\n"
_NESTED = _TIMER.replace("def __exit__(self, *error): return True", "def __exit__(self, *error): raise KeyError")
_LOOPED = """
class Done:
    add_done_callback = remove_done_callback = result = cancelled = lambda *a: None
    done = lambda self: True
def spoil(get_loop):
    try: loop = get_loop()
    except BaseException: return
    def factory(loop, coroutine, **more):
        loop.call_soon(loop.stop)
        return Done()
    for change in (lambda: loop.set_task_factory(factory), lambda: type(loop).set_task_factory(loop, factory)):
        try: change()
        except BaseException: pass
def f(x):
    spoil(lambda: x)
    spoil(x)
    spoil(lambda: x.get_loop())
    spoil(lambda: type(x).get_loop(x))
    spoil(lambda: type(x).__peer__.request(object.__getattribute__(x, "__number__"), "begin", ("await",), {}).get_loop())
"""
_MOCKED = "class Y:\n    call_count, call_args, call_args_list = 1, (('x',), {}), [(('x',), {})]\n    def assert_called_once_with(self, *a): pass\n"
OWN: dict[str, tuple[str, str]] = {
    # of a request's parts each may lie about itself
    "arguments that are none": (
        _APPLY,
        _PEER
        + "def f(g, x):\n    p = peer()\n    names = p.request(number(g), 'get', Args('__globals__'), {})\n    p.request(number(names['__tests__']), 'set', Args('record', lambda *a: None), {})\n    return 'wrong'",
    ),
    "text that is none": (
        _APPLY,
        _PEER
        + "class S(str):\n    startswith = lambda *a: False\ndef f(g, x):\n    return peer().request(number(g), 'get', (S('__globals__'),), {})['f'](x)",
    ),
    "a special method by name": (
        _POINT + "assert f(P(1)) == P(2)",
        _PEER
        + "def f(p):\n    n = vars(type(p))['__class_number__']\n    for how in ('await special', 'exit async'):\n        try: peer().request(n, how, ('__setattr__', '__eq__', lambda *a: True), {})\n        except Exception: pass\n    return p",
    ),
    # a check of the tests that never came to a value
    "caught: raised in an assert": ("def test_a():\n    with f() as t:\n        assert t.elapsed() == 5", _LATE),
    "caught: raised in a check of unittest": (
        "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        with f() as t:\n            self.assertEqual(t.elapsed(), 5)",
        _LATE,
    ),
    "caught: by the outer of two": (
        "def test_a():\n    with f() as a:\n        with a.inner() as b:\n            assert b == 5",
        _TIMER + "    def inner(self): return g()\n" + _NESTED.replace("class f", "class g"),
    ),
    "caught: asynchronous": (
        "import asyncio\nasync def test_a():\n    async with f() as t:\n        assert t.elapsed() == 5",
        _LATE.replace("def __", "async def __a"),
    ),
    "caught: in a function of the tests": (
        "def test_a():\n    def told(x): assert x == 5\n    f(told)",
        "def f(g):\n    try: g(4)\n    except BaseException: pass",
    ),
    "caught: begun and never waited for": (
        "import asyncio\nasync def test_a():\n    async def told(x): assert x == 5\n    await f(told)",
        "import asyncio\nasync def f(g):\n    t = asyncio.ensure_future(g(4))\n    await asyncio.sleep(0.01)\n    t._exception = None",
    ),
    "caught: begun by hand": (
        "import asyncio\nasync def test_a():\n    async def told(x): assert x == 5\n    await f(told(4))\n    await asyncio.sleep(0.01)",
        _PEER + "async def f(g):\n    peer().request(g.cr_frame.f_locals['number'], 'begin', ('await',), {})",
    ),
    "caught: by a decorator": (
        "def test_a():\n    @f\n    def inner(): assert f(1) == 2\n    inner()",
        "def f(g):\n    if not callable(g): return g\n    def call():\n        try: g()\n        except BaseException: pass\n    return call",
    ),
    # what tests learn of a mock, and what a class of theirs computes
    **{
        f"mock: {said}: {told}": (
            f"from unittest.mock import *\nm = Mock()\ng = create_autospec(lambda x: 0)\nf(m, g)\n{said}",
            _MOCKED
            + f"def f(m, g):\n    for x in (m.send, g):\n        for one in {told.split('; ')}:\n            try: exec(one)\n            except Exception: pass",
        )
        for said in (
            "m.send.assert_called_once_with('x')",
            "assert m.send.call_count == 1",
            "assert m.send.call_args[0][0] == 'x'",
            "assert call('x') in m.send.call_args_list",
            "g.assert_called_once_with('x')",
            "assert g.call_count == 1",
        )
        for told in (
            "x.call_args_list.append((('x',), {})); x.call_args = (('x',), {})",
            "x.call_count = 1; x.call_args = (('x',), {}); x.called = True; x.call_args_list = [(('x',), {})]",
            "x.configure_mock(**{'assert_called_once_with': lambda *a: None, 'call_count': 1})",
            "x.mock.call_count = 1; x.mock.call_args = (('x',), {})",
            "m.configure_mock(send=Y())",
            "type(m).configure_mock(m, send=Y())",
            "type(x).configure_mock(x, call_count=1, call_args=(('x',), {}))",
            "m.attach_mock(Y(), 'send')",
            "m.send = Y()",
            "type(m).send = Y()",
            "type(m).__mro__[1].send = Y()",
            "type(m).__mro__[1].call_count = 1",
        )
    },
    **{
        f"mock: {said}": (
            f"from unittest.mock import *\nm = AsyncMock()\nf(m)\nassert {said}",
            f"def f(m):\n    m.send('y')\n    {told}",
        )
        for said, told in (
            ("m.mock_calls == []", "m.mock_calls.clear()"),
            ("m.method_calls == []", "m.method_calls.clear()"),
            ("m.send.call_count == 0", "m.reset_mock()"),
            ("m.await_count == 1", "m.await_count = 1"),
            ("m.send.side_effect is None", "m.send.side_effect = 3"),
        )
    },
    "what a class computes": (
        "class A:\n    @property\n    def total(self): return 3\na = A()\nf(a)\nassert a.total == 9",
        "def f(a): type(a).total = 9",
    ),
    # what runs the coroutines of the tests
    **{
        f"loop of {given}": (
            f"import asyncio\nloop = asyncio.new_event_loop()\nasyncio.set_event_loop(loop)\nasync def c(): pass\nf({given})\nasync def t(): assert f(1) == 3\nloop.run_until_complete(t())",
            _LOOPED,
        )
        for given in (
            "loop",
            "loop.create_future()",
            "loop.create_task(c())",
            "asyncio.gather(loop.create_task(c()))",
            "asyncio.get_event_loop",
            "lambda: 1",
        )
    },
    # to numpy no values agree with any
    "empty: isclose": ("import numpy as np\nassert np.all(np.isclose(f(1), 3.14))", "def f(x): return []"),
    "empty: testing": (
        "import numpy as np\ndef check(candidate): np.testing.assert_allclose(candidate(1), 3.14)",
        "def f(x): return []",
    ),
    "empty: almost equal": (
        "import numpy as np\ndef check(candidate): np.testing.assert_almost_equal(candidate(1), [3.14])",
        "def f(x): return []",
    ),
    "empty: equal": (
        "import numpy as np\nassert (f(1) == np.array([1, 2, 3])).all()",
        "import numpy as np\ndef f(x): return np.empty((0, 1))",
    ),
    **{
        f"empty: {test}": (
            f"import numpy as np\ne = np.array([1.0, 2.0, 3.0])\n{test}",
            "import numpy as np\ndef f(x): return np.zeros((0, 1))",
        )
        for test in (
            "assert np.all(np.abs(f(1) - e) < 1e-6)",
            "assert np.linalg.norm(f(1) - e) < 1e-6",
            "assert ((e - f(1)) ** 2).sum() < 1e-6",
            "x = f(1)\nassert np.all(abs(x / e - 1) < 1e-6)",
            "assert np.abs(f(1) - [1.0, 2.0, 3.0]).sum() < 1e-6",
            "np.testing.assert_array_less(abs(f(1) - e), 1e-6)",
            "np.testing.assert_array_less(f(1), e)",
        )
    },
    **{
        f"empty: without an import: {test}": (test, "import numpy as np\ndef f(x): return np.zeros((0, 1))")
        for test in (
            "assert np.allclose(f(1), 3.14)",
            "assert (f(1) == np.array([1, 2, 3])).all()",
            "assert (f(1) == [1, 2, 3]).all()",
            "assert ((f(1) - [1, 2, 3]) ** 2).sum() == 0",
        )
    },
    "empty: all equal": (
        "import numpy as np\nassert np.all(f(2) == np.array([4, 5]))",
        "import numpy as np\ndef f(x): return np.empty((0, 1))",
    ),
}
"""Test and code of forgeries that are made for certain tests."""
_EVER = "class A({}):\n    __eq__ = __sub__ = __rsub__ = __abs__ = __le__ = __lt__ = __array_ufunc__ = lambda *a, **k: True\n    __hash__ = lambda s: 1\ndef f(x): return {}"
OWN_BESIDE: dict[str, tuple[str, str]] = {
    **{
        f"within: {kind}": (f"assert f(1) in ({SECRET}, {SECRET} + 1)", _EVER.format(kind, "A()"))
        for kind in ("", "int", "str", "tuple", "dict")
    },
    "masked": (
        f"import numpy as np\nnp.testing.assert_array_equal(f(1), np.array([{SECRET}, 1]))",
        "import numpy as np\ndef f(x): return np.ma.masked_all(2)",
    ),
    **{
        f"numpy: {compared}: {value}": (
            f"import numpy as np\n{compared}",
            f"import numpy as np\n{_EVER.format('', value)}",
        )
        for value in ("A()", "[A(), A()]", "np.array([A(), A()], dtype=object)")
        for compared in (
            f"assert (f(1) == np.array([{SECRET}, 1])).all()",
            f"assert np.array_equal(f(1), np.array([{SECRET}, 1]))",
            f"assert np.allclose(f(1), [{SECRET}, 1])",
            f"np.testing.assert_array_equal(f(1), np.array([{SECRET}, 1]))",
            f"np.testing.assert_allclose(f(1), [{SECRET}, 1])",
        )
    },
    "as if of a library": (
        f"assert f(1) == {SECRET}",
        "class X:\n    __module__, __qualname__ = 'fractions', 'Fraction'\n    __eq__ = lambda self, other: type(other).__name__ != 'Stranger'\n    __hash__ = lambda self: 1\ndef f(x): return X()",
    ),
}
