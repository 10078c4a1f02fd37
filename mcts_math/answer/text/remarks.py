"""What an answer says beside its value: a remark, a condition, the value once more, what follows yes or no."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import permutations
from typing import Final

from mcts_math.answer.text.habits import habits, rewritten
from mcts_math.answer.text.runs import is_word
from mcts_math.answer.text.spelled import spelled_number
from mcts_math.answer.text.things import same_things
from mcts_math.answer.text.units import UNITS
from mcts_math.answer.text.vocabulary import NUMBER_WORDS

# how a remark begins that is no part of the answer, after its bracket; and what may be the value, rounded
REMARK: Final = (
    r"(?:[\s$]|\\[ ,;(]){0,4}(?:(?:since|because|as|note|after|double|repeated|rounded|using"
    r"|reject\w{0,3}(?= \W{0,3}(?:[a-z]\W{0,3}=|\d|the\b))|(?:where|assuming)(?![^()]{0,100}(?:[<>]|\\(?:[gl]e|ne|[gl]t"
    r"|in)(?:q|qslant)?(?![a-z])))|correct to|take|exact(?:ly)?|by (?:the|[A-Z])|to the nearest"
    r"|(?:to )?(?:\d|one|two|three|four) (?:sig\w{1,9}|deci\w{1,6}|digits?|solutions?))\b|(?:to )?\d [sd]\.?[fp]\b"
    r"|(?:the answer|approx[a-z.]{0,9})(?=\)))"
)
NEARLY: Final = (
    r"(?:[\s$]|\\[ ,;(]){0,4}(?:\\approx|≈|\\sim|(?:(?:or|that is|i\.e\.,?) )?(?:approx[a-z.]{0,8}|about|roughly)\W)"
    r"(?=\W{0,6}\d)"
)
_BRACKET: Final = re.compile(  # with a percentage, an equals sign or a word in it: no factor
    r"(.{1,200}?)(?:[ ~]|\\ |(?<=\}))(?:\\text ?\{ ?)?"
    r"\(((?=[^()]{0,60}%| ?=|[^()]{0,60}(?<![\\A-Za-z])[A-Za-z]{2})[^()]{1,100})\)[ }]{0,3}",
    re.DOTALL,
)
_AGAIN: Final = re.compile(
    r"(?:(?:\\text ?\{)? ?,? ?(?<![A-Za-z])(?:or|that is|namely)\b|,? ?i\.e\.),?(?: equivalently,?)? ?(?:\} ?)?(?=\S)"
)
_MAX_LENGTH: Final = 300  # characters
_REPLY: Final = re.compile(
    r"(yes|no|true|false) ?[,;:] ?(?!(?:but|unless|if|only|except|never|not|when|whenever|where|provided|assuming"
    r"|exactly|precisely|sometimes|partly|partially|in (?:some|most|certain|theory|principle)"
    r"|for (?!(?:all|any|every|each)\b))\b)"
    r"(?!(?:.*(?:[,;] ?|and ))?(?:yes|no|true|false)(?: ?[,;]| and |$))(?:with |namely )?([a-z].*)",
    re.IGNORECASE | re.DOTALL,
)
_REASON: Final = re.compile(r"(?:because|since|as|by|due to)\b", re.IGNORECASE)
_OR: Final = re.compile(r"\bor\b|∨|\\(?:lor|vee)(?![a-z])", re.IGNORECASE)
_NUMERIC: Final = re.compile(
    rf"[-+\d<>=¬]|\\(?!text|mathrm|land|lor|wedge|vee)[a-z]|(?<![A-Za-z\\])(?-i:[a-z])(?![A-Za-z])"
    rf"|\b(?:{'|'.join(NUMBER_WORDS)})\b",
    re.IGNORECASE,
)


def said_twice(text: str) -> tuple[str, str] | None:
    """The two sayings of what may be one value: `1/2 or 0.5`, `18 (eighteen)`; None where there is but one."""
    if len(text) > _MAX_LENGTH:
        return None
    bracket = _BRACKET.fullmatch(text)
    parts = list(bracket.groups()) if bracket is not None else _AGAIN.split(text, maxsplit=1)
    sayings = [_AGAIN.sub("", part, count=1).strip(" ,=") if place else part for place, part in enumerate(parts)]
    return (sayings[0], sayings[1]) if len(sayings) == 2 and all(sayings) else None


def conflict(words: str, other: str) -> bool:
    """Whether two answers can't be the same: `A and B`, but `A or B`. Values of a variable may have either word."""
    if not _OR.search(words) and not _OR.search(other):
        return False
    mine, theirs = says_or(words), says_or(other)
    return mine is not None and theirs is not None and mine != theirs


def says_or(words: str) -> bool | None:
    """Whether "or" joins the words of an answer; None where it has numbers, or is logic."""
    if len(words) > _MAX_LENGTH or _NUMERIC.search(words):
        return None
    return _OR.search(words) is not None


def replied(words: str) -> tuple[str, str]:
    """`Yes, it converges` as the reply and what it says beside; other words as they are, with nothing beside."""
    reply = _REPLY.fullmatch(words) if len(words) <= _MAX_LENGTH else None
    if reply is None:
        return words, ""
    return reply[1], reply[2]


