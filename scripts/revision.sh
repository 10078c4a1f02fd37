#!/usr/bin/env bash
# Sequential revision: a conversation of attempts, each told that the one before was incorrect.
# Usage: bash scripts/revision.sh MODEL DATASET [SEED [key=value ...]]; see solver.sh.
exec bash "$(dirname "$0")/solver.sh" revision "$@"
