"""What each side knows of the other's objects: which were shown, and what stands here for those over there."""

from __future__ import annotations

import enum
import inspect
import sys
from typing import TYPE_CHECKING, Any

from . import classes, remote, values
from .acts import OutOfTime, RemoteError
from .values import BadValue

if TYPE_CHECKING:
    from .peer import Peer

_MAX_TEXT = 1000
_MUTE = ("unittest", "_pytest", "doctest", "bdb", "asyncio")  # modules whose exceptions steer a test runner


class Objects:
    """The objects of both sides, by number.

    Args:
        peer: the connection; its `shared` are the classes that both sides have.
    """

    def __init__(self, peer: Peer) -> None:
        self._peer = peer
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
        if isinstance(value, remote.RemoteType) or isinstance(kind, remote.RemoteType):
            return "yours", (remote.number_of(value),)
        shared = {kind: name for name, kind in self._peer.shared.items()}
        if isinstance(value, enum.Enum) and kind in shared:
            return "member", (shared[kind], value.value)
        if isinstance(value, enum.Enum) and _is_known(kind) and value.name in kind.__members__:
            return "known member", (kind.__module__, kind.__qualname__, value.name)
        if isinstance(value, type) and value in shared:
            return "shared", (shared[value],)
        if isinstance(value, type):
            known = [f"{c.__module__}.{c.__qualname__}" for c in value.__mro__ if _is_known_error(c)]
            if known and _is_known_error(value):
                return "exception", known
            return "class", (self.show(value), classes.describe_class(value))
        if isinstance(value, OutOfTime):
            return "late", ("timed out",)
        if isinstance(value, BaseException):
            attributes = {k: v for k, v in vars(value).items() if not k.startswith("_") or k == "__notes__"}
            return "error", (self.show(value), kind, _arguments(value), attributes, *_origins(value))
        if inspect.iscoroutine(value):
            return "coroutine", (self.show(value),)
        plain = [values.base_of(value)] if isinstance(value, values.FROZEN) else []
        return "object", (self.show(value), kind, *plain)

    def resolve(self, kind: str, content: Any) -> Any:
        """What the other side's `refer` has written. Raises BadValue, or whatever reading rubbish may raise."""
        if kind == "yours":
            return self.shown[content[0]]
        if kind == "exception":
            return _known_error(content)
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
        number, *facts = content
        if kind == "error":
            return self._error(number, *facts)
        if number not in self.remotes:
            self.remotes[number] = self._new(kind, number, *facts)
        return self.remotes[number]

    def _new(self, kind: str, number: int, of: Any = None, *plain: Any) -> Any:
        if kind == "class":
            return classes.local_class(self._peer, number, of)
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
        if not (isinstance(kind, type) and issubclass(kind, BaseException)):
            raise BadValue("an error of no kind")
        if isinstance(kind, remote.RemoteType):
            error: BaseException = classes.instance(kind, number, *args)
        else:
            try:
                error = kind(*args)
            except Exception:  # its arguments are not what it was made of
                error = kind.__new__(kind, *args)
            vars(error).update(attributes)
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
    kinds = type(error).__mro__
    if not isinstance(error, (StopIteration, StopAsyncIteration)) and not any(
        k.__module__.startswith(_MUTE) for k in kinds
    ):
        return error
    return RemoteError(f"{kinds[0].__name__}: {', '.join(map(str, error.args))}"[:_MAX_TEXT])


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
    return issubclass(kind, BaseException) and _is_known(kind)


def _is_known(kind: type[Any]) -> bool:
    """Whether a class is one of the standard library, where it says that it is."""
    return (
        "." not in kind.__qualname__
        and kind.__module__.partition(".")[0] in (*sys.stdlib_module_names, "builtins")
        and getattr(sys.modules.get(kind.__module__), kind.__qualname__, None) is kind
    )


def _known_error(names: Any) -> type[BaseException]:
    """The first of these classes that this process has loaded."""
    for full in names:
        module, _, name = str(full).rpartition(".")
        found = getattr(sys.modules.get(module), name, None)
        if isinstance(found, type) and issubclass(found, BaseException) and _is_known_error(found):
            return found
    raise BadValue("an exception that is none")
