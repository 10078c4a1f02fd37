"""Searches on one vLLM server: ours beside `its_hub`, a beam search in lock-step, and a loop over the OpenAI client.

    python benchmarks/peers.py CKPT gsm8k:test.jsonl [--num 32] [--step-tokens 96] [--repeats 1] [--only beam] [--json]

CKPT is a chat model's folder; the server is a vLLM that is started here, and emptied of cached prompts before each row.
Both sides get the same questions, step lengths, widths and scores: a score is a number drawn from a digest of the text,
so that neither side pays for a reward model. its_hub (extra `originals`) is driven by its own client, once with all
questions at once (`ainfer`) and once one after another (`infer`). Its solutions end at a box
or after the number of steps, ours also where the model ends its turn. In lock-step, as search-and-learn drives its beam
search, the next step of all questions is asked for when the last step of all is there and scored. Tokens and passes are
the server's own counts.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from its_hub.api import AbstractProcessRewardModel
from its_hub.core.algorithms.beam_search import BeamSearch
from its_hub.core.algorithms.particle_gibbs import ParticleFiltering
from its_hub.core.lms.openai_lm import OpenAICompatibleLanguageModel
from its_hub.core.lms.step_generation import StepGeneration
from openai import AsyncOpenAI
from openai.types import CompletionChoice
from openai.types.chat import ChatCompletionUserMessageParam
from transformers import AutoTokenizer

from mcts_math import load_tasks, solve
from mcts_math.evaluate.table import render_table
from mcts_math.requests import Evaluate, Evaluation, PartialSolution
from mcts_math.run.program import run_script
from mcts_math.tasks import Task

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "engine"))

from engines import free_port

SAMPLES: Final = 4
WIDTH: Final = 2
"""Beams."""
STEPS: Final = 4
REPLY: Final = 128
"""Tokens of a whole reply, where there are no steps."""
FEW: Final = 4
"""Questions that are enough where one comes after another."""
DELIMITER: Final = "\n\n"
TEMPERATURE: Final = 0.8
HEADER: Final = ("a question", "seconds", "ours / it", "tokens", "prompt", "cached %", "passes")
_COUNTS: Final = {
    "tokens": "generation_tokens_total", "prompt": "prompt_tokens_total", "cached": "prefix_cache_hits_total",
    "passes": "iteration_tokens_total_count",
}  # fmt: skip


def score(question: str, text: str) -> float:
    """A number between 0 and 1 that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(f"{question}\0{text}".encode()).digest()[:4], "big") / (1 << 32)


class OurScorer:
    """The score as a value model."""

    async def evaluate(self, request: Evaluate) -> Evaluation:
        partial = request.partial or PartialSolution("")
        return Evaluation(2 * score(partial.question, DELIMITER.join(partial.steps)) - 1)

    async def close(self) -> None:
        return None


class TheirScorer(AbstractProcessRewardModel):  # type: ignore[misc]
    """The same for its_hub."""

    async def ascore(self, prompt_or_messages: Any, steps: list[str]) -> list[float]:
        return [score(str(prompt_or_messages), text) for text in steps]

    def score(self, prompt_or_messages: Any, steps: list[str]) -> list[float]:
        return [score(str(prompt_or_messages), text) for text in steps]


class Server:
    """A vLLM server.

    Args:
        model: the checkpoint's folder.
        port: where it listens.
    """

    def __init__(self, model: str, port: int) -> None:
        self.model, self.root, self.url = model, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}/v1"

    def counts(self) -> dict[str, float]:
        """What it has counted since it began."""
        with urllib.request.urlopen(f"{self.root}/metrics") as reply:
            lines = reply.read().decode().splitlines()
        return {
            name: sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"vllm:{metric}{{"))
            for name, metric in _COUNTS.items()
        }

    def forget(self) -> None:
        """Empties its prefix cache."""
        urllib.request.urlopen(urllib.request.Request(f"{self.root}/reset_prefix_cache", method="POST")).close()


@contextmanager
def serving(model: str) -> Iterator[Server]:
    """Starts a server, and ends it."""
    port = free_port()
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model, "--port", str(port)]
    command += ["--host", "127.0.0.1", "--max-model-len", "2048", "--max-num-seqs", "128", "--enforce-eager"]
    command += ["--dtype", "float32", "--block-size", "32"]
    # vLLM 0.32 dies on a CPU where the prompt of a request with a seed is computed in chunks.
    command += ["--no-enable-chunked-prefill", "--max-num-batched-tokens", "8192"]
    settings = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_SERVER_DEV_MODE": "1", "VLLM_CPU_KVCACHE_SPACE": "4"}
    log = tempfile.NamedTemporaryFile("w+", prefix="vllm-", suffix=".log", delete=False)  # noqa: SIM115
    process = subprocess.Popen(command, env=os.environ | settings, stdout=log, stderr=log)
    server = Server(model, port)
    try:
        while True:
            if process.poll() is not None:
                raise SystemExit(f"the server ended with {process.returncode}: see {log.name}")
            try:
                server.counts()
                break
            except OSError:
                time.sleep(1)
        yield server
        log.close()
        Path(log.name).unlink()
    finally:
        process.terminate()
        process.wait(60)


