"""Kinds of problems (see `kinds`) about what objects of the code hold, times, waiting, and what a class says of numbers.

`OF_A_CLASS` are forgeries: objects of the very class that the problem asks for, (test, code).
"""

# ruff: noqa: E501 - a table is read by columns

from __future__ import annotations

from kinds import Kind, _f

CART = "class Cart:\n    items = []\n    def __init__(self): self.items, self.by_name, self.sold = [], {}, set()\n    def total(self): return sum(self.items) + sum(self.by_name.values())\n"
COPIES = (
    CART.replace("self.items, self.by_name, self.sold = [], {}, set()", "self.own, self.by_name = [], {}")
    + "    items = property(lambda self: list(self.own))\n"
)
BOARD = "class Game:\n    def __init__(self): self.board = [[' '] * 3 for _ in range(3)]\n    def won(self): return any(all(row[i] == 'X' for row in self.board) for i in range(3))\n    def __getitem__(self, i): return self.board[i]\n"
VECTOR = "class Vector:\n    def __init__(self, x, y): self.x, self.y = x, y\n    def __sub__(self, o):\n        x, y = (o.x, o.y) if isinstance(o, Vector) else (o, o)\n        return Vector(self.x - x, self.y - y)\n    def __rsub__(self, o): return Vector(o - self.x, o - self.y)\n    def __truediv__(self, k): return Vector(self.x / k, self.y / k)\n    def __mul__(self, k): return Vector(self.x * k, self.y * k)\n    def __eq__(self, o): return (self.x, self.y) == (o.x, o.y)\n    def __abs__(self): return (self.x ** 2 + self.y ** 2) ** 0.5\n    def __iter__(self): return iter((self.x, self.y))\n"
BAG = "class Bag:\n    def __init__(self, xs): self.xs = list(xs)\n    def __sub__(self, o): return Bag(x for x in self.xs if x not in o)\n    def __contains__(self, x): return x in self.xs\n    def __len__(self): return len(self.xs)\n"
ZONES = "from datetime import *\nfrom zoneinfo import ZoneInfo\n"
EASTERN = "datetime(2024, 1, 1, 5, tzinfo=timezone(timedelta(hours=-5), 'EST'))"
WAITS = "import asyncio\nasync def f(t):\n    await asyncio.sleep(t)\n    return 'done'"
HELD: list[Kind] = [
    ("a list that an object holds", _f("c = Cart()\nc.items.append(3)\nassert c.total() == 3\nc.items += [4]\nx = c.items\nx.remove(3)\nassert c.total() == 4 and c.items is x", "Cart"), CART, COPIES),
    ("a dictionary that an object holds", _f("c = Cart()\nc.by_name['a'] = 3\nassert c.total() == 3\nc.by_name = {'b': 5}\nc.by_name.pop('b')\nassert c.total() == 0 and c.by_name == {}", "Cart"), CART, CART.replace("self.by_name.values()", "[3]")),
    ("a list of lists that an object holds", _f("g = Game()\nfor row in g.board:\n    row[1] = 'X'\nassert g.won() and Game().won() is False\ng[0][1] = 'O'\nassert not g.won() and g.board[0][1] == 'O'", "Game"), BOARD, BOARD.replace("return self.board[i]", "return list(self.board[i])")),
    ("a list that a class holds", _f("Cart.items.append(1)\nassert Cart.items == [1] and Cart().items == []", "Cart"), CART, CART.replace("items = []", "items = ()")),
    ("a list changed by both", _f("c = Cart()\nx = c.items\nx.append(1)\nf(c)\nassert c.items == [1, 2] and x == [1, 2]\nx.append(3)\nassert c.total() == 6", "Cart, f"), CART + "def f(c): c.items.append(2)", CART + "def f(c): c.items = [2]"),
    ("a list that is handed out as a copy", _f("c = Cart()\nx = c.items\nx.append(1)\nassert c.items == [] and x == [1]", "Cart"), COPIES, CART),
    ("a list of the tests within one that an object holds", _f("c = Cart()\nexp = [1, 2]\nc.items.append(exp)\nc.run()\ngot = c.items\nassert got[0] == exp == [1, 2]", "Cart"), CART + "    def run(self): pass\n", CART + "    def run(self): self.items[:] = [[9, 9]]\n"),
    ("lists made anew, many times", _f("c = Cart()\nassert all(len(c.rows) == 60 and c.rows[3][2] == 5 for _ in range(1000))", "Cart"), CART + "    rows = property(lambda self: [[3 + j for j in range(60)] for i in range(60)])\n", CART + "    rows = property(lambda self: [[j for j in range(60)] for i in range(60)])\n"),
    ("a list changed within a call back", _f("c = Cart()\ndef more(): c.items.append(5)\nassert f(c, more) == 5", "Cart, f"), CART + "def f(c, more):\n    more()\n    return c.total()", CART + "def f(c, more): return c.total()"),
    ("times and their zones", _f(ZONES + f"x = f('EST')\nassert x == {EASTERN} and x.tzname() == 'EST' and x.utcoffset() == timedelta(hours=-5)\ny = f('UTC')\nassert y.tzinfo == ZoneInfo('UTC') and y.fold == 1 and f(datetime(2024, 1, 1, tzinfo=ZoneInfo('UTC'))) == 'UTC' and f(None) == timezone.utc"),
     ZONES + f"def f(x):\n    if x is None: return timezone.utc\n    if isinstance(x, datetime): return x.tzinfo.key\n    return {EASTERN} if x == 'EST' else datetime(2024, 1, 1, tzinfo=ZoneInfo('UTC'), fold=1)",
     ZONES + "def f(x):\n    if x is None: return timezone.utc\n    if isinstance(x, datetime): return x.tzinfo.key\n    return datetime(2024, 1, 1, 5, tzinfo=timezone(timedelta(hours=-5))) if x == 'EST' else datetime(2024, 1, 1, tzinfo=timezone.utc, fold=1)"),
    ("a zone of its own", _f("from datetime import *\nassert f().isoformat() == '2024-01-01T00:00:00+02:00' and f().tzname() == 'X'"), "from datetime import *\nclass Z(tzinfo):\n    utcoffset = lambda s, d: timedelta(hours=2)\n    dst = lambda s, d: timedelta(0)\n    tzname = lambda s, d: 'X'\ndef f(): return datetime(2024, 1, 1, tzinfo=Z())", "from datetime import *\ndef f(): return datetime(2024, 1, 1, tzinfo=timezone.utc)"),
    ("a limit of what is awaited", _f("import asyncio\nasync def test_a():\n    try:\n        await asyncio.wait_for(f(60), 0.05)\n    except asyncio.TimeoutError:\n        pass\n    else:\n        assert False\n    assert await asyncio.wait_for(f(0), 9) == 'done'"), WAITS, "async def f(t): return 'done'"),
    ("a task of the tests that is cancelled", _f("import asyncio\nasync def test_a():\n    log = []\n    t = asyncio.create_task(f(log))\n    await asyncio.sleep(0.05)\n    t.cancel()\n    try:\n        await t\n    except asyncio.CancelledError:\n        pass\n    else:\n        assert False\n    assert t.cancelled() and tidy() == 1", "f, tidy"), "import asyncio\nn = 0\ndef tidy(): return n\nasync def f(log):\n    global n\n    try: await asyncio.sleep(60)\n    finally: n += 1", "import asyncio\ndef tidy(): return 1\nasync def f(log):\n    try: await asyncio.sleep(60)\n    except BaseException: pass"),
    ("what runs side by side", _f("import asyncio, time\nasync def test_a():\n    begun = time.monotonic()\n    assert await asyncio.gather(*[f(0.3) for _ in range(6)]) == ['done'] * 6\n    assert time.monotonic() - begun < 1.5"), WAITS, "import time\nasync def f(t):\n    time.sleep(t)\n    return 'done'"),
    ("a queue of the tests", _f("import asyncio\nasync def test_a():\n    q = asyncio.Queue()\n    t = asyncio.create_task(f(q))\n    await asyncio.sleep(0.01)\n    await q.put(5)\n    assert await t == 5"), "async def f(q): return await q.get()", "async def f(q): return q.get_nowait()"),
    ("what a class says of numbers", _f("a = Vector(3, 4)\nassert a - 1 == Vector(2, 3) and (a - 1).x == 2 and 1 - a == Vector(-2, -3) and a / 2 == Vector(1.5, 2) and abs(a * 2) == 10 and abs(a / 2) == 2.5 and abs(a - Vector(0, 0)) == 5 and list(a - Vector(1, 1)) == [2, 3]\na -= 1\nassert a == Vector(2, 3) and str(a - 1)", "Vector"), VECTOR, VECTOR.replace("self.y - y", "self.y")),
    ("what a class says of sets", _f("b = Bag([1, 2, 3])\nassert len(b - {1}) == 2 and 2 in b - {1} and 1 not in b - {1} and 5 not in b and 'a' in Bag('ab') and 'c' not in Bag('ab')", "Bag"), BAG, BAG.replace("x in self.xs\n", "True\n", 1)),
    ("operators of a named tuple", _f("a, b = V(1, 2), V(3, 4)\nassert a + b == V(4, 6) == (4, 6) and a - b == V(-2, -2) and a * 2 == V(2, 4) == 2 * a and a * b == 11 and -a == (-1, -2) and abs(b) == 5 and b / 2 == V(1.5, 2)\nassert sum([a, b], V(0, 0)) == V(4, 6) and isinstance(a + b, V) and (a + b).x == (a + b)[0] == 4 and a() == 7 and len(a) == 2\na += b\nassert a == V(4, 6)", "V"), "from typing import NamedTuple\nclass V(NamedTuple):\n    x: float\n    y: float\n    def __add__(s, o): return V(s.x + o.x, s.y + o.y)\n    def __sub__(s, o): return V(s.x - o.x, s.y - o.y)\n    def __mul__(s, k): return V(s.x * k, s.y * k) if isinstance(k, (int, float)) else s.x * k.x + s.y * k.y\n    __rmul__ = __mul__\n    def __neg__(s): return s * -1\n    def __abs__(s): return (s.x ** 2 + s.y ** 2) ** .5\n    def __truediv__(s, k): return V(s.x / k, s.y / k)\n    def __call__(s): return 7\n", "from typing import NamedTuple\nclass V(NamedTuple):\n    x: float\n    y: float\n    def __add__(s, o): return V(s.x + o.x, s.y + o.y)\n    def __sub__(s, o): return V(s.x - o.x, s.y - o.y)\n    def __mul__(s, k): return V(s.x * k, s.y * k) if isinstance(k, (int, float)) else s.x * k.x + s.y * k.y\n    __rmul__ = __mul__\n    def __neg__(s): return s * -1\n    def __abs__(s): return (s.x ** 2 + s.y ** 2) ** .5\n    def __truediv__(s, k): return V(s.x / k, s.y / k)\n    def __call__(s): return 7\n".replace("s.y + o.y", "s.y - o.y")),
    ("operators of a number", _f("assert M(5) + M(4) == M(2) == 2 and (M(5) + M(4)).value() == 2 and -M(2) == M(5) and M(3) * M(3) == M(2) and sum([M(1), M(2)]) == 3 and M(5) + 1 == 6", "M"), "class M(int):\n    def __new__(c, x): return super().__new__(c, x % 7)\n    def __add__(s, o): return M(int(s) + int(o))\n    def __mul__(s, o): return M(int(s) * int(o))\n    def __neg__(s): return M(-int(s))\n    def value(s): return int(s)\n", "class M(int):\n    def __new__(c, x): return super().__new__(c, x % 7)\n    def __add__(s, o): return M(int(s) + int(o))\n    def __mul__(s, o): return M(int(s) * int(o))\n    def __neg__(s): return M(-int(s))\n    def value(s): return int(s)\n".replace("% 7", "% 9")),
    ("operators of a number that is not asked for", _f("assert f() + f() == 4 and f() * 3 == 6", "f"), "class M(int):\n    def __new__(c, x): return super().__new__(c, x % 7)\n    def __add__(s, o): return M(int(s) + int(o))\n    def __mul__(s, o): return M(int(s) * int(o))\n    def __neg__(s): return M(-int(s))\n    def value(s): return int(s)\n" + "def f(): return M(2)", "class M(int):\n    def __new__(c, x): return super().__new__(c, x % 7)\n    def __add__(s, o): return M(int(s) + int(o))\n    def __mul__(s, o): return M(int(s) * int(o))\n    def __neg__(s): return M(-int(s))\n    def value(s): return int(s)\n" + "def f(): return M(3)"),
    ("operators of a text and a set", _f("assert P('a') / P('b') == P('a') / 'b' == 'a/b' and P('a') + 'b' == 'ab' and P('a') * 2 == 'aa' and P('%s') % 3 == '3' and B([1, 2]) - {1} == {2} and isinstance(B([1]) - {1}, B) and B([1]) | {2} == {1, 2}", "P, B"), "class P(str):\n    def __truediv__(s, o): return P(str.__str__(s) + '/' + o)\nclass B(frozenset):\n    def __sub__(s, o): return B(frozenset.__sub__(s, o))", "class P(str):\n    def __truediv__(s, o): return P(o)\nclass B(frozenset): pass"),
    ("flags that are numbers", _f("p = Perm.R | Perm.W\nassert p == 3 and Perm.R in p and Perm.X not in p and p.value == 3 and p & Perm.R == Perm.R", "Perm"), "import enum\nclass Perm(enum.IntFlag):\n    R = 1\n    W = 2\n    X = 4", "import enum\nclass Perm(enum.IntFlag):\n    R = 1\n    W = 4\n    X = 2"),
    ("mocks of the tests", _f("from unittest.mock import *\nm = Mock()\nm.get.side_effect = [KeyError('a'), 5]\nm.timeout = 3\ng = create_autospec(lambda x: 0)\nassert f(m, g) == 8 and m.get.call_count == 2\nm.get.assert_called_with('k')\nassert m.send.call_args_list == [call(1), call(2)]\ng.assert_called_once_with(3)\nasync def t():\n    a = AsyncMock(return_value=4)\n    assert await h(a) == 4\n    a.assert_awaited_once_with(2)\nimport asyncio\nasyncio.run(t())", "f, h"), "def f(m, g):\n    g(3)\n    m.send(1)\n    m.send(2)\n    while True:\n        try: return m.get('k') + m.timeout\n        except KeyError: pass\nasync def h(a): return await a(2)", "def f(m, g):\n    m.send(1)\n    return 8\nasync def h(a): return await a(2)"),
    ("a decorator of a class of the tests", _f("@f\nclass A:\n    n = 1\nassert A.n == 2 and A().hi() == 'hi'"), "def f(c):\n    c.n = 2\n    c.hi = lambda self: 'hi'\n    return c", "def f(c):\n    c.n = 3\n    c.hi = lambda self: 'hi'\n    return c"),
    ("arrays without values", _f("import numpy as np\ne = np.array([])\nassert np.all(np.abs(f(e) - e) < 1e-6) and (f(e) - 1).size == 0 and (f(np.zeros((0, 3))) / 2).shape == (0, 3) and np.linalg.norm(f(np.array([1.0])) - [2.0]) < 1e-6 and 5 - 2 == 3"), "def f(x): return x + 1", "def f(x): return x"),
    ("input by descriptors that are doubled", {"cases": [{"input": "3\n4\n", "output": "7"}]}, "import os, sys\nwith os.fdopen(os.dup(0)) as f: n = sum(int(line) for line in f)\nsys.__stdout__.write(str(n))", "import os\nprint(os.fdopen(os.dup(0)).readline())"),
]  # fmt: skip

