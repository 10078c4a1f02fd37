"""The command line of the programs that solve questions: arguments, errors in one line, exit codes.

Exit codes: 0 done; 1 done, but questions failed; 2 bad input or a broken service; 130 interrupted.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from mcts_math.config import describe_config, load_config, load_config_as
from mcts_math.errors import CheckpointError, ConfigError, MctsMathError, RecordError, TaskError
from mcts_math.monitor import Totals
from mcts_math.run.program import add_overrides, make_parser, parse_words, several, terminable
from mcts_math.run.run import default_output, solve_file
from mcts_math.search.expansion import CONTEXT_LENGTH
from mcts_math.tasks import BENCHMARKS
from mcts_math.view.serve import PORT, dashboard

SOME_FAILED: Final = 1


def solve_parser(description: str, argv: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Arguments of the programs that solve a question file. `argv`: says whose keys help explains."""
    parser = make_parser(description, describe_config(argv))
    parser.add_argument("--cfg", "--custom_cfg", required=True, metavar="YAML", help="config file, see configs/")
    parser.add_argument(
        "--qaf",
        "--question_answer_file",
        required=True,
        metavar="FILE",
        help="questions: a .json, .jsonl or .csv file (or .gz); NAME:FILE for a published data set's file; "
        f"NAME[/SPLIT] to have one from the Hugging Face Hub; names: {', '.join(BENCHMARKS)}",
    )
    parser.add_argument("--exclude", metavar="JSON", help="leave out the questions at these positions (solved cases)")
    parser.add_argument(
        "--shard", default="", metavar="I/N", help="solve every N-th question from the I-th on (from 0)"
    )
    parser.add_argument("--save_correct", metavar="JSON", help="write such a file of the questions solved here")
    parser.add_argument(
        "--output", metavar="JSONL", help="results; default outputs/CONFIG.QUESTIONS-DIGEST.seedN.jsonl"
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--resume", action="store_true", help="go on with an existing output, skip what is done")
    group.add_argument(
        "--overwrite", action="store_true", help="start an existing output anew; the old one is kept as NAME.jsonl.bak"
    )
    parser.add_argument(
        "--dashboard",
        nargs="?",
        const=PORT,
        type=int,
        metavar="PORT",
        help=f"serve a page of this run on this machine while it goes on (port {PORT} if none is given)",
    )
    add_overrides(parser, ", e.g. temperature=0.6")
    return parser


def solve_main(parser: argparse.ArgumentParser, argv: Sequence[str], mode: str | None = None) -> int:
    """Solves the question file that the arguments name. `mode`: the method, whatever the config names."""
    args = parse_words(parser, argv)
    given = args.cfg, args.overrides
    config = load_config(*given) if mode is None else load_config_as(mode, *given)
    output = Path(args.output) if args.output else default_output(args.cfg, args.qaf, config, args.shard)
    old = _identity(output) if args.overwrite else None
    try:
        with terminable(), ExitStack() as watched:
            if args.dashboard is not None:
                url = watched.enter_context(dashboard(output, args.dashboard))
                print(f"watch this run at {url}", file=sys.stderr, flush=True)
            totals = solve_file(
                config,
                args.qaf,
                output,
                resume=args.resume,
                overwrite=args.overwrite,
                exclude=args.exclude,
                shard=args.shard,
                save_correct=args.save_correct,
            )
    except (ConfigError, TaskError, RecordError, CheckpointError) as refusal:  # the same command is refused again
        print(f"error: {refusal}", file=sys.stderr)
        return 2
    except MctsMathError as error:
        print(f"error: {error}{_how_to_go_on(output, old, argv)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        nothing = "\nNo question is finished yet. Give the same command again."
        print(f"\ninterrupted{_how_to_go_on(output, old, argv) or nothing}", file=sys.stderr)
        return 130
    except Exception:
        sys.stderr.write(f"{_how_to_go_on(output, old, argv)}\n".lstrip())
        raise
    print(summarise(totals, output))
    return SOME_FAILED if totals.errors else 0


def _how_to_go_on(output: Path, old: int | None, argv: Sequence[str]) -> str:
    """Lines about the results of this run; "" where there are none. `old`: the file that stood there before."""
    if _identity(output) in (None, old):
        return ""
    words = ["python", sys.argv[0], *(word for word in argv if word not in ("--resume", "--overwrite")), "--resume"]
    return f"\nFinished questions are in {output}. To go on:\n  {shlex.join(words)}"


def summarise(totals: Totals, output: Path) -> str:
    accuracy = f", {totals.accuracy}" if totals.accuracy else ""
    count = several(totals.questions, "question")
    if not totals.new:
        return f"nothing was left to solve: {count}{accuracy}\nresults: {output}"
    cost = f"{totals.tokens:,} tokens ({totals.tokens / totals.seconds:,.0f}/s)"
    lines = [f"{count} in {totals.seconds:.1f} s{accuracy}, {cost}"]
    if totals.before:
        lines = [f"{count}{accuracy}; {totals.new} of them now, in {totals.seconds:.1f} s: {cost}"]
    if totals.answered + totals.errors < totals.new:
        open_ends = f" ({totals.unfinished} of them had steps to go on from: raise iterations or max_depth)"
        missing = totals.new - totals.errors - totals.answered
        lines.append(f"without an answer: {missing}{open_ends if totals.unfinished else ''}")
    if totals.unreadable * 2 > totals.steps:
        lines.append(
            f"steps that can't be read: {totals.unreadable} of {totals.steps} (does the model know the format that "
            "prompt_wrap names? view_trees.py shows what it wrote)"
        )
    if totals.stopped:
        reasons = ", ".join(f"{number} by {reason}" for reason, number in totals.stopped.most_common())
        limits = ", ".join(reason for reason in totals.stopped if reason != CONTEXT_LENGTH)
        advice = [f"raise {limits}, or set 0 for none"] if limits else []
        if CONTEXT_LENGTH in totals.stopped:
            advice.append(
                "a context is the model's own: lower max_depth or max_tokens, or take a model of a longer one"
            )
        lines.append(f"cut short: {reasons} ({'; '.join(advice)}; see `stopped` in the results)")
    if totals.errors:
        lines.append(f"{totals.errors} failed and will be tried again with --resume; the first: {totals.first_error}")
    return "\n".join([*lines, f"results: {output}"])


def _identity(output: Path) -> int | None:
    """Which file of results stands there; None where there is none. Results that are overwritten make another one."""
    return output.stat().st_ino if output.is_file() and output.stat().st_size else None
