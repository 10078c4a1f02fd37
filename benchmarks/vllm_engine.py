"""What a tree search on vLLM costs beside what vLLM costs anyway, as ratios within one run; and how exact it is.

    python benchmarks/vllm_engine.py                                  # all parts, models/mini
    python benchmarks/vllm_engine.py --parts search lockstep --questions 128 --model random-100M
    python benchmarks/vllm_engine.py --parts search --model random-100M --questions 8 --set prompt_wrap=react
    python benchmarks/vllm_engine.py --model /path/to/model --engine-args '{"gpu_memory_utilization": 0.9}'   # on a GPU

Parts: `accuracy` (values and log-probabilities of 1,000 positions in each of four families of tiny models against a
plain float32 forward pass), `search` (seconds of SBS(3,5) and MCTS(40) over seconds of the same requests sent as one
flat batch to the same, emptied engine; tokens served from the prefix cache), `lockstep` (seconds of a driver that waits
for all trees at every turn, over ours; and its passes over ours: how often the engine computed, which is what a device
pays for where a small batch takes as long as a large one), `values` (tokens per second with
values over those without, both with log-probabilities).

`random-100M` is made on the spot. It writes noise, which no search could go on with, so a search is shown made-up steps
in the place of its samples; vLLM computes all that the real ones would cost, with lengths that vary from step to step.
`--set prompt_wrap=react` searches with few-shot prompts, which are much longer. A chat model goes on with its steps:

    python benchmarks/vllm_engine.py --parts search --model CKPT --questions 24 --repeats 1 \\
        --set prompt_wrap=chat_code value=none need_value_func=false max_tokens=32 --iterations 8
Both sides of a ratio alternate within one run, so that other load hits them alike; the medians' ratio is reported.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests/engine"))

from driving import Recorder, run_flat, run_search
from stand_ins import EchoInterpreter, EqualChecker

from mcts_math.config import Config, load_config
from mcts_math.engine.vllm.engine import VLLMEngine
from mcts_math.evaluate.table import render_table
from mcts_math.messages import Prompt, Sample, Sampling
from mcts_math.requests import Evaluate, Generate, Generation
from mcts_math.run.program import run_script
from mcts_math.solver import search_maker
from mcts_math.tasks import Task, load_tasks
from mcts_math.tree import new_tree

ROOT = Path(__file__).parent.parent
SOLVERS = {"SBS(3,5)": "mini/sbs.yaml", "MCTS": "mini/mcts.yaml"}


def few_shot(step: str) -> str:
    """A step with tags, as the few-shot form has it."""
    thought, _, rest = step.partition("<p>\n")[2].partition("\n</p>")
    if code := re.search(r"```python\n.*?```", rest, re.DOTALL):
        return f"Thought: {thought}\nAction: python_interpreter\nAction Input: {code[0]}\n"
    answer = re.search(r"Final Answer: .*", rest)
    return f"Thought: {thought}\n" + (f"Action: None\nAction Input: None\n{answer[0]}\n" if answer else "")


class Passes:
    """Counts how often vLLM computed: batches of output that its engine process sent."""

    def __init__(self, engine: VLLMEngine) -> None:
        self.num = 0
        core = engine._thread.llm.engine_core
        self._receive = core.get_output_async
        core.get_output_async = self._count

    async def _count(self) -> Any:
        outputs = await self._receive()
        self.num += bool(outputs.outputs)
        return outputs


def run_lockstep(config: Config, tasks: Sequence[Task], policy: Any) -> float:
    """Seconds of the usual driver: at every turn, all trees' requests in one batch, on with the last reply."""

    async def answer(request: Any) -> Any:
        if isinstance(request, Generate):
            return await policy.generate(request)
        if isinstance(request, Evaluate):
            return await policy.evaluate(request)
        return await (EchoInterpreter().execute if hasattr(request, "cell") else EqualChecker().check)(request)

    async def scene() -> float:
        begun = time.perf_counter()
        make_search = search_maker(config, use_values=config.value_source != "none")
        searches = [make_search(new_tree(task)) for task in tasks]
        waiting = [(search, next(search)) for search in searches]
        while waiting:
            replies = await asyncio.gather(*(asyncio.gather(*map(answer, requests)) for _, requests in waiting))
            turn, waiting = waiting, []
            for (search, _), reply in zip(turn, replies, strict=True):
                with suppress(StopIteration):
                    waiting.append((search, search.send(list(reply))))
        return time.perf_counter() - begun

    return asyncio.run(scene())


