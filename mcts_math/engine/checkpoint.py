"""What a checkpoint folder holds, found out without loading it.

`inspect` reads a few small files and says early, and with a remedy, why a checkpoint can't be used; so a run fails
before minutes are spent on loading weights. Of the weights it looks at the headers alone, and whether files are whole.
torch is not imported here, transformers neither.

The published layout of a policy with a value head: `config.json` says `"value_model": true`, and `value_head.pth` holds
`v_head.summary.weight` [1, hidden] and `v_head.summary.bias` [1]. We also read `value_head.safetensors` with the same
names, and a head that sits among the model's own weights.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open

from mcts_math.errors import CheckpointError, boundary
from mcts_math.files import read_json, replace_file

NO_TEMPLATE = (
    "has no chat template, which a conversation needs. Take a config whose prompt_wrap is react_sft or react (for the "
    "bundled models: configs/mini), or add a template to the checkpoint (chat_template.jinja)"
)
NO_TOOLS = "shows no tools, so the model would not know of Python. Choose prompt_wrap: chat_code, which needs none"
"""What is wrong with a chat template, as ends of sentences."""

HEAD_WEIGHT = "v_head.summary.weight"
HEAD_BIAS = "v_head.summary.bias"
HEAD_PTH = "value_head.pth"
HEAD_SAFETENSORS = "value_head.safetensors"
HEAD_FILES = (HEAD_SAFETENSORS, HEAD_PTH)
"""Files of a head that stands by itself."""

WEIGHT_INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json")
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "spiece.model", "tekken.json", "vocab.json", "vocab.txt")
# The names under which architectures keep the longest sequence that they can read.
_CONTEXT_KEYS = ("max_position_embeddings", "n_positions", "max_seq_len", "max_sequence_length", "seq_length", "n_ctx")
_HIDDEN_KEYS = ("hidden_size", "n_embd", "d_model", "dim")
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    name: str  # the folder, or the name on the Hugging Face hub, as it was given
    path: Path | None  # the folder; None for a name on the hub, of which nothing else is known before it is downloaded
    architecture: str = ""  # the class in `config.json`, such as "LlamaForCausalLM"; "" where it names none
    context_length: int | None = None  # most tokens of prompt and continuation; None where the config does not say
    hidden_size: int | None = None  # width of the last hidden state; None where the config does not say
    initializer_range: float = 0.02  # standard deviation for a fresh value head
    value_model: bool = False  # `config.json` says that a value head belongs to the model
    head_files: tuple[Path, ...] = ()  # of the value head, of equal content if several; () where there is none

    @property
    def folder(self) -> Path:
        """The folder of a checkpoint that is here; see `download`."""
        assert self.path is not None, f"{self.name} was not downloaded"
        return self.path


def inspect(model_dir: str | Path, *, need_value: bool = False) -> Checkpoint:
    """Reads what the small files of a checkpoint tell. A name on the Hugging Face hub is passed on unread. Raises
    CheckpointError where the folder, its config, weights, tokenizer or (if needed) value head is missing or broken."""
    name = str(model_dir)
    path = Path(name).expanduser()
    if not path.is_dir():
        if is_hub_name(name):
            return Checkpoint(name, None)
        what = "is a file, not a folder" if path.exists() else "does not exist"
        raise CheckpointError(f"model_dir {name!r} {what}; give a folder with config.json, weights and tokenizer")
    config = read_config(path)
    _require_weights(path)
    _require_tokenizer(path)
    text_config = config.get("text_config") or {}
    if not isinstance(text_config, Mapping):
        raise CheckpointError(f"{path / 'config.json'}: text_config must be an object")
    with boundary(f"{path / 'config.json'}: initializer_range must be a number", CheckpointError):
        initializer_range = float(config.get("initializer_range") or text_config.get("initializer_range") or 0.02)
    checkpoint = Checkpoint(
        name=name,
        path=path,
        architecture=architecture_of(config),
        context_length=_positive_int(path, config, text_config, _CONTEXT_KEYS),
        hidden_size=_positive_int(path, config, text_config, _HIDDEN_KEYS),
        initializer_range=initializer_range,
        value_model=config.get("value_model") is True,
        head_files=_find_head(path, config.get("value_model") is True),
    )
    if need_value:
        _require_head(checkpoint)
    return checkpoint


def download(checkpoint: Checkpoint, *, need_value: bool = False) -> Checkpoint:
    """The same checkpoint as a folder: at once if it is one, else from the hub (or its local cache). Raises
    CheckpointError where the hub does not have it or can't be reached, or what came is not usable."""
    if checkpoint.path is not None:
        return checkpoint
    folder = _fetch(checkpoint.name, leave=["original/*", "onnx/*", "*.gguf", "*.h5", "*.msgpack"])
    return inspect(folder, need_value=need_value)


