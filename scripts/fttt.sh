#!/usr/bin/env bash
# FTTT: an adapter a question learns from "Your answer is incorrect."
# Usage: bash scripts/fttt.sh MODEL DATASET [SEED [key=value ...]]; see solver.sh.
exec bash "$(dirname "$0")/solver.sh" fttt "$@"
