#!/usr/bin/env bash
# Attempts of a model at training questions, with verdicts and gold solutions, into outputs/optune/MODEL_DATASET.jsonl
# Usage: bash scripts/optune/gen.sh MODEL TRAIN_DATASET [key=value ...]     e.g. CKPT gsm8k:train.jsonl
source "$(dirname "$0")/common.sh"
exec "$PYTHON" scripts/make_feedback.py --cfg configs/optune/attempts.yaml --qaf "$dataset" --output "$feedback" "model_dir=$model" "$@"