def same_remark(left: str, right: str) -> bool:
    """Whether what is said beside yes or no may be the same: a reason, or words of which one side says more."""
    if _REASON.match(left) or _REASON.match(right):
        return True
    return len(left) > 1 < len(right) and same_things(left, right)


_MOST_PERMUTED: Final = 4  # entries of a tuple


def _permuted(match: re.Match[str]) -> str:
    """A tuple and its permutations, or its rotations, as a list; as it was where these are too many."""
    cyclic, entries = match[1] or match[4], (match[2] or match[3]).split(",")
    if not 2 <= len(entries) <= _MOST_PERMUTED:
        return match[0]
    turns = [entries[place:] + entries[:place] for place in range(len(entries))]
    found = dict.fromkeys(map(tuple, turns if cyclic else permutations(entry.strip() for entry in entries)))
    return ", ".join(f"({','.join(items)})" for items in found)


_PLAIN: Final = r"(-?\d{1,15}(?:\.\d{1,15}|/[1-9]\d{0,14})?)( ?\\?%|)"


def _number_again(match: re.Match[str]) -> str:
    """`7 (seven)`; `9 (apples)` is a number with its unit, `5(x-y)` a product."""
    value = spelled_number(match[2])
    if value is None:
        counted = "-" not in match[2] and any(map(is_word, match[2].split()))
        return f"{match[1]} {match[2]}" if counted else match[0]
    return match[1] if match[1].replace(",", "") == str(value) else match[0]


def _in_two_ways(match: re.Match[str]) -> str:
    """`0.25 (25%)`; `2 (3)` is a product."""
    first, second = (
        Fraction(number) / (100 if percent else 1) for number, percent in (match.group(1, 2), match.group(3, 4))
    )
    return match[0] if first != second or match[1] == match[3] else match[1] + match[2]


_REJECTED: Final = r"(?:extraneous|reject(?:ed)?|discarded|invalid|not valid)\)"
_HABITS: Final = habits(
    (
        ("(", rf"^[^,;()]{{1,60}} \({_REJECTED} ?(?:,|or|and) |(?:,| or| and) [^,;()]{{1,60}} \({_REJECTED}$", ""),
        (" (", rf"(?<=[\w}})\]]) \([^()]{{1,60}} (?:is|are) {_REJECTED}$", ""),
        ("(", rf"(?<=.) ?\( ?{REMARK}[^()]*(?:\([^()]*\)[^()]*)?\)$", ""),
        ("(", rf"^(?=[^(]{{0,200}}[\\/A-Za-z])(.*?) ?\( ?{NEARLY}[^()]*\)$", r"\1"),  # 5 (about 6) says two things
        ("(in ", r" ?\(in ([A-Za-z]{1,20})\)$", lambda m: f" {m[1]}" if m[1] in UNITS else m[0]),
        (" (", rf"^{_PLAIN} \((?:or |= ?)?{_PLAIN}\)$", _in_two_ways),
        ("(", r"^(-?[\d.,/]*\d) ?\(([a-z -]+)\)$", _number_again),
        ("permutation", r"(?:all )?(?:the |of )*(cyclic )?permutations of \(([^()]{1,60})\)"
         r"|\(([^()]{1,60})\),? (?:(?:and|with|or|plus|together with|along with) )?(?:all )?(?:of )?"
         r"(?:its |their |the )?(?:possible )?(cyclic )?permutations(?: thereof| of (?:it|them))?", _permuted),
        ("(", r"(?<=[\w}])(?<![A-Za-z]{2})(?<!P)(?=\([a-z] ?(?:[<>]|\\(?:ne|[gl]e)(?=q|\W))[^()]*\)$)", " "),
        ("const", r"\+ ?(?:an? )?(?:arbitrary )?const(?:ant)?\.?$", "+ C"),
        ("ll", r"^(?:[Ff]or )?[Aa]ll (?:real )?(?:numbers |values of )?(?=[a-z] ?(?:[<>]|\\[gln]e|\\in))", ""),
        (r"\in", r",? ?\b(?:for|where|with) (?:(?:all|any|every|some|each) )?(?:real )?(?=[a-z] ?\\in)", ", "),
        ("integer", r",? ?\b(?:(?:where|with|for) )?([b-z]),? (?:is )?(?:an |any )?integer$",
         r", \1 \\in \\mathbb{Z}"),
    )
)  # fmt: skip


def without_remarks(words: str) -> str:
    """`words` without a remark in brackets behind them, and with what they say of a tuple or a letter as a formula."""
    return rewritten(words, _HABITS) if len(words) <= _MAX_LENGTH else words


