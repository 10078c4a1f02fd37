"""One training from end to end on a tiny model: curves, resuming, adapters, refusals, several processes."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
import torch
from engines import free_port
from safetensors.torch import load_file, save_file
from solutions import example
from tiny_models import Reference, make_checkpoint

from mcts_math.engine.hf.engine import HFEngine
from mcts_math.errors import CheckpointError, ConfigError, MctsMathError, RecordError, TrainingError
from mcts_math.messages import Sampling
from mcts_math.requests import Evaluate, Generate
from mcts_math.settings import load_settings, make_settings
from mcts_math.train.config import RoundsConfig, TrainConfig, TuningConfig
from mcts_math.train.resume import last_state
from mcts_math.train.rounds import launch_training
from mcts_math.train.stages import locked
from mcts_math.train.trainer import ValueTrainer, set_learning_rate
from mcts_math.train.training import make_arguments, train

Write = Callable[[str, list[dict[str, Any]]], str]
pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*", "ignore:.*lr_scheduler.step.*")


@pytest.fixture
def settings(tiny: Path, tmp_path: Path, write: Write) -> Callable[..., TrainConfig]:
    """Settings of a training on twelve examples; keywords change them."""
    records = [example(n, correct=n % 2 == 0, q=(n % 5) / 5, filling="w" * (n % 4)) for n in range(12)]
    path = write("examples.jsonl", records)

    def settings(**changes: Any) -> TrainConfig:
        values: dict[str, Any] = {
            "model_dir": str(tiny),
            "examples": [path],
            "output_dir": str(tmp_path / "out"),
            "learning_rate": 1e-3,
            "value_weight": 1.0,
            "max_steps": 6,
            "batch_size": 4,
            "micro_batch_size": 2,
            "max_length": 256,
            "packing": False,
            "pad_multiple": 16,
            "bf16": False,
            "log_steps": 1,
            "save_steps": 2,
            "warmup": 0.0,
            "schedule": "constant",
        }
        return make_settings(TrainConfig, values | changes)

    return settings


def quiet(text: str) -> None:
    """Takes the lines of a training."""


def stop(config: TrainConfig, *, at: int) -> None:
    """A training that Ctrl-C ends after a step."""

    def interrupt(text: str) -> None:
        if text.startswith(f"step {at}/"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(config, report=interrupt)


def curve(folder: Path) -> list[float]:
    recipe = json.loads((folder / "training.json").read_text())
    return [entry["loss"] for entry in recipe["log"] if "loss" in entry]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors") | torch.load(folder / "value_head.pth", weights_only=True)


def equal(one: Path, two: Path) -> bool:
    a, b = weights(one), weights(two)
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


def test_the_result_is_served_by_the_engine(settings: Callable[..., TrainConfig]) -> None:
    folder = train(settings(max_steps=30), report=quiet)
    losses = curve(folder)
    assert losses[-1] < 0.7 * losses[0]
    prompt = example(2)["prompt"] + example(2)["steps"][0]["text"]

    async def ask() -> tuple[float | None, str]:
        engine = HFEngine.load(folder, need_value=True, device="cpu")
        try:
            value = (await engine.evaluate(Evaluate(prompt))).value
            sampling = Sampling(temperature=0.0, max_tokens=4)
            return value, (await engine.generate(Generate(prompt, 1, sampling, 0))).samples[0].text
        finally:
            await engine.close()

    value, text = asyncio.run(ask())
    assert value == pytest.approx(Reference(folder).value(prompt), abs=1e-5)
    assert text
    assert json.loads((folder / "config.json").read_text())["value_model"] is True
    assert sorted(path.name for path in folder.parent.iterdir()) == ["examples.jsonl", "out"]


def test_tied_weights_are_stored_once(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    source = make_checkpoint(tmp_path / "tied", "qwen3", max_position_embeddings=512)
    folder = train(settings(model_dir=str(source), max_steps=2, save_dtype="bfloat16"), report=quiet)
    before, after = load_file(source / "model.safetensors"), load_file(folder / "model.safetensors")
    assert after.keys() == before.keys()
    assert "lm_head.weight" not in after
    assert Reference(folder).value("1 + 1 = ") is not None


@pytest.mark.filterwarnings("ignore:.*tie_word_embeddings.*")
@pytest.mark.parametrize("layer", ["lm_head", "embed_tokens"])
def test_adapters_on_a_tied_weight_are_refused(
    settings: Callable[..., TrainConfig], tmp_path: Path, layer: str
) -> None:
    """Merged, they would change the layer that it is tied to as well: the checkpoint would be another model."""
    pytest.importorskip("peft")
    source = make_checkpoint(tmp_path / "tied", "qwen3", max_position_embeddings=512)
    lora = {"r": 4, "target_modules": ["q_proj", layer]}
    with pytest.raises(ConfigError, match=f"lora: {layer} shares its weight with another layer"):
        train(settings(model_dir=str(source), lora=lora), report=quiet)
    assert train(settings(lora=lora, max_steps=1), report=quiet)  # a model whose weights are not tied


@pytest.mark.slow
def test_a_launched_training_is_the_same(
    settings: Callable[..., TrainConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From anywhere, and with data-loader workers, which are processes of the launched one."""
    here = train(settings(num_threads=1), report=quiet)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    for command, trainer in (("", {}), (shlex.quote(sys.executable), {"dataloader_num_workers": 1})):
        config = settings(num_threads=1, output_dir=str(tmp_path / "launched"), trainer=trainer)
        shutil.rmtree(tmp_path / "launched", ignore_errors=True)
        lines: list[str] = []
        launch_training(command, config, tmp_path / "new" / "train.yaml", lines.append)
        assert equal(here, tmp_path / "launched")
        assert any(line.startswith("step 6/6") for line in lines)


