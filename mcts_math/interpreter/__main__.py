"""Tries the interpreter out: runs cells one after the other and shows what a model would see.

python -m mcts_math.interpreter FILE...      each file is one cell
python -m mcts_math.interpreter              cells from standard input, each ended by an empty line
python -m mcts_math.interpreter --probe      only says how well code is locked in on this machine
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from mcts_math.run.program import make_parser, parse_words, run_program

# isort: split
from mcts_math.errors import InterpreterError
from mcts_math.files import read_text
from mcts_math.interpreter import SandboxInterpreter, SandboxLimits, probe
from mcts_math.requests import Cell, Execute


def cells_of(lines: Iterator[str]) -> Iterator[str]:
    """Splits lines at empty ones, except within a code fence."""
    cell: list[str] = []
    for line in lines:
        fenced = sum(part.lstrip().startswith("```") for part in cell) % 2
        if line.strip() or fenced:
            cell.append(line)
        elif cell:
            yield "".join(cell)
            cell = []
    if cell:
        yield "".join(cell)


async def run(cells: Iterator[str], limits: SandboxLimits, seed: int) -> None:
    """Runs cells, each in the state that those before it leave."""
    async with SandboxInterpreter(limits) as interpreter:
        print(interpreter.level, file=sys.stderr)
        history: tuple[Cell, ...] = ()
        for code in cells:
            cell = Cell(code, seed + len(history))
            seen = await interpreter.execute(Execute("", history, cell))
            history += (cell,)
            print(f"[{len(history)}] {seen.status.value}, {1000 * seen.seconds:.1f} ms", file=sys.stderr)
            print(_visible(seen.text) if sys.stdout.isatty() else seen.text, flush=True)


def _visible(text: str) -> str:
    """A text whose control characters a terminal does not obey."""
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", lambda found: ascii(found.group())[1:-1], text)


def main(argv: Sequence[str]) -> int:
    """Runs the command. Raises InterpreterError where code can't be run, RecordError where a file can't be read."""
    parser = make_parser(__doc__)
    parser.add_argument("files", nargs="*", type=Path, help="one cell each; standard input if none is given")
    parser.add_argument("--probe", action="store_true", help="only say how well code is locked in")
    parser.add_argument("--timeout", type=float, default=30.0, metavar="SECONDS", help="wall clock of one cell")
    parser.add_argument("--seed", type=int, default=0, help="of random and numpy.random in the first cell")
    parser.add_argument("--allow_unsafe_exec", action="store_true", help="run even where code can't be locked in")
    args = parse_words(parser, argv)
    try:
        limits = SandboxLimits(step_timeout_s=args.timeout, num_parents=1, allow_unsafe_exec=args.allow_unsafe_exec)
        if args.probe:
            print(asyncio.run(probe(limits)))
            return 0
        texts = [read_text(path, "Give files of Python.") for path in args.files]
        asyncio.run(run(iter(texts) if args.files else cells_of(sys.stdin), limits, args.seed))
    except ValueError as error:
        raise InterpreterError(str(error)) from error
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
