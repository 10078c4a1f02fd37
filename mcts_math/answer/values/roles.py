"""What a letter stands for where nothing is said of it: the conventions that reading and comparing share."""

from __future__ import annotations

from typing import Final

from mcts_math.answer.text.vocabulary import names

INTEGERS: Final = frozenset(names("n m k i j l N M K"))
"""Variables of a function of integers, which shows where a floor, a factorial or a parity holds one."""
COUNTERS: Final = names("n N m k")
"""Indices of a series and of a family of solutions, the likeliest first."""
UNKNOWNS: Final = frozenset(names("c C x y"))
"""Letters that are hardly integers."""
PARAMETERS: Final = frozenset(names("s t u r a k n m lambda mu theta phi"))
"""What moves along a line."""
ALONG: Final = frozenset(names("s t u r lambda mu"))
"""Those of them that move even where nothing is said."""
VARIABLES: Final = frozenset(names("x y z s t u theta"))
"""What a function with constants of integration depends on."""
DEPENDENT: Final = frozenset(names("u v w y z"))
"""What may be a function of another variable."""
ANGLES: Final = frozenset(names("x t z theta alpha phi"))
COORDINATES: Final = frozenset(names("x y z t r theta"))
COMPLEX: Final = frozenset(names("z w"))
"""Variables that may be complex, which shows where a modulus or a conjugate is taken of one."""
ADDED: Final = frozenset(names("C K c C_0 C_1 c_0 c_1"))
"""Constants of integration that may stand alone, and be added."""
NUMBERED: Final = frozenset(f"{letter}_{index}" for letter in "CcKk" for index in range(5))
CONSTANTS: Final = ADDED | NUMBERED | {"A", "B", "D"}
"""All that are constants of integration by themselves."""
FREE: Final = CONSTANTS | frozenset(names("a b d k m p q P Q alpha beta lambda mu phi delta R"))
"""What may be one beside such a constant."""
