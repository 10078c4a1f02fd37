"""Files that are there whole or not at all, files that one process at a time may write, digests, and lines of JSON."""

from __future__ import annotations

import fcntl
import filecmp
import gzip
import hashlib
import json
import math
import os
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, Final

import jsonlines

from mcts_math.errors import MctsMathError, RecordError

ROOM: Final = "Make room and run the same command again."
"""What to do where a program that goes on from what is done can't write."""


@contextmanager
def writing(path: str | Path, remedy: str = ROOM, error: type[MctsMathError] = RecordError) -> Iterator[None]:
    """Raises `error` in place of an OSError: it names the file or folder that can't be written, and the remedy."""
    try:
        yield
    except OSError as reason:
        raise error(f"{path} can't be written: {_told(reason, path)}. {remedy}") from reason


@contextmanager
def reading(
    path: str | Path, remedy: str = "Give another file.", error: type[MctsMathError] = RecordError
) -> Iterator[None]:
    """The same of a file that can't be read."""
    try:
        yield
    except FileNotFoundError:
        raise error(f"{path}: no such file. {remedy}") from None
    except OSError as reason:
        raise error(f"{path} can't be read: {_told(reason, path)}. {remedy}") from reason


def _told(reason: OSError, path: str | Path) -> str:
    """What the system says, and of which file where that is another one."""
    other = f": {reason.filename}" if not str(reason.filename or path).startswith(str(path)) else ""
    return f"{reason.strerror}{other}" if reason.strerror else str(reason)


def require_writable(path: str | Path, remedy: str, error: type[MctsMathError] = RecordError) -> None:
    """Raises `error` where the file, and folders for it, could not be written: to be asked before long work. Makes
    nothing."""
    path = Path(path).absolute()
    with writing(path, remedy, error):
        if path.exists() and not path.is_file():
            raise OSError("it is no ordinary file")
        folder = next(folder for folder in path.parents if folder.exists())
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is no folder")
        if not os.access(folder, os.W_OK):
            raise PermissionError(f"{folder} is not ours to write in")


def read_text(path: str | Path, remedy: str, error: type[MctsMathError] = RecordError) -> str:
    """A file of UTF-8 text, packed where its name ends in .gz, with or without a mark of its order of bytes. Lines end
    with "\\n" alone. Raises `error`, naming file and remedy."""
    path = Path(path)
    try:
        with reading(path, remedy, error):
            content = path.read_bytes()
            text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as reason:
        raise error(f"{path} is not UTF-8 text: {reason}. {remedy}") from reason
    except (EOFError, zlib.error) as reason:
        raise error(f"{path} can't be read: {reason}. {remedy}") from reason


def read_json(path: str | Path, remedy: str, error: type[MctsMathError] = RecordError) -> Any:
    """What a file of JSON holds. Raises `error`, naming file and remedy."""
    try:
        return json.loads(read_text(path, remedy, error))
    except (ValueError, RecursionError) as reason:
        raise error(f"{path} is not JSON: {reason}. {remedy}") from reason


def part_of(path: Path) -> Path:
    """Where a file or folder is written until it is whole. The name is hidden: a user's own `NAME.part` is another."""
    return path.with_name(f".{path.name}.part")


@contextmanager
def new_file(path: Path, *, keep: bool = False) -> Iterator[Path]:
    """A path beside (`part_of`), to be written, whose file takes the place of `path` at once; folders are made. With
    `keep` an old file of other content becomes a backup. A part that a killed process left is written over.

    Raises OSError where it can't be written, is no ordinary file, such as a folder or a device, or where another
    process writes it. After any error `path` is what it was before.
    """
    if path.exists() and not path.is_file():
        raise OSError("it is no ordinary file")
    path.parent.mkdir(parents=True, exist_ok=True)
    part = part_of(path)
    with part.open("ab") as held:
        if not try_lock(held.fileno()) or not is_in_place(held.fileno(), part):
            raise OSError("another process is writing it")
        try:
            held.truncate(0)
            yield part
            if keep and path.exists() and not filecmp.cmp(path, part, shallow=False):
                put_aside(path)
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def replace_file(path: Path, data: str | bytes, *, keep: bool = False) -> None:
    """Writes a file at once, text as UTF-8; see `new_file`. Raises OSError where it can't be written."""
    with new_file(path, keep=keep) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)


