#!/usr/bin/env bash
# Token-level beam search of width 32.
# Usage: bash scripts/beam_search.sh MODEL DATASET [SEED [key=value ...]]; see solver.sh.
exec bash "$(dirname "$0")/solver.sh" token_beam "$@"
