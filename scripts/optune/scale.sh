#!/usr/bin/env bash
# 32 trials of OpTune at the questions that greedy decoding fails (scripts/greedy.sh), by a rule of train.sh
# Usage: bash scripts/optune/scale.sh MODEL RULE TEST_DATASET [SEED [key=value ...]]
if [ $# -lt 3 ]; then sed -n '2,3s/^# //p' "$0" >&2; exit 2; fi
exec bash "$(dirname "$0")/../solver.sh" optune "$1" "$3" "${4:-42}" "optune_dir=$2" "${@:5}"
