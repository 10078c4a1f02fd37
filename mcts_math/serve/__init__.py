"""Searches as a service that speaks OpenAI's chat protocol, each config as a model: see docs/serve.md."""
