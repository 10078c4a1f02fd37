"""One self-contained HTML file from results files: the list at its head, the trees behind it in compressed chunks."""

from __future__ import annotations

import base64
import gzip
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from mcts_math.errors import RecordError
from mcts_math.evaluate.grading import Grader
from mcts_math.files import dump_line, is_same_file, new_file, writing
from mcts_math.run.record import read_results
from mcts_math.tasks import JsonObject
from mcts_math.view.assemble import page
from mcts_math.view.questions import grade_questions, read_question
from mcts_math.view.summary import run_facts, summarise

_CHUNK_BYTES: Final = 1 << 19
"""Trees are packed together up to this size, before compression: one chunk unpacks in some hundredths of a second."""


def build_page(results: str | Path, than: str | Path | None, output: str | Path, *, workers: int = 0) -> JsonObject:
    """Writes the page of one results file, or of two that are compared; returns the numbers of `questions` (a list),
    `nodes` and `bytes`. `workers` judge answers of lines without a verdict; 0: one a core. Raises RecordError."""
    paths = [Path(results), *([] if than is None else [Path(than)])]
    for path in paths:
        if is_same_file(path, output):
            raise RecordError(f"{output} is a file that is to be shown. Choose another --output.")
    with tempfile.TemporaryFile() as spool, Grader(workers or None) as grader:
        packer = _Packer(spool)
        sources = [_pack(path, packer, grader) for path in paths]
        if len(sources) > 1:
            for source in sources:
                check_ids(source)
        packer.flush()
        spool.seek(0)
        size = _write(Path(output), head_of(sources), spool)
    entries = [entry for source in sources for entry in source["entries"]]
    counts = [len(source["entries"]) for source in sources]
    return {"questions": counts, "nodes": sum(entry["nodes"] for entry in entries), "bytes": size}


def head_of(sources: Sequence[JsonObject] | None) -> bytes:
    """What the page must know at once, packed as a block of data. None: it asks a server."""
    return _block("head", pack({"sources": sources}))


def pack(data: Any) -> bytes:
    """JSON, compressed, as the page unpacks it."""
    return gzip.compress(data if isinstance(data, bytes) else dump_line(data), compresslevel=6, mtime=0)


def _block(name: str, packed: bytes) -> bytes:
    return b'<script type="text/plain" id="%s">%s</script>\n' % (name.encode(), base64.b64encode(packed))


@dataclass(slots=True)
class _Packer:
    """Packs trees into blocks of data in a file."""

    file: IO[bytes]
    waiting: list[bytes] = field(default_factory=list)  # lines of the chunk that is being filled
    num_bytes: int = 0
    chunks: int = 0  # those that are written

    def add(self, tree: JsonObject) -> tuple[int, int]:
        """Takes a tree; returns its chunk and its place there."""
        line = dump_line(tree)
        if self.waiting and self.num_bytes + len(line) > _CHUNK_BYTES:
            self.flush()
        self.waiting.append(line)
        self.num_bytes += len(line)
        return self.chunks, len(self.waiting) - 1

    def flush(self) -> None:
        if self.waiting:
            self.file.write(_block(f"chunk-{self.chunks}", pack(b"[" + b",".join(self.waiting) + b"]")))
            self.chunks += 1
            self.waiting, self.num_bytes = [], 0


def _pack(path: Path, packer: _Packer, grader: Grader) -> JsonObject:
    """Packs the trees of a file; returns its part of the head."""
    questions = []
    for where, task_id, record in read_results(path):
        question = read_question(record, where, task_id)
        question.entry["at"] = packer.add(question.tree)
        question.tree = {}  # a file holds more than fits into memory
        questions.append(question)
    grade_questions(questions, grader)
    entries = [question.entry for question in questions]
    return {"name": path.name, "entries": entries, "summary": summarise(entries, path)} | run_facts(path)


def check_ids(source: JsonObject) -> None:
    """Raises RecordError where a question stands twice in a file that is to be compared with another one."""
    copies = Counter(entry["id"] for entry in source["entries"])
    if twice := [task_id for task_id, count in copies.items() if count > 1]:
        raise RecordError(
            f"{source['name']}: question {twice[0]!r} stands in it twice, so it can't be compared. Keep one line of it."
        )


def _write(output: Path, head: bytes, trees: IO[bytes]) -> int:
    """Puts the page together beside its place, then there; returns its size."""
    before, between, after = (part.encode() for part in page(served=False))
    with writing(output, "Choose another --output."), new_file(output) as temporary, temporary.open("wb") as file:
        file.writelines((before, head, between))
        shutil.copyfileobj(trees, file)
        file.write(after)
        return file.tell()
