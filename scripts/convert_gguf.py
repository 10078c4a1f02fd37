"""Makes a checkpoint folder of a GGUF file, as llama.cpp, Ollama and LM Studio keep models.

    python scripts/convert_gguf.py model-q4_k_m.gguf models/mine

Weights are written in full (`--dtype`), with chat template, tokenizer and generation config. Needs the extra `gguf`,
and an architecture that transformers reads from GGUF.
"""

from __future__ import annotations

import sys
from pathlib import Path

from mcts_math.run.program import make_parser, parse_words, run_program

# isort: split
from mcts_math.engine.gguf import DTYPES, convert


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit code."""
    parser = make_parser(__doc__)
    parser.add_argument("file", type=Path, metavar="FILE", help="the GGUF file")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to make")
    parser.add_argument("--dtype", choices=DTYPES, default=DTYPES[0], help="of the weights (default: %(default)s)")
    options = parse_words(parser, arguments)
    print(f"the checkpoint is in {convert(options.file, options.out, dtype=options.dtype)}")
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