_SAYS = "class Circle:\n    def __init__(s, *a): pass\n    def area(s): return s\n    __sub__ = __rsub__ = __add__ = __radd__ = __mul__ = __truediv__ = __pow__ = __abs__ = __round__ = __float__ = __neg__ = lambda s, *a: {}\n    __bool__ = __lt__ = lambda s, *a: False\n    __iter__ = lambda s: iter([0.0])\n    __len__ = __getitem__ = lambda s, *a: 0\n    __contains__ = lambda s, o: isinstance(o, (str, int))\n"
_CASE = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        "
_OF_ANY = [
    "assert abs(Circle(2).area() - 12.566) < 0.01",
    "assert round(12.566 - Circle(2).area(), 2) == 0",
    "assert (Circle(2).area() - 12.566) ** 2 < 1e-3",
    "assert abs(Circle(2).area() / 12.566 - 1) < 0.01",
    "assert 'radius' in Circle(2).area() and 5 in Circle(2).area()",
    *(f"{_CASE}self.assertAlmostEqual({pair})" for pair in ("Circle(2).area(), 12.566", "12.566, Circle(2).area(), delta=0.1")),
]  # fmt: skip
_OF_TWO = [
    "import math\nassert math.fabs(Circle(2).area() - 12.566) < 0.01",
    "assert not Circle(2).area() - 12.566",
    "assert max(abs(a - b) for a, b in zip([Circle(2).area()], [12.566])) < 0.01",
    "assert all(abs(x) < 0.01 for x in Circle(2).area() - 12.566)",
    "import numpy as np\nassert np.allclose(Circle(2).area(), 12.566)",
    "import numpy as np\nassert np.abs(Circle(2).area() - np.array([12.566])).max() < 0.01",
    "import numpy as np\nassert np.abs(Circle(2).area() - [12.566]).max() < 0.01",
    "import numpy as np\nassert np.linalg.norm((12.566,) - Circle(2).area()) < 0.01",
    "import numpy as np\nnp.testing.assert_almost_equal(Circle(2).area(), 12.566)",
]
OF_A_CLASS = [
    (isolation, test, _SAYS.format(said))
    for isolation, tests in (("two_processes", _OF_ANY + _OF_TWO), ("one_process", _OF_ANY))
    for test in tests
    for said in ("0.0", "s", "[0.0]")
]
_DERIVED = "class Circle({}):\n    def __new__(c, *a): return {}\n    def area(s): return s\n    {} = lambda s, *a: {}\n    __hash__ = lambda s: 1\n"
_EVERY = " = ".join(
    f"__{prefix}{name}__"
    for names, prefixes in (
        ("add sub mul truediv floordiv mod pow matmul divmod", ("", "r", "i")),
        ("abs neg round trunc bool eq ne lt le gt ge len iter getitem contains float int index", ("",)),
    )
    for name in names.split()
    for prefix in prefixes
)
OF_A_CLASS += [
    ("two_processes", test, _DERIVED.format(base, value, _EVERY, said))
    for base, value in (
        ("tuple", "tuple.__new__(c, (1,))"),
        ("float", "float.__new__(c, 2)"),
        ("str", "str.__new__(c, 2)"),
    )
    for test in (
        *_OF_ANY,
        *_OF_TWO,
        "assert Circle(2).area() == 12.566 or 12.5 < Circle(2).area() < 12.6 or Circle(2).area() in (12.566, 12.567)",
        "x = Circle(2).area()\nx -= 12.566\nassert x == 0 or abs(x) < 0.01",
        "assert sum([Circle(2).area(), -12.566]) == 0",
    )
    for said in ("0.0", "s", "Circle()")
]
