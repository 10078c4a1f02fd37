"""`engine: openai`: any server with an OpenAI-compatible API."""
