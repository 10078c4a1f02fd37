"""What each side knows of the other's objects: which were shown, and what stands here for those over there."""

from __future__ import annotations

import enum
import inspect
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from . import access, classes, remote, values
from .acts import RemoteError
from .settled import CATCHERS, OutOfTime, steers
from .values import BadValue, CannotCross

if TYPE_CHECKING:
    from .peer import Peer

_MAX_TEXT = 1000
_MUTE = ("unittest", "_pytest", "doctest", "bdb", "asyncio")  # modules whose exceptions steer a test runner


class _Kind(NamedTuple):
    """The class of an object that goes by reference, or of its class: it is described, whatever its name."""

    kind: type[Any]


class Objects:
    """The objects of both sides, by number.

    Args:
        peer: the connection; its `shared` are the classes that both sides have.
        names: what a library has by name goes by that name, and the other side uses its own. Else only what came so.
    """

    def __init__(self, peer: Peer, names: bool) -> None:
        self._peer, self._names = peer, names
        self._named: dict[tuple[str, str], Any] = {}  # what went, or came, by name
        self._kinds: dict[type[Any], _Kind] = {}
        self._came: dict[int, tuple[str, str]] = {}  # names of what came, by id
        self.shown: dict[int, Any] = {}  # of this side
        self._numbers: dict[int, int] = {}  # of these, by id
        self.remotes: dict[int, Any] = {}  # what stands for those of the other side
        self._likes: dict[type[Any], Any] = {}

    def show(self, value: Any) -> int:
        """The number under which the other side knows an object of this side, from now on."""
        number = self._numbers.setdefault(id(value), len(self.shown))
        self.shown.setdefault(number, value)
        return number

    def refer(self, value: Any) -> tuple[str, Any]:
        """How what goes by reference is written: (kind, content). Raises CannotCross."""
        kind = type(value)
        if kind is _Kind:
            known = None if value.kind is object else self._refer_class(value.kind)
            return values.pack(value.kind) or known or self._describe(value.kind)
        if isinstance(value, remote.RemoteType) or isinstance(kind, remote.RemoteType):
            return "yours", (remote.number_of(value),)
        shared = self._shared_name(kind)
        if isinstance(value, enum.Enum) and shared:
            return "member", (shared, value.value)
        if isinstance(value, enum.Enum) and _is_known(kind) and value.name in kind.__members__:
            return "known member", (kind.__module__, kind.__qualname__, value.name)
        known = self._refer_class(value) if isinstance(value, type) else None
        if known is not None:
            return known
        name = access.name_in_library(value) if self._names else self._came.get(id(value))
        if name is not None:
            self._named[name] = value
            return "named", name
        if self._names and (foreign := access.foreign(value)):
            raise CannotCross(f"it hands over an object of {foreign}: {values.ONE_PROCESS}")
        if isinstance(value, type):
            return self._describe(value)
        if isinstance(value, OutOfTime):
            return "late", ("timed out",)
        if isinstance(value, BaseException):
            attributes = {k: v for k, v in vars(value).items() if not k.startswith("_") or k == "__notes__"}
            return "error", (self.show(value), self._kind(kind), _arguments(value), attributes, *_origins(value))
        if inspect.iscoroutine(value):
            return "coroutine", (self.show(value),)
        plain = [values.base_of(value)] if isinstance(value, values.FROZEN) else []
        return "object", (self.show(value), self._kind(kind), *plain)

    def _kind(self, kind: type[Any]) -> _Kind | tuple[str, ...]:
        """What tells of the class of an error, or of a base; of one that both sides have, its names."""
        known = self._refer_class(kind) if issubclass(kind, BaseException) else None
        return tuple(known[1]) if known and known[0] == "exception" else self._kinds.setdefault(kind, _Kind(kind))

    def _shared_name(self, kind: Any) -> str:
        return next((name for name, known in self._peer.shared.items() if known is kind), "")

    def _refer_class(self, kind: Any) -> tuple[str, Any] | None:
        """How a class is written that both sides have, or one of the other side."""
        if isinstance(kind, remote.RemoteType):
            return "yours", (remote.number_of(kind),)
        if shared := self._shared_name(kind):
            return "shared", (shared,)
        known = [f"{c.__module__}.{c.__qualname__}" for c in kind.__mro__ if _is_known_error(c)]
        return ("exception", known) if known and _is_known_error(kind) else None

    def _describe(self, kind: type[Any]) -> tuple[str, Any]:
        return "class", (self.show(kind), classes.describe_class(kind, self._kind))

    def resolve(self, kind: str, content: Any) -> Any:
        """What the other side's `refer` has written. Raises BadValue, or whatever reading rubbish may raise."""
        if kind == "yours":
            return self.shown[content[0]]
        if kind == "exception":
            found = _known_error(content)
            self._peer.gave_catcher = self._peer.gave_catcher or found in CATCHERS
            return found
        if kind == "shared":
            return self._peer.shared[content[0]]
        if kind == "member" and isinstance(self._peer.shared[content[0]], enum.EnumMeta):
            return self._peer.shared[content[0]](content[1])
        if kind == "known member":
            module, name, member = content
            found = getattr(sys.modules[module], name)
            if not (isinstance(found, enum.EnumMeta) and _is_known(found)):
                raise BadValue("a member of no class of the standard library")
            return found.__members__[member]
        if kind == "late":
            return OutOfTime(*content)
        if kind == "named":
            return self._named[content] if self._names else self._own(content)
        number, *facts = content
        if type(number) is not int:
            raise BadValue(f"a {type(number).__name__} as a number")
        if kind == "error":
            return self._error(number, *facts)
        if number not in self.remotes:
            self.remotes[number] = self._new(kind, number, *facts)
        return self.remotes[number]

    def _own(self, name: tuple[str, str]) -> Any:
        """What this side has by a name that the other one uses."""
        if name not in self._named:
            self._named[name] = access.of_library(*name)
        self._came[id(self._named[name])] = name
        return self._named[name]

    def _new(self, kind: str, number: int, of: Any = None, *plain: Any) -> Any:
        if kind == "class":
            name, doc, known, bases, *rest = of
            return classes.local_class(self._peer, number, (name, doc, known, [*map(_told, bases)], *rest))
        if kind == "coroutine":
            return remote.drive(self._peer, number, "await")
        if kind == "object" and of in self._peer.shared.values():
            if of not in self._likes:
                self._likes[of] = classes.local_class(self._peer, None, classes.describe_class(of), own=of)
            of = self._likes[of]
        if kind != "object" or not isinstance(of, remote.RemoteType):
            raise BadValue(f"{kind!r}")
        return classes.instance(of, number, *plain)

    def _error(self, number: Any, kind: Any, args: Any, attributes: Any, cause: Any, context: Any) -> BaseException:
        kind = _told(kind)
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise BadValue("an error of no kind")
        if type(args) is not tuple or type(attributes) is not dict:
            raise BadValue("an error of no arguments or attributes")
        if isinstance(kind, remote.RemoteType):
            error: BaseException = classes.instance(kind, number, *args)
        else:
            try:
                error = kind(*args)
            except Exception:  # its arguments are not what it was made of
                error = kind.__new__(kind, *args)
            vars(error).update((k, v) for k, v in attributes.items() if _is_attribute(kind, k))
        object.__setattr__(error, "__context__", context)
        object.__setattr__(error, "__cause__", cause)
        return error


