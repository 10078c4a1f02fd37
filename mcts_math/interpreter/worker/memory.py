"""Makes this process cheap to fork: few mappings, few page-table entries. Optimisations, on which nothing depends.

A fork copies, for each mapping with private pages, a chain as long as the process's line of ancestors, and one
page-table entry for each page that is present: two thirds of a trivial step's time, and all of its growth with depth.
So what is imported becomes a file in memory, sealed, and mapped privately: a page that was not touched since is not
present, and a page that was written to is a copy.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import gc
import itertools
import mmap
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FrameType
from typing import NamedTuple, TypeAlias

from . import kernel

_MAX_GAP_BYTES = 4 << 20  # a hole that is filled to join two mappings
_MAP_FIXED_NOREPLACE = 0x100000
_MAP_FAILED = (1 << 64) - 1
_IMMORTAL = (1 << 32) - 1  # `_Py_IMMORTAL_REFCNT` of Python 3.12 and 3.13 with 64 bits; 3.14 has another
_NUM_AT_ONCE = 1000  # objects whose references are looked up in one call
_CODE_HOLDS = ("co_consts", "co_names", "co_varnames", "co_name", "co_qualname", "co_filename")

_libc = ctypes.CDLL(None, use_errno=True)
_libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
_libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
_libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
_libc.mmap.restype = ctypes.c_void_p

# Copies ranges to the image, then moves a private mapping of the image to their place (mremap). In between nobody may
# write to them: so it is one call, and neither Python nor libc has a part in it.
_MOVE_X86_64 = bytes.fromhex(
    "4989f9 4989f2 4989cb"  # r9 = the ranges: address and bytes of each, ended by zeros; r10 = shift; r11 = all bytes
    "498b31 498b4908 4885c9 740c"  # next: address and bytes of a range; no bytes: done
    "4a8d3c16 f3a4 4983c110 ebe8"  # copy it to address + shift; next
    "4889d7 4c89de 4c89da 41ba03000000"  # done: the private mapping, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED
    "b819000000 0f05 c3"  # mremap, to r8; return
)
_Mover: TypeAlias = Callable[[object, int, int, int, int], int]


class Range(NamedTuple):
    """A mapping, as /proc/self/maps shows it; `file` is "" for none."""

    start: int
    end: int
    permissions: str
    file: str


def ranges() -> Iterator[Range]:
    """This process's mappings, in the order of their addresses."""
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        lines = [line.split(maxsplit=5) for line in maps]
    for fields in lines:
        start, end = (int(x, 16) for x in fields[0].split("-"))
        yield Range(start, end, fields[1], fields[5].strip() if len(fields) > 5 else "")


def make_immortal() -> None:
    """Makes all objects of this process immortal (PEP 683), where this Python has such. Call it before `gc.freeze`.

    To look at an object is to write its reference count, and each page where one changes costs a fork its copy: two
    thirds of the page faults of a cell that works with sympy. The count of an immortal object is never written. That
    such objects are never freed costs nothing here: this process keeps what it has imported anyway.
    """
    if not _has_immortals():
        return
    new = gc.get_objects()
    _mark(new)
    while new:
        parts = (new[i : i + _NUM_AT_ONCE] for i in range(0, len(new), _NUM_AT_ONCE))
        new = [found for part in parts for found in _mark(_referents(part))]


def _has_immortals() -> bool:
    """Whether a reference count can make an object immortal: tried with one that nobody needs."""
    if not (3, 12) <= sys.version_info[:2] <= (3, 13):
        return False
    guinea_pig = object()
    count = _count_of(guinea_pig)
    if count.value != sys.getrefcount(guinea_pig) - 1:  # it lies elsewhere: free-threaded, or built for debugging
        return False
    count.value = _IMMORTAL
    held = [guinea_pig] * 3
    return sys.getrefcount(held[0]) == _IMMORTAL


def _count_of(thing: object) -> ctypes.c_uint32:
    return ctypes.c_uint32.from_address(id(thing))


