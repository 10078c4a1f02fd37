"""Learning at test time with many questions in flight, against one question at a time, on one engine.

    python benchmarks/fttt.py models/mini
    python benchmarks/fttt.py random          # a Llama of 30 million random parameters

First table: questions a minute where each is a chain of attempts with an optimiser step after each: by transformers'
`generate` and a peft model, one question at a time; by the engine with 1, 32 and 64 questions in flight; and with
`--replicas 2`, by two engines side by side (`num_replicas`, Ray), which share the most questions in flight.

Second table: ways of giving 32 rows 32 adapters, seconds for one token of each: `batched`, as the engine does it, all
rows in one pass with gathered factors; `swapped`, each row in a pass of its own with its adapter added to the weights.

Third table: what a step costs with the published gradient, through the feedback alone on keys and values from the
cache, and with the full one; and how far the one is from the other.

Sides alternate within one run, so that other load hits them alike; medians are reported. By default it counts the CPU
seconds of the process, which other programs hardly change; replicas are other processes, so they need `--clock wall`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import torch
from driving import questions
from sides import CLOCKS, Clock, median_seconds

from mcts_math.config import make_config
from mcts_math.engine.hf.adapters import SLOT, Adapters, read_row
from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.hf.kv_cache import KVBlock, Segments
from mcts_math.engine.hf.lessons import Lesson, Term, make_lesson
from mcts_math.engine.load import load_policy
from mcts_math.engine.spec import AdapterOptions
from mcts_math.evaluate.table import render_table
from mcts_math.messages import Sampling
from mcts_math.requests import Adapt, Generate, LossTerm
from mcts_math.run.program import run_script
from mcts_math.services import engine_options

ROOT = Path(__file__).parent.parent
FEEDBACK = "<question> Your answer is incorrect. </question>\n"


def make_model(folder: str) -> None:
    """A checkpoint of 30 million random parameters."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(ROOT / "models/mini")
    config = AutoConfig.for_model(
        "llama", vocab_size=len(tokenizer), hidden_size=512, intermediate_size=1536, num_hidden_layers=9,
        num_attention_heads=8, num_key_value_heads=8, max_position_embeddings=1024, tie_word_embeddings=True,
        bos_token_id=1, eos_token_id=2, pad_token_id=0,
    )  # fmt: skip
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


async def chains(engine: Any, texts: list[str], trials: int, max_tokens: int, in_flight: int) -> int:
    """Attempts and steps of every question, as FTTT makes them; returns the tokens written."""
    places = asyncio.Semaphore(in_flight)
    sampling = Sampling(0.6, 0.95, max_tokens=max_tokens)

    async def one(number: int, text: str) -> int:
        name, tokens = f"q{number}", 0
        async with places:
            for trial in range(trials):
                asked = Generate(text, 1, sampling, 1000 * number + trial, adapter=name if trial else "", task_id=name)
                (sample,) = (await engine.generate(asked)).samples
                tokens += sample.num_tokens
                attempt = f"{text}{sample.text}\n"
                await engine.adapt(Adapt(name, (LossTerm(attempt, FEEDBACK),), trial, attempt))
            await engine.release(name)
        return tokens

    return sum(await asyncio.gather(*(one(i, text) for i, text in enumerate(texts))))


