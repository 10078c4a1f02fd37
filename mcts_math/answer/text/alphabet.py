"""One alphabet, mathematical symbols of Unicode as LaTeX commands, letters and digits in plain forms; its braces."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from mcts_math.answer.text.vocabulary import names

_SCRIPTS: Final = {
    "^": ("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ", "0123456789+-=()ni"),
    "_": ("₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₒₓₙₘₖᵢⱼ", "0123456789+-=()aeoxnmkij"),
}
_SCRIPT_RUNS: Final = tuple(
    (re.compile(f"[{raised}]+"), sign, str.maketrans(raised, plain)) for sign, (raised, plain) in _SCRIPTS.items()
)
_VULGAR: Final = re.compile("[¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]")
_MARKED: Final = re.compile("(?<![^\\W\\d_])(?:[A-Za-z][\u0302\u0304\u0305\u20d7]|[ŷȳ])(?![^\\W\\d_])")  # x̄, ŷ
_ACCENTS: Final = {"\u0302": "hat", "\u0304": "bar", "\u0305": "bar", "\u20d7": "vec"}
_CIRCLED: Final = re.compile("([①-⑳])(?=[①-⑳])")
# Each symbol, or symbols, with what it stands for: a plain character, or a command.
_MEANINGS: Final = names(
    "−–—‐‑‒﹣ -  ∗\u2062 *  \u2063 ,  \u2064 +  ∣ |  ٪ %  ⁄∕ /  ∶ :  ′’‘ '  “” \"  。 .  ⅈ i  ⅇ e  "
    r"×✕ \times  ·⋅∙ \cdot  ÷ \div  √ \sqrt  ∛ \cbrt  ± \pm  ∓ \mp  °º˚ ^\circ  ∞ \infty  ∫ \int  ∑ \sum  ∏ \prod  "
    r"≤⩽≦ \le  ≥⩾≧ \ge  ≠ \ne  ≈≃ \approx  ≡ \equiv  ∈ \in  ∉ \notin  ∪⋃ \cup  ∩ \cap  ∖ \setminus  ∅øØ \emptyset  "
    r"∧ \land  ∨ \lor  → \to  …⋯ \dots  ∠ \angle  △ \triangle  ∥ \parallel  ⊥ \perp  ℤ \mathbb{Z}  ℕ \mathbb{N}  "
    r"ℝ \mathbb{R}  ⌊⌞ \lfloor  ⌋⌟ \rfloor  ⌈⌜ \lceil  ⌉⌝ \rceil  ⟨ \langle  ⟩ \rangle  ¢ \text{cents}  "
    r"€ \euro  £ \pounds  ¥ \yen  ₹ \rupee  π \pi  α \alpha  β \beta  γ \gamma  δ \delta  ε \epsilon  ζ \zeta  η \eta  "
    r"θ \theta  κ \kappa  λ \lambda  μ \mu  ν \nu  ξ \xi  ρ \rho  σ \sigma  τ \tau  φϕ \phi  χ \chi  ψ \psi  ω \omega  "
    r"Δ \Delta  Ω \Omega  Θ \Theta  Λ \Lambda  Φ \Phi  Ψ \Psi  Γ \Gamma  ∘ \circ  ∴ \therefore  ⇒⟹ \implies  ⇔↔⟺ \iff  "
    r"¬ \neg  ⋯ \cdots  ≅ \cong  ∼ \sim  ∀ \forall  ∃ \exists  ∂ \partial  ∎■ \blacksquare  ✓✔ \checkmark  "
    r"ħ \hbar  ‰ /1000"
)
_SYMBOLS: Final = str.maketrans(
    {
        char: meaning + " " * ("\\" in meaning)
        for chars, meaning in zip(_MEANINGS[::2], _MEANINGS[1::2], strict=True)
        for char in chars
    }
)


def plain_alphabet(text: str) -> str:
    """`text` in ASCII, as far as its symbols have a name in LaTeX; words in other alphabets stay as they are."""
    for pattern, sign, plain in _SCRIPT_RUNS:
        text = pattern.sub(rf"{sign}{{\g<0>}}", text).translate(plain)
    text = _CIRCLED.sub(r"\1, ", text)
    text = _MARKED.sub(_marked, text)
    text = _VULGAR.sub(_vulgar, text).translate(_SYMBOLS)
    text = unicodedata.normalize("NFKC", text).translate(_SYMBOLS)
    return "".join(char for char in text if unicodedata.category(char) != "Cf")


def _marked(match: re.Match[str]) -> str:
    parts = unicodedata.normalize("NFD", match.group())
    return rf"\{_ACCENTS[parts[1]]}{{{parts[0]}}}"


def _vulgar(match: re.Match[str]) -> str:
    above, below = unicodedata.normalize("NFKD", match.group()).split("⁄")
    return rf"\frac{{{above}}}{{{below}}}"


_BRACE: Final = re.compile(r"\\.|[{}]", re.DOTALL)


def matching(text: str, start: int) -> int:
    """Index of the `}` that closes the `{` at `start`, or -1."""
    depth = 0
    for match in _BRACE.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if not depth:
            return match.start()
    return -1


def balanced(text: str) -> str:
    """`text` without a brace too many at its end. One too few may be a text that was cut, `3/8` of `3/80`."""
    depth = 0
    for match in _BRACE.finditer(text):
        depth += {"{": 1, "}": -1}.get(match.group(), 0)
        if depth < 0:
            return text[:-1] if match.end() == len(text) else text
    return text


def closing_braces(text: str) -> dict[int, int]:
    """Index of the `}` that closes it by index of every `{` that is closed, in one pass."""
    pending: list[int] = []
    closed: dict[int, int] = {}
    for match in _BRACE.finditer(text):
        if match.group() == "{":
            pending.append(match.start())
        elif match.group() == "}" and pending:
            closed[pending.pop()] = match.start()
    return closed
