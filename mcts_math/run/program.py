"""How a program begins and ends: an interrupt and known errors are one line, never a traceback.

A program imports this first. To import the rest takes a second or two, and Ctrl-C may come by then.
"""

from __future__ import annotations

import argparse
import ctypes
import difflib
import errno
import os
import re
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import NoReturn

from mcts_math.errors import MctsMathError

_show_others = sys.excepthook
_PR_SET_PDEATHSIG = 1  # <linux/prctl.h>


def make_parser(description: str | None, *keys: str) -> argparse.ArgumentParser:
    """A parser whose help shows the description as it stands, and below it texts about config keys. Words can't be
    shortened: the command that goes on with a run must be told from the one that began it."""
    shown = argparse.RawDescriptionHelpFormatter
    package = getattr(sys.modules["__main__"].__spec__, "parent", "")  # which only `python -m` leaves
    return argparse.ArgumentParser(
        prog=f"python -m {package}" if package else None,
        description=description,
        epilog="\n\n".join(keys),
        formatter_class=shown,
        allow_abbrev=False,
    )


def add_overrides(parser: argparse.ArgumentParser, more: str = "") -> None:
    """Words that change keys of the config, wherever they stand: `parse_words` reads them."""
    parser.add_argument("overrides", nargs="*", metavar="key=value", help=f"config keys to change{more}")


def parse_words(parser: argparse.ArgumentParser, argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of a program; options may be spelt with dashes for underscores. Who misspells one, or writes a
    config key as one, is told so before an option that must be given is missed."""
    options, words = parser._option_string_actions, list(argv)
    for place, (word, after) in enumerate(zip(argv, [*argv, ""][1:], strict=True)):
        name, equals, value = word.partition("=")
        if word == "--":
            return parser.parse_args(words)  # a mixture with options would lose what stands behind
        if not re.match(r"--?[^\W\d]", name) or name in options or name[:2] in options:
            continue
        key = name.lstrip("-").replace("-", "_")
        if f"--{key}" in options:
            words[place] = f"--{key}{equals}{value}"
        elif near := difflib.get_close_matches(f"--{key}", options, n=1, cutoff=0.75):
            parser.error(f"unrecognized arguments: {word}. Did you mean {near[0]}?")
        elif any("key=value" in str(action.metavar) for action in parser._actions):
            value = value if equals or after.startswith("--") or "=" in after else after
            way = f"{key}={shlex.quote(value) if value else 'VALUE'}"
            parser.error(f"unrecognized arguments: {word}. A config key is written without dashes: {way}")
    return parser.parse_intermixed_args(words)


def several(number: int, noun: str) -> str:
    """`1 question`, `1,024 questions`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def add_workers(parser: argparse.ArgumentParser) -> None:
    text = "answer checking processes; 0: all cores"
    parser.add_argument("--workers", type=_number, default=0, metavar="N", help=text)


def _number(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number, at least 0, not {text!r}")
    return int(text)


def run_program(main: Callable[[list[str]], int], interrupted: str = "") -> int:
    """Runs a program's main function, which gives the exit code; known errors become one line on stderr. `interrupted`:
    what more is told of an interrupt."""
    if sys.getfilesystemencoding() != "utf-8":  # questions and file names are in any language, whatever LC_ALL says
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    try:
        code = main(sys.argv[1:])
        print(end="", flush=True)
        return code
    except KeyboardInterrupt:
        print(f"\ninterrupted{interrupted and '. '}{interrupted}", file=sys.stderr)
        return 130
    except MctsMathError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away, as `| head` does
        return 0
    except OSError as error:
        if error.errno != errno.ENOSPC:
            if error.filename is None:
                raise
            print(f"error: {error}. Check that path.", file=sys.stderr)
            return 2
        print(f"error: the output can't be written: {error}. Make room.", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python's own end would try once more to write what is left
        return 2


def run_script(main: Callable[[], int | None]) -> NoReturn:
    """Runs a program that reads its words by itself, as `run_program` does, and ends the process."""
    sys.exit(run_program(lambda _: main() or 0))


@contextmanager
def without_interrupts() -> Iterator[None]:
    """Processes that begin meanwhile are never interrupted by Ctrl-C, which is for the one that began them to hear."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def terminable() -> Iterator[None]:
    """SIGTERM, as job schedulers send it before they kill, ends the run as Ctrl-C does; a second one changes nothing.
    In another thread than the first nothing is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        signal.signal(signal.SIGTERM, lambda *_: None)  # to ignore it would have processes begun from now on do so
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a script
            raise KeyboardInterrupt
        signal.raise_signal(signal.SIGINT)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if signal.getsignal(signal.SIGTERM) is end:
            signal.signal(signal.SIGTERM, before)


def ends_with_us() -> Callable[[], object]:
    """A `preexec_fn` for a process that is told to end (SIGTERM) when this one ends, however that ends."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl  # found here: after a fork nothing may be looked up
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """What Python shows of an error that nobody caught."""
    if issubclass(kind, KeyboardInterrupt):
        print("\ninterrupted", file=sys.stderr)
    else:
        _show_others(kind, error, traceback)


sys.excepthook = _show