def ours(mode: str, tasks: Sequence[Task], server: Server, tokens: int, in_flight: int) -> None:
    """Our search."""
    config = {
        "mode": mode, "engine": "openai", "model_dir": server.model, "engine_args": {"base_url": server.url},
        "temperature": TEMPERATURE, "max_tokens": tokens, "max_depth": STEPS - 1, "max_total_time": 0, "seed": 0,
        "batch_size": in_flight, "prompt_wrap": "chat_steps", "step_delim": DELIMITER,
    }  # fmt: skip
    if mode == "sbs":
        # It ends after `max_depth` steps; the other searches take one step more.
        config |= {"step_beam_width": WIDTH, "n_generate_sample": SAMPLES // WIDTH, "max_depth": STEPS}
    elif mode == "particle_filter":
        config |= {"n_generate_sample": SAMPLES}
    else:
        config |= {"prompt_wrap": "chat", "trials": SAMPLES, "n_generate_sample": SAMPLES, "max_tokens": REPLY}
        config["max_question_samples"] = SAMPLES  # no second try of what has no answer
        del config["step_delim"]
    for one in solve(config, tasks, value_model=OurScorer()):
        if one.error:
            raise SystemExit(f"question {one.tree.task.id}: {one.error}")


def theirs(mode: str, tasks: Sequence[Task], server: Server, tokens: int, together: bool) -> None:
    """its_hub's search."""
    client = OpenAICompatibleLanguageModel(server.url, "none", server.model, max_completion_tokens=tokens)
    steps = StepGeneration(max_steps=STEPS - 1, step_token=DELIMITER, stop_token="\\boxed", temperature=TEMPERATURE)
    search = BeamSearch(steps, TheirScorer(), WIDTH) if mode == "sbs" else ParticleFiltering(steps, TheirScorer())

    async def all_at_once() -> None:
        await asyncio.gather(*(search.ainfer(client, task.chat_question, SAMPLES) for task in tasks))
        await client.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its searches call what it calls deprecated
        if together:
            asyncio.run(all_at_once())
        else:
            for task in tasks:
                search.infer(client, task.chat_question, SAMPLES)


def lock_step(tasks: Sequence[Task], server: Server, tokens: int) -> None:
    """A beam search of our widths: at each depth one batch of all questions' steps, then the scores."""
    tokenizer = AutoTokenizer.from_pretrained(server.model)
    prompts = [
        str(tokenizer.apply_chat_template([{"role": "user", "content": task.chat_question}], tokenize=False,
                                          add_generation_prompt=True))
        for task in tasks
    ]  # fmt: skip

    async def grow() -> None:
        beams: list[list[Beam]] = [[Beam()] for _ in tasks]
        async with AsyncOpenAI(base_url=server.url, api_key="none", timeout=3600) as client:

            async def children(prompt: str, beam: Beam, copies: int) -> list[Beam]:
                if beam.ended:
                    return [beam]
                reply = await client.completions.create(
                    model=server.model, prompt=prompt + beam.text, n=copies, stop=DELIMITER, max_tokens=tokens,
                    temperature=TEMPERATURE,
                )  # fmt: skip
                return [beam.longer(choice) for choice in reply.choices]

            for depth in range(STEPS):
                copies = SAMPLES // (1 if depth == 0 else WIDTH)
                grown = await asyncio.gather(
                    *(
                        asyncio.gather(*(children(prompt, beam, copies) for beam in some))
                        for prompt, some in zip(prompts, beams, strict=True)
                    )
                )
                for number, (task, families) in enumerate(zip(tasks, grown, strict=True)):
                    ranked = sorted(
                        itertools.chain(*families), key=lambda b: score(task.question, b.text), reverse=True
                    )
                    beams[number] = ranked[:WIDTH]

    asyncio.run(grow())


@dataclass(frozen=True)
class Beam:
    """A partial solution of the search in lock-step."""

    text: str = ""
    ended: bool = False

    def longer(self, choice: CompletionChoice) -> Beam:
        """With one more step, which ends it at a box or where the model ends its turn."""
        text = self.text + choice.text
        at_delimiter = getattr(choice, "stop_reason", None) == DELIMITER
        ended = "\\boxed" in choice.text or (choice.finish_reason == "stop" and not at_delimiter)
        return Beam(text if ended else text + DELIMITER, ended)


def loop(tasks: Sequence[Task], server: Server, logprobs: bool) -> None:
    """Independent attempts by the plain client. `logprobs`: with log-probabilities, which our trees hold."""

    async def attempts() -> None:
        async with AsyncOpenAI(base_url=server.url, api_key="none", timeout=3600) as client:

            async def attempt(task: Task) -> None:
                message = ChatCompletionUserMessageParam(role="user", content=task.chat_question)
                await client.chat.completions.create(
                    model=server.model,
                    messages=[message],
                    temperature=TEMPERATURE,
                    max_completion_tokens=REPLY,
                    logprobs=logprobs,
                )

            await asyncio.gather(*(attempt(task) for task in tasks for _ in range(SAMPLES)))

    asyncio.run(attempts())


def rows(tasks: Sequence[Task], server: Server, tokens: int) -> dict[str, dict[str, tuple[Callable[[], None], int]]]:
    """What is compared, by method, ours first: what is done, and for how many questions."""
    every, few = len(tasks), len(tasks[:FEW])
    return {
        "beam search (2 of 4)": {
            "ours": (lambda: ours("sbs", tasks, server, tokens, 32), every),
            "in lock-step": (lambda: lock_step(tasks, server, tokens), every),
            "its_hub, all at once": (lambda: theirs("sbs", tasks, server, tokens, True), every),
            "its_hub, one by one": (lambda: theirs("sbs", tasks[:FEW], server, tokens, False), few),
        },
        "particle filter (4)": {
            "ours": (lambda: ours("particle_filter", tasks, server, tokens, 32), every),
            "its_hub, all at once": (lambda: theirs("particle_filter", tasks, server, tokens, True), every),
            "its_hub, one by one": (lambda: theirs("particle_filter", tasks[:FEW], server, tokens, False), few),
        },
        "best of 4": {
            "ours": (lambda: ours("selection", tasks, server, tokens, 32), every),
            "AsyncOpenAI": (lambda: loop(tasks, server, False), every),
            "AsyncOpenAI, log-probabilities": (lambda: loop(tasks, server, True), every),
        },
    }  # fmt: skip


def measure(act: Callable[[], None], number: int, server: Server) -> dict[str, float]:
    """Seconds and the server's counts a question of one row."""
    server.forget()
    before, begun = server.counts(), time.perf_counter()
    act()
    seconds, after = time.perf_counter() - begun, server.counts()
    return {"seconds": seconds / number} | {name: (after[name] - before[name]) / number for name in _COUNTS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="checkpoint folder of a chat model")
    parser.add_argument("questions", help="as --qaf of solver_demo.py")
    parser.add_argument("--num", type=int, default=32, help="questions, drawn with seed 0")
    parser.add_argument("--step-tokens", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=1, help="sides alternate; medians are shown")
    parser.add_argument("--only", default="", help="a method alone whose name begins so")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    tasks = load_tasks(given.questions)
    tasks = random.Random(0).sample(tasks, min(given.num, len(tasks)))
    with serving(given.model) as server:
        ours("sbs", tasks[:2], server, 8, 2)  # what is compiled or tried out at the first request is no one's cost
        found = {
            method: [{name: measure(*side, server) for name, side in sides.items()} for _ in range(given.repeats)]
            for method, sides in rows(tasks, server, given.step_tokens).items()
            if method.startswith(given.only)
        }
    if given.json:
        print(json.dumps(found))
        return
    lines = []
    for method, runs in found.items():
        for name in runs[0]:
            middle = {key: statistics.median(run[name][key] for run in runs) for key in ("seconds", *_COUNTS)}
            least = statistics.median(run["ours"]["seconds"] / run[name]["seconds"] for run in runs)
            lines.append([
                f"{method}: {name}", f"{middle['seconds']:.1f}", f"{least:.2f}",
                f"{middle['tokens']:.0f}", f"{middle['prompt']:.0f}",
                f"{100 * middle['cached'] / max(middle['prompt'], 1):.0f}", f"{middle['passes']:.1f}",
            ])  # fmt: skip
    print(
        f"{len(tasks)} questions, {SAMPLES} samples a step or question, {STEPS} steps of {given.step_tokens} tokens, "
        f"replies of {REPLY}"
    )
    print(render_table(HEADER, lines))


if __name__ == "__main__":
    run_script(main)
