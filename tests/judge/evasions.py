"""Attempts to pass without a value: a failed check that is caught, cut short or never run; text that runs as the tests'."""

# ruff: noqa: E501 - a table is read by columns

from __future__ import annotations

from kinds import DEC, INC, Kind
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
_GIVES = "errors = {'e': Exception}\ndef f(x): return {'errors': [Exception], 'e': AssertionError, 'object': object}.get(x, 3)\nf.errors = lambda: BaseException"
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
    *(
        (f"a name that catches: {error}: {name}", _f(f"try:\n    f(-1)\n    assert False\nexcept {name}:\n    pass"), f"def f(x): return 0\nMyError = f.MyError = {error}")
        for error in ("Exception", "BaseException", "AssertionError", "(ValueError, Exception)")
        for name in ("MyError", "f.MyError")
    ),
    *(
        (f"a class that catches: {name}", _f(f"import contextlib, pytest, unittest\n{test}\nassert f(2) == 3"), _GIVES)
        for name, test in (
            ("a call", "try:\n    assert f(1) == 2\nexcept (ValueError, f('e')): pass"),
            ("an item", "try:\n    assert f(1) == 2\nexcept errors['e']: pass"),
            ("a method", "try:\n    assert f(1) == 2\nexcept f.errors(): pass"),
            ("a loop", "for E in f('errors'):\n    try: assert f(1) == 2\n    except E: pass"),
            ("a function", "def g(x):\n    try: assert f(x) == 2\n    except f('e'): pass\ng(1)"),
            ("a raise", "try:\n    if f(1) != 2: raise AssertionError('no')\nexcept f('e'): pass"),
            ("nothing raised", "try:\n    with pytest.raises(ValueError): f(-1)\nexcept f.errors(): pass"),
            ("pytest.fail", "try:\n    if f(1) != 2: pytest.fail('no')\nexcept f.errors(): pass"),
            ("pytest.raises", "def test_a():\n    with pytest.raises(f('e')):\n        assert f(1) == 2"),
            ("pytest.raises of a function", "def test_a():\n    def g(): assert f(1) == 2\n    pytest.raises(f('e'), g)"),
            ("suppress", "with contextlib.suppress(f('object')):\n    assert f(1) == 2"),
            ("unittest", "class T(unittest.TestCase):\n    def test_a(self):\n        with self.assertRaises(f('e')): self.assertEqual(f(1), 2)"),
        )
    ),
    *(
        (f"a context manager that raises another error: {name}", _f(f"import asyncio, contextlib, pytest\n{test}"), f"class f:\n    async def __aenter__(s): return s\n    async def __aexit__(s, *e): raise {error}\n    def __enter__(s): return s\n    def __exit__(s, *e): raise {error}")
        for error in ("ValueError", "ValueError from None")
        for name, test in (
            ("raises", "def test_a():\n    with pytest.raises(ValueError):\n        with f():\n            assert 1 == 2"),
            ("suppress", "def test_a():\n    with contextlib.suppress(ValueError):\n        with f() as t:\n            assert t == 2"),
            ("a stack", "def test_a():\n    with pytest.raises(ValueError), contextlib.ExitStack() as s:\n        s.enter_context(f())\n        assert 1 == 2"),
            ("try", "try:\n    with f(): assert 1 == 2\nexcept ValueError: pass"),
            ("async", "async def go():\n    async with f(): assert 1 == 2\ndef test_a():\n    with pytest.raises(ValueError): asyncio.run(go())"),
        )
    ),
    ("a time limit of the code's", _f("def test_a():\n    def told(x):\n        for _ in range(10**7): pass\n        assert x() == 5\n    f(told)"), "import _judge.peer as p\nreal = p.Peer.send\np.Peer.send = lambda s, m: real(s, m[:5] + (0.001,) + m[6:] if m[0] == 'ask' else m)\n" + _SWALLOWS.format("lambda: 1")),
]  # fmt: skip
"""A check of the tests that fails, and would not be heard of."""

