#!/usr/bin/env bash
# Trains a rule on what gen.sh made, into outputs/optune/MODEL_DATASET.rule. A stopped training goes on.
# Usage: bash scripts/optune/train.sh MODEL TRAIN_DATASET [key=value ...]
source "$(dirname "$0")/common.sh"
exec $LAUNCH "$PYTHON" scripts/train_optune.py --cfg configs/optune/rule.yaml "model_dir=$model" "feedback=[$feedback]" "output_dir=$result.rule" "$@"
