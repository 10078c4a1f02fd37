"""A second list of kinds, written before its verdicts were looked at: (name, problem, right code, wrong code)."""

# ruff: noqa: E501 - a table is read by columns

from __future__ import annotations

from typing import Any

from kinds import DEC, INC, Kind, _f

NODE = "class Node:\n    def __init__(self, v, next=None):\n        self.v, self.next = v, next\n"
STACK = "class Stack:\n    def __init__(self): self.x = []\n    def push(self, v): self.x.append(v)\n    def pop(self): return self.x.pop()"
SHAPES = "import abc\nclass Shape(abc.ABC):\n    @abc.abstractmethod\n    def area(self): ...\nclass Square(Shape):\n    def __init__(self, a): self.a = a\n    def area(self): return self.a ** 2\n"
POINT = "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass P:\n    x: int\n    y: int = 0\n"
OF_PROMPT = "import enum\nfrom dataclasses import dataclass\n@dataclass(order=True)\nclass P:\n    x: int\n    y: list = None\nclass C(enum.Enum):\n    R = 1\n    B = 2\nclass Bad(ValueError):\n    def __init__(self, code):\n        super().__init__(f'bad: {code}')\n        self.code = code\n"
STRANGERS: list[Kind] = [
    ("objects that differ", _f("assert C(1) != C(2) and C(1).x == 1", "C"), "class C:\n    def __init__(self, x): self.x = x\n    def __eq__(self, o): return self.x == o.x", "class C:\n    def __init__(self, x): self.x = x\n    def __eq__(self, o): return True"),
    ("objects that are not equal", _f("import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertFalse(C(1) == C(2))\n        self.assertNotEqual(C(1), C(2))\n        assert C(1).x == 1", "C"), "class C:\n    def __init__(self, x): self.x = x\n    def __eq__(self, o): return vars(self) == vars(o)", "class C:\n    def __init__(self, x): self.x = x\n    def __eq__(self, o): return True"),
    ("objects without attributes", _f("assert Nil() == Nil()", "Nil"), "class Nil:\n    def __eq__(self, o): return self.__dict__ == o.__dict__", "class Nil: pass"),
    ("what a container of the code lacks", _f("import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        s = S()\n        self.assertNotIn(3, s)\n        assert 'a' not in s", "S"), "class S:\n    def __contains__(self, x): return False\n    def __iter__(self): return iter(())", "class S:\n    def __contains__(self, x): return True\n    def __iter__(self): return iter(())"),
    ("types in a prompt that imports none", {"prompt": "class Solution:\n    def f(self, xs: List[int]) -> Optional[int]:\n", "test": "def check(g):\n    assert g([1, 2]) == 3", "entry_point": "Solution().f"}, "class Solution:\n    def f(self, xs: List[int]) -> Optional[int]: return sum(xs)", "class Solution:\n    def f(self, xs): return 0"),
    ("modules that the judge of contests imports", {"input_output": {"fn_name": "g", "inputs": [[[3, 1]]], "outputs": [1]}}, "class Solution:\n    def g(self, xs):\n        heapq.heapify(xs)\n        return heappop(xs)", "def g(xs): return math.prod(xs)"),
    ("programs that the judge of contests gives modules", {"input_output": {"inputs": ["1 2"], "outputs": ["3"]}}, "print(sum(map(int, sys.stdin.readline().split())))", "print(sys.maxsize)"),
    ("objects made by setUp", _f("import unittest\nclass TestStack(unittest.TestCase):\n    def setUp(self):\n        self.s = Stack()\n    def test_push(self):\n        self.s.push(1)\n        self.assertEqual(self.s.pop(), 1)\n    def test_empty(self):\n        self.assertRaises(IndexError, self.s.pop)", "Stack"), STACK, STACK.replace("self.x.append(v)", "pass")),
    ("unittest by a runner of its own", _f("import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), 2)\nif __name__ == '__main__':\n    suite = unittest.TestLoader().loadTestsFromTestCase(T)\n    unittest.TextTestRunner().run(suite)"), INC, DEC),
    ("unittest with class state", _f("import unittest\nclass T(unittest.TestCase):\n    seen = []\n    def test_a(self):\n        self.seen.append(f(1))\n    def test_b(self):\n        self.assertEqual(self.seen, [2])"), INC, DEC),
    ("expected failure", _f("import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        self.assertEqual(f(1), 2)\n    @unittest.expectedFailure\n    def test_b(self):\n        self.assertEqual(f(1), 3)"), INC, "def f(x): return 3"),
    ("approx", _f("import pytest\ndef test_a():\n    assert f(3) == pytest.approx(0.3333, abs=1e-3)\n    assert [f(1), f(2)] == pytest.approx([1.0, 0.5])"), "def f(x): return 1 / x", "def f(x): return 1 // x"),
    ("raises with a pattern", _f("import pytest\ndef test_a():\n    with pytest.raises(ValueError, match=r'neg.*-1') as info:\n        f(-1)\n    assert info.value.args[0].startswith('neg')"), "def f(x): raise ValueError(f'negative: {x}')", "def f(x): raise ValueError('bad')"),
    ("doctest with an option", _f("def test_a():\n    '''\n    >>> f(100)  # doctest: +ELLIPSIS\n    [0, 1, ..., 99]\n    '''"), "def f(n): return list(range(n))", "def f(n): return list(range(n + 1))"),
    ("failures in a list", _f("def check(candidate):\n    failures = []\n    for x, y in [(1, 2), (2, 3)]:\n        if candidate(x) != y:\n            failures.append(x)\n    assert not failures, failures"), INC, DEC),
    ("a count of passes", _f("passed = 0\nfor x in range(3):\n    try:\n        assert f(x) == x + 1\n        passed += 1\n    except Exception:\n        pass\nassert passed == 3"), INC, DEC),
    ("flags", _f("p = Perm.R | Perm.W\nassert Perm.R in p and Perm.X not in p and p.value == 3 and f(p) == 2"), "import enum\nclass Perm(enum.Flag):\n    R = 1\n    W = 2\n    X = 4\ndef f(p): return sum(q in p for q in Perm)", "import enum\nclass Perm(enum.Flag):\n    R = 1\n    W = 2\n    X = 4\ndef f(p): return 3"),
    ("a generator is told things", _f("g = f()\nnext(g)\nassert g.send(3) == 3 and g.send(4) == 7\ng.close()\nassert list(g) == []"), "def f():\n    t = 0\n    while True:\n        t += yield t", "def f():\n    t = 0\n    while True:\n        t = yield t"),
    ("properties and class methods", _f("t = Temp.of_f(212)\nassert t.c == 100\nt.c = 0\nassert t.f == 32\ntry:\n    t.c = -300\nexcept ValueError as e:\n    assert 'zero' in str(e)\nelse:\n    assert False", "Temp"), "class Temp:\n    def __init__(self, c): self._c = c\n    @classmethod\n    def of_f(cls, f): return cls((f - 32) / 1.8)\n    @property\n    def c(self): return self._c\n    @c.setter\n    def c(self, c):\n        if c < -273: raise ValueError('below zero')\n        self._c = c\n    @property\n    def f(self): return self._c * 1.8 + 32", "class Temp:\n    def __init__(self, c): self.c = c\n    @classmethod\n    def of_f(cls, f): return cls((f - 32) / 1.8)\n    @property\n    def f(self): return self.c * 1.8 + 32"),
    ("abstract classes", _f("assert issubclass(Square, Shape) and isinstance(Square(2), Shape) and Square(3).area() == 9\ntry:\n    Shape()\nexcept TypeError:\n    pass\nelse:\n    assert False", "Shape, Square"), SHAPES, SHAPES.replace("abc.ABC", "object")),
    ("frozen data in a dictionary", _f("d = {f(1): 'a', f(2): 'b'}\nassert d[P(1)] == 'a' and P(2) in d and len({f(1), P(1, 0)}) == 1\ntry:\n    f(1).x = 3\nexcept AttributeError:\n    pass\nelse:\n    assert False"), POINT + "def f(x): return P(x)", POINT.replace("frozen=True", "eq=True") + "def f(x): return P(x)"),
    ("a class with the name of a test", _f("from solution import TestBed\nassert TestBed().test_me(3) == 3", "TestBed"), "class TestBed:\n    def test_me(self, x): return x", "class TestBed:\n    def test_me(self, x): return 2"),
    ("functions of dataclasses", _f("import dataclasses\nassert dataclasses.is_dataclass(f(1)) and dataclasses.asdict(f(1)) == {'x': 1, 'y': 0} and dataclasses.replace(f(1), y=2) == P(1, 2)"), POINT + "def f(x): return P(x)", POINT + "def f(x): return P(0, x)"),
    ("an iterator class", _f("assert list(Count(3)) == [3, 2, 1]\nit = iter(Count(1))\nassert next(it) == 1 and next(it, None) is None", "Count"), "class Count:\n    def __init__(self, n): self.n = n\n    def __iter__(self): return self\n    def __next__(self):\n        if self.n <= 0: raise StopIteration\n        self.n -= 1\n        return self.n + 1", "class Count:\n    def __init__(self, n): self.n = n\n    def __iter__(self): return iter(range(self.n))"),
    ("a decorator", _f("calls = []\n@memoize\ndef g(x):\n    'doc of g'\n    calls.append(x)\n    return x * x\nassert [g(2), g(2), g(3)] == [4, 4, 9] and calls == [2, 3] and g.__name__ == 'g'", "memoize"), "import functools\ndef memoize(f):\n    d = {}\n    @functools.wraps(f)\n    def w(x):\n        if x not in d: d[x] = f(x)\n        return d[x]\n    return w", "def memoize(f): return f"),
    ("a cache", _f("assert f(30) == 832040 and f.cache_info().hits > 0\nf.cache_clear()\nassert f.cache_info().currsize == 0"), "import functools\n@functools.lru_cache(None)\ndef f(n): return n if n < 2 else f(n - 1) + f(n - 2)", "def f(n): return n if n < 2 else f(n - 1) + f(n - 2)"),
    ("a cause", _f("try:\n    f('x')\nexcept RuntimeError as e:\n    assert isinstance(e.__cause__, ValueError)\nelse:\n    assert False"), "def f(x):\n    try: return int(x)\n    except ValueError as e: raise RuntimeError('no') from e", "def f(x): raise RuntimeError('no')"),
    ("a signature", _f("import inspect\nassert list(inspect.signature(f).parameters) == ['a', 'b'] and inspect.signature(f).parameters['b'].default == 2 and f(1) == 3"), "def f(a, b=2): return a + b", "def f(*a): return 3"),
    ("type hints", _f("import typing\nassert typing.get_type_hints(f) == {'x': int, 'return': str} and f(1) == '1'"), "def f(x: int) -> str: return str(x)", "def f(x): return str(x)"),
    ("arrays in place", _f("import numpy as np\na = np.zeros(3)\nf(a)\nassert a.tolist() == [1, 1, 1] and f(np.array([[1, 2]])) is None"), "def f(a): a += 1", "def f(a): a = a + 1"),
    ("an array's type", _f("import numpy as np\na = f([1, 2])\nassert a.dtype == np.float32 and a.shape == (2, 1) and np.array_equal(a, [[1], [2]])"), "import numpy as np\ndef f(x): return np.array(x, np.float32).reshape(-1, 1)", "import numpy as np\ndef f(x): return np.array(x).reshape(-1, 1)"),
    ("output to a file of the tests", _f("import io\nout = io.StringIO()\nf(['a', 'b'], out)\nassert out.getvalue() == 'a\\nb\\n'"), "def f(xs, out):\n    for x in xs: print(x, file=out)", "def f(xs, out): out.write('a b')"),
    ("captured output", _f("import io, contextlib\nout = io.StringIO()\nwith contextlib.redirect_stdout(out):\n    f(2)\nassert out.getvalue() == '0\\n1\\n'"), "def f(n):\n    for i in range(n): print(i)", "def f(n): print(n)"),
    ("a linked list of the tests", _f(NODE + "h = f(Node(1, Node(2, Node(3))))\nout = []\nwhile h:\n    out.append(h.v)\n    h = h.next\nassert out == [3, 2, 1]"), "def f(h):\n    p = None\n    while h:\n        h.next, p, h = p, h, h.next\n    return p", "def f(h): return h"),
    ("a linked list of the prompt", _f("h = f(Node(1, Node(2)))\nassert h.v == 2 and h.next.v == 1 and h.next.next is None") | {"prompt": NODE + "\ndef f(h: Node) -> Node:\n"}, NODE + "def f(h):\n    out = None\n    while h:\n        out, h = Node(h.v, out), h.next\n    return out", NODE + "def f(h): return h"),
    ("as a key", _f("import functools\nassert sorted(['bb', 'a', 'ccc'], key=f) == ['ccc', 'bb', 'a'] and max('a', 'bb', key=f) == 'a' and list(map(f, ['x'])) == [-1]"), "def f(s): return -len(s)", "def f(s): return len(s)"),
    ("a comparison for sorting", _f("from functools import cmp_to_key\nassert sorted([3, 30, 34], key=cmp_to_key(f)) == [34, 3, 30]"), "def f(a, b): return int(f'{b}{a}') - int(f'{a}{b}')", "def f(a, b): return a - b"),
    ("a guard in the code", _f("assert f(1) == 2"), INC + "\nif __name__ == '__main__':\n    print(f(int(input())))", DEC + "\nif __name__ == '__main__':\n    exit(0)"),
    ("printed floats without a point", {"cases": [{"input": "3", "output": "3.0"}, {"input": "1", "output": "1.0 2.50"}]}, "n = int(input())\nprint(n, *[2.5] * (n == 1))", "n = int(input())\nprint(n)"),
    ("printed words", {"cases": [{"input": "3", "output": "YES"}]}, "print('YES \\n')", "print('Yes')"),
    ("several cases of stdin", {"cases": [{"input": "2\n1 2\n3 4\n", "output": "3\n7\n"}]}, "for _ in range(int(input())):\n    print(sum(map(int, input().split())))", "print(3)\nprint(8)"),
    ("nested output", {"input_output": '{"fn_name": "f", "inputs": [[[1, 2, 3]], [[]]], "outputs": [[[1], [1, 2], [1, 2, 3]], []]}'}, "def f(xs): return [xs[:i + 1] for i in range(len(xs))]", "def f(xs): return [xs]"),
    ("tolerance of arrays", _f("import numpy as np\nassert f(3) == [0.1, 0.2] and f(1) != [0.1, 0.25]", tolerance=1e-6), "def f(x): return [0.1 + 1e-9, 0.2]", "def f(x): return [0.11, 0.2]"),
    ("a helper of the prompt", {"prompt": "def double(x):\n    return 2 * x\n\ndef f(x):\n    '''Four times x.'''\n", "test": "assert f(1) == 4", "entry_point": "f"}, "    return double(double(x))", "    return double(x)"),
    ("keys, values and frozen sets", _f("assert f() == {(1, 2): {frozenset({1})}, b'k': range(3), None: ...}"), "def f(): return {(1, 2): {frozenset({1})}, b'k': range(3), None: ...}", "def f(): return {(1, 2): {frozenset({1})}, b'k': [0, 1, 2], None: ...}"),
    ("money, days and times", _f("from decimal import Decimal\nfrom datetime import date, timedelta, timezone, datetime\nassert f(Decimal('1.10'), date(2024, 2, 28)) == (Decimal('2.2'), date(2024, 3, 1), timedelta(2), datetime(2024, 1, 1, tzinfo=timezone.utc))"), "from datetime import *\ndef f(m, d): return 2 * m, d + timedelta(2), timedelta(days=2), datetime(2024, 1, 1, tzinfo=timezone.utc)", "from datetime import *\ndef f(m, d): return 2 * m, d + timedelta(1), timedelta(days=2), datetime(2024, 1, 1)"),
    ("a counter of letters", _f("c = f('aab')\nassert c.most_common(1) == [('a', 2)] and c['z'] == 0 and c + c == {'a': 4, 'b': 2}"), "from collections import Counter\nf = Counter", "def f(s): return {'a': 2, 'b': 1}"),
    ("several awaited at once", _f("import asyncio\nasync def test_a():\n    assert await asyncio.gather(f(1), f(2)) == [2, 3]\n    assert await asyncio.wait_for(f(1), 1) == 2"), "import asyncio\nasync def f(x):\n    await asyncio.sleep(0)\n    return x + 1", "async def f(x): return x"),
    ("a partial", _f("assert f(2) == 3 and f.args == (1,)"), "import functools, operator\nf = functools.partial(operator.add, 1)", "import functools, operator\nf = functools.partial(operator.add, 2)"),
    ("a method of a type", _f("assert f('ab') == 'AB' and list(map(f, 'ab')) == ['A', 'B']"), "f = str.upper", "f = str.lower"),
    ("a getter", _f("assert f([1, 2]) == 2 and sorted([[1, 2], [2, 1]], key=f) == [[2, 1], [1, 2]]"), "import operator\nf = operator.itemgetter(1)", "import operator\nf = operator.itemgetter(0)"),
    ("an object that is called", _f("assert f(1) == 1 and f(2) == 3 and f.total == 3"), "class Sum:\n    total = 0\n    def __call__(self, x):\n        self.total += x\n        return self.total\nf = Sum()", "class Sum:\n    total = 0\n    def __call__(self, x): return x\nf = Sum()"),
    ("a generic class", _f("s = Box[int](3)\nassert s.get() == 3 and isinstance(s, Box)", "Box"), "from typing import Generic, TypeVar\nT = TypeVar('T')\nclass Box(Generic[T]):\n    def __init__(self, x: T): self.x = x\n    def get(self) -> T: return self.x", "class Box:\n    def __init__(self, x): self.x = 0\n    def get(self): return self.x"),
    ("data within data", _f("import dataclasses\nassert dataclasses.asdict(f()) == {'p': {'x': 1}, 'ps': [{'x': 2}]} and [x.name for x in dataclasses.fields(f())] == ['p', 'ps'] and dataclasses.astuple(f().p) == (1,)"), "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n@dataclass\nclass Q:\n    p: P\n    ps: list\ndef f(): return Q(P(1), [P(2)])", "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n@dataclass\nclass Q:\n    p: P\n    ps: list\ndef f(): return Q(P(1), [P(1)])"),
    ("slots and cached properties", _f("a = f(3)\nassert a.square == 9 and a.square == 9\ntry:\n    a.y = 1\nexcept AttributeError:\n    pass\nelse:\n    assert False"), "class A:\n    __slots__ = ('x',)\n    def __init__(self, x): self.x = x\n    @property\n    def square(self): return self.x ** 2\ndef f(x): return A(x)", "class A:\n    def __init__(self, x): self.x = x\n    @property\n    def square(self): return self.x ** 2\ndef f(x): return A(x)"),
    ("a sequence of its own", _f("import collections.abc\ns = f(3)\nassert isinstance(s, collections.abc.Sequence) and len(s) == 3 and s[1] == 10 and list(s) == [0, 10, 20] and s.index(20) == 2 and 10 in s and list(reversed(s)) == [20, 10, 0]"), "import collections.abc\nclass S(collections.abc.Sequence):\n    def __init__(self, n): self.n = n\n    def __len__(self): return self.n\n    def __getitem__(self, i):\n        if i >= self.n: raise IndexError\n        return 10 * i\ndef f(n): return S(n)", "class S:\n    def __init__(self, n): self.n = n\n    def __len__(self): return self.n\n    def __getitem__(self, i):\n        if i >= self.n: raise IndexError\n        return 10 * i\ndef f(n): return S(n)"),
    ("a mapping of its own", _f("import collections.abc\nd = D({'A': 1})\nassert isinstance(d, collections.abc.MutableMapping) and d['a'] == 1 and 'A' in d and dict(d) == {'a': 1} and d.get('z', 5) == 5\nd['B'] = 2\nassert sorted(d.items()) == [('a', 1), ('b', 2)]", "D"), "import collections.abc\nclass D(collections.abc.MutableMapping):\n    def __init__(self, d): self.d = {k.lower(): v for k, v in d.items()}\n    def __getitem__(self, k): return self.d[k.lower()]\n    def __setitem__(self, k, v): self.d[k.lower()] = v\n    def __delitem__(self, k): del self.d[k.lower()]\n    def __iter__(self): return iter(self.d)\n    def __len__(self): return len(self.d)", "D = dict"),
    ("a kind of list", _f("x = f([1, 2])\nassert isinstance(x, list) and x == [1, 2] and x.total() == 3 and x + [3] == [1, 2, 3]\nx.append(4)\nassert x.total() == 7 and x[-1] == 4 and len(x) == 3"), "class L(list):\n    def total(self): return sum(self)\ndef f(xs): return L(xs)", "class L(list):\n    def total(self): return 3\ndef f(xs): return L(xs)"),
    ("a kind of dictionary", _f("d = f()\nassert isinstance(d, dict) and d.a == 1 and d['a'] == 1 and {**d} == {'a': 1}\nd.b = 2\nassert d == {'a': 1, 'b': 2}"), "class D(dict):\n    def __getattr__(self, k): return self[k]\n    def __setattr__(self, k, v): self[k] = v\ndef f(): return D(a=1)", "def f(): return {'a': 1}"),
    ("names of classes", _f("p = f()\nassert type(p).__name__ == 'Point' and p.__class__.__name__ == 'Point' and repr(p).startswith('<') is False and p.__class__ is Point"), "class Point:\n    def __repr__(self): return 'Point'\ndef f(): return Point()", "class point:\n    def __repr__(self): return 'Point'\nPoint = point\ndef f(): return Point()"),
    ("a family of errors", _f("import pytest\nfor x, kind in ((0, Empty), (-1, Negative)):\n    with pytest.raises(Base) as info:\n        f(x)\n    assert info.type is kind and str(info.value) == f'bad: {x}' and info.value.code == x\nassert issubclass(Empty, Base) and not issubclass(Empty, Negative)"), "class Base(Exception):\n    def __init__(self, x):\n        super().__init__(x)\n        self.code = x\n    def __str__(self): return f'bad: {self.code}'\nclass Empty(Base): pass\nclass Negative(Base): pass\ndef f(x): raise (Negative if x else Empty)(x)", "class Base(Exception):\n    code = 0\nclass Empty(Base): pass\nclass Negative(Empty): pass\ndef f(x): raise Base(x)"),
    ("async with and async for", _f("async def test_a():\n    async with f(2) as a:\n        assert [x async for x in a] == [2, 1]\n    assert a.closed"), "class f:\n    def __init__(self, n): self.n, self.closed = n, False\n    async def __aenter__(self): return self\n    async def __aexit__(self, *e): self.closed = True\n    def __aiter__(self): return self\n    async def __anext__(self):\n        if not self.n: raise StopAsyncIteration\n        self.n -= 1\n        return self.n + 1", "class f:\n    def __init__(self, n): self.n, self.closed = n, False\n    async def __aenter__(self): return self\n    async def __aexit__(self, *e): pass\n    def __aiter__(self): return self\n    async def __anext__(self):\n        if not self.n: raise StopAsyncIteration\n        self.n -= 1\n        return self.n + 1"),
    ("threads that call back", _f("def g(x): return x + 1\nassert f(g, [1, 2, 3]) == [2, 3, 4]"), "from concurrent.futures import ThreadPoolExecutor\ndef f(g, xs):\n    with ThreadPoolExecutor(3) as pool: return list(pool.map(g, xs))", "def f(g, xs): return xs"),
    ("iterators as arguments", _f("import io\nassert f(iter([1, 2])) == 3 and f(x for x in (1, 2)) == 3 and f(map(int, '12')) == 3 and f({1: 0, 2: 0}.keys()) == 3 and f(range(3)) == 3"), "def f(xs): return sum(xs)", "def f(xs): return xs[0] + 2"),
    ("changed within", _f("d = {'a': [1, {2}], 'b': bytearray(b'x')}\na = d['a']\nf(d)\nassert d == {'a': [1, {2, 3}, 4], 'b': bytearray(b'xy'), 'c': 5} and a is d['a']"), "def f(d):\n    d['a'][1].add(3)\n    d['a'].append(4)\n    d['b'] += b'y'\n    d['c'] = 5", "def f(d):\n    d['a'] = [1, {2, 3}, 4]"),
    ("arguments by name and number", _f("assert f(1, 2, 3, k=4) == (1, (2, 3), 4, {}) and f(1, z=2) == (1, (), 0, {'z': 2})\ntry:\n    f()\nexcept TypeError:\n    pass\nelse:\n    assert False"), "def f(a, *b, k=0, **c): return a, b, k, c", "def f(a=1, *b, k=0, **c): return a, b, k, c"),
    ("state between calls", _f("assert [f() for _ in range(3)] == [1, 2, 3]"), "n = 0\ndef f():\n    global n\n    n += 1\n    return n", "def f(n=[0]): return 1"),
    ("a random generator of the tests", _f("import numpy as np\nx = f(np.random.default_rng(0), 5)\nassert np.array_equal(x, np.random.default_rng(0).integers(0, 10, 5))"), "def f(rng, n): return rng.integers(0, 10, n)", "def f(rng, n): return rng.integers(0, 10, n) + 1"),
    ("stdin to its end", {"cases": [{"input": "1\n2\n\n3", "output": "6\n"}]}, "t = 0\nwhile True:\n    try:\n        line = input()\n    except EOFError:\n        break\n    t += int(line or 0)\nprint(t)", "print(sum(1 for _ in open(0)))"),
    ("stdin with a large stack", {"cases": [{"input": "9000", "output": "9000"}]}, "import sys, threading\nsys.setrecursionlimit(10**6)\nthreading.stack_size(1 << 26)\ndef g(n): return n and 1 + g(n - 1)\ndef main(): print(g(int(input())))\nt = threading.Thread(target=main)\nt.start()\nt.join()", "print(9)"),
    ("threads of an executor that is left open", {"cases": [{"input": "4", "output": "5"}, {"input": "6", "output": "7"}]}, "from concurrent.futures import ThreadPoolExecutor\nThreadPoolExecutor(2).submit(lambda: print(int(input()) + 1))\nopen_too = ThreadPoolExecutor(1)\nopen_too.submit(int)", "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\npool.submit(lambda: print(int(input()) + 2))"),
    ("stdin read in one block, the program called in another", {"cases": [{"input": "2 3", "output": "5"}]}, "def solve():\n    a, b = map(int, input().split())\n    print(a + b)\n```\nCall it:\n```python\nsolve()", "def solve():\n    a, b = map(int, input().split())\n    print(a + b)"),
    ("stdin read in one block, printed in another", {"cases": [{"input": "2 3", "output": "5"}]}, "total = 0\nfor x in input().split():\n    total += int(x)\n```\nand\n```python\nprint(total)", "a, b = map(int, input().split())\nprint(a * b)\n```\nand\n```python\nprint(5)"),
    ("stdin, and a block with an example", {"cases": [{"input": "2 3", "output": "5"}]}, "def add(s): return sum(map(int, s.split()))\nprint(add(input()))\n```\nE.g.\n```python\nprint(add('1 1'))", "def add(s): return sum(map(int, s.split()))\nprint(add(input()) - 1)\n```\nE.g.\n```python\nprint(add('2 3'))"),
    ("stdin by a fast exit", {"cases": [{"input": "3", "output": "9"}]}, "import os, sys\ndef main():\n    print(int(sys.stdin.readline()) ** 2)\nmain()\nsys.stdout.flush()\nos._exit(0)", "import os\nos._exit(0)"),
    ("bytes to standard output", {"cases": [{"input": "3", "output": "9"}]}, "import os, sys\nsys.stdout.buffer.write(b'%d' % int(sys.stdin.buffer.read()) ** 2) if 0 else os.write(1, b'9\\n')", "import os\nos.write(1, b'8\\n')"),
    ("fixtures of a module and of a class", _f("from unittest import TestCase, IsolatedAsyncioTestCase\ndef setUpModule():\n    global y\n    y = f(1)\nclass A(TestCase):\n    @classmethod\n    def setUpClass(cls):\n        cls.x = f(y)\n    def setUp(self):\n        self.addCleanup(self.check)\n    def check(self):\n        self.assertEqual(y, 2)\n    def test_a(self):\n        for x in (1, 2):\n            with self.subTest(x=x):\n                self.assertEqual(f(x) + self.x, x + 4)\nclass B(A):\n    def test_b(self):\n        self.assertGreater(self.x, 2)"), INC, "def f(x): return x + 2"),
    ("a dataclass of the prompt", {"prompt": OF_PROMPT + "def f(p: P) -> P:\n", "test": "assert f(P(1)) == P(2) == f(P(1)) != P(1) and isinstance(f(P(1)), P) and f(P(1)) < P(3) and max(f(P(7)), P(2)) == P(8)\np = P(1)\nf(p)\nassert p.y == [1]", "entry_point": "f"}, "def f(p):\n    assert isinstance(p, P) and p == P(p.x)\n    p.y = [p.x]\n    return P(p.x + 1)", "class P:\n    def __init__(self, x): self.x, self.y = x, [1]\n    __eq__ = __lt__ = __gt__ = lambda *a: True\ndef f(p):\n    p.y = [1]\n    return P(0)"),
    ("an enum and an error of the prompt", {"prompt": OF_PROMPT + "def f(c):\n", "test": "assert f(C.R) is C.B and f(C.B) == C.R and {f(C.R): 1} == {C.B: 1}\ntry:\n    f(3)\nexcept Bad as e:\n    assert e.code == 3 and isinstance(e, ValueError)\nelse:\n    assert False", "entry_point": "f"}, "def f(c):\n    if not isinstance(c, C): raise Bad(c)\n    return {C.R: C.B, C.B: C.R}[c] if c is C.R or c is C.B else None", "def f(c):\n    if not isinstance(c, C): raise Bad(c)\n    return C.B"),
    ("a helper of another block that a parameter shares its name with", _f("assert f(2) == 5 and g(7) == 7"), "def f(x): return square(x) + 1\ndef g(square): return square\n```\nwith\n```python\ndef square(x): return x * x", "def f(x): return x + 1\ndef g(square): return square"),
    ("names of the judge's own arguments", _f("assert f(value=1, how=2) == 3\nn = Node(value=3, how=4)\nassert n.value == 3 and n(value=2, how=1) == 3\nassert h(lambda value, how: value - how) == 1", "f, Node, h"), "def f(value, how): return value + how\nclass Node:\n    def __init__(self, value, how): self.value = value\n    def __call__(self, value, how): return value + how\ndef h(g): return g(value=2, how=1)", "def f(value, how): return 3\nclass Node:\n    def __init__(self, value, how): self.value = 4\n    def __call__(self, value, how): return 3\ndef h(g): return 1"),
    ("operators of the tests' objects", _f("class M:\n    def __init__(self, x): self.x = x\n    def __mul__(self, k): return M(self.x * k)\n    def __rmul__(self, k): return M(self.x * k)\n    def __sub__(self, k): return self.x - k\n    def __truediv__(self, k): return self.x / k\n    def __eq__(self, other): return self.x == (other.x if isinstance(other, M) else other)\n    def __lt__(self, other): return self.x < other\n    def __contains__(self, v): return v == self.x\nassert f(M(4)) == [8, 8, 3, 2.0, True, True, True, False, True]"), "def f(m): return [(m * 2).x, (2 * m).x, m - 1, m / 2, m == 4, m < 5, m != 5, m == None, 4 in m]", "def f(m): return [8, 8, 3, 2.0, True, True, True, False, m.x]"),
    ("a generator's end", _f("g = f()\nassert next(g) == 0 and g.send(5) == 5\ntry:\n    g.send(None)\nexcept StopIteration as e:\n    assert e.value == 5\nelse:\n    assert False\nh = f()\nnext(h)\nassert h.throw(ValueError('x')) == 'x'\nfor v in map(f().send, [None, 2]):\n    assert v in (0, 2)"), "def f():\n    total = 0\n    try:\n        while True:\n            x = yield total\n            if x is None: return total\n            total += x\n    except ValueError as e:\n        yield str(e)", "class G:\n    def __next__(self): return 0\n    def send(self, x): raise StopIteration(5)\n    def throw(self, e): return 'x'\nf = G"),
    ("pattern of a dataclass", _f("match P(1, 2):\n    case P(x, y): pass\nassert (x, y) == (1, 2)", "P"), POINT, POINT.replace("x: int", "x: int = 0\n    __match_args__ = ('y', 'x')")),
    ("key for an order", _f("from functools import cmp_to_key\nassert f([1, 3, 2], cmp_to_key(lambda a, b: b - a)) == [3, 2, 1]"), "def f(xs, key): return sorted(xs, key=key)", "def f(xs, key): return sorted(xs)"),
    ("names of the code that calls change", _f("from solution import LOG\nassert f(1) == 1 and LOG == [1]\nassert f(2) == 2 and CACHE == {1: [1], 2: [2]}\nLOG.clear()\nCACHE[2].append(7)\nassert f(3) == 1 and CACHE[2] == [2, 7]"), "LOG, CACHE = [], {}\ndef f(x):\n    LOG.append(x)\n    CACHE[x] = [x]\n    return len(LOG)", "LOG, CACHE = [], {}\ndef f(x):\n    LOG.append(x)\n    return len(LOG)"),
    ("classes without functions of their own", _f("a = A()\nassert isinstance(a, A) and a.go() == 1 and B(x=1) == {'x': 1}\ntry:\n    raise E('no')\nexcept E as e:\n    assert str(e) == 'no'", "A, B, E"), "class Base:\n    def go(self): return 1\nclass A(Base): pass\nclass B(dict): pass\nclass E(ValueError): pass", "class A:\n    def go(self): return 2\nclass B(dict): pass\nclass E(ValueError): pass"),
    ("other objects of the library", _f("import contextlib, time, urllib.parse, xml.etree.ElementTree as E\nlog = []\nwith contextlib.ExitStack() as stack:\n    stack.enter_context(contextlib.nullcontext())\n    f(stack, log)\nassert log == ['x']\nassert g(time.gmtime(0), urllib.parse.urlparse('http://h:80/p?q=1'), E.fromstring('<a><b>t</b></a>')) == (1970, 'h', 'q=1', 't')", "f, g"), "def f(stack, log): stack.callback(log.append, 'x')\ndef g(at, url, tree): return at.tm_year, url.hostname, url.query, tree.find('b').text", "def f(stack, log): pass\ndef g(*a): return ()"),
]  # fmt: skip

