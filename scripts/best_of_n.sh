#!/usr/bin/env bash
# Best-of-n: independent attempts until one is right.
# Usage: bash scripts/best_of_n.sh MODEL DATASET [SEED [key=value ...]]; see solver.sh.
exec bash "$(dirname "$0")/solver.sh" best_of_n "$@"