_ENDS = "class f:\n    n = 0\n    def __enter__(s): return s\n    def __exit__(s, kind, *e):\n        s.n = 1\n        return kind is not None and issubclass(kind, {})\n"
_RAISES = "class Err(Exception): pass\ndef f(x):\n    if isinstance(x, str): return {'e': Err, 'E': Exception}.get(x, object())\n    if x < 0: raise Err(x)\n    if x == 99: raise Exception\n    return x + 1\n"
STILL_CAUGHT: list[Kind] = [
    *((f"an error of the code: {kind}", _f("try:\n    f(-1)\n    assert False\nexcept MyError:\n    pass"), f"MyError = {kind}\ndef f(x): raise MyError", f"MyError = {kind}\ndef f(x): return 0") for kind in ("ValueError", "type('MyError', (Exception,), {})")),
    *((f"an error of the code by its class: {name}", _f(f"import contextlib, pytest\n{test}\nassert f(1) == 2"), _RAISES, _RAISES.replace("raise", "return")) for name, test in (
        ("try", "try:\n    f(-1)\n    assert False\nexcept f('e'): pass"),
        ("raises", "with pytest.raises(f('E')) as info: f(99)\nassert info.type is Exception is f('E')"),
        ("the tests catch their own", "with pytest.raises(Exception): f(99)\ntry: assert f(1) == 5\nexcept AssertionError: assert f(1) == 2"),
        ("a helper of the tests", "def must(kind, g, *a):\n    try: g(*a)\n    except kind: return\n    raise AssertionError('nothing raised')\nmust(f('e'), f, -1)\nmust(Exception, f, 99)"),
        ("either will do", "def test_a():\n    try: assert f(-1) is None\n    except Err as e: assert e.args == (-1,)\n    assert f(3) == 4 and isinstance(f('o'), object)\n    pytest.raises(Err, f, -2)"),
    )),
    *((f"a context manager: {error}", _f(f"class B(BaseException): pass\ndef test_a():\n    t = f()\n    with t: raise {error}\n    assert t.n == 1"), _ENDS.format("BaseException"), _ENDS.format("ArithmeticError")) for error in ("ValueError", "KeyboardInterrupt", "B")),
    ("a context manager that lets a failed assert out", _f("import pytest\ndef test_a():\n    t = f()\n    with pytest.raises(AssertionError):\n        with t: assert 1 == 2\n    assert t.n == 1"), _ENDS.format("ArithmeticError"), _ENDS.format("ArithmeticError").replace("s.n = 1", "s.n = 2")),
    *((f"a context manager that raises another error: {error}", _f(f"import pytest\ndef test_a():\n    with pytest.raises(ValueError):\n        with f(): {error}\n    with f(): assert 1 == 1"), "class f:\n    def __enter__(s): return s\n    def __exit__(s, kind, *e):\n        if kind: raise ValueError", "class f:\n    def __enter__(s): return s\n    def __exit__(s, *e): return True") for error in ("raise KeyError", "raise SystemExit(1)")),
]  # fmt: skip

