"""Habits in writing measures, bases, times and remarks behind a number: rules of the kind that `notations` lists."""

from __future__ import annotations

import re
from typing import Final

from mcts_math.answer.text.habits import habits
from mcts_math.answer.text.units import UNITS
from mcts_math.answer.text.vocabulary import names

_SCALES: Final = {"K": "thousand", "k": "thousand", "M": "million", "B": "billion"}
_NAME: Final = r"(?:\\(?:text|mathrm)\{)? ?([A-Za-z]+)"
_POWER: Final = r" ?(?:\^\{?(\d)\}?)?"
_FACTORS: Final = (  # of a unit, each in a command of its own
    r"(?=\\(?:text|mathrm)\{)(?:\\(?:text|mathrm)\{[A-Za-z]{1,4}(?: ?(?:\\cdot ?)?[A-Za-z]{1,4})?\}|\\cdot(?![a-z])"
    r"|\^\{?-?\d\}?|(?:\{ ?\})?\^\{?\\circ\}? ?\\(?:text|mathrm)\{C\}|[ ()/]){1,20}"
)
_SYMBOL: Final = r"(?:\\Omega|\^\{?\\circ\}? ?C|[A-Za-zμ]{1,4})(?:\^\{?-?\d\}?)?"  # of a unit
_BARE: Final = frozenset(names("m g s h L J N W C A V K T ohm dB ppm"))  # what may stand behind a number without more
_TOGETHER: Final = re.compile(  # units, where `m g h` are variables
    r"(?:[kMGmμ]?(?:N m(?:\^2)?|N s|J s|[AW] h|V A|V s)|m?Pa s|C m|kg m(?:\^2)?|[kcmd]?m\^-?[1-3]|s\^-[12]|[A-Za-zμ]+)"
    r"(?: [A-Za-zμ]+\^-\d)*(?:/.*)?"
)


def _unit_quotient(match: re.Match[str]) -> str:
    above, power, below, lower = match.groups("")
    if above not in UNITS or below not in UNITS or match[0].count("(") != match[0].count(")"):
        return match[0]
    return rf"\text{{ {above}{'^' * bool(power)}{power}/{below}{'^' * bool(lower)}{lower}}}"


def _units_joined(match: re.Match[str]) -> str:
    """`\\mathrm{J} / (\\mathrm{mol} \\cdot \\mathrm{K})`, or with its quotient as a fraction, as one unit."""
    unit = match[1] or f"{match[2]}/({match[3]})"
    unit = re.sub(r"(?:\{ ?\})?\^\{?\\circ\}? ?\\(?:text|mathrm)\{C\}", r" celsius", unit)
    unit = " ".join(re.sub(r"\\(?:text|mathrm|cdot)|[{}]", " ", unit).split())
    names = re.findall("[A-Za-z]+", unit)
    known = len(names) > 1 and all(name in UNITS for name in names) and unit.count("(") == unit.count(")")
    return "\\text{ " + re.sub(r" ?([()/^]) ?", r"\1", unit) + "}" if known else match[0]


def _bare_units(match: re.Match[str]) -> str:
    """`15 N` and `20 N m`: names of units behind a number that is all else, and no variables."""
    unit = re.sub(r"\^\{?\\circ\}? ?C", "celsius", match[2]).replace(r"\cdot", " ").replace(r"\Omega", "ohm")
    names = re.findall(r"[A-Za-zμ]+", unit)
    bare = _BARE | {"M"} if "." in match[1] else _BARE  # 0.5 M is a concentration, 5 M may be millions
    known = all(name in UNITS for name in names) and (len(names) > 1 or names[0] in bare)
    plain = re.sub(r" ?/ ?", "/", re.sub(r"\^\{?(-?\d)\}?", r"^\1", " ".join(unit.split())))
    known = known and _TOGETHER.fullmatch(plain) is not None
    return rf"{match[1]}\text{{ {unit}}}" if known else match[0]


