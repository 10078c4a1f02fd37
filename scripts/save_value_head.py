"""Adds a value head to a causal-LM checkpoint: a fresh one, or one that is fitted to examples.

The model's files are copied (or linked) as they are, and config.json gets `"value_model": true`. Published layout:
`value_head.pth`.

    python scripts/save_value_head.py models/base --out models/base-value
    python scripts/save_value_head.py models/base --in_place
    python scripts/save_value_head.py CHAT --out CHAT-value --link --examples examples.jsonl --dtype bfloat16

Without examples the model is not loaded; the head is drawn from the hidden size and the initializer range in
config.json, and means nothing until it is trained. With examples of scripts/make_examples.py it learns their Q by a
logistic regression on the model's hidden states, which takes one pass over them: the policy stays what it is.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mcts_math.run.program import make_parser, parse_words, run_program

# isort: split
from mcts_math.engine import checkpoint as checkpoints
from mcts_math.engine.checkpoint import HEAD_FILES, Checkpoint
from mcts_math.errors import CheckpointError
from mcts_math.files import new_file, writing
from mcts_math.settings import make_settings
from mcts_math.train.config import TrainConfig

if TYPE_CHECKING:
    from mcts_math.engine.value_head import ValueHead


def main(arguments: list[str] | None = None) -> int:
    """Runs the program; returns its exit code."""
    options = parse(arguments)
    with writing(options.out or options.model_dir, "Make room, or choose another folder.", CheckpointError):
        folder = add_value_head(
            options.model_dir,
            options.out,
            make_head=partial(fitted, options=options) if options.examples else partial(fresh, seed=options.seed),
            formats=("pth", "safetensors") if options.format == "both" else (options.format,),
            link=options.link,
            force=options.force,
        )
    print(f"a {'fitted' if options.examples else 'fresh, untrained'} value head is in {folder}")
    return 0


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = make_parser(__doc__)
    parser.add_argument("model_dir", type=Path, help="folder or hub name of a causal-LM checkpoint")
    parser.add_argument("--out", type=Path, help="folder to make, with a copy of the model")
    parser.add_argument("--in_place", action="store_true", help="without --out: change the model's own folder")
    parser.add_argument("--seed", type=int, default=0, help="seed of the head's weights (default: 0)")
    parser.add_argument(
        "--format", choices=("pth", "safetensors", "both"), default="pth", help="file of the head (default: pth)"
    )
    parser.add_argument("--link", action="store_true", help="with --out: link the model's files instead of copying")
    parser.add_argument("--force", action="store_true", help="replace a head that is already there")
    parser.add_argument(
        "--examples", nargs="+", metavar="JSONL", help="fit the head to these, of scripts/make_examples.py"
    )
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16"), default="float32", help="with --examples: of the model"
    )
    parser.add_argument("--max_length", type=int, default=1024, help="with --examples: tokens of a row (default: 1024)")
    parser.add_argument("--num_threads", type=int, default=0, help="with --examples: threads on a CPU")
    options = parse_words(parser, arguments)
    if (options.out is None) != options.in_place:
        parser.error("give either --out FOLDER, or --in_place to change the model's own folder")
    if options.link and options.in_place:
        parser.error("--link needs --out: there is nothing to link in place")
    if not options.examples and (options.dtype, options.max_length, options.num_threads) != ("float32", 1024, 0):
        parser.error("--dtype, --max_length and --num_threads go with --examples")
    return options


def fresh(checkpoint: Checkpoint, seed: int) -> ValueHead:
    """A head that means nothing yet."""
    from mcts_math.engine.value_head import fresh_head_of  # late: --help and refusals need no torch

    return fresh_head_of(checkpoint, seed)


def fitted(checkpoint: Checkpoint, options: argparse.Namespace) -> ValueHead:
    """A head that has learnt from examples."""
    import torch

    from mcts_math.train.probe import fit_head, read_features

    config = make_settings(
        TrainConfig,
        {
            "examples": options.examples,
            "max_length": options.max_length,
            "pad_multiple": 1,
            "dtype": options.dtype,
            "seed": options.seed,
            "num_threads": options.num_threads,
            "fresh_value_head": True,
        },
    )
    if config.num_threads:
        torch.set_num_threads(config.num_threads)
    fit = fit_head(read_features(checkpoint, config, print), options.seed)
    print(fit)
    return fit.head


def add_value_head(
    model_dir: Path,
    out: Path | None,
    *,
    make_head: Callable[[Checkpoint], ValueHead],
    formats: tuple[str, ...],
    link: bool = False,
    force: bool = False,
) -> Path:
    """Adds the head and returns the folder that now holds it; config.json is changed last.

    Raises:
        CheckpointError: the model is incomplete, does not tell its hidden size, or has a head and `force` is off.
    """
    checkpoint = checkpoints.inspect(model_dir)
    if checkpoint.path is None:
        if out is None:
            raise CheckpointError(f"{model_dir} is no folder here; give --out FOLDER, and it comes from the model hub")
        checkpoint = checkpoints.download(checkpoint)
        model_dir = checkpoint.path or model_dir
    folder = model_dir if out is None else out
    present = {*checkpoint.head_files, *(folder / name for name in HEAD_FILES if (folder / name).exists())}
    if present and not force:
        names = ", ".join(sorted(str(file) for file in present))
        raise CheckpointError(f"there is a value head already ({names}); --force replaces it")
    inside = [file for file in checkpoint.head_files if file.name not in HEAD_FILES]
    if inside:
        raise CheckpointError(f"the value head is among the weights in {inside[0].name}, where it can't be replaced")
    if out is not None:
        require_room_for_model(model_dir, out)
    head = make_head(checkpoint)
    if out is not None:
        copy_model(model_dir, out, link=link)
    from mcts_math.engine.value_head import save_value_head  # late: refusals need no torch

    written = save_value_head(head, folder, pth="pth" in formats, safetensors="safetensors" in formats)
    for name in HEAD_FILES:  # a replaced head must not leave another one beside it
        if folder / name not in written:
            (folder / name).unlink(missing_ok=True)
    checkpoints.write_config(folder, checkpoints.read_config(model_dir) | {"value_model": True})
    return folder


def require_room_for_model(source: Path, target: Path) -> None:
    """Raises CheckpointError where a model is in the place of the copy."""
    if target.exists() and target.samefile(source):
        raise CheckpointError("--out is the model's own folder; give --in_place to add the head there")
    if (target / "config.json").exists():
        raise CheckpointError(f"{target} holds a model already; give a new folder")


def copy_model(source: Path, target: Path, *, link: bool) -> None:
    """Copies all files but head and config, each whole or not at all; with `link`, makes symbolic links."""
    target.mkdir(parents=True, exist_ok=True)
    for file in sorted(source.rglob("*")):
        relative = file.relative_to(source)
        if file.is_dir() or file.name in HEAD_FILES or relative == Path("config.json"):
            continue
        copy = target / relative
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.unlink(missing_ok=True)
        if link:
            copy.symlink_to(file.resolve())
        else:
            with new_file(copy) as part:
                shutil.copyfile(file, part)


if __name__ == "__main__":
    sys.exit(run_program(main))
