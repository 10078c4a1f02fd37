"""What the service costs: milliseconds that a request takes more than the same question by `solve` directly.

    python benchmarks/serve.py [--in_flight 100] [--requests 2000] [--json]

The policy is scripted, interpreter and checker answer at once, so all time that is measured is ours and the stand-ins'.
Service and client are processes of their own; the client speaks plain HTTP over connections that it keeps.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "serve"))

from scripted import RandomPolicy
from service import BEAM, served, serving
from stand_ins import EchoInterpreter, EqualChecker

from mcts_math.evaluate.table import render_table
from mcts_math.run.program import run_script
from mcts_math.solver import solve

CONFIG = BEAM | {"seed": 1}


def direct(in_flight: int, number: int) -> tuple[float, float]:
    """Seconds a question by `solve`, and those of the processor among them."""
    tasks = [{"question": f"question {i}"} for i in range(number)]
    begun, worked = time.perf_counter(), time.process_time()
    solve(
        CONFIG | {"batch_size": in_flight},
        tasks,
        policy=RandomPolicy(3),
        interpreter=EchoInterpreter(),
        checker=EqualChecker(),
    )
    return (time.perf_counter() - begun) / number, (time.process_time() - worked) / number


def by_http(in_flight: int, number: int, stream: bool) -> tuple[float, float]:
    """The same by the service; the client's work does not count."""
    with serving([served("beam", **CONFIG)], lambda: RandomPolicy(3)) as service:
        command = [sys.executable, __file__, "--client", service.host, "--in_flight", str(in_flight)]
        command += ["--requests", str(number), *(["--stream"] if stream else [])]
        worked = time.process_time()
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return float(done.stdout), (time.process_time() - worked) / number


async def ask_all(host: str, in_flight: int, number: int, stream: bool) -> float:
    """The client: seconds a request."""
    left = iter(range(number))

    async def ask() -> None:
        reader, writer = await asyncio.open_connection(*host.split(":"))
        for i in left:
            question = {"role": "user", "content": f"question {i}"}
            body = json.dumps({"model": "beam", "messages": [question], "seed": 1, "stream": stream}).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
            await read_reply(reader, stream)
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(in_flight)))
    return (time.perf_counter() - begun) / number


async def read_reply(reader: asyncio.StreamReader, stream: bool) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
    if " 200 " not in head.partition("\r\n")[0]:
        raise SystemExit(head)
    if stream:
        await reader.readuntil(b"0\r\n\r\n")  # the last piece
    else:
        await reader.readexactly(int(head.partition("content-length: ")[2].partition("\r\n")[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--in_flight", type=int, default=100)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--stream", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--client", help=argparse.SUPPRESS)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if args.client:
        print(asyncio.run(ask_all(args.client, args.in_flight, args.requests, args.stream)))
        return
    wall, work = direct(args.in_flight, args.requests)
    rows: dict[str, Any] = {"solve": {"ms": 1e3 * wall, "cpu_ms": 1e3 * work}}
    for name, stream in (("service", False), ("service, streamed", True)):
        more_wall, more_work = by_http(args.in_flight, args.requests, stream)
        rows[name] = {"ms": 1e3 * (more_wall - wall), "cpu_ms": 1e3 * (more_work - work)}
    if args.json:
        print(json.dumps({"in_flight": args.in_flight, "requests": args.requests, "rows": rows}))
        return
    print(f"{args.requests} questions, {args.in_flight} in flight; milliseconds a question (service: beyond solve)")
    table = [[name, f"{row['ms']:.2f}", f"{row['cpu_ms']:.2f}"] for name, row in rows.items()]
    print(render_table(["", "wall", "processor"], table))


if __name__ == "__main__":
    run_script(main)
