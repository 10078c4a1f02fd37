"""OpTune with many questions in flight, against one question at a time, on one engine; and what a change costs.

    python benchmarks/optune.py models/mini

The rule is untrained (the identity, so plain normalised gradients with a small rate), which costs what a trained one
does. First table: questions a minute, each with `--trials` attempts, of which every second one has a change of its own.

Second table: one token of 32 rows with 32 changes, by ways to apply them: `each`, as the engine does it, row by row
with what is smaller, factors or matrix; `dense`, all matrices gathered into one batched product; `factors`, all factors
padded to the longest, in two batched products. Third: bytes of a change of a conversation of so many tokens.

Ways alternate within one run; medians are reported, by default of the CPU seconds of the process.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from driving import questions
from fttt import FEEDBACK
from sides import CLOCKS, Clock, median_seconds
from torch import Tensor

from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.hf.optune.changes import WeightChanges, describe_rule
from mcts_math.engine.hf.optune.rule import Change, Factors, UpdateRule
from mcts_math.engine.hf.optune.sites import find_sites, measure, shapes_of
from mcts_math.engine.hf.parts import save_parts
from mcts_math.engine.spec import RuleOptions
from mcts_math.evaluate.table import render_table
from mcts_math.messages import Sampling
from mcts_math.requests import Adapt, Generate, LossTerm
from mcts_math.run.program import run_script

ROOT = Path(__file__).parent.parent


def make_rule(model_dir: str, folder: Path, targets: Sequence[str]) -> None:
    """A rule with the moments of one question."""
    engine = HFEngine.load(model_dir, device="cpu")
    raw = engine.model.raw.requires_grad_(False)
    sites = find_sites(raw, 2, targets)
    rule = UpdateRule(shapes_of(sites))
    ids = torch.tensor(engine.model.codec.encode(questions(1)[0] + FEEDBACK))
    rule.observe(rule.summarise(measure(raw, sites, ids)[1]))
    save_parts(folder, "optune", rule.state_dict(), describe_rule(rule, raw, sites, 16, model_dir))
    asyncio.run(engine.close())


async def chains(engine: HFEngine, texts: list[str], trials: int, max_tokens: int, in_flight: int) -> None:
    """Attempts of every question, as OpTune makes them."""
    places, sampling = asyncio.Semaphore(in_flight), Sampling(0.6, 0.95, max_tokens=max_tokens)

    async def one(number: int, text: str) -> None:
        name = f"q{number}"
        async with places:
            for trial in range(trials):
                adapter = name if trial % 2 else ""
                asked = Generate(text, 1, sampling, 1000 * number + trial, adapter=adapter, task_id=name)
                (sample,) = (await engine.generate(asked)).samples
                if trial % 2 == 0:
                    attempt = f"{text}{sample.text}\n"
                    await engine.adapt(Adapt(name, (LossTerm(attempt, FEEDBACK),), 0, attempt))
            await engine.release(name)

    await asyncio.gather(*(one(i, text) for i, text in enumerate(texts)))


def throughput(engine: HFEngine, args: argparse.Namespace, clock: Clock) -> list[list[str]]:
    texts = questions(args.questions)

    def ask(in_flight: int) -> Callable[[], None]:
        return lambda: asyncio.run(chains(engine, texts, args.trials, args.max_tokens, in_flight))

    medians = median_seconds({str(count): ask(count) for count in args.in_flight}, args.repeats, clock)
    first = medians[str(args.in_flight[0])]
    return [[n, f"{s:.2f}", f"{60 * len(texts) / s:.1f}", f"{first / s:.2f}"] for n, s in medians.items()]


def ways(inputs: int, outputs: int, tokens: int, clock: Clock, rows: int = 32) -> dict[str, float]:
    """Seconds for one token of `rows` rows at one layer, by way."""
    torch.manual_seed(0)
    factors = [Factors(torch.randn(tokens - i, inputs), torch.randn(tokens - i, outputs)) for i in range(rows)]
    is_small = tokens * (inputs + outputs) < inputs * outputs
    changes = [Change((f.inputs.T, f.slopes) if is_small else (f.inputs.T @ f.slopes,)) for f in factors]
    dense = torch.stack([f.inputs.T @ f.slopes for f in factors])
    pad = torch.nn.utils.rnn.pad_sequence
    right = pad([f.inputs for f in factors], batch_first=True).transpose(1, 2).contiguous()
    left = pad([f.slopes for f in factors], batch_first=True)
    x, index = torch.randn(rows, 1, inputs), torch.arange(rows)
    places = [slice(i, i + 1) for i in range(rows)]

    def each() -> Tensor:
        output = torch.zeros(rows, 1, outputs)
        for place, change in zip(places, changes, strict=True):
            output[place] += change.apply(x[place])
        return output

    work: dict[str, Callable[[], Tensor]] = {
        "each": each,
        "dense": lambda: torch.bmm(x, dense),
        "dense, gathered anew": lambda: torch.bmm(x, dense[index]),
        "factors": lambda: torch.bmm(torch.bmm(x, right), left),
    }
    with torch.inference_mode():
        return median_seconds(work, 15, clock)


def main() -> int:
    parser = argparse.ArgumentParser(description="OpTune: many questions in flight against one.")
    parser.add_argument("model", nargs="?", default=str(ROOT / "models/mini"))
    parser.add_argument("--targets", nargs="+", default=["q_proj", "v_proj"])
    parser.add_argument("--questions", type=int, default=64)
    parser.add_argument("--trials", type=int, default=4)
    parser.add_argument("--max-tokens", type=int, default=64)
    parser.add_argument("--in-flight", type=int, nargs="+", default=[1, 64])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--num-threads", type=int, default=1)
    parser.add_argument("--clock", choices=CLOCKS, default="cpu")
    args = parser.parse_args()
    torch.set_num_threads(args.num_threads)
    clock = CLOCKS[args.clock]
    with tempfile.TemporaryDirectory() as scratch:
        make_rule(args.model, Path(scratch), args.targets)
        engine = HFEngine.load(args.model, device="cpu", adapter=RuleOptions(scratch))
        heads = ["questions in flight", f"{args.clock} s", "questions/min", "times one at a time"]
        print(render_table(heads, throughput(engine, args, clock)), "\n")
        changes = engine.adapters
        assert isinstance(changes, WeightChanges)
        rows = []
        for tokens in (50, 200, 800):
            for width in ((256, 256), (576, 576), (4096, 1024)):
                found = ways(*width, tokens, clock)
                rows.append(
                    [f"{width[0]} -> {width[1]}, {tokens} tokens", *(f"{1000 * s:.2f}" for s in found.values())]
                )
        print(render_table(["one token of 32 rows, ms", *found], rows), "\n")
        text = questions(1)[0]
        sizes = []
        for repeats in (1, 4, 16):
            asyncio.run(engine.adapt(Adapt("m", (LossTerm(text * repeats, FEEDBACK),), 0, text * repeats)))
            held = sum(part.nbytes for change in changes._sessions["m"].changes.values() for part in change.maps)
            sizes.append([str(len(engine.model.codec.encode(text * repeats + FEEDBACK))), f"{held:,}"])
            asyncio.run(engine.release("m"))
        print(render_table(["tokens of the conversation", "bytes of its change"], sizes))
        asyncio.run(engine.close())
    return 0


if __name__ == "__main__":
    run_script(main)