MEASURES: Final = habits(
    (
        (r"\circ", r"(?<!\d)(\d{1,3})\^\{? ?\\circ\}? ?(\d{1,2}) ?(?:'|\^\{?\\prime\}?)"
         r"(?: ?(\d{1,2}) ?(?:''|\"))?(?= ?[NSEW]?$)",
         lambda m: rf"({m[1]}+\frac{{{m[2]}}}{{60}}+\frac{{{m[3] or 0}}}{{3600}})^\circ"),
        (r"\circ", r"^(\(?\d\S*)\^\{?\\circ\}? ?(?:\\text\{)?([NSEW])\}?$", r"\1^\\circ, \\text{\2}"),
        ("A", r"\\(?:mathrm|text)\{\\AA\}|\\AA(?![a-z])|\\mathring\{A\}", r"\\text{ Å}"),
        (r"\mu",
         r"(?<=[\d}]) ?(?:\\(?:text|mathrm)\{)?\\mu ?(?:\\(?:text|mathrm)\{)?([msgLFAVWCJ])(?:\}){0,2}$",
         r"\\text{ μ\1}"),
        ("\\", rf"(?<=[\d}}])(?: ?({_FACTORS})| ?\\frac\{{({_FACTORS})\}}\{{({_FACTORS})\}})$", _units_joined),
        ("项", r"^([A-Z]) ?选?项$|^选项 ?([A-Z])$", r"\1\2"),
        ("+", r"\+/-|^\+-(?=[\d\\])", r"\\pm "),
        (r"\$", r"^(\\\$ ?[\d.,]+) ?/ ?(?=[a-z]+$)", r"\1 per "),
        (r"\$", r"^(\\\$ ?-?[\d.,]+) ?([KkMB])$", lambda m: f"{m[1]} {_SCALES[m[2]]}"),
        ("", r"^(-?[\d.]+) ?(?:\\text\{)?([A-Za-z]+(?: ?/ ?[A-Za-z]+)?(?:\^\{?\d\}?)?)\}?,? (?:\\text\{)?"
         r"(?:(?:to the|due|towards? the|in the) )?(north|south|east|west)(?:wards?|erly)?(?: direction)?\}?$",
         r"\1\\text{ \2 \3}"),
        (r"\circ", r"\\text\{([^{}]{1,20}/[A-Za-z]{1,3})\}\^\{?\\circ\}? ?\\(?:text|mathrm)\{C\}$",
         r"\\text{ \1 celsius}"),
        ("clock", r"^(\d{1,2}) ?o ?'? ?clock", r"\1:00"),
        (" at ", r"(?<=[A-Za-z)}\d]) at (?=-?\d)", r" \\text{at} "),  # 10 N at 30 degrees, no product of a and t
        (". ", r"(?<=\d) ?(ft|in|yd|mi|lb|oz|hr|min|sec)s?\. (?=\d)", r" \1 "),
        (r"\Omega", r"(?<=[\d }])(?:\\(?:text|mathrm)\{)?([kMGmμ])\}? ?\\Omega(?![a-zA-Z])\}?",
         r"\\text{ \1ohm}"),
        ("/", rf"(?<=\d) ?\(? ?([A-Za-z]+){_POWER} ?/ ?\(? ?([A-Za-z]+){_POWER} ?\)?$", _unit_quotient),
        (" ", r"^((?:[a-zA-Z] ?= ?)?-?[\d.,/]+(?:[eE]-?\d{1,3})?(?: ?\\times ?10\^\{?-?\d{1,3}\}?)?) "
         rf"({_SYMBOL}(?:(?: ?\\cdot ?| ?/ ?\(?| ){_SYMBOL}){{0,3}}\)?)$", _bare_units),
        ("h", r"^(\d+) ?h(?:rs?|ours?)? ?(\d+) ?m(?:ins?|inutes?)?$", r"\1 hours \2 minutes"),
        (" ", r"^(\d[\d.]*) ?([a-z]+) (\d[\d.]*) ?([a-z]+)$",
         lambda m: rf"{m[1]}\text{{ {m[2]} }}{m[3]}\text{{ {m[4]}}}" if {m[2], m[4]} <= UNITS.keys() else m[0]),
        ("'", r"^(\d+) ?'(?=(?: ?\d+ ?(?:\"|''))?$)", r"\1 ft "),
        ("", r"(?<=\d) ?(?:\"|'')$", " in"),
        (" x ", r"(?<=\d) x (?=\d[\d.,]*(?![\d.,]| ?(?:\\text\{)?[A-Za-z]{2}))", r" \\times "),
        ("base", r"^(\d[\dA-F]*|[A-F][\dA-F]+) ?(?:\\text\{)?\(? ?(?:in )?base[ }]*(\d{1,2})[ )}]*$", r"\1_{\2}"),
        ("_", r"(?<![\w\\])(?:\\(?:text|mathrm)\{)?([A-F][\dA-F]{1,15})\}?_\{?16\}?(?!\d)", r"0x\1"),
        ("#", r"^(?:\\?# ?){1,6}(?=[\d\\-])", ""),
        ("angle", r"^(?:triangle|angle) (?=[A-Z]{2,4}$)", ""),
        ("\\", r"^\\(?:text|mbox|textbf|textrm|mathrm)\{([^{}\\$\d]*\d[^{}\\$]*)\}$", r"\1"),
        # what Python prints
        ("datetime", r"\bdatetime\.time\((\d+), (\d+)(?:, 0)*\)", lambda m: f"{m[1]}:{int(m[2]):02d}"),
        ("_", r"\b(?:np|numpy)\.(True|False)_", r"\1"),
        ("_", r"(?<![A-Za-z\d)}\]])_(?=[a-z]\b)", ""),
    )
)  # fmt: skip
