#!/usr/bin/env bash
# Tunes a baseline on gold solutions, into outputs/optune/MODEL_DATASET.KIND. A stopped training goes on.
# Usage: bash scripts/optune/baseline.sh MODEL TRAIN_DATASET KIND [key=value ...]
#   KIND   full, lora, ia3, layernorm (checkpoints), bottleneck, reft or prefix (folders for tuned_dir)
case "${3:-}" in
    full | lora | ia3 | layernorm | bottleneck | reft | prefix) kind="$3" ;;
    *) sed -n '2,4s/^# //p' "$0" >&2; exit 2 ;;
esac
source "$(dirname "$0")/common.sh"
shift
gold="$result.gold.jsonl"
[ -s "$gold" ] || "$PYTHON" scripts/make_feedback.py --cfg configs/optune/attempts.yaml --qaf "$dataset" --output "$gold" --gold_only
exec $LAUNCH "$PYTHON" scripts/train_optune.py --cfg "configs/optune/$kind.yaml" "model_dir=$model" "feedback=[$gold]" "output_dir=$result.$kind" "$@"
