"""Chemical formulas and equations, which no algebra reads: `\\ce{SO4^2-}` is `\\mathrm{SO_4^{2-}}`."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from mcts_math.answer.text.vocabulary import meanings

_STYLE: Final = re.compile(r"\\(?:ce|mathrm|text|rm|(?:up|down)arrow)(?![a-z])|\\[,;]| \^(?=[ }]|$)|[{}\s_$↑↓]")
_ARROW: Final = re.compile(
    r"(?:\\(?:to|(?:long|x)?rightarrow)(?![a-z])|-{1,3}>|[→⟶=])((?:\[.{0,40}?\]|\{.{0,40}?\}){0,2})"
)
_BOTH_WAYS: Final = re.compile(r"\\rightleftharpoons(?![a-z])|<-{1,3}>|<=>|[⇌⟷↔]")
_DOT: Final = re.compile(r"\\cdot(?![a-z])|[⋅•]|(?<=[A-Za-z\d)])\.(?=\d?[A-Z])")
_SUBSTANCE: Final = (
    r"(?:\d{0,3}e\^?-|\d{0,3}(?:[A-Z][a-z]?\d{0,3}|\((?:[A-Z][a-z]?\d{0,3}){1,9}\)\d{0,3}){1,20}"
    r"(?:\^?\d?[+-])?(?:\([a-z]{1,2}\))?)"
)
_FORMULA: Final = re.compile(rf"{_SUBSTANCE}(?:(?:[+>·]|<>){_SUBSTANCE}){{0,12}}")
_PLUS: Final = re.compile(r"\+(?=\d{0,3}[A-Z(e])")
_BARE: Final = re.compile(r"(?<=[A-Za-z\d)])(?<!\^\d)(?=[+-](?:[+>·(<]|$))")  # before a charge without a caret
_MAX_LENGTH: Final = 300
_ELEMENTS: Final = meanings(
    "H: hydrogen; He: helium; B: boron; C: carbon; N: nitrogen; O: oxygen; F: fluorine; Ne: neon; Na: sodium; "
    "Mg: magnesium; Al: aluminum aluminium; Si: silicon; P: phosphorus; S: sulfur; Cl: chlorine; Ar: argon; "
    "K: potassium; Ca: calcium; Mn: manganese; Fe: iron; Co: cobalt; Ni: nickel; Cu: copper; Zn: zinc; Br: bromine; "
    "Kr: krypton; Sr: strontium; Ag: silver; Sn: tin; I: iodine; Xe: xenon; Au: gold; Hg: mercury; Pb: lead; "
    "Po: polonium; Rn: radon; Ra: radium; Th: thorium; U: uranium; Np: neptunium; Pu: plutonium"
)
_NUCLIDE: Final = re.compile(r"\^(\d+)(?:_(\d+))?([A-Z][a-z]?)|([A-Za-z]{1,11})-(\d+)|([A-Z][a-z]|[A-Za-z]{3,11})")
_SHELL: Final = re.compile(r"(\d[spdf])(\d{1,2}?)(?=\d[spdf]|$)")
_CORES: Final = meanings("[Kr]4d105s25p6: [Xe]; [Ar]3d104s24p6: [Kr]; [Ne]3s23p6: [Ar]; [He]2s22p6: [Ne]; 1s2: [He]")


def same_particle(left: str, right: str) -> bool | None:
    """Whether two normalised texts are one nuclide, or one configuration of electrons; None where they are neither."""
    mine, theirs = _nuclide(left), _nuclide(right)
    if mine is not None and theirs is not None:
        return mine[:2] == theirs[:2] and (mine[2] == theirs[2] or not mine[2] or not theirs[2])
    shells = _shells(left), _shells(right)
    return shells[0] == shells[1] if all(shells) else None


def _nuclide(text: str) -> tuple[str, str, str] | None:
    """Symbol, mass number and charge number of `^{235}_{92}U` and `uranium-235`; the numbers may be missing."""
    plain = re.sub(r"^_(\d{1,3})(\^\d{1,3})", r"\2_\1", re.sub(r"\\(?:ce|mathrm|text)|[{}\s]", "", text))
    if len(text) > 60 or (match := _NUCLIDE.fullmatch(plain)) is None:
        return None
    mass, charge, symbol, name, number, alone = match.groups("")
    symbol = _ELEMENTS.get((name + alone).lower(), symbol + name + alone)
    return (symbol, mass + number, charge) if symbol in _ELEMENTS.values() else None


def _shells(text: str) -> tuple[str, ...] | None:
    """The shells of `[Ne]3s^1`, two or more, with their electrons."""
    plain = _STYLE.sub("", text).replace("^", "") if len(text) < _MAX_LENGTH else ""
    for core, shells in _CORES.items():
        plain = plain.replace(core, shells)
    found = ["".join(shell) for shell in _SHELL.findall(plain)]
    return tuple(sorted(found)) if len(found) > 1 and "".join(found) == plain else None


def same_formula(left: str, right: str) -> bool:
    """Whether two texts are one chemical formula or equation, however its indices and arrows are written."""
    above = [[label.strip("[]{}\\ ").replace("Δ", "Delta") for label in _ARROW.findall(text)] for text in (left, right)]
    if any(above[0]) and any(above[1]) and above[0] != above[1]:
        return False
    first, second = _plain(left), _plain(right)
    if not _FORMULA.fullmatch(first) or not _FORMULA.fullmatch(second):
        return False
    if ("^" in first) != ("^" in second):  # Na+ and Na^+
        first, second = first.replace("^", ""), second.replace("^", "")
    first, second = (_BARE.sub("^", side) if "^" in side else side for side in (first, second))
    return _sides(first) == _sides(second)


def _sides(formula: str) -> list[list[str]]:
    """The substances on each side of an equation, in any order."""
    return [sorted(_PLUS.split(side)) for side in re.split("(<?>)", formula)]


def _plain(text: str) -> str:
    if len(text) > _MAX_LENGTH:
        return ""
    text = _ARROW.sub(">", _BOTH_WAYS.sub("<>", text))
    return _DOT.sub("·", _STYLE.sub("", unicodedata.normalize("NFKC", text).replace("−", "-")))
