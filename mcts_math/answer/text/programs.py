"""What computer algebra and spreadsheets print: `Sqrt[3]/2`, `{{x -> 2}, {x -> 3}}`, `=PI()/2`."""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.text.vocabulary import CIRCULAR, FUNCTIONS, meanings

_NAMES: Final = {
    **{name.title(): name for name in FUNCTIONS},
    **{f"Arc{name.title()}": f"arc{name}" for name in CIRCULAR},
    **meanings("cbrt: CubeRoot; phi: EulerPhi; gcd: GCD; lcm: LCM; pow: Power; root: Surd"),
    **meanings("Rational: Rational; Sum: Sum; Product: Product; Limit: Limit; Integral: Integrate; Derivative: D"),
}
_CELLS: Final = {name.upper(): name for name in FUNCTIONS if name != "log"} | meanings(
    "pow: POWER; factorial: FACT; binomial: COMBIN"
)
_CALL: Final = re.compile(rf"(?<![A-Za-z\\])(?!D\[[^,]*\])({'|'.join(_NAMES)})\[([^\[\]]*)\]")
_CELL: Final = re.compile(rf"(?<![A-Za-z\\])(?:PI(\(\))|({'|'.join(_CELLS)})(?=\())")
_ARROW: Final = re.compile(r" ?(?:->|→|\\to(?![a-z])) ?")
_SOLUTION: Final = re.compile(r"[A-Za-z]\w{0,9}(?:->|→|\\to(?![a-z]))[^>→]*")
_MAX_DEPTH: Final = 20


def printed(text: str) -> str:
    """`text` with functions, solutions and sums of such programs in the notation that the grammar reads."""
    for _ in range(min(text.count("["), _MAX_DEPTH)):
        text = _CALL.sub(_applied, text)
    text = _CELL.sub(lambda found: "pi" if found[1] else _CELLS[found[2]], text) if "(" in text else text
    return _solved(text) if text[:1] == "{" or text[:2] == r"\{" else text


def _applied(call: re.Match[str]) -> str:
    """`Log[2, 8]` as a quotient of logarithms, other functions and their ranges with round brackets."""
    name, inner = call.groups()
    first, comma, rest = inner.partition(",")
    if name == "Log" and comma:
        return f"(log({rest})/log({first}))"
    known = _NAMES[name]
    return f"{known}({_ARROW.sub(', ', inner).translate({123: '(', 125: ')'}) if known.istitle() else inner})"


def _solved(text: str) -> str:
    """`{{x -> 2}, {x -> 3}}` as `x = 2 or x = 3`; other sets as they are."""
    inner = text.replace(r"\{", "{").replace(r"\}", "}")
    for _ in range(2):
        inner = inner[1:-1].strip() if inner[:1] == "{" and inner[-1:] == "}" else inner
    systems = [re.split(r", ?(?=[A-Za-z]\w{0,9} ?(?:->|→|\\to))", part) for part in re.split(r"\} ?, ?\{", inner)]
    stated = all(_SOLUTION.fullmatch(_ARROW.sub("->", item)) for system in systems for item in system)
    return " or ".join(", ".join(_ARROW.sub(" = ", item) for item in system) for system in systems) if stated else text