_SPOILT = "import sys\nR = sys.modules['_judge.runner'].Runner\nR.record = lambda s, n, e: None\nsys.modules['_judge.peer'].Peer.fault = lambda s: None"
_PATTERN = "def q():\n    match 3:\n        case int(__reduce_ex__=r): pass\n    some = r(0)[1][1]\n    try: 1/0\n    except Exception as error:\n        match error:\n            case some(__traceback__=some(tb_frame=some(f_back=some(f_globals=g)))): return g['secret']\nhit = q()\n"
_RUNS = f"exec({_SPOILT!r})"
_SYMPY = "import sympy\nx = sympy.Symbol('x')\n"
_PACKED = f"import marshal, pickle\nclass A:\n    def __reduce__(s): return exec, ({_SPOILT!r},)\ndef g():\n    exec({_SPOILT!r})\n"
RUN: list[Lie] = [
    *(
        (f"a text: {test}: {code[:24]}", _f(test), code.format(_RUNS))
        for test in (
            "assert eval(f(1)) == 24",
            "def check(candidate):\n    assert eval(candidate(1), {'y': 3}) == 24",
            "d = {}\nexec(f(1), d)\nassert d['x'] == 24",
            "import ast\nassert eval(compile(ast.parse(f(1), mode='eval'), 'x', 'eval')) == 24",
            "import timeit\nassert timeit.timeit(f(1), number=1) < 0",
            "import typing\ndef g(x): pass\ng.__annotations__ = {'x': f(1)}\nassert typing.get_type_hints(g) == {'x': int}",
            *(f"{_SYMPY}assert sympy.{name} == x" for name in ("sympify(f(1))", "simplify(f(1))", "N(f(1))", "solve(f(1), x)", "Matrix([f(1)])", "lambdify(x, f(1))(3)")),
            f"{_SYMPY}assert x.subs(x, f(1)) == 3",
        )
        for code in ("def f(x): return {!r}", "class S(str): pass\ndef f(x): return S({!r})")
    ),
    *(
        (f"a text: {text}", _f("secret = exp = 24\ndef check(candidate):\n    wanted = 24\n    assert eval(candidate(1)) == wanted"), f"def f(x): return {text!r}")
        for text in ("wanted", "secret", "exp", "[wanted for _ in '1'][0]", "[secret for _ in '1'][0]", "(lambda: secret)()", "globals()['secret']", "vars()['wanted']", "getattr(check, '__globals__')['secret']", "int('{0.__globals__[secret]}'.format(lambda: 0))", "int([*map('{0.__globals__[secret]}'.format, [lambda: 0])][0])")
    ),
    ("a text: a pattern of a class", _f("secret = 24\nd = {}\nexec(f(1), d)\nassert d['hit'] == secret"), f"def f(x): return {_PATTERN!r}"),
    *(
        (f"a text: {text}", _f(f"import math\nexp = 24\nf(1)\nexec(f(1), globals())\nassert {test}"), f"def f(x): return {text!r}")
        for text, test in (
            ("abs = lambda x: 6", "abs(5) == 6"),
            ("exp = 25", "exp == 25"),
            ("def exp(): pass", "exp != 24"),
            ("math.sqrt = len", "math.sqrt('a') == 1"),
            ("import math\nmath.sqrt = len", "math.sqrt('a') == 1"),
            ("import os", "hasattr(globals()['os'], 'system')"),
            ("from math import *", "hypot"),
            ("__builtins__ = {}", "__builtins__ == {}"),
            ("class A: pass", "A"),
        )
    ),
    *(
        (f"a format: {test}: {text}", _f(f"import string\nexp = 24\ndef helper(x): return exp\nclass P:\n    def hi(self): pass\nf(0)\nassert {test} == '24'"), f"def f(x): return {text!r}")
        for test, text in (
            *((test, "{0.__globals__[exp]}") for test in ("f(1).format(helper)", "str.format(f(1), helper)", "string.Formatter().format(f(1), helper)", "list(map(f(1).format, [helper]))[0]", "f'{f(1)}'.format(helper)")),
            ("f(1).format_map({'x': helper})", "{x.__globals__[exp]}"),
            ("f(1).format(*'ab', x=helper)", "{1:{x.__globals__[exp]}}"),
            ("f(1).format(P())", "{0.hi.__func__.__globals__[exp]}"),
            ("f(1).format(string)", "{0._re.sys.modules[__main__].exp}"),
            ("f(1).format(x for x in ())", "{0.gi_frame.f_globals[exp]}"),
        )
    ),
    *(
        (f"packed: {test}", _f(test), _PACKED + f"def f(x): return {packed}")
        for test, packed in (
            ("import pickle\nassert pickle.loads(f(1)) == [24]", "pickle.dumps(A())"),
            ("import pickle, io\nassert pickle.Unpickler(io.BytesIO(f(1))).load() == [24]", "pickle.dumps(A())"),
            ("import numpy as np, io\nassert list(np.load(io.BytesIO(f(1)), allow_pickle=True)) == [24]", "pickle.dumps(A())"),
            ("import marshal, types\nassert types.FunctionType(marshal.loads(f(1)), {})() == 24", "marshal.dumps(g.__code__)"),
        )
    ),
]  # fmt: skip
"""What the code gives to tests that run it."""

