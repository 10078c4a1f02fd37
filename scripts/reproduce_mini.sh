#!/usr/bin/env bash
# Reproduces self-training with the bundled model: base -> round 1 -> round 2 -> round 3, on 2 CPU cores.
# Give the same command again to go on after a stop. Arguments change keys of configs/mini/rounds.yaml, e.g. num_rounds=1.
set -euo pipefail
source "$(dirname "$0")/env.sh" train,plots

export OMP_NUM_THREADS=1        # the searches are processes side by side; the training sets its own number
export OMP_WAIT_POLICY=passive  # threads that wait leave the cores to others
exec "$PYTHON" scripts/self_train.py --cfg configs/mini/rounds.yaml "$@"
