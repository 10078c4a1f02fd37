"""The classes that stand for those of the other side: what is told of one, and what is made of that."""

from __future__ import annotations

import dataclasses
from abc import ABC
from collections import abc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import derived
from .remote import SHOWN, SPECIALS, Remote, RemoteType, ask
from .values import CONTENT, FROZEN, LIKE, MUTABLE, ONE_PROCESS, CannotCross

if TYPE_CHECKING:
    from .peer import Peer

_OF_CLASS = ("__len__", "__bool__", "__str__", "__repr__", "__getitem__", "__iter__", "__reversed__", "__contains__")
"""What a class may be asked for as if it were an object, such as an enum. It is compared by what it is."""


_ABSTRACT: dict[str, Any] = {"ABC": ABC, **{name: getattr(abc, name) for name in abc.__all__}}


def describe_class(kind: Any, told: Callable[[type[Any]], Any] = lambda base: base) -> tuple[Any, ...]:
    """What `local_class` is told of a class of this side; `told`: what stands for a base in what crosses."""
    plain = {object, bool, type(None), *FROZEN}
    specials = {n for c in kind.__mro__ if c not in plain for n, v in vars(c).items() if n in SPECIALS and v}
    metaclass: Any = type(kind)
    of_class = {n for c in metaclass.__mro__ if c not in (type, object) for n in vars(c) if n in SPECIALS}
    like = next((name for name, known in LIKE.items() if known is kind), None)
    bases = [] if like else [told(base) for base in kind.__bases__ if base is not object]
    doc = kind.__doc__ if isinstance(kind.__doc__, str) else None
    fields = [(f.name, f.init) for f in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else []
    abstract = [name for name, known in _ABSTRACT.items() if issubclass(kind, known)]
    missing = sorted(getattr(kind, "__abstractmethods__", ()))
    return kind.__name__, doc, like, bases, sorted(specials), sorted(of_class - {"__call__"}), fields, abstract, missing


def _read(name: str) -> property:
    return property(lambda self: ask(self, "get", name))


def _refuse_derived(cls: Any) -> None:
    """Refuses a class that the tests derive from one of the code: the code's methods would not see its own."""
    if "__peer__" not in vars(cls) and cls.__peer__.careful:
        raise cls.__peer__.refused(CannotCross(f"it derives {cls.__name__} from a class of the code: {ONE_PROCESS}"))


def local_class(peer: Peer, number: int | None, facts: Any, own: type[Any] | None = None) -> Any:
    """The class that stands for one of the other side.

    Args:
        peer: the connection.
        number: of the class there; None where both sides have it.
        facts: name, doc, like (the known type that its objects are of, or None), bases, specials, specials of its
            own class, fields of a dataclass, classes of `collections.abc` that it is one of, abstract methods.
        own: the class of this side that its objects pass for.
    """
    name, doc, known, bases, specials, of_class, fields, abstract, missing = facts
    if not (isinstance(name, str) and all(isinstance(base, type) for base in bases)):
        raise TypeError("what describes a class is no description")
    frozen = next((base for base in bases if issubclass(base, FROZEN)), None)
    content = next((base for base in bases if issubclass(base, MUTABLE)), None)
    shown = SHOWN if frozen or any(issubclass(base, BaseException) for base in bases) else SPECIALS
    namespace: dict[str, Any] = {s: SPECIALS[s] for s in specials if s in shown and s in SPECIALS}
    if frozen is not None:
        namespace |= derived.methods(next(kind for kind in FROZEN if issubclass(frozen, kind)), specials)
    if "__eq__" in namespace and "__hash__" not in specials:
        namespace["__hash__"] = None
    namespace |= {"__peer__": peer, "__doc__": doc, "__module__": "solution"}
    namespace |= {} if number is None else {"__class_number__": number}
    namespace["__dict__"], namespace["__init_subclass__"] = _read("__dict__"), classmethod(_refuse_derived)
    if content is not None:
        namespace["__content__"] = plain = next(kind for kind in MUTABLE if issubclass(content, kind))
        namespace["__class__"] = property(lambda self: plain)
    if isinstance(known, str) and known in LIKE:  # a function's texts are its own, not its class's
        namespace |= {name: _read(name) for name in ("__doc__", "__annotations__")}
        namespace["__class__"] = property(lambda self: LIKE[known])
        namespace |= {"__content__": LIKE[known]} if LIKE[known] in CONTENT else {}
    if own is not None:
        namespace["__class__"] = property(lambda self: own)
    if fields:
        namespace["__dataclass_fields__"] = {name: _field(name, init) for name, init in fields}
    made = _made(name, bases, namespace, of_class)
    made.__abstractmethods__ = frozenset(map(str, missing))
    for kind in [_ABSTRACT[name] for name in abstract if name in _ABSTRACT]:
        if not issubclass(made, kind):
            kind.register(made)
    return made


def _field(name: str, init: bool) -> Any:
    """A field of a dataclass. No name of the other side goes into code, as `make_dataclass` would have it."""
    field: Any = dataclasses.field(init=init)
    field.name, field._field_type = name, dataclasses._FIELD  # type: ignore[attr-defined]
    return field


def _made(name: str, bases: list[Any], namespace: dict[str, Any], of_class: list[str]) -> Any:
    usable = [base for base in bases if issubclass(base, (Remote, BaseException, *FROZEN)) and base not in MUTABLE]
    if not any(issubclass(base, Remote) for base in usable):
        usable.insert(0, Remote)
    kinds = [type(base) for base in usable]
    if of_class:
        kinds.insert(0, type("RemoteType", (RemoteType,), {s: SPECIALS[s] for s in of_class if s in _OF_CLASS}))
    metaclass = type("RemoteType", tuple(k for k in dict.fromkeys(kinds) if issubclass(k, RemoteType)), {})
    return metaclass(name, tuple(usable), namespace)


def instance(kind: Any, number: int, *args: Any) -> Any:
    """An object of such a class; `args` are of its plain value, or of the exception."""
    value = kind.__new__(kind, *args)
    object.__setattr__(value, "__number__", number)
    return value
