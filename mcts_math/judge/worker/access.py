"""What the judged code may ask of an object of the tests: a closed list, by the object's type and the name.

Open are the classes of the tests and of the prompt, with what their objects hold; of the types of the library and of a
few packages what is listed here. All else may be handed on, compared and calculated with, and has no names.
"""

from __future__ import annotations

import functools
import importlib
import sys
import types
from collections import namedtuple
from decimal import Decimal
from fractions import Fraction
from typing import Any

from .remote import RemoteType

OF_TESTS = ("__main__", "tests")
"""Modules whose classes are the tests' own: `examiner` runs tests and prompt as these."""
_SHUT = (types.ModuleType, types.FrameType, types.CodeType, types.TracebackType, types.CellType)
"""Types whose objects lead to all that their process has: nothing may be asked of them."""
_LIBRARY = (
    "abc array collections datetime decimal enum fractions io _io ipaddress itertools numbers operator _operator "
    "pathlib queue _queue random _random re statistics uuid threading _thread typing weakref _weakref _weakrefset "
    "zoneinfo hashlib _hashlib asyncio.locks asyncio.queues concurrent.futures csv _csv unittest.mock numpy pandas "
    "tempfile urllib.parse sympy"
)
_MODULES = tuple(_LIBRARY.split(" "))
"""Modules, with those within, whose types are open: their methods steer nothing and look behind nothing."""
_NOT = ("numpy.lib", "pandas.io", "pandas.core.computation", "pandas.plotting", "sympy.plotting", "sympy.parsing")
"""Modules within these that are not: they read files and formats, or import what they are told."""
_EVALUATE = ("eval", "query")
"""Names that are not open there: they run text."""
_BY_NAME = ("agg", "aggregate", "apply", "map", "pipe", "pivot_table", "transform")
"""Methods of pandas that take names of methods. To others a text is a label, or text."""
_OPENING = ("_io.FileIO", "numpy.memmap", "unittest.mock._patch")
"""Classes whose objects open files and connections, or change any object, as they are told."""
_READING = ("sympy",)
"""Modules whose types run text, and what gives some: they may be told numbers and objects of their own alone."""
_PLAIN = "bool int float complex str bytes bytearray tuple list dict set frozenset object"
_WHOLE = (
    *(f"builtins.{name}" for name in _PLAIN.split(" ")),
    *("types.SimpleNamespace", "argparse.Namespace", "functools.partial", "functools.KeyWrapper", "string.Template"),
    "xml.etree.ElementTree.Element",
)
"""Other types that are open."""
_FUTURE = "done cancelled result exception cancel set_result set_exception"
_BUILTINS = (
    "function method builtin_function_or_method method_descriptor method-wrapper wrapper_descriptor property coroutine"
)
_LISTED: dict[str, frozenset[str]] = {
    name: frozenset(names.split())
    for name, names in {
        **dict.fromkeys((f"builtins.{name}" for name in _BUILTINS.split(" ")), ""),
        "builtins.generator": "send throw close",
        "builtins.async_generator": "asend athrow aclose",
        **dict.fromkeys(("_asyncio.Future", "asyncio.futures.Future"), _FUTURE),
        "functools._lru_cache_wrapper": "cache_info cache_clear cache_parameters",
        "contextlib.ExitStack": "callback enter_context close",
        "contextlib.AsyncExitStack": "callback push_async_callback enter_context enter_async_context aclose",
        "logging.Logger": "debug info warning error exception critical log isEnabledFor setLevel name level",
        "sqlite3.Connection": "execute executemany cursor commit rollback close row_factory total_changes",
        "sqlite3.Cursor": "execute executemany fetchone fetchmany fetchall close description rowcount lastrowid",
    }.items()
}
"""Types of which some names are open, and what an object has beside those of its type."""


_ITEMS = (types.MemberDescriptorType, type(namedtuple("_", "item").item))  # type: ignore[attr-defined]
"""Types of what gives an item of a tuple by a name: the tuple crosses with its items."""
_NUMBERS = (bool, int, float, complex, Decimal, Fraction, type(None), type(Ellipsis))
_HOLDERS = (tuple, list, dict, set, frozenset)
_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType)


def of_class(kind: type[Any], name: str) -> Any:
    """`__name__`, `__module__` and the like of a class, whatever its own class says."""
    return vars(type)[name].__get__(kind)


def _name_of(kind: Any) -> tuple[str, str]:
    """Module and full name of a class."""
    module, name = str(of_class(kind, "__module__")), str(of_class(kind, "__qualname__"))
    return module, f"{module}.{name}"


def _within(module: str, modules: tuple[str, ...]) -> bool:
    return any(module == known or module.startswith(f"{known}.") for known in modules)


def _is_open(kind: Any) -> bool:
    """Whether all public names of a type are open."""
    module, name = _name_of(kind)
    return module in OF_TESTS or name in _WHOLE or (_within(module, _MODULES) and not _within(module, _NOT))


def _opens(kind: Any, name: str) -> bool:
    """Whether a type opens a name that stands in it."""
    module, full = _name_of(kind)
    if issubclass(kind, BaseException):
        return name != "with_traceback"
    if module not in OF_TESTS and name in _EVALUATE:
        return False
    return _is_open(kind) or name in _LISTED.get(full, ())


