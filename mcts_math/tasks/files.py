"""Question files: records of `.json` and `.jsonl` files, or one of these as `.gz`."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonlines

from mcts_math.errors import TaskError


def read_questions(path: Path) -> Iterator[tuple[str, Any]]:
    """(where, record) of a file; what a record holds is not looked at.

    Raises:
        TaskError: naming file, line or position, and what to change.
    """
    suffix = Path(path.name.removesuffix(".gz")).suffix
    if suffix not in (".json", ".jsonl"):
        raise TaskError(f"{path}: the name of a question file must end in .json or .jsonl, or one of these and .gz.")
    text = _read_text(path)
    if suffix == ".jsonl":
        yield from _lines(text, path)
        return
    data = _parse(text, path) if text.strip() else []
    if isinstance(data, dict):
        data = data.get("example")
    if not isinstance(data, list):
        raise TaskError(f"{path}: expected a list of records, or an object whose `example` key holds the list.")
    for index, record in enumerate(data):
        yield f"{path}, record {index}", record


def _read_text(path: Path) -> str:
    try:
        content = path.read_bytes()
        text = (gzip.decompress(content) if path.suffix == ".gz" else content).decode("utf-8-sig")
    except FileNotFoundError:
        raise TaskError(f"{path}: no such file. Check the path given with --qaf.") from None
    except UnicodeDecodeError as error:
        raise TaskError(f"{path} is not UTF-8 text: {error}. Save it as UTF-8.") from error
    except (OSError, EOFError, zlib.error) as error:
        raise TaskError(f"{path} can't be read: {error}.") from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _lines(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    # Only "\n" ends a line: JSON allows U+2028 and others inside strings, at which str.splitlines() would break.
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    with jsonlines.Reader(line for _, line in lines) as reader:
        for number, _ in lines:
            try:
                yield f"{path}:{number}", reader.read(allow_none=True)
            except (jsonlines.InvalidLineError, RecursionError) as error:
                reason = error.__cause__ or error  # what jsonlines says beside counts only the lines that it has seen
                raise TaskError(f"{path}:{number}: not valid JSON: {reason}. Mend or remove the line.") from error


def _parse(text: str, path: Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{path}: not valid JSON: {error}. Mend the file.") from error
