#!/usr/bin/env bash
# 32 samples of a tuned baseline at the questions that greedy decoding of the base model fails; right if any is.
# Usage: bash scripts/optune/baseline_scale.sh MODEL TUNED TEST_DATASET [SEED [key=value ...]]
#   TUNED  what baseline.sh has made: a checkpoint, or a folder that is put on MODEL
set -euo pipefail
if [ $# -lt 3 ]; then sed -n '2,4s/^# //p' "$0" >&2; exit 2; fi
base="$1" tuned="$2" dataset="$3" seed="${4:-42}"
if ! [[ "$seed" =~ ^[0-9]+$ ]]; then echo "SEED must be a whole number, not '$seed'" >&2; exit 2; fi
source "$(dirname "$0")/../env.sh" datasets,ttt
cases="$("$PYTHON" -m mcts_math.tasks.cases "$base" "$dataset")"
output="outputs/$(basename "$tuned").best_of_n.seed$seed.jsonl"
more=()
if [ -e "$tuned/tuned.json" ]; then more+=("model_dir=$base" "engine_args={tuned_dir: $tuned}"); else more+=("model_dir=$tuned"); fi
if [ -e "$cases" ]; then more+=(--exclude "$cases"); fi
if [ -s "$output" ]; then more+=(--resume); fi
exec "$PYTHON" solver_demo.py --cfg configs/attempts/best_of_n.yaml --qaf "$dataset" --output "$output" \
    ${more[@]+"${more[@]}"} n_generate_sample=8 "seed=$seed" "${@:5}"
