#!/usr/bin/env bash
# Self-refine: the model criticises its own attempt and tries again.
# Usage: bash scripts/self_refine.sh MODEL DATASET [SEED [key=value ...]]; see solver.sh.
exec bash "$(dirname "$0")/solver.sh" self_refine "$@"
