# Sourced by the other scripts: makes .venv with what the project needs, once, and leaves $PYTHON set.
# Usage: source scripts/env.sh [EXTRA[,EXTRA]]     MCTS_MATH_PYTHON chooses the interpreter to start from.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
extras="${1:+[$1]}"
PYTHON="$PWD/.venv/bin/python"
stamp=".venv/.installed-$(cat requirements.txt pyproject.toml | cksum | cut -d' ' -f1)-${1:-run}"

if [ ! -e "$stamp" ]; then
    base="${MCTS_MATH_PYTHON:-python3}"
    "$base" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
        echo "error: $base is older than Python 3.10. Set MCTS_MATH_PYTHON to a newer one." >&2
        exit 2
    }
    [ -x "$PYTHON" ] || "$base" -m venv .venv
    echo "installing into .venv (once) …"
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --editable ".$extras"
    touch "$stamp"
fi
