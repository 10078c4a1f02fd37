# Sourced by gen.sh, train.sh and baseline.sh: takes MODEL and TRAIN_DATASET off the arguments and names the files.
# LAUNCH (such as "torchrun --nproc-per-node 8 --no-python") starts a training in several processes.
set -euo pipefail
if [ $# -lt 2 ]; then sed -n '2,9s/^# //p' "$0" >&2; exit 2; fi
model="$1" dataset="$2"
shift 2
source "$(dirname "${BASH_SOURCE[0]}")/../env.sh" datasets,train
LAUNCH="${LAUNCH:-}"
name="${dataset//[\/:]/_}"
result="outputs/optune/$(basename "$model")_${name%.json*}"
feedback="$result.jsonl"
mkdir -p outputs/optune