def obtain(model_dir: str | Path, *, need_value: bool = False) -> Checkpoint:
    """`inspect`, and `download` where that is needed: a checkpoint that is a folder here. Raises as they do."""
    return download(inspect(model_dir, need_value=need_value), need_value=need_value)


def read_chat_template(path: Path) -> str:
    """The chat template of a model folder, "" where it has none, or all that it has. Raises CheckpointError."""
    with boundary(f"the chat template in {path} can't be read", CheckpointError):
        file = path / "chat_template.jinja"
        if file.exists():
            return file.read_text(encoding="utf-8")
        for name in ("chat_template.json", "tokenizer_config.json"):
            if (path / name).exists():
                template = read_object(path / name).get("chat_template")
                if isinstance(template, list):
                    template = "\n".join(str(one["template"]) for one in template)
                if template:
                    return str(template)
        return ""


def download_tokenizer(name: str) -> Path:
    """A folder with the config and the tokenizer of a model on the hub, without its weights. Raises as `download`."""
    return _fetch(name, only=["*.json", "*.jinja", "*.model", "*.txt", "*.tiktoken"])


def read_config(path: Path) -> dict[str, Any]:
    """`config.json` of a model folder. Raises CheckpointError where it is missing or no JSON object."""
    return read_object(path / "config.json")


def write_config(path: Path, config: Mapping[str, Any]) -> None:
    """Writes `config.json` of a model folder, at once. Raises OSError where it can't be written."""
    replace_file(path / "config.json", json.dumps(config, indent=2, ensure_ascii=False) + "\n")


def find_weights(path: Path, prefix: str) -> dict[str, Path]:
    """The weights of a model folder whose names begin so, and their files; none of a single pickled file. Raises
    CheckpointError where an index or a file can't be read."""
    for index in WEIGHT_INDEXES:
        if (path / index).exists():
            named = _weight_map(path / index)
            return {name: path / file for name, file in named.items() if name.startswith(prefix)}
    single = path / WEIGHT_FILES[0]
    names = tensor_names(single) if single.exists() else []
    return {name: single for name in names if name.startswith(prefix)}


def tensor_names(file: Path) -> list[str]:
    """Names of the tensors in a safetensors file. Raises CheckpointError: it can't be read, or is cut off."""
    remedy = "Copy or download it again (`git lfs pull` replaces a pointer of git-lfs)."
    broken = boundary(f"{file} is not a whole safetensors file", CheckpointError, remedy)
    with broken, safe_open(file, framework="np") as opened:
        return list(opened.keys())


def is_hub_name(name: str) -> bool:
    """Whether a name may be one on the hub: "owner/model", unless a folder "owner" shows that a path was meant."""
    if not _HUB_NAME.fullmatch(name) or "/" not in name:
        return False
    return not Path(name).parent.is_dir()


