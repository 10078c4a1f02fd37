"""What a clean parent is told at its start: what to import, what to show, which fences to use."""

from __future__ import annotations

import json
import os
import resource
import site
import sys
import sysconfig
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from mcts_math.errors import InterpreterError
from mcts_math.interpreter.options import SandboxLimits
from mcts_math.interpreter.worker import wire

_NOBODY = 65534
_TOLD = ("modules", "memory_bytes", "cpu_seconds", "max_threads", "truncate", "output_chars", "input_files")
ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "PYTHONUTF8": "1",
    "LANG": "C",  # any other needs files that a sandbox may not show; text is UTF-8 all the same
    "PYTHONCOERCECLOCALE": "0",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",  # another one, for threads, would reserve 64 MiB of address space
    "MPLBACKEND": "Agg",
    "PATH": "",
    "HOME": "/",
}
_WARM_UP = """\
import sys
if "numpy" in sys.modules:
    import numpy.random  # numpy itself loads it late
    numpy.random.seed(0)
import collections, contextlib, dataclasses, datetime, decimal, fractions, functools, heapq, itertools, json, math
import operator, random, re, statistics, string, typing
if "sympy" in sys.modules:
    from sympy import *
    x, y = symbols("x y")
    str(solve(x**2 - 5*x + 6, x)), str(solve([x + y - 3, x - y - 1], [x, y])), str(simplify((x**2 - 1)/(x - 1)))
    str(expand((x + 1)**3)), str(factor(x**2 - 1)), str(diff(sin(x), x)), str(integrate(x**2, x))
    str(limit(sin(x)/x, x, 0)), str(Rational(1, 3) + sqrt(8)), str(N(pi, 20)), str(Matrix([[1, 2], [3, 4]]).det())
    str(Eq(x, 1)), latex(x**2), str(summation(x, (x, 1, 10))), nsimplify(0.5), solveset(x**2 - 2, x), binomial(5, 2)
    factorint(60), isprime(97)
    float(sqrt(2)), gcd(12, 18), lcm(4, 6), floor(Rational(7, 2)), ceiling(Rational(7, 2)), str(sympify("x + 1"))
if "scipy" in sys.modules:  # it imports its parts when they are used
    import scipy.integrate, scipy.interpolate, scipy.linalg, scipy.optimize, scipy.special, scipy.stats
if "matplotlib" in sys.modules:
    import io
    import matplotlib.pyplot as plt  # looks for fonts: seconds
    plt.plot([1, 2])
    plt.savefig(io.BytesIO())
    plt.close("all")
"""


@dataclass(frozen=True, slots=True)
class Layers:
    """Which of the kernel's fences are used."""

    namespaces: bool
    landlock: bool
    seccomp: bool


def has_folders(limits: SandboxLimits, layers: Layers) -> bool:
    """Whether there is a folder for each cell's temporary files."""
    return limits.temp_bytes > 0 and layers.namespaces and layers.seccomp


def search_path() -> list[str]:
    """The standard library and the site-packages folders; not the project or other places that happen to be shown."""
    own = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    folders = [*site.getsitepackages(), *([site.getusersitepackages()] if site.ENABLE_USER_SITE else [])]
    roots = {Path(p).resolve() for p in {*own, *folders}}
    given = filter(Path.is_absolute, map(Path, sys.path))  # others count from the current folder, which may be gone
    entries = [entry.resolve() for entry in given]
    path = [e for e in entries if any(e.is_relative_to(r) for r in roots) or e.suffix == ".zip"]
    return list(dict.fromkeys(str(p) for p in [*path, *sorted(roots)] if p.exists()))


def _open_to_all(path: str) -> bool:
    """Whether a user without any right of its own may read below `path`."""
    parts = [Path(path), *Path(path).parents]
    return all(part.stat().st_mode & 0o5 == 0o5 or (part != parts[0] and part.stat().st_mode & 1) for part in parts)


def require_files() -> None:
    """Raises InterpreterError where this process may open fewer files than a cell, for which its limit holds, too."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if most != resource.RLIM_INFINITY and most < wire.NUM_FILES:
        raise InterpreterError(f"cells need {wire.NUM_FILES} open files, {most} are allowed. Allow more (ulimit -n)")


def require_inputs(paths: Iterable[str]) -> None:
    """Raises InterpreterError for input files that a cell could not read."""
    for path in map(Path, paths):
        if path.resolve().is_relative_to("/proc"):
            raise InterpreterError(f"input_files names {path}: what is below /proc is not shown to cells; give a copy")
        if not path.exists():
            raise InterpreterError(f"input_files names {path}, which does not exist")
        needed = 0o5 if path.is_dir() else 0o4  # root's cells run as a user who owns nothing
        if not (os.access(path, os.R_OK) if os.geteuid() else path.stat().st_mode & needed == needed):
            raise InterpreterError(f"input_files names {path}, which cells may not read; run: chmod -R o+rX {path}")


def rules_json(limits: SandboxLimits, layers: Layers, tells: bool, warm_up: str = "", temp_places: int = 1) -> str:
    """The orders to a clean parent, with more code for it to run at its start; see `worker.confine.Rules`."""
    path = search_path()
    hidden = not layers.namespaces and not all(_open_to_all(p) for p in path if Path(p).is_dir())
    return json.dumps(
        {name: getattr(limits, name) for name in _TOLD}
        | asdict(layers)
        | {
            "temp_bytes": limits.temp_bytes if has_folders(limits, layers) else 0,
            "temp_places": temp_places,
            "path": path,
            "warm_up": (_WARM_UP if limits.modules else "") + warm_up,
            # Where root's own folders hold Python, another user could not import: stay root, without its powers.
            "uid": 0 if hidden else _NOBODY,
            "exact": limits.observations == "exact",
            "tells": tells,
        }
    )
