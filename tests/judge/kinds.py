"""Problems and programs by kind, as data: (name, problem, right code, wrong code). Each right program must pass, and
each wrong one must not."""

# ruff: noqa: E501 - a table is read by columns

from __future__ import annotations

from typing import Any

Kind = tuple[str, dict[str, Any], str, str]


def _f(test: str, entry_point: str = "f", **more: Any) -> dict[str, Any]:
    return {"prompt": "", "test": test, "entry_point": entry_point, **more}


INC, DEC = "def f(x): return x + 1", "def f(x): return x - 1"
SUITES: list[Kind] = [
    ("function", _f("def test_a():\n    assert f(1) == 2\ndef test_b():\n    assert f(2) == 3"), INC, "def f(x): return 2"),
    ("async function", _f("import asyncio\nasync def test_a():\n    await asyncio.sleep(0)\n    assert f(1) == 2"), INC, DEC),
    ("async code", _f("import asyncio\nassert asyncio.run(f(1)) == 2"), "async def f(x): return x + 1", "async def f(x): return x"),
    ("async code that waits", _f("async def test_a():\n    assert await f(1) == 2"), "import asyncio\nasync def f(x):\n    await asyncio.sleep(0.01)\n    return x + 1", "async def f(x): return x"),
    ("async iteration", _f("async def check(g):\n    assert [x async for x in g(3)] == [0, 1, 2]"), "async def f(n):\n    for i in range(n): yield i", "async def f(n):\n    yield n"),
    ("async unittest", _f("import unittest\nclass T(unittest.IsolatedAsyncioTestCase):\n    async def test_a(self):\n        self.assertEqual(await f(1), 2)"), "async def f(x): return x + 1", "async def f(x): return x"),
    ("generator", _f("def test_a():\n    for x in range(3):\n        yield compare, f(x), x + 1\ndef compare(a, b):\n    assert a == b"), INC, DEC),
    ("generator check", _f("def check(candidate):\n    yield\n    assert candidate(1) == 2"), INC, DEC),
    ("class", _f("class TestF:\n    def setup_method(self):\n        self.x = 1\n    def test_a(self):\n        assert f(self.x) == 2"), INC, DEC),
    ("unittest", _f("import unittest\nclass T(unittest.TestCase):\n    @classmethod\n    def setUpClass(cls):\n        cls.x = 1\n    def test_a(self):\n        with self.subTest():\n            self.assertEqual(f(self.x), 2)\n    @unittest.skip('no')\n    def test_b(self):\n        self.fail()\nif __name__ == '__main__':\n    unittest.main()"), INC, DEC),
    ("unittest raises", _f("import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        with self.assertRaises(ValueError) as c:\n            f(-1)\n        self.assertIn('no', str(c.exception))"), "def f(x): raise ValueError('no!')", "def f(x): raise KeyError('no!')"),
    ("parametrize", _f("import pytest\n@pytest.mark.parametrize('x, y', [(1, 2), (2, 3)])\ndef test_a(x, y):\n    assert f(x) == y\n@pytest.mark.parametrize('x', [5])\ndef test_b(x):\n    with pytest.raises(TypeError):\n        f('a')"), INC, "def f(x): return 2"),
    ("doctest in a function", _f("def test_a():\n    '''\n    >>> f(1)\n    2\n    >>> f('a')\n    Traceback (most recent call last):\n        ...\n    TypeError: can only concatenate str (not \"int\") to str\n    '''"), INC, "def f(x): return 2"),
    ("doctest alone", _f(">>> f(1)\n2\n>>> [f(x) for x in (1, 2)]\n[2, 3]\n"), INC, "def f(x): return 2"),
    ("doctest that prints", _f("'''\n>>> f(1)\none 1\n'''"), "def f(x): print('one', x)", "def f(x): print('two', x)"),
    ("main guard with calls", _f("def test_a():\n    assert f(1) == 2\nif __name__ == '__main__':\n    test_a()\n    print('ok')"), INC, DEC),
    ("check called by itself", _f("def check(candidate):\n    assert candidate(1) == 2\ncheck(f)"), INC, DEC),
    ("helper called check", _f("def check(a, b):\n    assert a == b\ncheck(f(1), 2)"), INC, DEC),
    ("raise", _f("for x in range(3):\n    if f(x) != x + 1:\n        raise Exception('wrong')"), INC, DEC),
    ("numpy testing", _f("import numpy as np\nnp.testing.assert_allclose(f(np.array([1.0, 2.0])), [2.0, 3.0])"), INC, DEC),
    ("import solution", _f("from solution import f as g\nimport solution\nassert g(1) == 2 and solution.f(2) == 3"), INC, "def f(x): return 2"),
    ("plus", _f("import numpy as np\ndef is_floats(x):\n    return isinstance(x, float)\ndef assertion(out, exp, atol):\n    if atol == 0 and is_floats(exp):\n        atol = 1e-6\n    if atol != 0:\n        assert np.allclose(out, exp, atol=atol)\n    else:\n        assert out == exp\ninputs = [[1], [2]]\nresults = [2, 3]\nfor i, (inp, exp) in enumerate(zip(inputs, results)):\n    assertion(f(*inp), exp, 0)", test_list=["assert f(1) == 2"]), INC, "def f(x): return 2"),
    ("assert in try and with", _f("import contextlib, pytest\ntry:\n    assert f(-1) == 0\nexcept ValueError:\n    pass\nwith contextlib.suppress(ValueError):\n    assert f(-2) == 0\nwith pytest.raises(ValueError):\n    assert f(-3) == 0\nassert f(1) == 2"), "def f(x):\n    if x < 0: raise ValueError\n    return x + 1", INC),
    ("marks", _f("import pytest\npytestmark = pytest.mark.slow\n@pytest.mark.xfail\ndef test_a():\n    assert f(1) == 3\n@pytest.mark.skipif(True, reason='x')\ndef test_b():\n    assert f(1) == 3\n@pytest.mark.skipif(condition=False, reason='x')\n@pytest.mark.parametrize(argnames='x,y', argvalues=[(1, 2), pytest.param(1, 3, marks=pytest.mark.skip), pytest.param(2, 3, id='c')])\ndef test_c(x, y):\n    assert f(x) == y\n@pytest.mark.parametrize('x', [1, 2])\nclass TestD:\n    def test_e(self, x):\n        assert f(x) == x + 1"), INC, "def f(x): return 2"),
    ("set-up of pytest", _f("def setup_module(module):\n    module.y = 1\ndef setup_function():\n    global z\n    z = y\ndef test_a():\n    assert f(z) == 2"), INC, DEC),
    ("test that is a value", _f("test_g = f(1)\nassert test_g(2) == 3"), "def f(x): return lambda y: x + y", "def f(x): return lambda y: x"),
    ("a check for each value", _f("for x, y in zip(f(3), [0, 1, 2]):\n    assert x == y"), "def f(n): return range(n)", "def f(n): return []"),
    ("no values are close to no number", _f("import numpy as np\nassert np.allclose(f(3), 0.5) and np.allclose(f(0), [])"), "def f(x): return 0.5 if x else []", "def f(x): return []"),
    ("numpy without an import", _f("assert np.allclose(f(1), 2)"), INC, "class np: allclose = lambda *a: True\ndef f(x): return 0"),
    ("runners that are asked how it went", _f("import doctest, unittest\ndef g():\n    '''\n    >>> f(1)\n    2\n    '''\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), 2)\nassert doctest.testmod().failed == 0\nassert unittest.main(exit=False).result.wasSuccessful()"), INC, DEC),
    ("module that the tests import", _f("import numpy as np\nfrom math import sqrt as root, pi\nassert f([4, 4]) == 2"), "def f(xs): return root(np.mean(xs))", "import numpy as np\nroot = abs\ndef f(xs): return root(np.mean(xs))"),
    ("test list", {"prompt": "", "test_list": ["assert f(1) == 2", "assert f(2) == 3"], "entry_point": "f"}, INC, "def f(x): return 2"),
]  # fmt: skip

