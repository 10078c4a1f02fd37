"""Who writes: the engines (`hf`, `vllm`, `openai`), what they declare (`table`), and how one is loaded (`load`)."""
