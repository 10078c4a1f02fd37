"""Search strategies: generators over a tree. They ask for what they need and call nobody."""

from mcts_math.search.beam import beam_search
from mcts_math.search.expand import Expansion, Search
from mcts_math.search.extract import extract, prune
from mcts_math.search.mcts import MctsOptions, mcts
from mcts_math.search.react import react

__all__ = ["Expansion", "MctsOptions", "Search", "beam_search", "extract", "mcts", "prune", "react"]