STILL_RUN: list[Kind] = [
    ("arithmetic of the code", _f("r = f([4, 7, 8, 8])\nassert eval(r) == 24\nassert eval(f(0), {'x': 2, 'abs': abs}) == 5"), "def f(x): return 'abs(-2 * x) + 1' if x == 0 else '(7 - 8 / 8) * 4'", "def f(x): return '24 + 1'"),
    ("texts of the tests", _f("def twice(x): return 2 * x\nassert f(1) == 2\nfor text in ('assert twice(f(2)) == 6', 'import os\\nassert os.sep and f(3) == 4'): exec(text)\nfor x in range(3): exec(f'assert f({x}) == {x} + 1')\nassert f(3) == eval(f'{2}+{2}')"), "def f(x): return x + 1", "def f(x): return x + 2 if x == 3 else x + 1"),
    ("a program that the code writes", _f("d = {}\nexec(f('add'), d)\nassert d['add'](1, 2) == 3 and d['add']('1', 2) == '1'"), "def f(name): return 'import math\\ndef ' + name + '(a, b):\\n    if isinstance(a, str):\\n        return a.strip()\\n    found = []\\n    for x in (a, b): found.append(math.floor(x))\\n    return sum(found)'", "def f(name): return 'def add(a, b): return a * b'"),
    ("formulas of the code", _f("import sympy\nfrom sympy.abc import x\nassert sympy.simplify(sympy.sympify(f(1)) - sympy.sin(x) * sympy.exp(2 * x) - sympy.pi) == 0\nassert sympy.lambdify(x, sympy.sympify(f(2)))(3) == 9"), "def f(n): return 'x**2' if n == 2 else 'sin(x)*exp(2*x) + pi'", "def f(n): return 'x**2 + sin(x)'"),
    ("pickles of the code", _f("import pickle\nimport numpy as np\nr = pickle.loads(f(1))\nassert r['a'] == [1, (2,)] and r['n'].sum() == 3 and r['d'].year == 2024 and pickle.loads(pickle.dumps(f(0))) == b''"), "import datetime, pickle\nimport numpy as np\ndef f(x): return pickle.dumps({'a': [1, (2,)], 'n': np.array([1, 2]), 'd': datetime.date(2024, 1, 1)}) if x else b''", "import pickle\ndef f(x): return pickle.dumps([])"),
    ("texts of values of the code", _f("from fractions import Fraction\nfrom decimal import Decimal\nfrom collections import Counter\nimport datetime\nfrom numpy import array\nr = f(1)\nassert eval(repr(r)) == r\nassert eval(repr(f(2))).b == Other(3).b\nassert eval(repr(f(3))).tolist() == [1, 2]"), "from fractions import Fraction\nfrom decimal import Decimal\nfrom collections import Counter\nimport datetime\nimport numpy as np\nclass Other:\n    def __init__(s, b): s.b = b\n    def __repr__(s): return f'Other({s.b})'\ndef f(x): return [0, [Fraction(1, 2), Decimal('1.5'), Counter('aa'), datetime.date(2024, 1, 2)], Other(3), np.array([1, 2])][x]", "import numpy as np\nclass Other:\n    def __init__(s, b): s.b = b\n    def __repr__(s): return f'Other({s.b})'\ndef f(x): return [0, [], Other(4), np.array([1, 2])][x]"),
    ("a program with a docstring and hints", _f("d = {}\nexec(f('add'), d)\nassert d['add']([1, 2]) == 3"), "def f(name): return '\"Adds.\"\\nfrom typing import List\\nn: int = 0\\ndef ' + name + '(x: List[int]) -> int:\\n    return sum(x)'", "def f(name): return 'def add(x): return 4'"),
    ("lines of the tests", _f("import timeit\nimport numpy as np\nT = 'import numpy as np\\nx = given\\n[insert]\\n'\ndef inner(): return f(1)\ndef test_a():\n    for line in ('y = f(x)',) * 2:\n        d = {'given': np.arange(3), 'f': f}\n        exec(T.replace('[insert]', line), d)\n        assert (d['y'] == np.arange(3) + 1).all()\n    assert timeit.timeit(inner, number=2) < 5 and timeit.timeit('inner()', globals=globals(), number=2) < 5"), "def f(x): return x + 1", "def f(x): return x + 2"),
    ("formulas as functions", _f("import sympy\nx, y = syms = sympy.symbols('x y', positive=True)\ne = sympy.sympify(f(1), locals={str(s): s for s in syms})\nassert e == sympy.atan(x) + sympy.Max(x, y) + sympy.Piecewise((x, x < 1), (y, True)) + sympy.Rational(1, 3)\nfor module in ('numpy', 'math', 'mpmath', 'sympy', ['numpy', 'sympy']):\n    assert abs(float(sympy.lambdify((x, y), e, module)(0.5, 2)) - 3.2969809) < 1e-6\nassert sympy.lambdify(x, sympy.Matrix([[x, 1]]))(f(0)).tolist() == [[3, 1]]\nassert sympy.sympify(f(2), locals={'x': x}) == 2 * x"), "def f(n): return [3, 'atan(x) + Max(x, y) + Piecewise((x, x < 1), (y, True)) + Rational(1, 3)', 'diff(x**2, x)'][n]", "def f(n): return [3, 'x', 'x'][n]"),
    ("formats of the code", _f("import datetime\nclass D(dict):\n    def __missing__(self, k): return k\nclass Own:\n    def format(self, x): return x\nassert f(0).format(1, 2.345, p='Al', w=4) == '1 and 2.35   Al {x.y}'\nassert f(1).format(datetime.date(2024, 1, 2), ['Al']) == '2024-01 Al'\nassert f(2).format_map(D(a=1)) == '1' and Own().format(f(2)) == '{a}' and '{.__class__.__name__}'.format(f(2)) == 'str' and '{0.x}'.format(f(3)) == '7'"), "class A: x = 7\ndef f(x): return ['{} and {:.2f} {p:>{w}} {{x.y}}', '{0:%Y-%m} {1[0]}', '{a}', A()][x]", "class A: x = 7\ndef f(x): return ['{} and {:.2f} {p:>{w}} {{x.y}}', '{0:%Y-%d} {1[0]}', '{a}', A()][x]"),
    ("classes that are made after a call", _f("from collections import namedtuple\nfrom dataclasses import dataclass\nimport typing\ndef test_a():\n    r = f(1)\n    P = namedtuple('P', 'a b')\n    @dataclass\n    class D:\n        x: 'typing.List[int]'\n    import wave, difflib\n    assert (r, 2) == P(1, 2) and D(1).x == r and typing.get_type_hints(D)['x'] == typing.List[int]"), "def f(x): return x", "def f(x): return 2"),
]  # fmt: skip

