"""Tokens per CPU second of `hf` beside llama.cpp's own server on the same weights, in one run.

    python scripts/convert_gguf.py FILE.gguf CKPT
    python benchmarks/llamacpp.py CKPT FILE.gguf --dtype bfloat16 --shape 16 5 128 32

The server (package xllamacpp) gets the file as it is, quantised, and a copy of it in float16; `hf` computes with the
same numbers in the given dtype. All get the same prompts and as many samples, through `engine: openai` in the server's
case. CPU seconds are those of the process that computes: other programs disturb little, but for the caches.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import psutil
from engine import Prompts

from mcts_math.engine.hf.engine import HFEngine
from mcts_math.engine.openai.engine import OpenAIEngine
from mcts_math.evaluate.table import render_table
from mcts_math.messages import Sampling
from mcts_math.requests import Generate, Policy
from mcts_math.run.program import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder that scripts/convert_gguf.py made of FILE")
    parser.add_argument("file", help="GGUF file", type=Path)
    parser.add_argument("--dtype", default="float32", help="of hf")
    parser.add_argument(
        "--shape", type=int, nargs=4, default=(16, 5, 128, 32), help="prompts, samples, lengths of both"
    )
    parser.add_argument("--num-threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    given = parser.parse_args()
    count, samples, length, new = given.shape
    hf = HFEngine.load(given.model, dtype=given.dtype, num_threads=given.num_threads)
    prompts = Prompts(hf)
    texts = [[prompts.text(length) for _ in range(count)] for _ in range(given.repeats + 1)]
    speeds = {f"hf, {given.dtype}": measure(hf, texts, samples, new, time.process_time)}
    with tempfile.TemporaryDirectory() as folder:
        for name, file in {"quantised": given.file, "float16": widen(given.file, Path(folder) / "wide.gguf")}.items():
            with serving(file, count * samples, length + new + 16, given.num_threads) as (url, cpu_seconds):
                engine = OpenAIEngine.connect(given.model, base_url=url, retries=100, pause_s=0.3)
                speeds[f"llama.cpp, {name}"] = measure(engine, texts, samples, new, cpu_seconds)
    ours = next(iter(speeds.values()))
    rows = [[name, f"{speed:.1f}", f"{ours / speed:.2f}"] for name, speed in speeds.items()]
    print(render_table(["engine", "tokens a CPU second", "hf's share of it"], rows))


def measure(
    engine: Policy, texts: Sequence[Sequence[str]], samples: int, new: int, cpu_seconds: Callable[[], float]
) -> float:
    """Median tokens a CPU second over the lists of prompts but the first, which warms up. Closes the engine."""

    async def ask(prompts: Sequence[str]) -> int:
        sampling = Sampling(0.7, max_tokens=new)
        replies = await asyncio.gather(*(engine.generate(Generate(p, samples, sampling, 0)) for p in prompts))
        return sum(sample.num_tokens for reply in replies for sample in reply.samples)

    async def scene() -> float:
        await ask(texts[0][:1])
        speeds = []
        for prompts in texts[1:]:
            begun = cpu_seconds()
            tokens = await ask(prompts)
            speeds.append(tokens / (cpu_seconds() - begun))
        await engine.close()
        return statistics.median(speeds)

    return asyncio.run(scene())


def widen(file: Path, out: Path) -> Path:
    """Writes a GGUF file's tensors as float16: the same numbers, but for float16's own rounding."""
    reader = gguf.GGUFReader(file)
    architecture = reader.fields["general.architecture"].contents()
    writer = gguf.GGUFWriter(out, architecture)
    for field in reader.fields.values():
        if not field.name.startswith("GGUF.") and field.name not in ("general.architecture", "general.file_type"):
            inner = field.types[-1] if field.types[0] is gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(field.name, field.contents(), field.types[0], inner)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    for tensor in reader.tensors:
        numbers = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        writer.add_tensor(tensor.name, numbers.astype(np.float32 if numbers.ndim == 1 else np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return out


@contextmanager
def serving(file: Path, slots: int, context: int, threads: int) -> Iterator[tuple[str, Callable[[], float]]]:
    """llama.cpp's server in a process of its own: its address, and its CPU seconds."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = multiprocessing.get_context("spawn").Process(
        target=_serve, args=(str(file), port, slots, context, threads)
    )
    process.start()
    try:
        yield f"http://127.0.0.1:{port}/v1", lambda: sum(psutil.Process(process.pid).cpu_times()[:2])
    finally:
        process.kill()
        process.join()


def _serve(file: str, port: int, slots: int, context: int, threads: int) -> None:
    import xllamacpp

    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # it says much
    params: Any = xllamacpp.CommonParams()
    params.model.path, params.port = file, port
    params.n_parallel, params.n_ctx = slots, slots * context
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    server = xllamacpp.Server(params)
    while server:
        time.sleep(1)


if __name__ == "__main__":
    run_script(main)
