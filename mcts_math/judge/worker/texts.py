"""Text, pickles and code objects that the tests run: what the judged code gave them may not run as the tests' own.

`eval(f(x)) == 24`, `sympy.sympify(f(x))` and `pickle.loads(f(x))` are checks that a text of the code could end as it
likes. So from the first call of the code on, a text runs where it stands in the tests as it is, or where it does what
data can do: calculate, call harmless functions and the code's own, define functions of that kind. A text that pandas
reads (`df.query(f(x))`) needs one process; one that is a format asks for no attributes.
"""

from __future__ import annotations

import ast
import builtins
import dis
import math
import re
import sys
import timeit
import types
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from . import values
from .formats import FORMATS, Formats
from .source import Verdict

_CALCULATE = (
    "abs all any ascii bin bool bytes chr complex dict divmod enumerate filter float format frozenset hash hex int "
    "isinstance len list map max min oct ord pow print range repr reversed round set slice sorted str sum tuple zip "
    "True False None ValueError TypeError KeyError IndexError ZeroDivisionError Exception "
    "Fraction Decimal date datetime time timedelta timezone Counter OrderedDict deque array inf nan "
    "Any Callable Dict Iterable List Optional Sequence Set Tuple Union "
    "diff expand factor integrate limit product real_root simplify summation symbols sqrt cbrt root"
)
"""Of Python, its library, `typing` and sympy."""
_HARMLESS: Final = frozenset(_CALCULATE.split(" "))
_WRITTEN = "functools reduce select less less_equal greater greater_equal equal not_equal mpf mpc"
_PRINTED: Final = frozenset(_WRITTEN.split(" "))
"""What sympy writes for a formula beside names of functions that are known to its printers."""
_METHODS: Final = frozenset(
    name for kind in (str, bytes, list, dict, set, int, float, complex) for name in dir(kind) if name[0] != "_"
)
_PACKAGES: Final = frozenset(("math", "cmath", "numpy", "numpy.linalg", "scipy", "scipy.special", "sympy", "mpmath"))
_BESIDE: Final = frozenset(("typing", "fractions", "decimal", "datetime", "collections"))
_OF_READERS: Final = frozenset(("functools", "sympy.functions", "sympy.matrices"))
"""Packages that any text may import, or only one of data, or what sympy writes."""
_READERS: Final = ("/sympy/parsing/sympy_parser.py", "/sympy/utilities/lambdify.py")
"""Files of libraries that run text which they are told; what they import for it is their own."""
_FRAMES: Final = "/pandas/core/computation/expr.py"
"""Where pandas reads a text."""
_ANNOTATIONS: Final = ("/typing.py", "/inspect.py")
_TYPED_IN: Final = ("/timeit.py",)
_BINDS = (ast.arg, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.ExceptHandler)
_ARRAYS: Final = frozenset(("_reconstruct", "_frombuffer", "scalar", "ndarray", "dtype"))


class _Text:
    """What a text may do, by its code.

    Args:
        own: texts that stand in the tests.
        used: names that the tests use.
        bound: those that they give a value.
        roots: names of the code.
    """

    def __init__(self, own: Iterable[str], used: Iterable[str], bound: Iterable[str], roots: Iterable[str]) -> None:
        self._own = frozenset(text.strip() for text in own)
        self._lines = {line.strip() for text in (*self._own, *_timed()) for line in text.splitlines()} | {""}
        self._words = {word for text in self._own for word in re.findall(r"\w+", text)} - set(vars(builtins))
        self._roots = frozenset(roots) - frozenset(bound) | {"candidate"}
        self._used, self._bound = frozenset(used) | set(vars(builtins)), frozenset(bound)
        self._is_own = False  # the text that was compiled last

    def compiled(self, source: Any) -> None:
        """Notes a text that is compiled, and will be run perhaps; one is the tests' own if each of its lines is."""
        text = source.decode("utf-8", "replace") if isinstance(source, bytes) else source
        self._is_own = isinstance(text, str) and self.is_own(text)

    def is_own(self, text: str) -> bool:
        """Whether all lines of a text stand in those of the tests."""
        return text.strip() in self._own or all(line.strip() in self._lines for line in text.splitlines())

    def has(self, part: str) -> bool:
        """Whether something stands within a text of the tests."""
        return any(part in text for text in self._own)

    def require(self, code: types.CodeType, file: str) -> None:
        """Raises TypeError where code that is run by a line of `file` does more than data can do."""
        if file.endswith(_ANNOTATIONS) and any("CALL" in step.opname for step in dis.get_instructions(code)):
            raise TypeError("an annotation that calls something is not run as the tests' own")
        is_of_tests = file[0] == "<" and not file.startswith("<frozen ")
        if not self._is_own and (is_of_tests or file.endswith((*_READERS, *_TYPED_IN))):
            self._require(code, file.endswith(_READERS), set())

    def _require(self, code: types.CodeType, reads: bool, defined: set[str]) -> None:
        steps = list(dis.get_instructions(code))
        stored = {s.argval for s in steps if s.opname in ("STORE_NAME", "STORE_GLOBAL")}
        for step in steps:
            if step.opname == "MATCH_CLASS":  # it reads attributes
                raise TypeError("text with a pattern of a class in it is not run as the tests' own")
            if step.opcode in dis.hasname and not self._may(step.opname, step.argval, reads, defined | stored):
                raise TypeError(f"text with {step.argval!r} in it is not run as the tests' own")
        for value in code.co_consts:
            if value == ("*",) and not reads:
                raise TypeError("text that imports all names is not run as the tests' own")
            if isinstance(value, types.CodeType):
                self._require(value, reads, defined | stored)

    def _may(self, step: str, name: str, reads: bool, defined: set[str]) -> bool:
        if name in ("__doc__", "__annotations__") and step in ("STORE_NAME", "LOAD_NAME"):
            return True
        if step in ("STORE_NAME", "STORE_GLOBAL"):
            return reads or not (name.startswith("__") or name in self._used)
        if step == "IMPORT_NAME":
            return name in _PACKAGES or name in (_OF_READERS if reads else _BESIDE)
        if step in ("LOAD_NAME", "LOAD_GLOBAL"):
            if name in defined or name in self._roots or name in self._own:
                return True
            if reads and (name in self._words or _is_printed(name)):
                return True
            is_new = not (reads or name.startswith("__") or name in self._used)
            return is_new or (_is_harmless(name) and (reads or name not in self._bound))
        is_known = _is_harmless(name) or name in _METHODS or (reads and name in _PRINTED)
        return step in ("LOAD_ATTR", "LOAD_METHOD", "IMPORT_FROM") and is_known and name not in FORMATS