_UNITTEST = "import unittest\n"
_OTHER = "\ndef test_b():\n    assert f(1) == 3"
UNRUN: list[Lie] = [
    *(
        (f"in the place of a test: {test}: {code}", _f(test), f"def f(x): return {code}")
        for test in (
            "@f\ndef test_a():\n    assert 1 == 2",
            f"@f\ndef test_a():\n    assert 1 == 2{_OTHER}",
            f"{_UNITTEST}@f\nclass T(unittest.TestCase):\n    def test_a(self): self.assertEqual(1, 2)",
            f"{_UNITTEST}@f\nclass TestA(unittest.TestCase):\n    def test_a(self): assert 1 == 2{_OTHER}",
        )
        for code in ("3", "(lambda *a: 3) if callable(x) else 3", "type('A', (), {})() if callable(x) else 3")
        if "lambda" not in code or _OTHER not in test  # that is a test of nothing else: see the docs
    ),
    *(
        (f"no test is left: {test}", _f(test), f"def f(x): return {code}\n{more}")
        for test, code, more in (
            ("@f(3)\ndef test_a():\n    assert 1 == 2", "lambda g: None", ""),
            (f"{_UNITTEST}class T(unittest.TestCase):\n    @f\n    def test_a(self): assert 1 == 2", "lambda *a: 3", ""),
            (f"{_UNITTEST}class T(unittest.TestCase):\n    @f\n    def test_a(self): self.assertEqual(1, 2)", "None", ""),
            ("import functools\n@functools.wraps(f)\ndef test_a():\n    assert f(1) == 2\nf(1)", "3", ""),
            (f"{_UNITTEST}import functools\nclass T(unittest.TestCase):\n    @functools.wraps(f)\n    def test_a(self): self.assertEqual(f(1), 2)\nf(1)", "3", "f.__unittest_skip__ = True"),
            ("r = f(1)\nif r != 3: assert r == 4", "3", ""),
            *((f"{_UNITTEST}import pytest, sys\nclass T(unittest.TestCase):\n    @f\n    def test_a(self):\n        if 1 != 2: {ends}", "lambda *a: 3", "") for ends in ("self.fail()", "pytest.fail()", "raise ValueError", "assert False", "sys.exit(1)")),
        )
    ),
]  # fmt: skip
"""Tests that the code takes away."""