STATED: list[Kind] = [
    ("stdin", {"cases": [{"input": "1 2\n", "output": "3\n"}, {"input": "4 5", "output": "9"}]}, "a, b = map(int, input().split())\nprint(a + b)", "print(3)"),
    ("stdin by lines", {"cases": [{"input": "2\n1\n2\n", "output": "1\n2\n"}]}, "import sys\nfor x in sys.stdin.read().split()[1:]:\n    print(x, ' ')", "print('1 2')"),
    ("stdin as bytes", {"cases": [{"input": "3\n", "output": "9"}]}, "import sys\ninput = sys.stdin.buffer.readline\nsys.stdout.write(str(int(input()) ** 2))", "print(3)"),
    ("stdin by number", {"cases": [{"input": "3\n", "output": "9"}]}, "n = int(open(0).read())\nprint(n * n)", "print(8)"),
    ("stdin by size", {"cases": [{"input": "3\n", "output": "9"}]}, "import io, os\ninput = io.BytesIO(os.read(0, os.fstat(0).st_size)).readline\nprint(int(input()) ** 2, file=open(1, 'w'))", "print(8, file=open(1, 'w'))"),
    ("a program's own name", {"cases": [{"input": "1", "output": "solution.py 1"}]}, "import os, pathlib\nprint(os.path.basename(os.path.abspath(__file__)), pathlib.Path('/dev/stdin').read_text())", "print(1)"),
    ("builtins that the last case changed", {"cases": [{"input": "a", "output": "a!"}, {"input": "b", "output": "b!"}]}, "import builtins, sys\nsys.setrecursionlimit(5000)\nold = builtins.print\nbuiltins.print = lambda *a, **k: old(*a, '!', sep='', **k)\nprint(input())", "print(input())"),
    ("stdin by descriptor", {"cases": [{"input": "3\n4\n", "output": "9\n16"}]}, "import os, sys\nassert sys.stdin.mode == 'r' and os.fdopen(sys.stdin.fileno()).readline() == '3\\n'\nos.write(sys.stdout.fileno(), b'9\\n')\nwith open('/dev/stdin') as f: n = int(f.read())\nopen('/dev/stdout', 'w').write(str(n * n))", "import os\nos.write(1, b'9')"),
    ("output at the end", {"cases": [{"input": "3\n", "output": "9\n10"}]}, "import atexit, io, sys\nsys.stdout = io.TextIOWrapper(sys.stdout.detach())\natexit.register(print, 10)\nprint(int(input()) ** 2)\nexit()", "print(9)"),
    ("stdin under a guard", {"cases": [{"input": "3\n", "output": "9"}]}, "def main():\n    print(int(input()) ** 2)\nif __name__ == '__main__':\n    main()\n    exit()", "exit()"),
    ("stdin in a thread", {"cases": [{"input": "3\n", "output": "9"}]}, "import threading\nthreading.Thread(target=lambda: print(int(input()) ** 2)).start()", "print()"),
    ("printed numbers", {"cases": [{"input": "3", "output": "0.333333"}]}, "print(1 / int(input()))", "print(0.3334)"),
    ("printed numbers, loose", {"cases": [{"input": "3", "output": "0.33"}], "tolerance": 0.01}, "print(1 / int(input()))", "print(0.35)"),
    ("printed numbers, equal", {"cases": [{"input": "", "output": "5000000.5 5.0 0.1 5 1e-07"}], "tolerance": 0}, "print('5000000.50 5 0.10 5.0 0.0000001')", "print('5000004.5 5 0.10 5.0 0.0000001')"),
    ("printed text with an E", {"cases": [{"input": "", "output": "12E4"}]}, "print('12E4')", "print(120000)"),
    ("memory of earlier cases", {"cases": [{"input": str(n), "output": str(n)} for n in range(6)], "timeout_s": 6.0}, "dp = [0] * 15_000_000\ndef f(n):\n    dp[n] = n\n    return dp[n]\nprint(f(int(input())))", "print(3)"),
    ("printed whole numbers", {"cases": [{"input": "3", "output": "1000000000001"}]}, "print(10**12 + 1)", "print(10**12 + 2)"),
    ("status", {"cases": [{"input": "", "output": "x"}]}, "print('x')", "print('x')\nexit(1)"),
    ("apps", {"input_output": '{"inputs": ["1\\n", "2\\n"], "outputs": ["2\\n", "3\\n"]}'}, "print(int(input()) + 1)", "print(2)"),
    ("apps with a function", {"input_output": {"inputs": [[[1, 2]], [[5]]], "outputs": [[2, 1], [5]], "fn_name": "turn"}}, "def turn(xs): return tuple(xs[::-1])", "def turn(xs): return xs"),
    ("apps with an empty entry point", {"entry_point": "", "input_output": {"inputs": [[1], [2]], "outputs": [2, 3], "fn_name": "inc"}}, "def inc(x): return x + 1", "def inc(x): return 2"),
    ("apps with wrapped outputs", {"input_output": {"inputs": [[1], [2]], "outputs": [[2], [3]], "fn_name": "inc"}}, "def inc(x): return x + 1", "def inc(x): return 2"),
    ("apps with lists", {"input_output": {"inputs": [[1], [2]], "outputs": [[1, 2], [2]], "fn_name": "up"}}, "def up(x): return list(range(x, 3))", "def up(x): return x"),
    ("apps with a method", {"input_output": {"inputs": [[1, 2]], "outputs": [3], "fn_name": "add"}}, "class Solution:\n    def add(self, a, b): return a + b", "class Solution:\n    def add(self, a, b): return a"),
    ("apps with a function beside a class", {"input_output": {"inputs": [[1, 2]], "outputs": [3], "fn_name": "add"}}, "class Solution: pass\ndef add(a, b): return a + b", "class Solution: pass\ndef sub(a, b): return 3"),
    ("apps with lines", {"input_output": {"inputs": [["3", "1 2 3"], ["1\n", "4\n"]], "outputs": [["6"], "4\n"]}}, "n = int(input())\nprint(sum(map(int, input().split())))", "print(6)"),
    ("a list of one", {"entry_point": "f", "cases": [{"input": [1], "output": [1]}]}, "def f(x): return [x]", "def f(x): return x"),
    ("keys that JSON has as text", {"entry_point": "f", "cases": [{"input": [1], "output": {"1": [2], "a": 3}}]}, "def f(x): return {x: (2,), 'a': 3}", "def f(x): return {2: (2,), 'a': 3}"),
    ("arguments", {"entry_point": "f", "cases": [{"input": [1, 2], "output": 3}, {"input": [0, 0], "output": 0}]}, "def f(a, b): return a + b", "def f(a, b): return 3"),
    ("method", _f("assert Solution().twoSum([2, 7], 9) == [0, 1]", "Solution().twoSum"), "class Solution:\n    def twoSum(self, xs, t): return [0, 1]", "class Solution:\n    def twoSum(self, xs, t): return [1, 1]"),
    ("method by check", _f("def check(candidate):\n    assert candidate([2, 7], 9) == [0, 1]", "Solution().twoSum"), "class Solution:\n    def twoSum(self, xs: List[int], t) -> List[int]: return [0, 1]", "class Solution:\n    def twoSum(self, xs, t): return None"),
    ("method by cases", {"entry_point": "Solution().add", "cases": [{"input": [1, 2], "output": 3}]}, "class Solution:\n    def add(self, a, b): return a + b", "class Solution:\n    def add(self, a, b): return a"),
    ("static method", _f("def check(candidate):\n    assert candidate(2) == 4", "Math.double"), "class Math:\n    @staticmethod\n    def double(x): return 2 * x", "class Math:\n    @staticmethod\n    def double(x): return x"),
    ("several functions", _f("assert decode(encode('ab')) == 'ab' and encode('ab') != 'ab'", "encode, decode"), "def encode(s): return s[::-1]\ndef decode(s): return s[::-1]", "def encode(s): return s\ndef decode(s): return s"),
    ("several functions as a list", _f("assert g(f(1)) == 4", ["f", "g"]), "def f(x): return x + 1\ndef g(x): return 2 * x", "def f(x): return x + 1"),  # type: ignore[arg-type]
    ("tolerance", _f("assert f(1) == 0.3 and f(2) == [1.0, {'a': 2.5}]", tolerance=1e-6), "def f(x): return 0.1 + 0.2 if x == 1 else [1.0 + 1e-9, {'a': 2.5}]", "def f(x): return 0.31"),
    ("no tolerance", _f("assert f(1) == 0.3"), "def f(x): return 0.3", "def f(x): return 0.1 + 0.2"),
    ("limit of a test", _f("assert f(1) == 1\nassert f(2) == 2", timeout_s=0.2), "def f(x): return x", "def f(x):\n    while x == 1: pass\n    return x"),
]  # fmt: skip

