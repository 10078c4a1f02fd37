"""The command line of the service. What can be wrong is found out in the order of its cost: configs, port, model."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Final

from mcts_math.config import describe_config
from mcts_math.engine.load import check_engine
from mcts_math.errors import ConfigError, require_package
from mcts_math.run.program import add_overrides, make_parser, parse_words
from mcts_math.serve.models import ServedModel, load_models
from mcts_math.services import engine_options

KEY_VARIABLE: Final = "MCTS_MATH_API_KEY"
_NEEDED: Final = ("fastapi", "uvicorn", "prometheus_client")


def main(argv: Sequence[str]) -> int:
    args = parse(argv)
    for package in _NEEDED:
        require_package(package, "the service", "serve", ConfigError)
    overrides = [word for word in args.cfg if "=" in word] + args.overrides
    models = load_models([word for word in args.cfg if "=" not in word], overrides)
    for model in models:
        for note in model.config.notes(values=model.config.value_source != "none"):
            _tell(f"note: {model.name}: {note}")
        check_engine(engine_options(model.config))
    with listen(args.host, args.port, bool(os.environ.get(KEY_VARIABLE))) as bound:
        asyncio.run(_serve(models, bound, args))
    return 0


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = make_parser(
        "Serve searches by OpenAI's chat protocol, each config as a model.\n"
        f"The variable {KEY_VARIABLE} holds the key that requests must bear; without it only this machine is served.",
        describe_config(argv),
    )
    parser.add_argument("--cfg", "--custom_cfg", required=True, nargs="+", metavar="YAML", help="configs, see configs/")
    parser.add_argument("--port", type=int, default=8000, help="default 8000; 0 takes a free one")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; default 127.0.0.1")
    parser.add_argument(
        "--max_body_kb", type=int, default=1024, metavar="N", help="most KiB of a request; default 1024"
    )
    parser.add_argument(
        "--drain_s", type=int, default=60, metavar="S", help="seconds that requests in flight have left at SIGTERM"
    )
    add_overrides(parser, ", in all configs")
    args = parse_words(parser, argv)
    if args.max_body_kb < 1 or args.drain_s < 0 or not 0 <= args.port < 1 << 16:
        parser.error("--max_body_kb must be at least 1, --drain_s at least 0, and --port from 0 to 65535")
    return args


def listen(host: str, port: int, has_key: bool) -> socket.socket:
    """A bound socket, not open yet. Raises ConfigError where it can't be had, or would let others in without a key."""
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        if not has_key and not ipaddress.ip_address(address[0]).is_loopback:
            raise ConfigError(f"--host {host} lets other machines in: set {KEY_VARIABLE} to a key that they must bear.")
        with ExitStack() as on_failure:
            bound = on_failure.enter_context(socket.socket(family, kind))
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            on_failure.pop_all()
            return bound
    except (OSError, UnicodeError) as error:  # a name that DNS can't spell is a UnicodeError
        raise ConfigError(f"{host}:{port} can't be used: {error}. Choose another --port or --host.") from error


async def _serve(models: Sequence[ServedModel], bound: socket.socket, args: argparse.Namespace) -> None:
    from mcts_math.serve.app import make_server  # late: --help and bad settings need no server
    from mcts_math.serve.gateway import Access, Gateway

    key = os.environ.get(KEY_VARIABLE, "")
    hosts = () if key else ("127.0.0.1", "localhost", "[::1]", args.host)
    gateway = Gateway.make(models, report=_tell)
    await gateway.open()
    server = make_server(gateway, Access(key, hosts, args.max_body_kb << 10), args.drain_s)
    host, port = bound.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    _tell(f"serving {', '.join(model.name for model in models)} at http://{shown}:{port}/v1 (Ctrl-C ends it)")
    await server.serve([bound])


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
