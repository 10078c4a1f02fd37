#!/usr/bin/env bash
# Greedy decoding; the questions that it solves go to metadata/MODEL_DATASET_correct_cases.json.
# Usage: bash scripts/greedy.sh MODEL DATASET [SEED [key=value ...]]; see solver.sh.
exec bash "$(dirname "$0")/solver.sh" greedy "$@"