def write_text(path: Path, text: str) -> None:
    """Writes a file at once, with a line's end after the text. Raises RecordError where it can't be written."""
    with writing(path):
        replace_file(path, text + "\n")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside, to be filled, which takes the place of `folder` at once; an old one becomes a backup.
    Raises OSError where it can't be written; after any error `folder` is what it was before."""
    scratch = part_of(folder)
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        yield scratch
        put_aside(folder)
        scratch.replace(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def put_aside(*paths: Path) -> None:
    """Makes backups of one number of what is there of these files and folders: `NAME.bak`, or `.bak2`, `.bak3`, … where
    one is taken. None is ever replaced. The first path goes first."""
    there = [path for path in paths if path.exists()]
    names = (".bak" if number == 1 else f".bak{number}" for number in count(1))
    free = next(name for name in names if not any(path.with_name(path.name + name).exists() for path in there))
    for path in there:
        path.replace(path.with_name(path.name + free))


def short_digest(data: str | bytes) -> str:
    """Sixteen hexadecimal digits that tell contents apart; a text may hold halves of surrogate pairs."""
    return hashlib.sha256(data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data).hexdigest()[:16]


def is_same_file(first: str | Path, second: str | Path) -> bool:
    """Whether both paths are the same file, by whatever links, or would be once written."""
    try:
        return Path(first).samefile(second)
    except OSError:  # one of them is not there, or can not be
        return os.path.realpath(first) == os.path.realpath(second)


def require_different(paths: Sequence[str | Path]) -> None:
    """Raises RecordError where a path is the same file as one before it."""
    for place, path in enumerate(paths):
        if any(is_same_file(path, other) for other in paths[:place]):
            raise RecordError(f"{path} is given twice: it would count double. Leave one out.")


def try_lock(descriptor: int) -> bool:
    """Takes the exclusive lock of an open file, which ends with the process; False where another process has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_in_place(descriptor: int, path: Path) -> bool:
    """Whether an open file is the one of this name."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def read_records(path: str | Path, *, may_be_empty: bool = False) -> Iterator[tuple[str, dict[str, Any]]]:
    """Streams (where, record) of a file of JSON lines, in constant memory. Raises RecordError with file, line and
    remedy."""
    path, is_empty = Path(path), not may_be_empty
    with reading(path, "Give a file of JSON lines."), path.open("rb") as file:
        for number, line in enumerate(file, 1):
            record = parse_line(line)
            if record is not None:
                is_empty = False
                yield f"{path}:{number}", record
            elif line.strip():
                remedy = "Remove the line" if number > 1 else "Give a file of JSON lines, in UTF-8 and not packed"
                what = f"not a JSON object. {remedy}."
                if (number > 1 or line.startswith(b"{")) and not line.endswith(b"\n"):
                    what = "the last line is torn. Resume the run that wrote it with --resume."
                raise RecordError(f"{path}:{number}: {what}")
    if is_empty and path.is_file():
        raise RecordError(f"{path} is empty. Wait for the first line of what writes it, or give another file.")
    if is_empty:
        raise RecordError(f"{path} is no ordinary file, and can't be read (again). Put its lines into one.")


def parse_line(line: bytes) -> dict[str, Any] | None:
    """A line as a JSON object; None where it is not one."""
    try:
        return jsonlines.Reader([line]).read(type=dict)
    except (jsonlines.InvalidLineError, RecursionError):
        return None


def dump_line(record: Mapping[str, Any]) -> bytes:
    """One line of JSON in UTF-8. Null stands for NaN and infinities, and JSON's escapes for lone surrogates."""
    try:
        text = json.dumps(record, ensure_ascii=False, allow_nan=False)
    except ValueError:
        record = finite(record)
        text = json.dumps(record, ensure_ascii=False)
    try:
        return text.encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(record).encode() + b"\n"


def finite(data: Any) -> Any:
    """The same data with None for all numbers that are not finite: what JSON holds of it."""
    if isinstance(data, Mapping):
        return {key: finite(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