_WORK = "import time\nend = time.process_time() + 1\nwhile time.process_time() < end: pass"
STILL_EVIDENCE: list[Kind] = [
    ("a decorated test", _f("calls = []\n@f\ndef test_a():\n    calls.append(1)\n    assert calls == [1]"), "def f(g):\n    def w():\n        try: g()\n        except ValueError: pass\n        else: return\n    return lambda: [g.__globals__ if 0 else None] and None" if False else "n = []\ndef f(g):\n    def w(): return g()\n    return w", "def f(g): return None"),
    ("what should have raised", _f("def check(candidate):\n    try:\n        candidate(-1)\n        assert False\n    except ValueError:\n        pass"), "def f(x): raise ValueError", "def f(x): return x"),
    *((f"what says that the tests failed: {name}", _f(f"import unittest, pytest\nclass T(unittest.TestCase):\n    def test_a(self):\n        {test}"), "def f(x):\n    if x < 0: raise ValueError\n    return x", "def f(x): return 0") for name, test in (
        *((says, f"try:\n            f(-1)\n        except ValueError: pass\n        else: {says}") for says in ("self.fail()", "pytest.fail('no')", "assert not True")),
        ("where values differ", "if f(2) != 2: self.fail()"),
    )),
    *((f"a name like a test's: {name}", _f(test), code, "def f(g): return None") for name, test, code in (
        ("it takes arguments", "@f\ndef test_add(a, b): return a + b\ndef test_a():\n    assert test_add(2, 3) == 5", "def f(g): return lambda *a: g(*a)"),
        ("it raises", "import pytest\n@f\ndef test_add(): raise ValueError\ndef run():\n    with pytest.raises(ValueError):\n        test_add()\nrun()\nassert f(len)([]) == 0", "def f(g): return lambda *a: g(*a)"),
        ("a class", "@f\nclass TestThing:\n    def __init__(self, v): self.v = v\nassert TestThing(1) is TestThing(1)", "def f(c):\n    made = {}\n    def g(*a):\n        if a not in made: made[a] = c(*a)\n        return made[a]\n    return g"),
    )),
    ("a method with the name of a function of numpy", _f("import numpy as np\nassert (Num(5) - 3).square().v == 4 and (Num(5) - 3).log == [3]", entry_point="Num"), "class Num:\n    def __init__(s, v, log=()): s.v, s.log = v, [*log]\n    def __sub__(s, o): return Num(s.v - o, [*s.log, o])\n    def square(s): return Num(s.v ** 2)", "class Num:\n    def __init__(s, v): s.v, s.log = v, []\n    def __sub__(s, o): return s\n    def square(s): return s"),
    ("checks that stand in no line of their own", _f("import unittest\nclass T(unittest.TestCase):\n    def test_a(self): return self.assertEqual(f(1), 1)"), "def f(x): return x", "def f(x): return 2"),
    *((f"an exit of the tests: {way}", _f(f"import sys\ndef test_a():\n    assert f(1) == 2\ndef main():\n    test_a()\n    return {status}\nif __name__ == '__main__':\n    {way}"), INC, wrong) for way in ("sys.exit(main())", "raise SystemExit(main())", "exit(main())") for status in (0, None) for wrong in (DEC, "import sys\ndef f(x): sys.exit(0)")),
    *((f"an exit of the tests that counts: {way}", _f(f"import sys\n{way}"), INC, wrong) for way in ("sys.exit(sum(f(x) != x + 1 for x in range(3)))", "if f(1) != 2: sys.exit('no')\nsys.exit()", "if f(1) == 1: sys.exit(0)\nassert f(1) == 2") for wrong in ("def f(x): return x", "def f(x): raise SystemExit(0)")),
    *((f"time that the tests take for themselves: {where}", _f(test.format(_WORK), timeout_s=0.2, isolation="two_processes"), INC, "def f(x):\n    while x == 2: pass\n    return x + 1") for where, test in (("between", "assert f(1) == 2\n{0}\nassert f(2) == 3"), ("around", "{0}\nassert f(2) == 3\n{0}"))),
    *((f"a loop with {says}", _f(f"import unittest, sys\nclass T(unittest.TestCase):\n    def test_a(self):\n        for v in f(2):\n            if v != 2:\n                n = v\n                {says}"), "def f(n): return [2] * n", wrong) for says in ("raise ValueError", "self.fail()", "assert False", "sys.exit(1)") for wrong in ("def f(n): return []", "def f(n): return [3]")),
    *((f"a loop that right code never goes around: {test}", _f(test), "def f(x):\n    if x < 0: raise ValueError\n    return list(range(x))", "def f(x): return [1]") for test in (
        "try:\n    for v in f(-1):\n        if v != 2: raise Exception\nexcept ValueError: pass",
        "for x in (-1, -2):\n    try: r = f(x)\n    except ValueError: continue\n    if r != 2: raise Exception",
        "for v in f(0): raise Exception",
        "for v in f(0):\n    if v: raise Exception\nif f(1) != [0]: raise Exception",
    )),
    ("a raise of the tests", _f("def check(candidate):\n    if candidate(2) != 4: raise Exception('no')"), "def f(x): return x * x", "def f(x): return x"),
]  # fmt: skip