def require_name(value: Any, name: str) -> None:
    """Raises AttributeError where the code may not use a public name of an object of the tests."""
    kind = value if issubclass(type(value), type) else type(value)
    owner = next((c for c in _all_of(kind) if name in vars(c)), None)
    if owner is None:
        is_open = _is_open(kind) or issubclass(kind, BaseException) or _name_of(kind)[1] in _LISTED
    elif issubclass(owner, tuple) and type(vars(owner)[name]) in _ITEMS:
        is_open = True
    else:
        is_open = _opens(owner, name) or any(name in _LISTED.get(_name_of(c)[1], ()) for c in _all_of(kind))
    if not is_open or issubclass(kind, _SHUT):
        raise AttributeError(f"the code may not use {name} of a {_name_of(kind)[1]} of the tests")


def require(value: Any, how: str, told: Any) -> None:
    """Raises TypeError where the code may not do something with an object of the tests, whatever its name.

    Args:
        value: the object.
        how: what is to be done.
        told: the arguments.
    """
    kind = type(value)
    is_class = issubclass(kind, type)
    may = not issubclass(value if is_class else kind, _SHUT)
    if may and how == "__call__":
        value, told = _whole(value, told)
        kind = type(value)
        may = _may_be_made(value) if is_class else _is_callable(kind)
        if may and kind is types.MethodType and _within(_name_of(type(value.__self__))[0], ("pandas",)):
            may = getattr(value, "__name__", "") not in _BY_NAME or _names_no_method(told)
    if may and how not in ("get", "__format__") and _reads_text(value):
        may = how not in ("set", "del") and _holds_numbers(told)
    if not may:
        raise TypeError(f"the code may not use a {_name_of(value if is_class else kind)[1]} of the tests so")


def _whole(value: Any, told: Any) -> tuple[Any, Any]:
    """What a call runs in the end, and all that it is told: a partial one holds some of it."""
    while type(value) is functools.partial:
        value, told = value.func, (value.args, value.keywords, told)
    return value, told


def _may_be_made(kind: Any) -> bool:
    """Whether the code may make objects of a class: not of those that open what a number, or a path, names here."""
    opens = any(_name_of(base)[1] in _OPENING for base in _all_of(kind))
    return not opens and (_is_open(kind) or issubclass(kind, BaseException))


def _is_callable(kind: Any) -> bool:
    owners = (c for c in _all_of(kind) if "__call__" in vars(c))
    return any(_is_open(owner) or _name_of(owner)[1] in _LISTED for owner in owners)


def _all_of(kind: Any) -> tuple[Any, ...]:
    """A class and all that it derives from."""
    found: tuple[Any, ...] = of_class(kind, "__mro__")
    return found


def _reads_text(value: Any) -> bool:
    """Whether an object, or a function of its class, may run what it is told."""
    owner = value.__self__ if type(value) is types.MethodType else value
    if type(owner) is types.FunctionType:
        return _within(str(owner.__module__), _READING)
    kinds = (*_all_of(type(owner)), *(_all_of(owner) if issubclass(type(owner), type) else ()))
    return any(_within(_name_of(kind)[0], _READING) for kind in kinds)


def _holds_numbers(told: Any) -> bool:
    """Whether some arguments are numbers, objects that run text, or hold such alone."""
    kind = type(told)
    if kind is slice:
        return all(map(_holds_numbers, (told.start, told.stop, told.step)))
    if kind in _HOLDERS:
        return all(map(_holds_numbers, told)) and (kind is not dict or all(map(_holds_numbers, told.values())))
    return kind in _NUMBERS or any(_within(_name_of(base)[0], _READING) for base in _all_of(kind))


def _names_no_method(told: Any) -> bool:
    """Whether nothing in some arguments is a text that names a method which runs text, or a private one."""
    kind = type(told)
    if issubclass(kind, str):
        return told not in _EVALUATE and not told.startswith("_")
    if isinstance(kind, RemoteType) or not hasattr(kind, "__iter__"):
        return not hasattr(kind, "__iter__")  # what an object of the code gives may be another thing the next time
    return all(map(_names_no_method, [*told, *(told.values() if kind is dict else ())]))


def name_in_library(value: Any) -> tuple[str, str] | None:
    """Module and full name of a module, function or class that a library has under that name; None of all else."""
    kind = type(value)
    if kind is types.ModuleType:
        module, path = value.__name__, ""
    elif issubclass(kind, type) or kind in _FUNCTIONS:
        module, path = getattr(value, "__objclass__", value).__module__, value.__qualname__
    else:
        return None
    found = sys.modules.get(module) if type(module) is type(path) is str else None
    if found is None or getattr(found, "__spec__", None) is None or module.startswith("_judge"):
        return None  # a module of the tests, of the code, or of the judge
    for part in path.split(".") if path else ():
        found = getattr(found, part, None)
    return (module, path) if found is value else None


def of_library(module: str, path: str) -> Any:
    """What has such a name here."""
    found: Any = importlib.import_module(module)
    for part in path.split(".") if path else ():
        found = getattr(found, part)
    return found
