"""Search strategies: generators over a tree. They ask for what they need and call nobody."""

from mcts_math.search.attempts import Budget
from mcts_math.search.beam import beam_search
from mcts_math.search.best_of_n import best_of_n
from mcts_math.search.expand import Expansion, Search
from mcts_math.search.extract import extract, prune
from mcts_math.search.fttt import fttt
from mcts_math.search.mcts import MctsOptions, mcts
from mcts_math.search.react import react
from mcts_math.search.revision import revision
from mcts_math.search.self_consistency import self_consistency
from mcts_math.search.self_refine import self_refine
from mcts_math.search.token_beam import token_beam

__all__ = [
    "Budget",
    "Expansion",
    "MctsOptions",
    "Search",
    "beam_search",
    "best_of_n",
    "extract",
    "fttt",
    "mcts",
    "prune",
    "react",
    "revision",
    "self_consistency",
    "self_refine",
    "token_beam",
]
