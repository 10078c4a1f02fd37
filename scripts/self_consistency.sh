#!/usr/bin/env bash
# Self-consistency: the majority of 32 attempts.
# Usage: bash scripts/self_consistency.sh MODEL DATASET [SEED [key=value ...]]; see solver.sh.
exec bash "$(dirname "$0")/solver.sh" self_consistency "$@"