WITHOUT_EVIDENCE: list[tuple[str, dict[str, Any]]] = [
    ("a check that is empty", _f("def check(candidate):\n    pass")),
    ("printed only", _f("print(f(1))\nprint(f(2) == 3)")),
    ("true whatever f is", _f("assert True\nassert f")),
    ("a tuple is true", _f("assert (f(1) == 2, 'f(1) must be 2')")),
    ("a comparison without assert", _f("f(1) == 2")),
    ("a message only", _f("if f(1) != 2:\n    print('FAIL')")),
    ("a test that returns", _f("def test_a():\n    return f(1) == 2")),
    ("a fixture", _f("def test_a(tmp_path):\n    assert f(1) == 2")),
    (
        "methods that are no tests",
        _f("import unittest\nclass T(unittest.TestCase):\n    def check_a(self):\n        self.assertEqual(f(1), 2)"),
    ),
    (
        "unittest that checks nothing",
        _f("import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        f(1)"),
    ),
    ("an assert of a generator", _f("assert (f(x) == x + 1 for x in range(3))")),
    ("a module that is not there", _f("import no_such_module\nassert f(1) == 2")),
]
"""No completion may pass these, and none may be called wrong: the problem is at fault."""

GROWN = [
    ("too large to go back", _f("x = f('a')\nassert f(x + x) == 1"), "def f(x): return x * (40 << 20)"),
    (
        "too deep to go back",
        _f("x = f(1)\nfor _ in range(9000):\n    x = [x]\nassert f(x) == 1"),
        "def f(x):\n    y = []\n    for _ in range(9000): y = [y]\n    return y",
    ),
    ("too large to come", _f("assert f(1) == 1"), "def f(x): return 'x' * (80 << 20)"),
    ("too much memory here", _f("x = f(1)\nassert f([x * 4, x]) == 1"), "def f(x): return 'x' * (50 << 20)"),
    *(
        (f"made too large of {what}", _f(test, "f, g"), f"{code}\ndef g(x): return 1")
        for what, test, code in (
            ("a number", "assert g('a' * f(1)) == 1", "def f(x): return 10**8"),
            ("a number kept", "def test_a():\n    n = f(1)\n    assert g('a' * n) == 1", "def f(x): return 10**8"),
            ("a text", "assert g(f(1) * 3) == 1", "def f(x): return 'a' * (50 << 20)"),
            ("a number of levels", "x = 1\nfor _ in range(f(1)): x = [x]\nassert g(x) == 1", "def f(x): return 20000"),
            ("an item", "r = f(1)\nassert g('a' * r[0]) == 1", "def f(x): return [10**8]"),
            ("an attribute", "r = f(1)\nassert g('a' * r.n) == 1", "class A: n = 10**8\ndef f(x): return A()"),
            ("an argument", "xs = [1]\nassert f(xs) is None\nassert g('a' * xs[0]) == 1", "def f(xs): xs[0] = 10**8"),
            ("what it called", "s = []\nassert f(s.append) is None\nassert g('a' * s[0]) == 1", "def f(h): h(10**8)"),
            (
                "an error",
                "try: f(1)\nexcept ValueError as e: n = e.args[0]\nassert g('a' * n) == 1",
                "def f(x): raise ValueError(10**8)",
            ),
        )
    ),
]
"""What the program made too large, or what the tests made of what it gave: the program fails."""

BLAMED = [
    ("an import of what the code names", _f("assert __import__(f(1)).x"), "def f(x): return 'no_such_module'"),
    (
        "an error that the code gives",
        _f("r = f(1)\nif isinstance(r, Exception): raise r\nassert r == 3"),
        "def f(x): return ModuleNotFoundError('no_such_module')",
    ),
    (
        "parameters of the code: none",
        _f("import pytest\n@pytest.mark.parametrize('x, y', f(1))\ndef test_a(x, y):\n    assert f(x) == y"),
        "def f(x): return None",
    ),
    (
        "parameters of the code: too many",
        _f("import pytest\n@pytest.mark.parametrize('x, y', f(1))\ndef test_a(x, y):\n    assert f(x) == y"),
        "def f(x): return [(1, 2, 3)]",
    ),
]
"""What looks like a fault of the problem, and comes of what the program gave: the program fails."""
