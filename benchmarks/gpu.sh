#!/usr/bin/env bash
# Measures on a GPU, in at most 8 minutes and without a network: benchmarks/gpu.py with the torch and transformers that
# the machine has. Arguments go to it, e.g. --device cpu --tiny. The table is printed, and all figures are in gpu.json.
#
# What else is missing goes into a folder beforehand, on a machine with a network and the same Python:
#   pip install --no-deps --target gpu-packages PACKAGE …
set -euo pipefail
cd "$(dirname "$0")/.."
export PYTHONPATH="$PWD:$PWD/gpu-packages${PYTHONPATH:+:$PYTHONPATH}" HF_HUB_OFFLINE=1
PYTHON=${PYTHON:-python3}

"$PYTHON" - << 'CHECK'
import importlib.util
import sys

names = {"yaml": "pyyaml", "latex2sympy2_extended": "latex2sympy2_extended antlr4-python3-runtime"}
needed = ("torch", "transformers", "accelerate", "pydantic", "yaml", "sympy", "mpmath", "latex2sympy2_extended",
          "jsonlines", "tqdm", "typing_extensions", "numpy")
missing = [name for name in needed if importlib.util.find_spec(name) is None]
if missing:
    packages = " ".join(names.get(name, name) for name in missing)
    sys.exit(f"{sys.executable} lacks {', '.join(missing)}. On a machine with a network and Python "
             f"{sys.version_info[0]}.{sys.version_info[1]}: pip install --no-deps --target gpu-packages {packages}")
CHECK
exec timeout 480 "$PYTHON" benchmarks/gpu.py "$@"
