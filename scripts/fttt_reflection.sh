#!/usr/bin/env bash
# FTTT with self-reflection.
# Usage: bash scripts/fttt_reflection.sh MODEL DATASET [SEED [key=value ...]]; see solver.sh.
exec bash "$(dirname "$0")/solver.sh" fttt_reflection "$@"
