"""Where values come from: the engine's own head, a reward model, or an object passed in. They are estimates in [-1,
1] of how likely a partial solution leads to a right answer, +1 for certain."""

from mcts_math.values.rewards import ValuedPolicy

__all__ = ["ValuedPolicy"]