def is_data(value: Any) -> bool:
    """Whether a value says more than that something is there: it is no object or class of the code, and not None."""
    if type(value) in values.PLAIN:
        return value is not None
    return not (isinstance(value, remote.RemoteType) or remote.is_object(value))


def harmless(error: BaseException) -> BaseException:
    """What an exception of the other side is raised as: here none may end a loop, or a test, before it failed."""
    if not isinstance(error, (StopIteration, StopAsyncIteration)) and not steers(error, _MUTE):
        return error
    return RemoteError(f"{type(error).__name__}: {', '.join(map(str, error.args))}"[:_MAX_TEXT])


def _is_attribute(kind: type[BaseException], name: Any) -> bool:
    """Whether the other side may say what an exception of a class of this side has under a name."""
    is_open = type(name) is str and (name == "__notes__" or not name.startswith("_"))
    return is_open and not callable(getattr(kind, name, None))


def _arguments(error: BaseException) -> tuple[Any, ...]:
    """What an exception is made anew of; `args` of a missing file lacks its name."""
    if isinstance(error, OSError) and error.filename is not None and len(error.args) == 2:
        return (*error.args, error.filename)
    return error.args


def _origins(error: BaseException) -> tuple[BaseException | None, BaseException | None]:
    """Cause and context of an exception; none of them where they lead back to it, which no message can hold."""
    waiting = [error.__cause__, error.__context__]
    seen: set[int] = set()
    for one in waiting:
        if one is error:
            return None, None
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            waiting += [one.__cause__, one.__context__]
    return error.__cause__, error.__context__


def _is_known_error(kind: type[Any]) -> bool:
    return (issubclass(kind, BaseException) or kind is object) and _is_known(kind)


def _is_known(kind: type[Any]) -> bool:
    """Whether a class is one of the standard library, where it says that it is."""
    return (
        "." not in kind.__qualname__
        and kind.__module__.partition(".")[0] in (*sys.stdlib_module_names, "builtins")
        and getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind
    )


def _told(kind: Any) -> Any:
    """The class that `Objects._kind` tells of: it came as no value."""
    return _known_error(kind) if type(kind) is tuple else kind


def _known_error(names: Any) -> type[Any]:
    """The first of these classes that this process has loaded."""
    for full in names:
        module, _, name = str(full).rpartition(".")
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type) and _is_known_error(found):
            return found
    raise BadValue("an exception that is none")
