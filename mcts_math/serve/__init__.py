"""Searches as a service that speaks OpenAI's chat protocol: `python -m mcts_math.serve --cfg configs/mini/sbs.yaml`.

Each config is a model. All requests of configs that agree in engine, checkpoint and sandbox share one scheduler, so the
engine batches them. See docs/serve.md.
"""
