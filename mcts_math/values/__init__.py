"""Where values come from. Searches ask in one way; what answers is the engine's own head, or an object passed in.

Values are estimates in [-1, 1] of how likely a partial solution leads to a right answer, +1 for certain.
"""

from mcts_math.values.source import ValuedPolicy

__all__ = ["ValuedPolicy"]