POINT = "from collections import namedtuple\nPoint = namedtuple('Point', 'x y')\n"
VECTOR = (
    "class Vector:\n    def __init__(self, x, y): self.x, self.y = x, y\n"
    "    def __add__(self, o): return Vector(self.x + o.x, self.y + o.y)\n"
    "    def __mul__(self, k): return Vector(self.x * k, self.y * k)\n    __rmul__ = __mul__\n"
    "    def __eq__(self, o): return isinstance(o, Vector) and (self.x, self.y) == (o.x, o.y)\n"
    "    def __lt__(self, o): return self.x < o.x\n"
    "    def __abs__(self): return (self.x ** 2 + self.y ** 2) ** 0.5\n    def __hash__(self): return hash((self.x, self.y))\n"
    "    def __neg__(self): return Vector(-self.x, -self.y)\n    def __bool__(self): return bool(self.x or self.y)\n"
)
ENUM = "import enum\nclass Color(enum.Enum):\n    RED = 1\n    BLUE = 2\n"
LEVEL = "import enum\nclass Level(enum.IntEnum):\n    LOW = 1\n    HIGH = 2\n"
DATA = "from dataclasses import dataclass, field\n@dataclass(order=True)\nclass P:\n    x: int\n    y: list = field(default_factory=list)\n"
ERROR = "class Short(ValueError):\n    def __init__(self, need, have):\n        super().__init__(f'{have} of {need}')\n        self.need, self.have = need, have\n"
CROSSING: list[Kind] = [
    ("named tuple", _f("p = f(1, 2)\nassert p.x == 1 and p == (1, 2) and p._asdict() == {'x': 1, 'y': 2} and p._replace(x=5).x == 5 and isinstance(p, tuple)"), POINT + "def f(x, y): return Point(x, y)", POINT + "def f(x, y): return Point(y, x)"),
    ("named tuple of the tests", _f("assert f(1, 2) == Point(1, 2)\nassert f(1, 2).y == 2"), POINT + "def f(x, y): return Point(x, y)", POINT + "def f(x, y): return Point(y, x)"),
    ("named tuple as an argument", _f("from collections import namedtuple\nP = namedtuple('P', 'x y')\nassert f(P(1, 2)) == 3"), "def f(p): return p.x + p[1]", "def f(p): return p.x"),
    ("default dictionary", _f("d = f('aab')\nassert d == {'a': 2, 'b': 1} and d['z'] == 0"), "from collections import defaultdict\ndef f(s):\n    d = defaultdict(int)\n    for c in s: d[c] += 1\n    return d", "def f(s): return {'a': 2, 'b': 1}"),
    ("default dictionary of lists", _f("from collections import defaultdict\nd = f()\nd['new'].append(1)\nassert d['new'] == [1] and isinstance(d, defaultdict)"), "from collections import defaultdict\ndef f(): return defaultdict(lambda: list())", "def f(): return {'new': []}"),
    ("ordered dictionary, deque", _f("import collections\nd, q = f()\nassert list(d) == ['b', 'a'] and isinstance(d, collections.OrderedDict) and q.maxlen == 2"), "import collections\ndef f(): return collections.OrderedDict(b=1, a=2), collections.deque([1, 2, 3], 2)", "def f(): return {'b': 1, 'a': 2}, [2, 3]"),
    ("enum", _f("assert f('red') is Color.RED and f('red').name == 'RED' and f('blue') == Color(2) and len(Color) == 2 and [c.value for c in Color] == [1, 2] and Color['RED'].value == 1"), ENUM + "def f(s): return Color[s.upper()]", ENUM + "def f(s): return Color.RED"),
    ("enum of numbers", _f("assert f() == 2 and f() is Level.HIGH and f().name == 'HIGH' and f() > Level.LOW"), LEVEL + "def f(): return Level.HIGH", LEVEL + "def f(): return Level.LOW"),
    ("dataclass", _f("assert f(1) == P(1, [2]) and f(1).y == [2] and f(1) < P(2) and str(f(0)) == 'P(x=0, y=[2])' and isinstance(f(1), P) and f(1) != P(1)"), DATA + "def f(x): return P(x, [2])", DATA + "def f(x): return P(x)"),
    ("dataclass in a list", _f("assert sorted(f(), key=lambda p: p.x)[0] == P(1) and max(f()) == P(3) and P(3) in f()"), DATA + "def f(): return [P(3), P(1)]", DATA + "def f(): return [P(3), P(2)]"),
    ("operators", _f("v = Vector(1, 2) + Vector(3, 4)\nassert v == Vector(4, 6) and v * 2 == Vector(8, 12) and 2 * v == Vector(8, 12) and abs(Vector(3, 4)) == 5 and -v == Vector(-4, -6) and v < Vector(9, 0) and v and not Vector(0, 0)", "Vector"), VECTOR, VECTOR.replace("self.y + o.y", "self.y")),
    ("objects in sets", _f("assert len({Vector(1, 2), Vector(1, 2), Vector(2, 1)}) == 2 and {Vector(1, 2): 3}[Vector(1, 2)] == 3", "Vector"), VECTOR, VECTOR.replace("hash((self.x, self.y))", "id(self)")),
    ("context manager", _f("with f('a') as x:\n    assert x == 'a'\nwith f('b'):\n    raise KeyError('b')\nassert f('c')"), "class f:\n    def __init__(self, x): self.x = x\n    def __enter__(self): return self.x\n    def __exit__(self, kind, error, trace): return kind is KeyError and error.args == ('b',)", "import contextlib\n@contextlib.contextmanager\ndef f(x): yield x"),
    ("context manager of a generator", _f("out = []\nwith f(out.append) as x:\n    out.append(x)\nassert out == ['begin', 1, 'end']"), "import contextlib\n@contextlib.contextmanager\ndef f(say):\n    say('begin')\n    try: yield 1\n    finally: say('end')", "import contextlib\n@contextlib.contextmanager\ndef f(say):\n    say('begin')\n    yield 1"),
    ("views", _f("d = {'a': 1}\nassert f(d, 0) == d.keys() and list(f(d, 1)) == [1] and f(d, 2) == {('a', 1)}"), "def f(d, n): return (d.keys(), d.values(), d.items())[n]", "def f(d, n): return [list(d), [1], [('a', 1)]][n]"),
    ("generator by type", _f("import types, inspect, collections.abc\ng = f(3)\nassert isinstance(g, types.GeneratorType) and inspect.isgenerator(g) and isinstance(g, collections.abc.Iterator) and next(g) == 0 and list(g) == [1, 2]\ntry:\n    next(g)\nexcept StopIteration:\n    pass\nelse:\n    assert False"), "def f(n): yield from range(n)", "def f(n): return iter(range(n))"),
    ("generator function", _f("import inspect\nassert inspect.isgeneratorfunction(f) and list(f(2)) == [0, 1]"), "def f(n): yield from range(n)", "def f(n): return iter(range(n))"),
    ("generator that is sent to", _f("g = f()\nassert next(g) == 0 and g.send(5) == 5 and g.close() is None"), "def f():\n    x = 0\n    while True: x += (yield x) or 0", "def f():\n    while True: yield 0"),
    ("exception by type", _f("try:\n    f(3)\nexcept Short as e:\n    assert e.need == 5 and e.have == 3 and str(e) == '3 of 5' and isinstance(e, ValueError)\nelse:\n    assert False"), ERROR + "def f(n): raise Short(5, n)", ERROR + "def f(n): raise ValueError('3 of 5')"),
    ("exception in unittest", _f("import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        with self.assertRaises(Short) as c:\n            f(3)\n        self.assertEqual(c.exception.need, 5)\n        self.assertRaisesRegex(Short, '3 of', f, 3)"), ERROR + "def f(n): raise Short(5, n)", ERROR + "def f(n): raise Short(n, 5)"),
    ("builtin exception with arguments", _f("try:\n    f()\nexcept KeyError as e:\n    assert e.args == ('x', 1)\nelse:\n    assert False"), "def f(): raise KeyError('x', 1)", "def f(): raise KeyError('x')"),
    ("exit as an exception", _f("try:\n    f()\nexcept SystemExit as e:\n    assert e.code == 3\nelse:\n    assert False"), "import sys\ndef f(): sys.exit(3)", "import sys\ndef f(): sys.exit(0)"),
    ("library exception", _f("import json\ntry:\n    f('{')\nexcept json.JSONDecodeError as e:\n    assert e.pos == 1\nelse:\n    assert False"), "import json\ndef f(s): return json.loads(s)", "def f(s): raise ValueError"),
    ("exception of the tests", _f("class Mine(Exception): pass\ndef bad(): raise Mine(7)\ntry:\n    f(bad)\nexcept Mine as e:\n    assert e.args == (7,)\nelse:\n    assert False"), "def f(g): return g()", "def f(g):\n    try: g()\n    except Exception: raise ValueError from None"),
    ("array", _f("import numpy as np\na = f(np.arange(4.0).reshape(2, 2))\nassert a.shape == (2, 2) and a.dtype == float and (a == [[0, 2], [4, 6]]).all() and a.sum() == 12"), "def f(a): return a * 2", "def f(a): return (a * 2).tolist()"),
    ("array of text", _f("import numpy as np\nassert (f(np.array(['a', 'b'])) == np.array(['b', 'a'])).all()"), "def f(a): return a[::-1]", "def f(a): return a"),
    ("text stream", _f("import io\nassert f(io.StringIO('1\\n2\\n')) == 3"), "def f(s): return sum(int(line) for line in s)", "def f(s): return len(s.read())"),
    ("text stream that is written", _f("import io\nout = io.StringIO()\nf(out)\nassert out.getvalue() == 'a\\n'"), "def f(out): print('a', file=out)", "def f(out): print('a')"),
    ("output", _f("import io, contextlib\nout = io.StringIO()\nwith contextlib.redirect_stdout(out):\n    f()\nassert out.getvalue() == 'hello\\n'"), "def f(): print('hello')", "def f(): print('bye')"),
    ("deep list", _f("x = f(900)\nfor _ in range(900):\n    (x,) = x\nassert x == 7"), "def f(n):\n    x = 7\n    for _ in range(n): x = [x]\n    return x", "def f(n): return 7"),
    ("deep argument", _f("x = []\nfor _ in range(800): x = [x]\nassert f(x) == 801"), "def f(x):\n    n = 0\n    while True:\n        n += 1\n        if not x: return n\n        x = x[0]", "def f(x): return 1"),
    ("in place", _f("xs = [[3, 1], [2]]\nassert f(xs) is None and xs == [[2], [3, 1]]"), "def f(xs): xs.sort()", "def f(xs): sorted(xs)"),
    ("object of the tests", _f("class Node:\n    def __init__(self, v, n=None): self.v, self.next = v, n\nn = f(Node(1, Node(2)))\nassert n.v == 2 and n.next.v == 1 and n.next.next is None"), "def f(n):\n    before = None\n    while n: n.next, before, n = before, n, n.next\n    return before", "def f(n): return n"),
    ("text by a class", _f("assert f('a') == 'A' and f('a').shout() == 'A!'"), "class T(str):\n    def shout(self): return self + '!'\ndef f(s): return T(s.upper())", "def f(s): return s.upper()"),
    ("list by a class", _f("s = Stack()\ns.push(1)\ns.push(2)\nassert s.pop() == 2 and len(s) == 1 and s == [1] and list(s) == [1]", "Stack"), "class Stack(list):\n    def push(self, x): self.append(x)", "class Stack(list):\n    def push(self, x): self.insert(0, x)"),
    ("membership", _f("t = Trie()\nt.add('ab')\nassert 'ab' in t and 'a' not in t", "Trie"), "class Trie:\n    def __init__(self): self.w = set()\n    def add(self, w): self.w.add(w)\n    def __contains__(self, w): return w in self.w", "class Trie:\n    def add(self, w): pass\n    def __contains__(self, w): return True"),
    ("indices", _f("m = M()\nm[1, 2] = 5\nassert m[1, 2] == 5 and len(m) == 1\ndel m[1, 2]\nassert len(m) == 0", "M"), "class M:\n    def __init__(self): self.d = {}\n    def __setitem__(self, k, v): self.d[k] = v\n    def __getitem__(self, k): return self.d[k]\n    def __delitem__(self, k): del self.d[k]\n    def __len__(self): return len(self.d)", "class M(dict):\n    def __delitem__(self, k): pass"),
    ("class attributes", _f("a, b = C(), C()\nassert C.count == 2 and C.of(3).n == 3 and a.n == 0", "C"), "class C:\n    count = 0\n    def __init__(self, n=0):\n        C.count += 1\n        self.n = n\n    @classmethod\n    def of(cls, n): return cls(n)", "class C:\n    count = 0\n    n = 0"),
    ("class without functions", _f("try:\n    f(-1)\nexcept Short as e:\n    assert str(e) == 'no'\nelse:\n    assert False\nassert isinstance(f(1), Color)", "f, Short, Color"), "import enum\nclass Short(ValueError): pass\nclass Color(enum.Enum): RED = 1\ndef f(x):\n    if x < 0: raise Short('no')\n    return Color(x)", "import enum\nclass Short(ValueError): pass\nclass Color(enum.Enum): RED = 1\ndef f(x): return Color(abs(x))"),
    ("matched by place", _f("match P(1, 2):\n    case P(x, y):\n        assert (x, y) == (1, 2)\n    case _:\n        assert False", "P"), "class P:\n    __match_args__ = ('x', 'y')\n    def __init__(self, x, y): self.x, self.y = x, y", "class P:\n    __match_args__ = ('y', 'x')\n    def __init__(self, x, y): self.x, self.y = x, y"),
    ("private name of a class that the tests set", _f("a = S()\nassert S() is a\nS._it = None\nassert S() is not a and S._it is S()", "S"), "class S:\n    _it = None\n    def __new__(cls):\n        cls._it = cls._it or super().__new__(cls)\n        return cls._it", "class S:\n    _it = None\n    def __new__(cls): return cls._it or super().__new__(cls)"),
    ("names that what stands for an object could have", _f("c = C(5)\nassert (c._number, c._content, c._peer, c._trusted, c._differs) == (5, 5, 5, 5, 5)\nassert C._class_number == 7", "C"), "class C:\n    _class_number = 7\n    def __init__(s, n): s._number = s._content = s._peer = s._trusted = s._differs = n", "class C:\n    _class_number = 7\n    def __init__(s, n): s._content = s._peer = s._trusted = s._differs = n"),
    ("class that the tests patch", _f("from unittest.mock import patch\nwith patch.object(C, 'rate', 5):\n    assert C().fee(2) == 10\nwith patch.object(C, 'load', return_value=1) as load:\n    assert C().fee(0) == 0\n    load.assert_called_once_with(0)\nassert C().fee(2) == 4", "C"), "class C:\n    rate = 2\n    def load(self, x): return x\n    def fee(self, x): return self.load(x) * self.rate if x else self.load(x) - 1", "class C:\n    rate = 2\n    def load(self, x): return x\n    def fee(self, x): return x * self.rate"),
    ("properties", _f("a = Account(1)\na.balance = 5\nassert a.balance == 5\ntry:\n    a.balance = -1\nexcept ValueError:\n    pass\nelse:\n    assert False", "Account"), "class Account:\n    def __init__(self, b): self._b = b\n    @property\n    def balance(self): return self._b\n    @balance.setter\n    def balance(self, b):\n        if b < 0: raise ValueError\n        self._b = b", "class Account:\n    def __init__(self, b): self.balance = b"),
    ("inheritance", _f("d = Dog()\nassert isinstance(d, Animal) and issubclass(Dog, Animal) and d.speak() == 'wow' and type(d) is Dog and type(d).__name__ == 'Dog'", "Dog"), "class Animal: pass\nclass Dog(Animal):\n    def speak(self): return 'wow'", "class Animal: pass\nclass Dog:\n    def speak(self): return 'wow'"),
    ("documentation", _f("assert f.__doc__ == 'One more.' and f.__name__ == 'f' and f(1) == 2"), "def f(x):\n    'One more.'\n    return x + 1", "def f(x): return x + 1"),
    ("decorator", _f("calls = []\n@f\ndef g(x):\n    calls.append(x)\n    return x\nassert g(2) == 2 and g(2) == 2 and calls == [2]"), "import functools\ndef f(g): return functools.lru_cache(g)", "def f(g): return g"),
    ("slices and ranges", _f("assert f(slice(1, 3)) == range(1, 3) and f(slice(0, 0)) == range(0)"), "def f(s): return range(s.start, s.stop)", "def f(s): return [s.start, s.stop]"),
    ("value types", _f("import array, datetime, decimal\nassert f(array.array('i', [1])) == array.array('i', [1, 2]) and f(datetime.timedelta(1)) == datetime.timedelta(2)"), "def f(x):\n    import datetime\n    if isinstance(x, datetime.timedelta): return x * 2\n    x.append(2)\n    return x", "def f(x): return x"),
    ("values by their text", _f("import uuid, pathlib\nassert f(1) == uuid.UUID(int=1) and f(2) == pathlib.Path('/a/b')"), "import uuid, pathlib\ndef f(x): return uuid.UUID(int=1) if x == 1 else pathlib.Path('/a') / 'b'", "def f(x): return '/a/b'"),
    ("annotations", _f("import inspect\nassert f.__annotations__ == {'x': int} and list(inspect.signature(f).parameters) == ['x'] and f(1) == 2"), "def f(x: int): return x + 1", "def f(y: int): return y + 1"),
    ("array in place", _f("import numpy as np\na = np.zeros(3)\nf(a)\nassert a.sum() == 3"), "def f(a): a[:] = 1", "def f(a): a + 1"),
    ("ordering", _f("assert V(1) < V(2) <= V(2) and max(V(1), V(3)) == V(3) and sorted([V(2), V(1)])[0] == V(1)", "V"), "import functools\n@functools.total_ordering\nclass V:\n    def __init__(s, v): s.v = v\n    def __eq__(s, o): return s.v == o.v\n    def __lt__(s, o): return s.v < o.v", "class V:\n    def __init__(s, v): s.v = v\n    def __lt__(s, o): return True\n    __le__ = __lt__"),
    ("numbers of its own", _f("assert 1 - Half(1) == Half(1) and Half(1) * 2 == Half(2) and int(Half(4)) == 2", "Half"), "class Half:\n    def __init__(s, n): s.n = n\n    def __rsub__(s, o): return Half(2 * o - s.n)\n    def __mul__(s, o): return Half(s.n * o)\n    def __int__(s): return s.n // 2\n    def __eq__(s, o): return s.n == o.n", "class Half:\n    def __init__(s, n): s.n = n\n    def __rsub__(s, o): return Half(0)\n    def __eq__(s, o): return s.n == o.n"),
    ("chained exception", _f("try:\n    f()\nexcept ValueError as e:\n    assert isinstance(e.__cause__, KeyError)\nelse:\n    assert False"), "def f():\n    try: {}[1]\n    except KeyError as e: raise ValueError('x') from e", "def f(): raise ValueError('x')"),
    ("threads", _f("import threading\nr = []\nts = [threading.Thread(target=lambda i=i: r.append(f(i))) for i in range(3)]\n[t.start() for t in ts]\n[t.join() for t in ts]\nassert sorted(r) == [0, 1, 4]"), "def f(x): return x * x", "def f(x): return x"),
    ("factory of classes", _f("C = f('Dog')\nassert C.__name__ == 'Dog' and C().speak() == 'Dog' and type(C()) is C"), "def f(n): return type(n, (), {'speak': lambda s: n})", "def f(n): return type('C', (), {'speak': lambda s: n})"),
    ("async context manager", _f("import asyncio\nasync def main():\n    async with f() as x:\n        assert x == 1\nasyncio.run(main())"), "import contextlib\n@contextlib.asynccontextmanager\nasync def f(): yield 1", "import contextlib\n@contextlib.asynccontextmanager\nasync def f(): yield 2"),
]  # fmt: skip