_CONDITIONAL: Final = re.compile(
    r"\b(?:if|for|when|where|with|provided|assuming|constants?|otherwise|elsewhere)\b|[\w})\]] \("
)
_WORD: Final = re.compile(r"(?<![A-Za-z\\])[A-Za-z]{2,40}")
_LETTERS: Final = r"[A-Za-z](?:_\{?\w\}?)?(?:(?:, ?and | and |, ?)[A-Za-z](?:_\{?\w\}?)?)*"
_KINDS: Final = r"(?:constants?|reals?|real (?:numbers?|constants?))"
_FREE: Final = (  # what is said of a constant that may be any number
    rf"{_LETTERS} (?:(?:is|are|being) )?(?:(?:an?|any|some|arbitrary|real) )*{_KINDS}(?: of integration)?"
)
_CONSTANTS: Final = re.compile(
    rf"(.*?[\w}})\]])(?:(?: ?,? (?:where|with|and|for)|,) {_FREE}|,? ?\((?:where |with )?{_FREE}\)"
    rf"|,? (?:where|with|for) (?:(?:an?|any|some|every|all|arbitrary) )*(?:{_KINDS}|real) {_LETTERS})"
)
_IF: Final = (
    r"(?:if|for|when|where|with|whenever|provided(?: that)?|assuming|valid for)"
    r"(?: (?:all|any|every|each|real|integers?))*"
)
_ATTACHED: Final = re.compile(
    rf"(?P<value>.*?[\w}})\]])(?:,? {_IF} (?P<at>\S.*)|(?<! P)(?<!Pr) \((?:{_IF} )?(?P<in>[^()]*)\))"
)
_SIGN: Final = r"(?:[<>]=?|!=|\\(?:leq?|geq?|lt|gt|neq?|[lg]eqslant)(?![a-z]))"
_SIDE: Final = r"[\w\\{}|.^()*/+ -]{1,40}?"
_BOUND: Final = re.compile(rf"{_SIDE}(?: ?{_SIGN} ?{_SIDE}){{1,2}}")
_EQUAL: Final = re.compile(rf"{_SIDE} ?= ?{_SIDE}")
_PARITY: Final = re.compile(r"([a-z])(?: is)? (even|odd)|(even|odd) ([a-z])")
_PARTS: Final = re.compile(r" ?[,;] (?:and )?| and ")
_PIECE: Final = re.compile(
    r"(?P<value>.*?\S) (?:(?:if|for|when|where) (?P<at>.+)|\((?P<in>[^()]+)\)|otherwise|else(?:where)?)"
)
_LETTER: Final = re.compile(r"(?<![A-Za-z\\])[A-Za-z](?![A-Za-z])")
_LABEL: Final = re.compile(r"([a-zA-Z](?:\([a-z]\)|_\{?[a-z]\}?)?) ?= ?(.+)")


def conditioned(words: str) -> str:
    """`x^2 for x > 0` as value and condition, `1 if n is even, 0 otherwise` as cases; other words as they are.

    That a letter is any constant goes without saying, and so does which solution is chosen: `x = 5, where x > 0`.
    """
    if len(words) > _MAX_LENGTH or _CONDITIONAL.search(words) is None:
        return words
    if (cases := _cases(words)) is not None:
        return cases
    if (match := _CONSTANTS.fullmatch(words)) is not None:
        return match[1]
    match = _ATTACHED.fullmatch(words)
    if match is None or _is_prose(match["value"]):
        return words
    conditions = _PARTS.split(match["at"] or match["in"])
    stated = all(_BOUND.fullmatch(condition) and not _is_prose(condition) for condition in conditions)
    if not stated:
        return words
    letters = [set(_LETTER.findall(text)) for text in (match["value"], *conditions)]
    solved = _LABEL.fullmatch(match["value"]) is not None and letters[0] == set().union(*letters[1:])
    return match["value"] if solved and len(letters[0]) == 1 else ", ".join([match["value"], *conditions])


def _is_prose(text: str) -> bool:
    return any(map(is_word, _WORD.findall(text)))


def _cases(words: str) -> str | None:
    """The cases of a function that are said one after another; None for anything else."""
    parts = _PARTS.split(re.sub(r", (?=(?:if|for|when|where|otherwise|else(?:where)?)\b)", " ", words))
    pieces = [_PIECE.fullmatch(part) for part in parts]
    rows: list[str] = []
    label = ""
    for piece in pieces:
        condition = None if piece is None else _condition(piece)
        if piece is None or condition is None or len(pieces) < 2:
            return None
        value, named = piece["value"], _LABEL.fullmatch(piece["value"])
        if named is not None and (not rows or named[1] == label):
            label, value = named.groups()
        if "=" in value or _is_prose(value):
            return None
        rows.append(f"{value} & {condition}")
    system = r"\begin{cases}" + r" \\ ".join(rows) + r"\end{cases}"
    return f"{label} = {system}" if label else system


def _condition(piece: re.Match[str]) -> str | None:
    """On what a piece holds; None where that is told in other words."""
    condition = piece["at"] or piece["in"]
    if condition is None:
        return r"\text{otherwise}"
    if (parity := _PARITY.fullmatch(condition)) is not None:
        return rf"{parity[1] or parity[4]} \text{{ {parity[2] or parity[3]}}}"
    stated = _BOUND.fullmatch(condition) or _EQUAL.fullmatch(condition)
    return condition if stated and not _is_prose(condition) else None
