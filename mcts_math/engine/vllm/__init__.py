"""`engine: vllm`: vLLM, which runs in processes of its own."""