def _is_harmless(name: str) -> bool:
    """Whether a name is one of a function or class that does nothing but calculate."""
    sympy = sys.modules.get("sympy")
    found = getattr(sympy, name, None) if sympy is not None and name[0] != "_" else None
    of_sympy = isinstance(found, (type, sympy.Basic)) if sympy is not None else False
    return name in _HARMLESS or (name in vars(math) and name[0] != "_") or of_sympy


def _is_printed(name: str) -> bool:
    """Whether a name is one that sympy writes for numpy and mpmath: of a function that calculates."""
    numpy = sys.modules.get("numpy")
    return name in _PRINTED or (numpy is not None and isinstance(vars(numpy).get(name), numpy.ufunc))


def _timed() -> Iterator[str]:
    """What `timeit` writes around a statement."""
    for init in ("", ", _setup=_setup", ", _stmt=_stmt", ", _setup=_setup, _stmt=_stmt"):
        yield vars(timeit)["template"].format(init=init, setup="_setup()", stmt="_stmt()")


def _is_value(module: str, name: str) -> bool:
    """Whether a class that a pickle names is one of plain values, which nobody can change."""
    is_known = any((kind.__module__, kind.__qualname__) == (module, name) for kind in values.UNCHANGED)
    is_array = module.partition(".")[0] == "numpy" and name in _ARRAYS
    return is_known or is_array or (module, name) == ("_codecs", "encode")


def watch(tests: ast.Module, roots: Iterable[str], has_come: Callable[[], bool]) -> Callable[[Any, str], Any]:
    """Keeps this process from running what the code gave, for good. Returns what the tests get formats' methods by.

    Args:
        tests: as they were written.
        roots: names of the entry points.
        has_come: whether the code can have given anything by now.
    """
    nodes = list(ast.walk(tests))
    own = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    own |= {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg}
    used = {getattr(node, key, "") for node in nodes for key in ("id", "name", "arg", "asname")}
    bound = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    bound |= {
        getattr(node, "arg" if isinstance(node, ast.arg) else "name", "") for node in nodes if isinstance(node, _BINDS)
    }
    text = _Text(own, used, bound, roots)

    def notice(event: str, args: tuple[Any, ...]) -> None:
        if event == "compile":
            text.compiled(args[0])
            reader = sys._getframe(1).f_back
            node = reader.f_locals["node"] if reader and reader.f_code.co_filename.endswith(_FRAMES) else ""
            if has_come() and not text.is_own(node):
                raise Verdict("bad_problem", f"`test` has pandas run a made-up text: {values.ONE_PROCESS}")
        elif event in ("exec", "marshal.loads", "pickle.find_class") and has_come():
            file = sys._getframe(1).f_code.co_filename
            if event == "exec":
                text.require(args[0], file)
            elif event == "marshal.loads" and not file.startswith("<frozen "):
                raise TypeError("code that was packed is not run as the tests' own")
            elif event == "pickle.find_class" and not _is_value(*args):
                raise TypeError(f"a pickle that names {args[0]}.{args[1]} is not read by the tests")

    sys.addaudithook(notice)
    return Formats(text.has, has_come).method
