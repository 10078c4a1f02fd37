"""Runs the Python that a model writes, in a real sandbox, with one process per state. See `docs/interpreter.md`.

async with SandboxInterpreter() as interpreter:
    request = Execute("question 1", history=(Cell("x = 41"),), cell=Cell("x + 1"))
    print((await interpreter.execute(request)).text)
"""

from mcts_math.interpreter.blocking import BlockingInterpreter
from mcts_math.interpreter.interpreter import SandboxInterpreter
from mcts_math.interpreter.levels import Isolation, Level, probe
from mcts_math.interpreter.options import SandboxLimits

__all__ = ["BlockingInterpreter", "Isolation", "Level", "SandboxInterpreter", "SandboxLimits", "probe"]