def reusable(recorder: Recorder) -> int:
    """Prompt tokens that an ancestor or a sibling had computed: known beginnings, the last token of a prompt aside."""
    known: dict[int, Any] = {}
    total = 0
    for request, reply in recorder.answered:
        prompt = recorder.engine.codec.encode_prompt(request.prompt)
        node, depth = known, 0
        while depth < len(prompt) - 1 and prompt[depth] in node:
            node, depth = node[prompt[depth]], depth + 1
        siblings = request.num_samples - 1 if isinstance(request, Generate) and request.sampling.temperature > 0 else 0
        total += depth + (len(prompt) - 1) * siblings
        for sample in reply.samples if reply is not None else (Sample("", 0.0, 0),):
            node = known
            longer = recorder.engine.codec.encode_prompt(gone_on(request.prompt, sample))
            for token in (*prompt, *longer[len(prompt) :]):
                node = node.setdefault(token, {})
    return total


def gone_on(prompt: Prompt, sample: Sample) -> Prompt:
    """A prompt with what a model wrote after it."""
    return prompt + sample.text if isinstance(prompt, str) else prompt.going_on(sample.written)


def search_part(engine: VLLMEngine, options: argparse.Namespace, lockstep: bool) -> list[dict[str, Any]]:
    """Rows of `search` and `lockstep`."""
    passes = Passes(engine)
    configs = configs_of(options)
    return [{"solver": name, **drive(engine, passes, config, options, lockstep)} for name, config in configs.items()]


def configs_of(options: argparse.Namespace) -> dict[str, Config]:
    """The two searches."""
    return {
        name: load_config(
            ROOT / "configs" / file, options.set + ([f"iterations={options.iterations}"] if name == "MCTS" else [])
        )
        for name, file in SOLVERS.items()
        if name in options.solvers
    }


def drive(
    engine: VLLMEngine, passes: Passes, config: Config, options: argparse.Namespace, lockstep: bool
) -> dict[str, Any]:
    """The same trees by our scheduler, as one flat batch of requests, and in lock-step."""
    tasks, believe = load_tasks(options.qaf)[: options.questions], None
    if options.model.startswith("random"):
        believe = few_shot if config.prompt_wrap == "react" else str
    times: dict[str, list[float]] = {"search": [], "flat": [], "lockstep": []}
    computed = dict.fromkeys(times, 0)
    share = 0.0

    def measure(kind: str, run: Callable[[], float]) -> None:
        asyncio.run(engine.forget())
        before = passes.num
        times[kind].append(run())
        computed[kind] = passes.num - before

    run_search(config, tasks[:4], Recorder(engine, believe))  # warms up
    for _ in range(options.repeats):
        recorder, before = Recorder(engine, believe), replace(engine.counters)
        measure("search", partial(run_search, config, tasks, recorder))
        share = (engine.counters.num_cached_tokens - before.num_cached_tokens) / max(1, reusable(recorder))
        measure("flat", partial(run_flat, recorder.asked, engine))
        if lockstep:
            measure("lockstep", partial(run_lockstep, config, tasks, Recorder(engine, believe)))
    middle = {kind: statistics.median(seconds) for kind, seconds in times.items() if seconds}
    row = {
        "requests": len(recorder.asked),
        "search_s": middle["search"],
        "flat_s": middle["flat"],
        "search/flat": middle["search"] / middle["flat"],
        "cached share": share,
        "passes": computed["search"],
    }
    if lockstep:
        row["lockstep/search"] = middle["lockstep"] / middle["search"]
        row["its passes"] = computed["lockstep"] / computed["search"]
    return row