def plain_loop(folder: str, engine: HFEngine, texts: list[str], trials: int, max_tokens: int) -> None:
    """The same by the libraries alone: `generate`, a fresh peft adapter a question, one question after the other."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    codec, options = engine.model.codec, AdapterOptions()
    config = LoraConfig(r=options.rank, lora_alpha=16, lora_dropout=options.dropout, target_modules=[*options.targets])
    for text in texts:
        learner = get_peft_model(model, config)
        optimizer = torch.optim.AdamW(
            [p for p in learner.parameters() if p.requires_grad], lr=options.lr, weight_decay=0.0
        )
        prompt = torch.tensor([codec.encode(text)])
        for _ in range(trials):
            learner.eval()
            with torch.inference_mode():
                output = learner.generate(
                    input_ids=prompt, attention_mask=torch.ones_like(prompt), do_sample=True, temperature=0.6,
                    top_p=0.95, top_k=0, max_new_tokens=max_tokens, pad_token_id=0,
                )  # fmt: skip
            tail = torch.tensor([codec.encode(f"\n{FEEDBACK}")])
            ids = torch.cat([output, tail], dim=1)
            learner.train()
            labels = ids.clone()
            labels[:, : -tail.shape[1] + 4] = -100
            learner(input_ids=ids, labels=labels).loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        model = learner.unload()


@contextmanager
def side_by_side(folder: str, count: int) -> Iterator[Any]:
    """Replicas with one thread each."""
    args = {"device": "cpu", "num_threads": 1}
    config = {"mode": "fttt", "model_dir": folder, "num_replicas": count, "engine_args": args}
    policy: Any = load_policy(engine_options(make_config(config)))
    import ray

    try:
        yield policy
        asyncio.run(policy.close())
    finally:
        ray.shutdown()


def throughput(engine: HFEngine, args: argparse.Namespace, clock: Clock) -> list[dict[str, Any]]:
    texts, most = questions(args.questions), max(args.in_flight)

    def ask(policy: Any, in_flight: int) -> Callable[[], Any]:
        return lambda: asyncio.run(chains(policy, texts, args.trials, args.max_tokens, in_flight))

    ways: dict[str, Callable[[], Any]] = {
        "generate + peft": lambda: plain_loop(args.folder, engine, texts, args.trials, args.max_tokens)
    }
    ways.update({str(count): ask(engine, count) for count in args.in_flight})
    with ExitStack() as stack:
        if args.replicas > 1:
            replicas = stack.enter_context(side_by_side(args.folder, args.replicas))
            ways[f"{most} on {args.replicas} replicas"] = ask(replicas, most)
            asyncio.run(chains(replicas, texts, 1, args.max_tokens, most))  # warms up
        medians = median_seconds(ways, args.repeats, clock)
    alone = medians[str(args.in_flight[0])]
    return [
        {"in_flight": way, "seconds": s, "per_minute": 60 * len(texts) / s, "times": alone / s}
        for way, s in medians.items()
    ]


@contextmanager
def swapped(adapters: Adapters, name: str) -> Iterator[None]:
    """The weights with one session's adapter added."""
    parameters = iter(adapters._sessions[name].parameters)
    deltas = []
    with torch.no_grad():
        for layer in adapters._layers:
            a, b = next(parameters), next(parameters)
            deltas.append((layer.base_layer.weight, adapters._scale * b @ a))
            layer.base_layer.weight += deltas[-1][1]
        yield
        for weight, delta in deltas:
            weight -= delta


def ways(engine: HFEngine, rows: int, length: int, clock: Clock) -> dict[str, float]:
    """Seconds for one token of each of `rows` sequences of `length` tokens, each with an adapter of its own."""
    adapters, model = engine.adapters, engine.model
    assert isinstance(adapters, Adapters)
    names = [f"w{i}" for i in range(rows)]
    for i, name in enumerate(names):
        adapters.step(name, Lesson((Term(tuple(range(5, 25)), 10, 1.0),), i), engine._thread._batch.recall)

    def block(count: int) -> KVBlock:
        made = KVBlock(model.layout, model.device, count, length + 1)
        made.num_rows, made.end = count, length
        made.mask[:] = 1
        return made

    @torch.inference_mode()
    def forward(state: KVBlock, count: int) -> None:
        ids = torch.full((count, 1), 7)
        model.forward(state, ids, torch.full_like(ids, length))
        state.end -= 1

    many, single = block(rows), block(1)

    def all_at_once(chosen: list[str]) -> None:
        adapters.select(chosen)
        forward(many, rows)

    def one_by_one() -> None:
        adapters.select([""])
        for name in names:
            with swapped(adapters, name):
                forward(single, 1)

    sides = {
        "batched": lambda: all_at_once(names),
        "swapped": one_by_one,
        "no adapters": lambda: all_at_once([""] * rows),
    }
    medians = median_seconds(sides, 9, clock)
    for name in names:
        adapters.release(name)
    return medians


def gradients(adapters: Adapters, lesson: Lesson, kept: list[Segments]) -> torch.Tensor:
    """The step's gradient, B being away from zero."""
    session = adapters._sessions["g"]
    for parameter in session.parameters:
        parameter.grad = None
    adapters._backward(session, lesson, kept)
    return torch.cat([p.grad.flatten() for p in session.parameters if p.grad is not None])


