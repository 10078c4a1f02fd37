#!/usr/bin/env bash
# One solver of SPEC part B on one data set; greedy.sh, revision.sh, beam_search.sh, best_of_n.sh, self_refine.sh,
# self_consistency.sh, fttt.sh and fttt_reflection.sh are this with the first argument filled in.
# Usage: bash scripts/solver.sh CONFIG MODEL DATASET [SEED [key=value ...]]
#   CONFIG   a file in configs/attempts/, without its ending
#   MODEL    a folder, or a name on the Hugging Face Hub
#   DATASET  MATH500, GSM8K, MBPP, HumanEval (from the Hub), one of these with a file (math500:test.jsonl), or a qaf file
# Greedy decoding writes the questions that it solves to metadata/; the others leave these out where that file exists.
# Results are under outputs/; a run that was stopped goes on.
set -euo pipefail
usage() { sed -n '4,9s/^# //p' "$0" >&2; exit 2; }
if [ $# -lt 3 ]; then usage; fi
here="$(cd "$(dirname "$0")" && pwd)"
config="$1" model="$2" dataset="$3" seed="${4:-42}"
if ! [[ "$seed" =~ ^[0-9]+$ ]]; then echo "SEED must be a whole number, not '$seed'" >&2; usage; fi
shift $(($# < 4 ? $# : 4))
case "$config" in fttt* | optune) extras=datasets,ttt ;; *) extras=datasets ;; esac
source "$here/env.sh" "$extras"

cases="$("$PYTHON" -m mcts_math.tasks.cases "$model" "$dataset")"
output="outputs/$(basename "${cases%_correct_cases.json}").$config.seed$seed.jsonl"
more=()
if [ "$config" = greedy ]; then more+=(--save_correct "$cases"); elif [ -e "$cases" ]; then more+=(--exclude "$cases"); fi
if [ -s "$output" ]; then more+=(--resume); fi
exec "$PYTHON" solver_demo.py --cfg "configs/attempts/$config.yaml" --qaf "$dataset" --output "$output" \
    ${more[@]+"${more[@]}"} "model_dir=$model" "seed=$seed" "$@"
