"""Makes a checkpoint folder of a GGUF file, as llama.cpp, Ollama and LM Studio keep models.

    python scripts/convert_gguf.py model-q4_k_m.gguf models/mine

Weights are written in full (`--dtype`), with chat template, tokenizer and generation config. Needs the extra `gguf`,
and an architecture that transformers reads from GGUF.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mcts_math.engine.gguf import DTYPES, convert
from mcts_math.errors import CheckpointError


def main(arguments: list[str] | None = None) -> int:
    """Runs the program; returns its exit code."""
    description, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the GGUF file")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to make")
    parser.add_argument("--dtype", choices=DTYPES, default=DTYPES[0], help="of the weights (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        folder = convert(options.file, options.out, dtype=options.dtype)
    except CheckpointError as error:
        print(f"convert_gguf: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"convert_gguf: can't write: {error}", file=sys.stderr)
        return 1
    print(f"the checkpoint is in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