def _referents(things: list[object]) -> list[object]:
    """What the garbage collector sees behind some objects, and what is behind code, which it passes over."""
    found = gc.get_referents(*things)
    for thing in things:
        if type(thing) is CodeType:
            found += [getattr(thing, name) for name in _CODE_HOLDS]
    return found


def _mark(things: Iterable[object]) -> list[object]:
    """Makes objects immortal, and returns those that were not. Frames stay: they are in use and must end."""
    marked = []
    for thing in things:
        if sys.getrefcount(thing) != _IMMORTAL and type(thing) is not FrameType:
            _count_of(thing).value = _IMMORTAL
            marked.append(thing)
    return marked


def settle() -> None:
    """Call it when all is imported, from the only thread. Does nothing where there are more threads, or on arm64."""
    if kernel.X86_64 and len(os.listdir("/proc/self/task")) == 1:
        _join_all()


def runs(mappings: Iterator[Range]) -> Iterator[list[Range]]:
    """Mappings that lie close together and may become one: all but those that the kernel treats specially."""
    run: list[Range] = []
    for mapping in mappings:
        special = mapping.file.startswith("[") and mapping.file != "[heap]"
        if run and (special or mapping.start - run[-1].end > _MAX_GAP_BYTES):
            yield run
            run = []
        if not special:
            run.append(mapping)
    if run:
        yield run


def _join_all() -> None:
    """Turns each run into one private mapping with the same contents, where the kernel allows it.

    It is readable, writable and executable in all its parts. That protects nothing less: a snippet may call
    mprotect(2), or write its own code elsewhere. Each process changes its own copies only.
    """
    move = _mover()
    # A list first: what allocates memory may map some, but never within a run once its holes are taken.
    for run in list(runs(ranges())):
        if _take_holes(run):
            _join(run, move)


def _mover() -> _Mover:
    page, address = kernel.code_page()
    page[: len(_MOVE_X86_64)] = _MOVE_X86_64
    longs = [ctypes.c_long] * 4
    call = ctypes.PYFUNCTYPE(ctypes.c_long, ctypes.c_void_p, *longs)(address)
    return lambda *args, _page=page: int(call(*args))


def _take_holes(run: list[Range]) -> bool:
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_FIXED_NOREPLACE
    for before, after in itertools.pairwise(run):
        size = after.start - before.end
        if size and _libc.mmap(before.end, size, 0, flags, -1, 0) != before.end:
            return False
    return True


def _join(run: list[Range], move: _Mover) -> None:
    size = run[-1].end - run[0].start
    try:
        image = os.memfd_create("image", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    except OSError:  # an old kernel, or a container that forbids it
        return
    try:
        os.ftruncate(image, size)
        rights = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC
        shared = _libc.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_SHARED, image, 0)
        private = _libc.mmap(None, size, rights, mmap.MAP_PRIVATE, image, 0)
        if _MAP_FAILED in (shared, private) or not _still_there(run):
            return
        _move(run, move, shared, private)
        if _libc.munmap(shared, size):
            raise OSError(ctypes.get_errno(), "munmap of the image")
        # From here on nobody can change what all sandboxes start from, whatever descriptor they may get hold of.
        fcntl.fcntl(image, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)
    finally:
        os.close(image)


def _still_there(run: list[Range]) -> bool:
    """Whether nothing was unmapped meanwhile, as by the end of a heap that free(3) gave back."""
    now = [r for r in ranges() if r.permissions[0] == "r"]
    wanted = [r for r in run if r.permissions[0] == "r"]
    return all(any(n.start <= r.start and r.end <= n.end for n in now) for r in wanted)


def _move(run: list[Range], move: _Mover, shared: int, private: int) -> None:
    start, end = run[0].start, run[-1].end
    readable = [r for r in run if r.permissions[0] == "r"]
    table = (ctypes.c_ulong * (2 * len(readable) + 2))()
    for i, mapping in enumerate(readable):
        table[2 * i], table[2 * i + 1] = mapping.start, mapping.end - mapping.start
    moved = move(table, shared - start, private, end - start, start)
    if moved != start:  # the kernel's -errno
        raise OSError(-moved, f"mremap: {errno.errorcode.get(-moved, 'unknown')}")