def session_bytes(adapters: Adapters) -> int:
    """Memory that one session takes: weights, their copy for sampling, gradients and the optimiser's moments."""
    return 5 * 4 * sum(weights[0].numel() for weights in (*adapters._down, *adapters._up))


def steps(engine: HFEngine, clock: Clock) -> dict[str, float]:
    adapters = engine.adapters
    assert isinstance(adapters, Adapters)
    attempt = f"{questions(7)[6]}<step>\n<p>\n{'First, multiply the numbers and add. ' * 8}\n</p>\n</step>\n"
    lesson = make_lesson(engine.model.codec, Adapt("g", (LossTerm(attempt, FEEDBACK),), 0, attempt))
    session = adapters._open("g", 0)
    with torch.no_grad():  # as after many steps
        for parameter in session.parameters[1::2]:
            parameter += 0.02 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(1))
    adapters._publish(session)
    for layer in adapters._layers:
        layer.lora_dropout[SLOT].p = 0.0
    kept = read_row(engine._thread._batch.recall(lesson.terms[0].tokens[: lesson.sampled], "g")[0])
    ways: dict[str, list[Segments]] = {"feedback": kept, "full": []}
    sides = {name: partial(gradients, adapters, lesson, constants) for name, constants in ways.items()}
    medians = median_seconds(sides, 7, clock)
    cut, exact = (gradients(adapters, lesson, constants) for constants in ways.values())
    result = {f"{name}, ms": 1000 * seconds for name, seconds in medians.items()}
    tokens = len(lesson.terms[0].tokens)
    result |= {"tokens, feedback": tokens - lesson.sampled, "tokens, full": tokens}
    result["cosine with the full gradient"] = float(torch.cosine_similarity(exact, cut, dim=0))
    result["share of its length"] = float(cut.norm() / exact.norm())
    adapters.release("g")
    for layer in adapters._layers:
        layer.lora_dropout[SLOT].p = AdapterOptions().dropout
    return result


def main() -> int:
    parser = argparse.ArgumentParser(description="Learning at test time: many questions in flight against one.")
    parser.add_argument("model", nargs="?", default=str(ROOT / "models/mini"), help="folder, or `random`")
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--trials", type=int, default=3)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 32, 64])
    parser.add_argument("--replicas", type=int, default=1, help="engines side by side; needs Ray and --clock wall")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--num-threads", type=int, default=1)
    parser.add_argument("--clock", choices=CLOCKS, default="cpu")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.replicas > 1 and args.clock == "cpu":
        parser.error("--replicas are other processes: give --clock wall")
    torch.set_num_threads(args.num_threads)
    clock = CLOCKS[args.clock]
    scratch = tempfile.TemporaryDirectory()
    args.folder = scratch.name if args.model == "random" else args.model
    if args.model == "random":
        make_model(args.folder)
    engine = HFEngine.load(args.folder, device="cpu", adapter=AdapterOptions())
    assert isinstance(engine.adapters, Adapters)
    result: dict[str, Any] = {
        "throughput": throughput(engine, args, clock),
        "ways": ways(engine, 32, 160, clock),
        "steps": steps(engine, clock),
        "adapter_bytes": session_bytes(engine.adapters),
        "kv_bytes_per_token": engine.model.layout.bytes_per_token,
    }
    asyncio.run(engine.close())
    scratch.cleanup()
    if args.json:
        print(json.dumps(result, indent=2))
        return 0
    rows = [
        [r["in_flight"], *(f"{r[key]:.2f}" for key in ("seconds", "per_minute", "times"))] for r in result["throughput"]
    ]
    print(render_table(["questions in flight", f"{args.clock} s", "questions/min", "times one at a time"], rows), "\n")
    print(
        render_table(["one token of 32 rows", "ms"], [[k, f"{1000 * v:.1f}"] for k, v in result["ways"].items()]), "\n"
    )
    print(render_table(["one step", ""], [[k, f"{v:.3f}"] for k, v in result["steps"].items()]), "\n")
    print(f"memory a question in flight: {result['adapter_bytes'] / 2**20:.2f} MiB for adapter and optimiser, and "
          f"{result['kv_bytes_per_token'] / 2**10:.1f} KiB for each token of its prompt and sample")  # fmt: skip
    return 0


if __name__ == "__main__":
    run_script(main)
