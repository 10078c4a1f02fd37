"""`engine: hf`: models of transformers in this process."""
