"""Running programs: results files, resuming, re-scoring, command lines."""
