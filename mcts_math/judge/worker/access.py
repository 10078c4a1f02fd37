"""What the judged code may ask of an object of the tests: a closed list, by the object's type and the name.

Open are the classes of the tests and of the prompt, with what their objects hold; of the types of the library and of
numpy what is listed here. All else of these may be handed on, compared and calculated with, and has no names. Objects
of other packages can't be handed over: what their methods do, nobody knows here.
"""

from __future__ import annotations

import functools
import importlib
import sys
import types
from collections import namedtuple
from typing import Any

OF_TESTS = ("__main__", "tests")
"""Modules whose classes are the tests' own: `examiner` runs tests and prompt as these."""
_SHUT = (types.ModuleType, types.FrameType, types.CodeType, types.TracebackType, types.CellType)
"""Types whose objects lead to all that their process has: nothing may be asked of them."""
_LIBRARY = (
    "abc array collections datetime decimal enum fractions io _io ipaddress itertools numbers operator _operator "
    "pathlib queue _queue random _random re statistics uuid threading _thread typing weakref _weakref _weakrefset "
    "zoneinfo hashlib _hashlib asyncio.locks asyncio.queues concurrent.futures csv _csv unittest.mock numpy "
    "tempfile urllib.parse"
)
_MODULES = tuple(_LIBRARY.split(" "))
"""Modules, with those within, whose types are open: their methods steer nothing and look behind nothing."""
_NOT = ("numpy.lib",)
"""Modules within these that are not: they read files."""
KNOWN = frozenset((*sys.stdlib_module_names, "typing_extensions", "numpy", "_judge", *OF_TESTS))
"""Packages whose objects the tests may hand over."""
_OPENING = ("_io.FileIO", "numpy.memmap", "unittest.mock._patch")
"""Classes whose objects open files and connections, or change any object, as they are told."""
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
_METHODS = (types.MethodType, types.BuiltinMethodType, types.MethodWrapperType)
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
    if issubclass(kind, BaseException):
        return name != "with_traceback"
    return _is_open(kind) or name in _LISTED.get(_name_of(kind)[1], ())


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


def require(value: Any, how: str) -> None:
    """Raises TypeError where the code may not do something with an object of the tests, whatever its name."""
    while how == "__call__" and type(value) is functools.partial:
        value = value.func
    kind = type(value)
    is_class = issubclass(kind, type)
    may = not issubclass(value if is_class else kind, _SHUT)
    if may and how == "__call__":
        may = _may_be_made(value) if is_class else _is_callable(kind)
    if not may:
        raise TypeError(f"the code may not use a {_name_of(value if is_class else kind)[1]} of the tests so")


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


def foreign(value: Any) -> str:
    """What an object is, or is bound to, that no test may hand over, by its full name; "" where it is none."""
    kind = type(value)
    if kind is functools.partial:
        return next(filter(None, map(foreign, (value.func, *value.args, *value.keywords.values()))), "")
    if kind in _METHODS:
        return foreign(value.__self__)
    if kind is types.FunctionType:
        return f"{value.__module__}.{value.__qualname__}" if _is_foreign(value.__module__) else ""
    kinds = _all_of(value if issubclass(kind, type) else kind)
    names = (_name_of(one) for one in kinds if not issubclass(one, BaseException))
    return next((full for module, full in names if _is_foreign(module)), "")


def _is_foreign(module: Any) -> bool:
    """Whether a module is one of a package that is neither known here nor of the tests."""
    is_package = getattr(sys.modules.get(module), "__spec__", None) is not None
    return is_package and module.partition(".")[0] not in KNOWN


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
