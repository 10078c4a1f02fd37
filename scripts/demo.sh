#!/usr/bin/env bash
# Sets up and runs the main job: greedy, step-level beam search and MCTS with the bundled model, then the table.
# Usage: bash scripts/demo.sh [NUMBER]     NUMBER of questions, default 100
set -euo pipefail
count="${1:-100}"
if ! [[ "$count" =~ ^[1-9][0-9]*$ ]]; then echo "NUMBER must be a whole number from 1 on, not '$count'" >&2; exit 2; fi
source "$(dirname "$0")/env.sh" "" # without arguments it would read ours

questions="outputs/demo/questions.jsonl"
mkdir -p outputs/demo
head -n "$count" data/mini/test.jsonl > "$questions"

results=()
for solver in greedy sbs mcts; do
    echo "== $solver: configs/mini/$solver.yaml"
    "$PYTHON" solver_demo.py --cfg "configs/mini/$solver.yaml" --qaf "$questions" \
        --output "outputs/demo/$solver.jsonl" --overwrite
    results+=("outputs/demo/$solver.jsonl")
done

echo
"$PYTHON" eval_output_jsonl.py --res_file "${results[@]}"
