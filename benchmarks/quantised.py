"""Whether weights in 8 or 4 bits would make a decode step faster on this CPU: one matrix times so many rows.

    python benchmarks/quantised.py
    python benchmarks/quantised.py --shape 4864 896 --rows 1 4 16 64

Beside bfloat16 as `hf` packs it stand torch's own products with weights of 8 and 4 bits, the kernels that torchao calls
on a CPU. A search asks for many samples at once, so what counts is the column of many rows. Enough copies of the matrix
are multiplied in turn that none stays in the cache. CPU seconds of one thread, the best of some tries.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from mcts_math.engine.hf.packing import PackedLinear
from mcts_math.evaluate.table import render_table
from mcts_math.run.program import run_script

BYTES = 200_000_000  # of all copies of the matrix in bfloat16
GROUP = 32  # weights that share a scale in 4 bits

Product = Callable[[Tensor], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", type=int, nargs=2, default=[4864, 896], help="outputs and inputs of the layer")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    given = parser.parse_args()
    torch.set_num_threads(1)
    outputs, inputs = given.shape
    count = max(1, BYTES // (2 * outputs * inputs))
    weights = [torch.randn(outputs, inputs).mul_(0.02).bfloat16() for _ in range(count)]
    kinds = {"bfloat16": bfloat16, "8 bits": eight_bits, "4 bits": four_bits}
    made = {name: [make(weight) for weight in weights] for name, make in kinds.items()}
    rows = []
    for number in given.rows:
        given_rows = torch.randn(number, inputs).bfloat16()
        seconds = {name: best(products, given_rows) for name, products in made.items()}
        first = seconds["bfloat16"]
        rows.append([f"{number}", *(f"{1e3 * s:.2f} ms ({first / s:.2f} x)" for s in seconds.values())])
    print(render_table(("rows", *kinds), rows))


def bfloat16(weight: Tensor) -> Product:
    linear = nn.Linear(weight.shape[1], weight.shape[0], bias=False, dtype=weight.dtype)
    linear.weight = nn.Parameter(weight, requires_grad=False)
    return PackedLinear(linear)


def eight_bits(weight: Tensor) -> Product:
    scale = weight.float().abs().amax(1, keepdim=True) / 127
    packed, scales = (weight.float() / scale).round().to(torch.int8), scale[:, 0].bfloat16()
    return lambda rows: torch.ops.aten._weight_int8pack_mm(rows, packed, scales)


def four_bits(weight: Tensor) -> Product:
    groups = weight.float().unflatten(1, (-1, GROUP))
    low = groups.amin(-1, keepdim=True)
    scale = (groups.amax(-1, keepdim=True) - low) / 15
    numbers = ((groups - low) / scale).round().to(torch.int32).flatten(1)
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(numbers, 1)
    # The kernel counts from the middle of the 16 numbers.
    zeros = torch.cat([scale, low + 8 * scale], dim=-1).bfloat16().transpose(0, 1).contiguous()
    return lambda rows: torch.ops.aten._weight_int4pack_mm_for_cpu(rows, packed, GROUP, zeros)


@torch.inference_mode()
def best(products: Sequence[Product], rows: Tensor) -> float:
    """CPU seconds of one product."""
    times = []
    for _ in range(6):
        begun = time.process_time()
        for product in products:
            product(rows)
        times.append((time.process_time() - begun) / len(products))
    return min(times)


if __name__ == "__main__":
    run_script(main)
