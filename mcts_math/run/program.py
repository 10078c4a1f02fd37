"""How a program begins and ends: an interrupt and known errors are one line, never a traceback.

A program imports this first. To import the rest takes a second or two, and Ctrl-C may come by then.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from types import TracebackType

from mcts_math.errors import MctsMathError

_show_others = sys.excepthook


def run_program(main: Callable[[list[str]], int]) -> int:
    """Runs a program's main function; known errors become one line on stderr."""
    if sys.getfilesystemencoding() != "utf-8":  # questions and file names are in any language, whatever LC_ALL says
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    try:
        return main(sys.argv[1:])
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130
    except MctsMathError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output went away, as `| head` does
        return 0


def _show(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """What Python shows of an error that nobody caught."""
    if issubclass(kind, KeyboardInterrupt):
        print("\ninterrupted", file=sys.stderr)
    else:
        _show_others(kind, error, traceback)


sys.excepthook = _show