def _fetch(name: str, *, only: list[str] | None = None, leave: list[str] | None = None) -> Path:
    """The folder where the hub's client keeps a model's files: those that match `only` and nothing in `leave`."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, HFValidationError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=only, ignore_patterns=leave))
    except GatedRepoError as error:
        reason = "wants its licence accepted: do so on its page, then log in with `hf auth login`"
        raise CheckpointError(f"model_dir {name!r}: the Hugging Face hub {reason}") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        reason = "and the Hugging Face hub has no model of that name; a private one needs `hf auth login`"
        raise CheckpointError(f"model_dir {name!r} is no folder here, {reason}") from error
    except (HfHubHTTPError, OSError) as error:  # that of no connection is an OSError
        first = str(error).strip().partition("\n")[0]
        raise CheckpointError(
            f"model_dir {name!r} is no folder here, and the Hugging Face hub can't be reached ({first}); on a machine "
            f"that reaches it, `hf download {name} --local-dir FOLDER`, and give the folder"
        ) from error


def read_object(file: Path) -> dict[str, Any]:
    """A JSON object in a model folder. Raises CheckpointError where the file is missing or holds something else."""
    content = read_json(file, f"Is {file.parent} a complete model folder?", CheckpointError)
    if not isinstance(content, dict):
        raise CheckpointError(f"{file} must hold a JSON object, not {type(content).__name__}")
    return content


def _require_weights(path: Path) -> None:
    for index in WEIGHT_INDEXES:
        if (path / index).exists():
            shards = sorted(set(_weight_map(path / index).values()))
            missing = [shard for shard in shards if not _is_filled(path / shard)]
            if missing:
                raise CheckpointError(
                    f"{path}: {len(missing)} of {len(shards)} files in {index} are missing or empty ({missing[0]}, …); "
                    "copy or download the checkpoint again"
                )
            break
    else:
        shards = [file for file in WEIGHT_FILES if _is_filled(path / file)][:1]
    if not shards:
        raise CheckpointError(f"{path} has no weights: neither {', '.join(WEIGHT_FILES)} nor an index of shards")
    for shard in shards:
        if shard.endswith(".safetensors"):
            tensor_names(path / shard)


def _weight_map(index: Path) -> dict[str, str]:
    weight_map = read_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(shard, str) for shard in weight_map.values()):
        raise CheckpointError(f"{index} has no usable weight_map")
    return weight_map


def _is_filled(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def _require_tokenizer(path: Path) -> None:
    if not any(_is_filled(path / file) for file in TOKENIZER_FILES):
        raise CheckpointError(f"{path} has no tokenizer ({', '.join(TOKENIZER_FILES)}); copy that of its base model")


def architecture_of(config: Mapping[str, Any]) -> str:
    """The class that `config.json` names, such as "LlamaForCausalLM"; "" where it names none."""
    names = config.get("architectures")
    return names[0] if isinstance(names, list) and names and isinstance(names[0], str) else ""


def _positive_int(
    path: Path, config: Mapping[str, Any], text_config: Mapping[str, Any], keys: tuple[str, ...]
) -> int | None:
    for source in (config, text_config):
        for key in keys:
            value = source.get(key)
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise CheckpointError(f"{path / 'config.json'}: {key} must be a positive integer, not {value!r}")
            return value
    return None


def _find_head(path: Path, value_model: bool) -> tuple[Path, ...]:
    """The files that hold the head, the ones of their own first. Shards are looked through only where a head is due."""
    own = tuple(path / name for name in HEAD_FILES if (path / name).exists())
    if own or not value_model:
        return own
    if any((path / name).exists() for name in (*WEIGHT_INDEXES, WEIGHT_FILES[0])):
        return tuple(find_weights(path, HEAD_WEIGHT).values())
    return (path / WEIGHT_FILES[1],)  # it can't be looked into without torch: reading the head from it will tell


def _require_head(checkpoint: Checkpoint) -> None:
    if checkpoint.head_files and checkpoint.value_model:
        return
    if not checkpoint.head_files:
        raise CheckpointError(
            f"{checkpoint.path} has no value head, as values need: no {', '.join(HEAD_FILES)} or {HEAD_WEIGHT}; "
            f"`python scripts/save_value_head.py {checkpoint.name} --in_place` adds a fresh one (untrained)"
        )
    raise CheckpointError(
        f'{checkpoint.head_files[0]}: config.json does not say "value_model": true; add it if the head is this model\'s'
    )