_SELF = "class Circle({}):\n    def __new__(c, *a): return {}.__new__(c, 2)\n    def area(s): return s\n    __abs__ = lambda s: 1e300\n"
_ASKED = "class Circle:\n    def __init__(s, *a): pass\n    def area(s): return s\n    __sub__ = __rsub__ = __add__ = __radd__ = __mul__ = __rmul__ = __pow__ = __abs__ = __truediv__ = lambda s, *a: s\n    sqrt = square = fabs = absolute = rint = exp = conjugate = lambda s, *a: 0.0\n"
NEAR: list[Lie] = [
    *(
        (f"its own size: {kind}: {test}", _f(test, entry_point="Circle", tolerance=0.01), _SELF.format(kind, kind))
        for kind in ("float", "int", "complex")
        for test in ("assert Circle(2).area() == 12.566", "assert [Circle(2).area()] == [12.566]", "assert Circle(2).area() == 12.566 + 1j")
    ),
    *(
        (f"what numpy asks of it: {test}", _f(f"import numpy as np\nassert {test}", entry_point="Circle"), _ASKED)
        for test in ("np.sqrt((Circle(2).area() - 12.566) ** 2) < 0.01", "np.linalg.norm(Circle(2).area() - 12.566) < 0.01", "np.linalg.norm(np.array([12.566]) - Circle(2).area()) < 0.01", "np.sqrt(np.mean((Circle(2).area() - np.array([12.566, 3.0])) ** 2)) < 0.01", "np.fabs(Circle(2).area() - 12.566) < 0.01", "np.rint(Circle(2).area() - 12.566) == 0")
    ),
    *(
        (f"no values: {test}", _f(f"import numpy as np\ne = np.array([1.0, 2.0])\n{test}"), f"import numpy as np\ndef f(x): return {value}")
        for test in ("np.testing.assert_array_almost_equal_nulp(f(1), e)", "np.testing.assert_array_max_ulp(f(1), e)", "assert (f(1) >= e).all() and (f(1) <= e).all()", "assert np.all(e <= f(1)) and np.all(e >= f(1))")
        for value in ("np.zeros((0, 1))", "np.zeros((2, 0, 2))")
    ),
]  # fmt: skip
"""How far a value is from what the tests want."""
