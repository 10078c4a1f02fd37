"""What computer algebra and spreadsheets print: `Sqrt[3]/2`, `{{x -> 2}, {x -> 3}}`, `=PI()/2`."""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.text.vocabulary import CIRCULAR, meanings, names

_OF_ONE: Final = {
    **{f"Arc{name.title()}": f"arc{name}" for name in CIRCULAR},
    **{name.title(): name for name in (*CIRCULAR, *names("sqrt exp abs floor re im arg conjugate factorial gamma"))},
    **meanings("cbrt: CubeRoot; ceil: Ceiling; sgn: Sign; ln: Log; phi: EulerPhi; zeta: Zeta"),
}
_OF_SEVERAL: Final = meanings(
    "log: Log; binomial: Binomial; gcd: GCD; lcm: LCM; max: Max; min: Min; mod: Mod; pow: Power; root: Surd; "
    "Rational: Rational; Sum: Sum; Product: Product; Integral: Integrate; Derivative: D; Limit: Limit"
)
_CELLS: Final = {
    **{name.upper(): name for name in (*CIRCULAR, *names("sqrt exp ln log10 abs gcd lcm max min mod"))},
    **{f"A{name.upper()}": f"a{name}" for name in CIRCULAR},
    **meanings("pow: POWER; factorial: FACT; binomial: COMBIN"),
}
_CALL: Final = re.compile(rf"(?<![A-Za-z\\])({'|'.join({**_OF_ONE, **_OF_SEVERAL})})\[([^\[\]]*)\]")
_CELL: Final = re.compile(rf"(?<![A-Za-z\\])(?:PI(\(\))|({'|'.join(_CELLS)})(?=\())")
_RANGE: Final = re.compile(r"\{([^{}]*)\}")
_ARROW: Final = re.compile(r" ?(?:->|→|\\to(?![a-z])) ?")
_SOLUTION: Final = re.compile(r"[A-Za-z]\w{0,9}(?:->|→|\\to(?![a-z]))[^>→]*")
_MAX_DEPTH: Final = 20


def printed(text: str) -> str:
    """`text` with functions, solutions and sums of such programs in the notation that the grammar reads."""
    for _ in range(_MAX_DEPTH if "[" in text else 0):
        before, text = text, _CALL.sub(_applied, text)
        if text == before:
            break
    text = _CELL.sub(lambda found: "pi" if found[1] else _CELLS[found[2]], text) if "(" in text else text
    return _solved(text) if text[:1] == "{" or text[:2] == r"\{" else text


def _applied(call: re.Match[str]) -> str:
    """`Log[2, 8]` as a quotient of logarithms, other functions with round brackets; what is neither as it is."""
    name, inner = call.groups()
    first, comma, rest = inner.partition(",")
    if name == "Log" and comma:
        return f"(log({rest})/log({first}))"
    known = (_OF_SEVERAL if comma else _OF_ONE).get(name)
    if known is None:
        return call[0]
    args = _RANGE.sub(r"(\1)", _ARROW.sub(", ", inner)) if known.istitle() else inner
    return f"{known}({args})"


def _solved(text: str) -> str:
    """`{{x -> 2}, {x -> 3}}` as `x = 2 or x = 3`; other sets as they are."""
    inner = text.replace(r"\{", "{").replace(r"\}", "}")
    while inner[:1] == "{" and inner[-1:] == "}":
        inner = inner[1:-1].strip()
    systems = [re.split(r", ?(?=[A-Za-z]\w{0,9} ?(?:->|→|\\to))", part) for part in re.split(r"\} ?, ?\{", inner)]
    stated = all(_SOLUTION.fullmatch(_ARROW.sub("->", item)) for system in systems for item in system)
    return " or ".join(", ".join(_ARROW.sub(" = ", item) for item in system) for system in systems) if stated else text