def values_part(folder: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Tokens per second with and without values, engines side by side, alternating."""
    tasks = load_tasks(options.qaf)[: options.questions]
    requests = [
        Generate(f"<question> {task.question} </question>\n", 5, Sampling(1.0, max_tokens=32), i, want_value=True)
        for i, task in enumerate(tasks)
    ]
    engines = {kind: start(folder, options, need_value=kind == "values") for kind in ("values", "none")}
    speeds: dict[str, list[float]] = {kind: [] for kind in engines}
    for turn in range(2 * options.repeats + 1):
        for kind, engine in engines.items():
            before = engine.counters.num_generated_tokens
            asyncio.run(engine.forget())
            seconds = run_flat(requests, engine)
            if turn:  # the first one warms up
                speeds[kind].append((engine.counters.num_generated_tokens - before) / seconds)
    for engine in engines.values():
        asyncio.run(engine.close())
    middle = {kind: statistics.median(speed) for kind, speed in speeds.items()}
    return [
        {"tok/s with": middle["values"], "tok/s without": middle["none"], "ratio": middle["values"] / middle["none"]}
    ]


def accuracy_part(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Largest errors over `options.positions` positions of each family."""
    import torch
    from tiny_models import CHARACTERS, Reference, make_checkpoint

    rows = []
    for family in ("llama", "qwen3", "mistral", "granite"):
        with tempfile.TemporaryDirectory() as name:
            folder = make_checkpoint(Path(name) / family, family)
            reference, rng = Reference(folder), random.Random(0)
            engine = start(str(folder), options, need_value=True)
            texts = ["".join(rng.choices(CHARACTERS[1:], k=100)) for _ in range(options.positions // 100)]
            prompts = [text[:length] for text in texts for length in range(1, 101)]
            asked = [Generate(prompt, 1, Sampling(1.0, max_tokens=1), 0, want_value=True) for prompt in prompts]

            async def all_of(engine: VLLMEngine = engine, asked: list[Generate] = asked) -> list[Generation]:
                replies = list(await asyncio.gather(*map(engine.generate, asked)))
                await engine.close()
                return replies

            worst = {"value": 0.0, "logprob": 0.0}
            for prompt, reply in zip(prompts, asyncio.run(all_of()), strict=True):
                with torch.inference_mode():
                    output = reference.model(torch.tensor([reference.encode(prompt)]), output_hidden_states=True)
                    hidden, logits = output.hidden_states[-1][0, -1], output.logits[0, -1].float()
                value = float(torch.tanh(hidden @ reference.weight[0] + reference.bias[0]))
                (sample,) = reply.samples
                token = reference.tokenizer.convert_tokens_to_ids(sample.text) if sample.finish == "length" else 1
                worst["value"] = max(worst["value"], abs(value - (reply.value or 0.0)))
                worst["logprob"] = max(worst["logprob"], abs(float(logits.log_softmax(0)[token]) - sample.logprob))
            rows.append(
                {"family": family, "positions": len(prompts), **{f"max |{k}| error": v for k, v in worst.items()}}
            )
    return rows


def start(folder: str, options: argparse.Namespace, *, need_value: bool) -> VLLMEngine:
    return VLLMEngine.load(folder, need_value=need_value, **options.engine_args)


def wants_values(options: argparse.Namespace) -> bool:
    """Whether one of the searches asks for values."""
    return any(config.value_source == "head" for config in configs_of(options).values())


def random_model(folder: Path) -> str:
    """About 100 million random parameters, mini's tokenizer and a random value head."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from mcts_math.engine.value_head import fresh_value_head, save_value_head

    tokenizer = AutoTokenizer.from_pretrained(ROOT / "models/mini")
    shape = {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 13, "num_attention_heads": 12}
    config = LlamaConfig(**shape, vocab_size=len(tokenizer) + 8, max_position_embeddings=8192, value_model=True)
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    save_value_head(fresh_value_head(768), folder)
    return str(folder)


def show(title: str, rows: list[dict[str, Any]]) -> None:
    def text(value: Any) -> str:
        return value if isinstance(value, str) else f"{value:.3g}" if isinstance(value, float) else str(value)

    print(f"\n{title}\n" + render_table(list(rows[0]), [[text(value) for value in row.values()] for row in rows]))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    description, _, details = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        description=description, epilog=details, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("accuracy", "search", "lockstep", "values")
    parser.add_argument("--parts", nargs="+", choices=parts, default=parts)
    parser.add_argument("--model", default=str(ROOT / "models/mini"), help="a folder, or random-100M")
    parser.add_argument("--qaf", default=str(ROOT / "data/mini/test.jsonl"))
    parser.add_argument("--questions", type=int, default=128)
    parser.add_argument("--positions", type=int, default=1000, help="of each family")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--engine-args", type=json.loads, default={}, help="JSON; arguments of vLLM")
    parser.add_argument("--set", nargs="*", default=[], metavar="key=value", help="changes to both solvers' configs")
    parser.add_argument("--solvers", nargs="+", choices=SOLVERS, default=list(SOLVERS))
    parser.add_argument("--iterations", type=int, default=40, help="of MCTS")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    found: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = random_model(Path(name)) if options.model == "random-100M" else options.model
        jobs: dict[str, Callable[[], list[dict[str, Any]]]] = {"accuracy": lambda: accuracy_part(options)}
        jobs["values"] = lambda: values_part(folder, options)
        for part in ("accuracy", "values"):
            if part in options.parts:
                found[part] = jobs[part]()
        if {"search", "lockstep"} & set(options.parts):
            engine = start(folder, options, need_value=wants_values(options))
            found["search"] = search_part(engine, options, "lockstep" in options.parts)
            asyncio.run(engine.close())
    if options.json:
        print(json.dumps(found))
        return
    for part, rows in found.items():
        show(part, rows)


if __name__ == "__main__":
    run_script(main)