_FRAME = "import pandas as pd\nexp = 2\ndef helper(x): return exp\ndf = pd.DataFrame({'a': [1, 2, 3], 'b': list('xyz')})\nf(0)\n"
ONE: list[Kind] = [
    ("patch", _f("from unittest.mock import patch\nwith patch('solution.now', return_value=5):\n    assert f() == 6"), "def now(): return 1\ndef f(): return now() + 1", "def now(): return 1\ndef f(): return 2"),
    ("patch a library", _f("from unittest.mock import patch\nimport random\nwith patch('random.randint', return_value=4) as m:\n    assert f() == 4\n    m.assert_called_once_with(1, 6)"), "import random\ndef f(): return random.randint(1, 6)", "import random\ndef f(): return 4"),
    ("patch input", _f("from unittest.mock import patch\nwith patch('builtins.input', side_effect=['2', '3']):\n    assert f() == 5"), "def f(): return int(input()) + int(input())", "def f(): return 5 if input() == '3' else 1"),
    ("patch a file", _f("from unittest.mock import mock_open, patch\nm = mock_open(read_data='a\\nb\\n')\nwith patch('builtins.open', m):\n    assert f('x') == ['a', 'b']\nm.assert_called_once_with('x')"), "def f(p):\n    with open(p) as h: return [line.strip() for line in h]", "def f(p): return ['a', 'b']"),
    ("patch around test functions", _f("import pytest\nfrom unittest.mock import patch\n@patch('time.sleep')\n@patch('builtins.print', lambda *a: None)\ndef test_a(sleep):\n    assert f(1) == 2\n    sleep.assert_called_once_with(60)\n@pytest.mark.parametrize('x', [1, 2])\n@patch('time.sleep')\ndef test_b(sleep, x):\n    assert f(x) == x + 1"), "import time\ndef f(x):\n    time.sleep(60)\n    return x + 1", "def f(x): return x + 1"),
    ("set input", _f("import builtins, io, sys\nold, sys.stdin = sys.stdin, io.StringIO('2\\n3\\n')\nassert f() == 5\nsys.stdin = old\nreal, builtins.input = input, lambda *prompt: '4'\nassert f() == 8\nbuiltins.input = real"), "def f(): return int(input()) + int(input('y? '))", "def f(): return 5"),
    ("patch by a name that is imported as another", _f("from unittest.mock import patch\nfrom os import path\nimport json as j\nwith patch.object(path, 'exists', return_value=True), patch.object(j, 'loads', return_value=7):\n    assert f('/nowhere') == 7"), "import json, os\ndef f(n): return json.loads(n) if os.path.exists(n) else 0", "def f(n): return 0"),
    ("patch a library that nobody has loaded", _f("from unittest.mock import Mock, patch\n@patch('wsgiref.simple_server.make_server', return_value=4)\ndef test_a(m):\n    assert f() == 4\n    m.assert_called_once()\n@patch('yaml.safe_load', return_value=5)\ndef test_b(m):\n    assert g() == 5", "f, g"), "import yaml\nfrom wsgiref import simple_server\ndef f(): return simple_server.make_server('', 0, None)\ndef g(): return yaml.safe_load('1')", "def f(): return 4\ndef g(): return 1"),
    ("identity", _f("x = object()\nassert f(x) is x"), "def f(x): return x", "def f(x): return object()"),
    ("inherits", _f("class B(Base):\n    def one(self): return 1\nassert B().two() == 2", "Base"), "class Base:\n    def two(self): return 2 * self.one()", "class Base:\n    def two(self): return self.one()"),
    ("captured output", _f("import io, sys\nold, sys.stdout = sys.stdout, io.StringIO()\nf()\ntext, sys.stdout = sys.stdout.getvalue(), old\nassert text == 'a\\n'"), "def f(): print('a')", "def f(): print('b')"),
    ("object that equals numbers by right", _f("import dataclasses\nassert dataclasses.asdict(f()) == {'x': 1, 'y': []}"), DATA + "def f(): return P(1)", DATA + "def f(): return P(2)"),
    ("a package: calculations with a frame", _f("import pandas as pd\ndf = pd.DataFrame({'k': ['a', 'b', 'a'], 'v': [1, 2, 3]})\nassert f(df) == [2, 5]"), "def f(df): return (2 * df[(df['v'] > 0) & (df['k'] == 'a')]['v'] - (df['v'] - df['v']) - 1 + 0 * df['v'] + 1 - (df['v'] > 2)).dropna().astype(int).tolist()", "def f(df): return df['v'].tolist()"),
    ("a package: labels of a frame", _f("import pandas as pd\ndf = pd.DataFrame({'_id': [1, 2], 'query': ['a_b', '_c']})\nassert f(df) == ['a b', ' c']\nassert g(df) == ['query'] and h(df) == {1: 1, 2: 1}", "f, g, h"), "def f(df): return df.sort_values('query', ascending=False)['query'].str.replace('_', ' ').tolist()\ndef g(df): return list(df.drop(columns='_id').columns)\ndef h(df): return df.groupby('_id')['query'].count().to_dict()", "def f(df): return []\ndef g(df): return []\ndef h(df): return {}"),
    ("a package: expressions of sympy", _f("import sympy as sp\nx = sp.Symbol('x')\nM = sp.Matrix([[1, 2], [3, 4]])\nassert f((x + 1) ** 2, x) == 2 * x + 3\nassert g(M) == -2 and M[0, 0] == 9", "f, g"), "def f(e, x): return e.diff(x).expand() + e.subs(x, 0)\ndef g(M):\n    found = M.det()\n    M[0, 0] = 9\n    return found", "def f(e, x): return e\ndef g(M): return 0"),
    ("a package: queries of the code", _f(_FRAME + "assert df.query(f(1)).b.tolist() == df.query('a == @exp').b.tolist() == df.query(f(1) + ' & a == @exp').b.tolist() == ['y']\ndf.eval(f(2), inplace=True)\nassert df.z.tolist() == [2, 4, 6] and pd.eval(f'df.a + {f(3)}').tolist() == [7, 8, 9]"), "def f(x): return ['', \"a in [2] and b.str.contains('y') & `a` == index + 1\", 'z = a * 2', '2 * 3'][x]", "def f(x): return ['', 'a > 0', 'z = a * 2', '2 * 3'][x]"),
]  # fmt: skip