def test_a_launched_training_ends_with_who_launched_it(
    settings: Callable[..., TrainConfig], tmp_path: Path, repo: Path
) -> None:
    """Even where that is killed."""
    code = (
        "import sys; from pathlib import Path; from mcts_math.settings import make_settings; "
        "from mcts_math.train.config import TrainConfig; from mcts_math.train.rounds import launch_training; "
        f"launch_training('sleep 600; :', make_settings(TrainConfig, {{}}), Path({str(tmp_path / 'c.yaml')!r}), print)"
    ).replace(
        "'sleep 600; :'",
        repr(shlex.join([sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"])),
    )
    parent = subprocess.Popen([sys.executable, "-u", "-c", code], cwd=repo, stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{child}/cmdline").exists() and Path(f"/proc/{child}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_launcher_that_fails(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    file = tmp_path / "train.yaml"
    with pytest.raises(ConfigError, match="no-such-launcher can't be started"):
        launch_training("no-such-launcher --now", settings(), file, quiet)
    with pytest.raises(MctsMathError, match="exit code 3"):
        launch_training(f"{shlex.quote(sys.executable)} -c 'import sys; sys.exit(3)'", settings(), file, quiet)


def test_accumulation_does_not_change_the_curve(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    curves = [
        curve(train(settings(micro_batch_size=size, output_dir=str(tmp_path / str(size))), report=quiet))
        for size in (1, 2, 4)
    ]
    assert curves[0] == pytest.approx(curves[1], abs=1e-4)
    assert curves[0] == pytest.approx(curves[2], abs=1e-4)


def test_a_stopped_training_goes_on_to_the_same_weights(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    whole = train(settings(output_dir=str(tmp_path / "whole"), packing=True), report=quiet)

    config = settings(packing=True)
    stop(config, at=5)
    work = tmp_path / "out.training"
    assert last_state(work) == work / "checkpoint-4"
    torn = work / "checkpoint-5"  # what kill -9 leaves
    torn.mkdir()
    (torn / "pytorch_model.bin").write_bytes(b"PK")
    lines: list[str] = []
    resumed = train(config, report=lines.append)
    assert any("going on from" in line for line in lines)
    assert equal(whole, resumed)
    assert curve(whole) == curve(resumed)
    assert not work.exists()


def test_a_training_that_was_stopped_after_its_last_step_makes_no_other(
    settings: Callable[..., TrainConfig], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its last step lies within an epoch, where Trainer would go on with the next batch."""
    changes: dict[str, Any] = {"max_steps": 4, "save_steps": 2}
    whole = train(settings(**changes, output_dir=str(tmp_path / "whole")), report=quiet)
    with monkeypatch.context() as broken:
        broken.setattr("mcts_math.train.training.save_checkpoint", Mock(side_effect=TrainingError("the disk is full")))
        with pytest.raises(TrainingError, match="the disk is full"):
            train(settings(**changes), report=quiet)
    lines: list[str] = []
    resumed = train(settings(**changes), report=lines.append)
    assert not any(line.startswith("step") for line in lines)
    assert equal(whole, resumed)
    assert curve(whole) == curve(resumed)


def test_another_base_under_the_same_name_does_not_go_on(
    settings: Callable[..., TrainConfig], tiny: Path, tmp_path: Path
) -> None:
    base = shutil.copytree(tiny, tmp_path / "base")
    stop(settings(model_dir=str(base)), at=3)
    other = make_checkpoint(tmp_path / "other", "llama", max_position_embeddings=512, initializer_range=0.5)
    shutil.copyfile(other / "model.safetensors", base / "model.safetensors")
    with pytest.raises(ConfigError, match=r"the weights of .*base have changed"):
        train(settings(model_dir=str(base)), report=quiet)


def test_a_damaged_state_says_so(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    """Without its optimizer Trainer would go on with new moments, and a schedule that begins again."""
    stop(settings(), at=3)
    whole = shutil.copytree(tmp_path / "out.training", tmp_path / "whole")
    for file, content, told in (
        ("run.json", "{", "run.json does not tell"),
        ("run.json", "{}", "run.json does not tell"),
        ("checkpoint-2/optimizer.pt", None, "no whole state"),
        ("checkpoint-2/optimizer.pt", "", "can't be written or read"),
        ("checkpoint-2/optimizer.pt", "PK", "can't be written or read"),
        ("checkpoint-2/pytorch_model.bin", "PK", "can't be written or read"),
    ):
        shutil.rmtree(tmp_path / "out.training")
        shutil.copytree(whole, tmp_path / "out.training")
        path = tmp_path / "out.training" / file
        path.unlink() if content is None else path.write_text(content)
        with pytest.raises(MctsMathError, match=told) as error:
            train(settings(), report=quiet)
        assert "--overwrite" in str(error.value)
    assert train(settings(), overwrite=True, report=quiet)


def test_changed_settings_do_not_go_on(settings: Callable[..., TrainConfig], write: Write) -> None:
    stop(settings(), at=3)
    with pytest.raises(ConfigError, match=r"learning_rate: 0.001 -> 0.002"):
        train(settings(learning_rate=2e-3), report=quiet)
    write("examples.jsonl", [example(n) for n in range(4)])
    with pytest.raises(ConfigError, match=r"examples.jsonl has changed"):
        train(settings(), report=quiet)
    lines: list[str] = []
    train(settings(), restart_changed=True, report=lines.append)
    assert not any("going on" in line for line in lines)
    first = weights(Path(settings().output_dir))
    train(settings(log_steps=3, max_steps=1), overwrite=True, report=quiet)
    kept = weights(Path(settings().output_dir + ".bak"))
    assert all(torch.equal(first[name], kept[name]) for name in first)
    with pytest.raises(ConfigError, match="exists"):
        train(settings(), report=quiet)
    with pytest.raises(ConfigError, match="is no result of a training"):  # such as a folder of other things
        train(settings(output_dir="."), overwrite=True, report=quiet)


def test_the_log_has_the_first_and_the_last_step(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    lines: list[str] = []
    train(settings(log_steps=100, max_steps=11), report=lines.append)
    assert [line.split()[1] for line in lines if line.startswith("step ")] == ["1/11", "11/11"]
    log = json.loads((tmp_path / "out" / "training.json").read_text())["log"]
    assert [entry["step"] for entry in log if "value_loss" in entry] == [1, 11]


@pytest.mark.parametrize("max_steps", [1, 2, 3])
def test_a_short_training_learns_and_logs_each_step(
    settings: Callable[..., TrainConfig], tiny: Path, tmp_path: Path, max_steps: int
) -> None:
    """A warm-up rises from 0: with the published one, a single step learnt nothing."""
    lines: list[str] = []
    train(settings(log_steps=100, max_steps=max_steps, warmup=0.03, schedule="cosine"), report=lines.append)
    steps = [line.split()[1] for line in lines if line.startswith("step ")]
    assert steps == [f"{step}/{max_steps}" for step in range(1, max_steps + 1)]
    before = weights(tiny)
    assert any(not torch.equal(before[name], found) for name, found in weights(tmp_path / "out").items())


def test_a_loss_that_is_not_finite_names_the_batch(
    settings: Callable[..., TrainConfig], tiny: Path, tmp_path: Path, write: Write
) -> None:
    broken = unreadable(tiny, tmp_path / "broken")  # the character is in one example only
    examples = write("bad.jsonl", [example(n) for n in range(3)] + [example(77, filling="@")])
    config = settings(model_dir=str(broken), examples=[examples], batch_size=1, micro_batch_size=1)
    with pytest.raises(TrainingError, match=r"the loss is nan at step \d.*in the batch of q77/0.1.0"):
        train(config, report=quiet)
    assert not (tmp_path / "out").exists()


def test_weights_that_the_last_step_broke_are_not_kept(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"the last step made .* not finite"):
        train(settings(learning_rate=1e39, max_steps=1), report=quiet)
    assert not (tmp_path / "out").exists()


def test_two_trainings_in_one_folder(settings: Callable[..., TrainConfig]) -> None:
    refusals: list[str] = []

    def meanwhile(text: str) -> None:
        if text.startswith("step 1/"):
            with pytest.raises(ConfigError, match="another run is going on") as error:
                train(settings(), report=quiet)
            refusals.append(str(error.value))

    train(settings(), report=meanwhile)
    assert len(refusals) == 1


@pytest.mark.parametrize(
    ("form", "key"),
    [(TrainConfig, "output_dir"), (TrainConfig, "examples"), (TuningConfig, "feedback"), (RoundsConfig, "output_dir")],
)
def test_a_tilde_is_the_home(form: type[Any], key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result was written to a folder called ~, and looked for in the home."""
    monkeypatch.setenv("HOME", "/home/me")
    given = load_settings(form, None, [f"{key}=~/x" if key == "output_dir" else f"{key}=[~/x]"])
    assert getattr(given, key) in ("/home/me/x", ["/home/me/x"])


def test_what_is_refused_before_anything_is_loaded(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    def refused(error: type[Exception], match: str, **changes: Any) -> None:
        with pytest.raises(error, match=match):
            train(settings(**changes), report=quiet)
        assert not (tmp_path / "out").exists()

    refused(ConfigError, "no training data", examples=[])
    refused(ConfigError, "examples: nowhere.jsonl: no such file", examples=["nowhere.jsonl"])
    refused(ConfigError, "pairs: nowhere.jsonl: no such file", pairs=["nowhere.jsonl"], preference_weight=1.0)
    twice = [settings().examples[0], os.path.relpath(settings().examples[0])]
    refused(RecordError, "is given twice", examples=twice)
    refused(RecordError, "is given twice", pairs=twice, preference_weight=1.0)
    refused(ConfigError, "set model_dir", model_dir="")
    refused(CheckpointError, "does not exist", model_dir=str(tmp_path / "nowhere"))
    refused(ConfigError, "multiple of micro_batch_size", batch_size=3)
    refused(ConfigError, "preference_weight needs pairs", preference_weight=1.0)
    refused(ConfigError, "pairs teach nothing", pairs=[settings().examples[0]])
    refused(ConfigError, "the context of", max_length=1024)
    refused(ConfigError, "transformers refuses", trainer={"optimizer": "sgd"})
    refused(ConfigError, "transformers refuses.*nonsense is not supported", trainer={"report_to": "nonsense"})
    refused(ConfigError, "refuses.* 'input_ids' key", trainer={"train_sampling_strategy": "group_by_length"})
    refused(ConfigError, "refuses.* min_lr_rate should be", trainer={"lr_scheduler_type": "cosine_with_min_lr"})
    for key, ours in {"output_dir": "output_dir", "max_steps": "max_steps", "num_train_epochs": "epochs"}.items():
        refused(ConfigError, f"trainer: {key} is what the key {ours} says", trainer={key: 3})
    refused(ConfigError, "trainer: push_to_hub: the finished", trainer={"push_to_hub": True})
    refused(ConfigError, "trainer: label_smoothing_factor: the losses", trainer={"label_smoothing_factor": 0.1})
    refused(ConfigError, "trainer: save_only_model: a stopped training", trainer={"save_only_model": True})
    refused(ConfigError, "trainer: neftune_noise_alpha: the model", trainer={"neftune_noise_alpha": 5})
    off = {"label_smoothing_factor": 0.0, "save_only_model": False, "neftune_noise_alpha": None}  # as it is anyway
    assert make_arguments(settings(trainer=off), tmp_path).save_only_model is False
    refused(ConfigError, "trainer: dataloader_drop_last: the last rows", trainer={"dataloader_drop_last": True})


@pytest.mark.parametrize("lora", [None, {"r": 4}])
def test_what_transformers_reads_but_does_not_write_is_kept(
    settings: Callable[..., TrainConfig], tiny: Path, tmp_path: Path, lora: dict[str, Any] | None
) -> None:
    base = shutil.copytree(tiny, tmp_path / "base")
    (base / "tokenizer.old").mkdir()
    odd = json.dumps({"do_sample": False, "temperature": 0.6, "eos_token_id": 7})  # as of Llama 2, Vicuna, …
    (base / "generation_config.json").write_text(odd)
    folder = train(settings(model_dir=str(base), max_steps=1, lora=lora), report=quiet)
    assert (folder / "generation_config.json").read_text() == odd


def test_an_example_that_the_template_refuses_is_named(
    settings: Callable[..., TrainConfig], tiny: Path, tmp_path: Path, write: Write
) -> None:
    base = shutil.copytree(tiny, tmp_path / "base")
    refusing = "{% if '@' in m.content %}{{ raise_exception('no @') }}{% endif %}"
    template = "{% for m in messages %}" + refusing + "{{ m.content }}\n{% endfor %}"
    (base / "chat_template.jinja").write_text(template)
    talk = [{"role": "user", "content": "1?"}]
    records = [{**example(0), "id": f"q{text}", "prompt": talk, "steps": [{"text": text, "q": 1.0}]} for text in "1@"]
    with pytest.raises(RecordError, match=r"'q@' can't be trained on: .*no @"):
        train(settings(model_dir=str(base), examples=[write("talks.jsonl", records)]), report=quiet)


def test_a_full_disk_says_so_and_loses_nothing(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    config = settings()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, hard))
    try:
        with pytest.raises(TrainingError, match="can't be written"):
            train(config, report=quiet)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not (tmp_path / "out").exists()
    assert train(config, report=quiet).is_dir()


def test_adapters_are_merged(settings: Callable[..., TrainConfig], tiny: Path, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    lora = {"r": 4, "alpha": 8, "dropout": 0.0, "target_modules": ["q_proj", "v_proj"]}
    whole = train(settings(lora=lora, output_dir=str(tmp_path / "whole"), max_steps=8), report=quiet)

    config = settings(lora=lora, max_steps=8)
    stop(config, at=5)
    state = torch.load(tmp_path / "out.training/checkpoint-4/pytorch_model.bin", weights_only=True)
    assert all("lora_" in name or name.startswith("v_head") for name in state)  # the base is not stored again
    assert equal(whole, train(config, report=quiet))
    before, after = weights(tiny), weights(whole)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert all("q_proj" in name or "v_proj" in name or name.startswith("v_head") for name in changed)
    assert len(changed) == 2 * 2 + 2
    losses = curve(whole)
    assert losses[-1] < losses[0]


def test_preferences_are_learned(settings: Callable[..., TrainConfig], write: Write) -> None:
    pairs = [
        {"id": f"p{n}", "prompt": example(n)["prompt"], "chosen": f"good {n}\n", "rejected": f"bad {n}\n"}
        for n in range(8)
    ]
    config = settings(examples=[], pairs=[write("pairs.jsonl", pairs)], preference_weight=1.0, max_steps=25)
    folder = train(config, report=quiet)
    log = [e for e in json.loads((folder / "training.json").read_text())["log"] if "loss" in e]
    assert log[-1]["preference_loss"] < 0.5 * log[0]["preference_loss"]


def test_bfloat16_and_gradient_checkpointing(settings: Callable[..., TrainConfig]) -> None:
    folder = train(settings(bf16=True, gradient_checkpointing=True, save_dtype="bfloat16", packing=True), report=quiet)
    state = load_file(folder / "model.safetensors")
    assert {tensor.dtype for tensor in state.values()} == {torch.bfloat16}
    assert json.loads((folder / "config.json").read_text())["dtype"] == "bfloat16"
    assert torch.load(folder / "value_head.pth", weights_only=True)["v_head.summary.weight"].dtype == torch.float32


def test_the_value_head_has_a_rate_of_its_own(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    slow, fast = (
        train(settings(max_steps=1, value_learning_rate=rate, output_dir=str(tmp_path / f"{rate}")), report=quiet)
        for rate in (1e-6, 1e-2)
    )
    for name, tensor in weights(slow).items():
        change = (weights(fast)[name] - tensor).abs().max().item()  # a first step of AdamW is as long as its rate
        assert change == pytest.approx(1e-2 if name.startswith("v_head") else 0.0, rel=0.01), name


def test_a_rate_that_can_not_be_set_is_refused(settings: Callable[..., TrainConfig]) -> None:
    deepspeed: Any = SimpleNamespace(hf_deepspeed_config=SimpleNamespace(config={"optimizer": {"type": "Adam"}}))
    nothing: Any = None
    with pytest.raises(ConfigError, match="no effect on DeepSpeed's own optimizer"):
        ValueTrainer(nothing, deepspeed, nothing, nothing, settings(value_learning_rate=1e-2), quiet)
    kept, flattened = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(2))
    optimizer = torch.optim.AdamW([kept], lr=1e-3, weight_decay=0.5)
    with pytest.raises(ConfigError, match="AdamW holds 0 of the value head's 1 weights"):
        set_learning_rate(optimizer, [flattened], 1e-2)
    with pytest.raises(ConfigError, match="holds 0 of the value head's 0"):
        set_learning_rate(optimizer, [], 1e-2)
    set_learning_rate(optimizer, [kept], 1e-2)
    assert [(len(g["params"]), g["lr"], g["weight_decay"]) for g in optimizer.param_groups] == [
        (0, 1e-3, 0.5),
        (1, 1e-2, 0.5),
    ]


def test_a_rate_of_its_own_goes_on_after_a_stop(settings: Callable[..., TrainConfig], tmp_path: Path) -> None:
    changes = {"value_learning_rate": 1e-2, "schedule": "cosine"}
    whole = train(settings(**changes, output_dir=str(tmp_path / "whole")), report=quiet)

    stop(settings(**changes), at=5)
    assert equal(whole, train(settings(**changes), report=quiet))


def test_bfloat16_is_left_to_cpus_that_have_it(
    settings: Callable[..., TrainConfig], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    cases = ((False, False, "x86_64"), (True, True, "x86_64"), (False, True, "aarch64"))
    for has_it, used, architecture in cases:
        able = {"architecture": architecture, "avx512_bf16": has_it, "amx_bf16": False}
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: able)
        lines: list[str] = []
        folder = train(settings(bf16=True, max_steps=1), overwrite=True, report=lines.append)
        assert any("no instructions for bfloat16" in line for line in lines) is not used
        assert json.loads((folder / "training.json").read_text())["bfloat16"] is used


def torchrun(repo: Path, processes: int, file: Path, config: TrainConfig) -> subprocess.CompletedProcess[str]:
    """A training by several processes (gloo on a CPU)."""
    file.write_text(config.model_dump_json(exclude_unset=True))  # YAML reads JSON
    launcher = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={processes}"]
    launcher.append(f"--master-port={free_port()}")
    return subprocess.run(
        [*launcher, "-m", "mcts_math.train", "--cfg", str(file)],
        cwd=repo,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )


def unreadable(tiny: Path, folder: Path) -> Path:
    """A model that has no number for the character `@`."""
    shutil.copytree(tiny, folder)
    state = load_file(folder / "model.safetensors")
    state["model.embed_tokens.weight"][3 + 1 + ord("@") - 32] = torch.nan
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.slow
def test_a_loss_that_is_not_finite_in_one_process_ends_all(
    settings: Callable[..., TrainConfig], tiny: Path, tmp_path: Path, write: Write, repo: Path
) -> None:
    """Without a launcher that ends the others, these would wait for it."""
    base = unreadable(tiny, tmp_path / "broken")
    examples = write("bad.jsonl", [example(0), example(77, filling="@")])
    config = settings(model_dir=str(base), examples=[examples], batch_size=2, micro_batch_size=1, packing=False)
    file = tmp_path / "config.json"
    file.write_text(config.model_dump_json(exclude_unset=True))
    command = [sys.executable, "-m", "mcts_math.train", "--cfg", str(file)]
    common = os.environ | {"OMP_NUM_THREADS": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    running = [
        subprocess.Popen(
            command,
            env=common | {"WORLD_SIZE": "2", "RANK": str(rank), "LOCAL_RANK": str(rank)},
            cwd=repo,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for process in running:
        told = process.communicate(timeout=300)[1]
        assert process.returncode == 2
        assert "in the batch of q77/0.1.0" in told
        assert "Traceback" not in told


@pytest.mark.slow
def test_a_sharded_training_that_was_stopped_after_its_last_step_makes_no_other(
    settings: Callable[..., TrainConfig], tmp_path: Path, repo: Path
) -> None:
    changes: dict[str, Any] = {"batch_size": 4, "micro_batch_size": 2, "max_steps": 3, "trainer": {"fsdp": True}}
    in_the_way = tmp_path / ".out.part"
    in_the_way.touch()
    first = torchrun(repo, 2, tmp_path / "config.json", settings(**changes))
    assert first.returncode != 0
    assert "can't be written" in first.stderr
    in_the_way.unlink()
    done = torchrun(repo, 2, tmp_path / "config.json", settings(**changes))
    assert done.returncode == 0, done.stderr[-3000:]
    assert "going on from" in done.stdout
    assert "step" not in done.stdout.partition("going on from")[2].partition("checkpoint:")[0].replace(
        "checkpoint-3", ""
    )
    assert len(curve(tmp_path / "out")) == 3


@pytest.mark.slow
def test_two_processes_go_on_from_one_state(settings: Callable[..., TrainConfig], tmp_path: Path, repo: Path) -> None:
    """One of them looks and tidies up; before, each did, and removed states under the other."""

    changes: dict[str, Any] = {"batch_size": 4, "micro_batch_size": 2, "max_steps": 4, "num_threads": 1}
    whole = train(settings(**changes, output_dir=str(tmp_path / "whole")), report=quiet)
    config = settings(**changes)
    stop(config, at=3)
    work = tmp_path / "out.training"
    (work / "checkpoint-3").mkdir()  # what kill -9 leaves
    done = torchrun(repo, 2, tmp_path / "config.json", config)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count(f"going on from {work / 'checkpoint-2'}") == 1
    assert done.stdout.count(f"checkpoint: {tmp_path / 'out'}\n") == 1
    assert curve(tmp_path / "out") == pytest.approx(curve(whole), abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1, 2])
def test_rows_that_do_not_fill_the_last_batch_are_not_repeated(
    settings: Callable[..., TrainConfig], write: Write, tmp_path: Path, repo: Path, size: int
) -> None:
    records = [example(n, correct=n % 2 == 0, q=(n % 5) / 5, filling="w" * (n % 4)) for n in range(5)]
    examples = [write("five.jsonl", records)]
    changes: dict[str, Any] = {"batch_size": 4, "micro_batch_size": size, "max_steps": 6, "examples": examples}
    one = train(settings(**changes, output_dir=str(tmp_path / "one")), report=quiet)
    two = tmp_path / "two"
    done = torchrun(repo, 2, tmp_path / "config.json", settings(**changes, output_dir=str(two)))
    assert done.returncode == 0, done.stderr[-3000:]
    assert curve(two) == pytest.approx(curve(one), abs=1e-3)


@pytest.mark.slow
def test_what_the_first_process_refuses_all_do(
    settings: Callable[..., TrainConfig], tmp_path: Path, repo: Path
) -> None:
    work = tmp_path / "out.training"
    with locked(work):
        done = torchrun(repo, 2, tmp_path / "config.json", settings(micro_batch_size=1))
    assert done.returncode != 0
    assert "another run is going on" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_four_processes_give_the_curve_of_one(settings: Callable[..., TrainConfig], tmp_path: Path, repo: Path) -> None:
    """The same examples in every optimiser step."""
    changes: dict[str, Any] = {"batch_size": 4, "micro_batch_size": 1, "max_steps": 9}
    one = curve(train(settings(**changes, output_dir=str(tmp_path / "one")), report=quiet))
    four = tmp_path / "four"
    done = torchrun(repo, 4, tmp_path / "config.json", settings(**changes, output_dir=str(four)))
    assert done.returncode == 0, done.stderr[-3000:]
    assert curve(four) == pytest.approx(one, abs=1e-3)
