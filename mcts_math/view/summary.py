"""A results file in numbers: how far the run is, how much is right, what it costs, what takes longest."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from mcts_math.errors import RecordError
from mcts_math.evaluate.intervals import wilson_interval
from mcts_math.run.description import num_asked, read_description
from mcts_math.run.results import ResultsFile
from mcts_math.search.mcts import PublishedOptions
from mcts_math.tasks import JsonObject
from mcts_math.view.questions import rounded
from mcts_math.view.turns import examples_of

_SLOWEST: Final = 5
_SILENT_S: Final = 30.0
"""A run that has told nothing for so long has ended, or was killed."""
C_PUCT: Final = float(PublishedOptions.model_fields["c_puct"].default)
"""Where no description tells the weight of exploration."""


def summarise(entries: Sequence[Mapping[str, Any]], path: Path) -> JsonObject:
    """Numbers over the entries of a results file and what its run says of itself; what is not known is None."""
    meta, live = read_description(ResultsFile(path).meta_path), read_live(path)
    states = [entry["state"] for entry in entries]
    # One that broke down is wrong where that can be told, as eval_output_jsonl.py counts it.
    broken = sum(entry.get("broken", False) for entry in entries)
    right, judged = states.count("right"), states.count("right") + states.count("wrong") + broken
    low, high = wilson_interval(right, judged)
    return {
        "done": len(entries),
        "total": _total(len(entries), live, meta),
        "right": right,
        "judged": judged,
        "interval": [rounded(low), rounded(high)] if judged else None,
        "errors": states.count("error"),
        "stopped": sum("stopped" in entry for entry in entries),
        "oracle": any("oracle" in entry for entry in entries),
        **_costs(entries),
        "slowest": _slowest(entries),
        "live": live,
    }


def _total(done: int, live: JsonObject | None, meta: JsonObject) -> int | None:
    """Questions of the whole run. What it told is older than what is done: the sum may be a few too many."""
    known = num_asked(meta)
    told = done + live["left"] if live else known
    return told if told is None or known is None else min(told, known)


def _costs(entries: Sequence[Mapping[str, Any]]) -> JsonObject:
    def total(key: str) -> float:
        return sum(entry.get("costs", {}).get(key) or 0 for entry in entries)

    tokens, seconds, prompts = sum(entry["tokens"] for entry in entries), total("seconds"), total("prompt_tokens")
    return {
        "tokens": tokens,
        "seconds": rounded(seconds),
        "tokens_per_s": rounded(tokens / seconds) if seconds else None,
        "cached_share": rounded(total("cached_tokens") / prompts) if prompts else None,
        "cells": total("cells"),
    }


def _slowest(entries: Sequence[Mapping[str, Any]]) -> list[JsonObject]:
    timed = [entry for entry in entries if entry.get("costs", {}).get("seconds")]
    slowest = sorted(timed, key=lambda entry: -entry["costs"]["seconds"])[:_SLOWEST]
    return [{"id": entry["id"], "seconds": entry["costs"]["seconds"]} for entry in slowest]


def read_live(path: Path) -> JsonObject | None:
    """What the run that writes this file said last; None where none runs."""
    live = ResultsFile(path).live_path
    try:
        said: JsonObject = json.loads(live.read_text(encoding="utf-8"))
        said["left"] = said["total"] - said["done"]
        is_fresh = time.time() - said["time"] < _SILENT_S
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RecordError(f"{live} is broken: {error!r}. Remove it to see the results without it.") from error
    return said if is_fresh else None


def run_facts(path: Path) -> JsonObject:
    """What trees of a file are shown with: the weight of exploration, and worked examples."""
    meta = read_description(ResultsFile(path).meta_path)
    said = meta.get("config", {}).get("c_puct", C_PUCT)
    return {"c_puct": float(said) if isinstance(said, (int, float)) else C_PUCT, "examples": examples_of(meta)}
