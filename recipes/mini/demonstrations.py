"""Demonstrations: worked solutions written by program, deliberately imperfect.

Every family has a plan: the right cells, and slips, each of which replaces the cells from some step on. What makes
the model right only part of the time, and different from sample to sample:

1. A step opens in a careful way ("First, ...", "Then ...") or in a hurried one ("Simply ..."). Hurried steps are
   mostly wrong in one of several ways, careful ones mostly right.
2. How often a demonstration is hurried depends on features of the question that the model can see (how many terms,
   which template): `Plan.care` is `firm` or `shaky`. Random noise would be averaged out by greedy decoding; this is
   not. For a shaky question "hurried" is the likeliest opening, though no single wrong answer need be likelier than
   the right one.
3. Now and then there is a useless step, or a check that may recover from a slip.

The slip is to be seen in the text of the step, so that a value head can learn to recognise it.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from questions import Equation, Question, load_gym

Care = Literal["firm", "shaky"]


@dataclass(frozen=True)
class Cell:
    """What one step says it does (an imperative clause) and its code."""

    goal: str
    code: str


@dataclass(frozen=True)
class Slip:
    """From step `at` (0 is the first) on, these cells take the place of the right ones."""

    at: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Plan:
    """How one question is solved.

    Attributes:
        right: the right cells; the last one's observation is the answer.
        slips: wrong ways; the first is the commonest, and its step is where the slips of this question branch off.
        care: how often demonstrations of such a question slip.
        check: a cell that computes the whole answer afresh, or None.
    """

    right: tuple[Cell, ...]
    slips: tuple[Slip, ...]
    care: Care
    check: Cell | None = None


@dataclass(frozen=True)
class Rates:
    """The probabilities behind the demonstrations.

    Attributes:
        hurried: of a hurried step, per care.
        hurried_right: that a hurried step is right after all.
        careful_wrong: that a careful solution slips nevertheless.
        useless: of a useless step; check: of a check at the end.
        slip_weights: of the slips at the branching step, commonest first.
    """

    hurried: dict[Care, float] = field(default_factory=lambda: {"firm": 0.22, "shaky": 0.66})
    hurried_right: float = 0.12
    careful_wrong: float = 0.06
    useless: float = 0.05
    check: float = 0.10
    slip_weights: tuple[float, ...] = (0.5, 0.3, 0.2)


@dataclass(frozen=True)
class Thought:
    """A step as the demonstration has it: the sentence and the code."""

    sentence: str
    code: str


def demonstrate(plan: Plan, rates: Rates, rng: random.Random) -> list[Thought]:
    """One demonstration of a plan; whether it is right shows when its code is run."""
    branch = plan.slips[0].at if plan.slips else 0
    hurried = bool(plan.slips) and rng.random() < rates.hurried[plan.care]
    cells, slipped_at = plan.right, branch if hurried else -1
    if hurried and rng.random() >= rates.hurried_right:
        here = [slip for slip in plan.slips if slip.at == branch]
        slip = _pick(here, rates.slip_weights, rng)
        cells = plan.right[:branch] + slip.cells
    elif not hurried and plan.slips and rng.random() < rates.careful_wrong:
        slip = rng.choice(plan.slips)
        cells = plan.right[: slip.at] + slip.cells
    thoughts = [_say(cell, index, index == slipped_at, rng) for index, cell in enumerate(cells)]
    if rng.random() < rates.useless:
        at = rng.randrange(len(thoughts)) + 1
        thoughts.insert(at, _useless(thoughts[at - 1]))
    elif plan.check is not None and rng.random() < rates.check:
        thoughts.append(Thought(f"Check: {plan.check.goal}.", plan.check.code))
    return thoughts


def _pick(slips: list[Slip], weights: tuple[float, ...], rng: random.Random) -> Slip:
    usable = [weights[min(i, len(weights) - 1)] for i in range(len(slips))]
    return rng.choices(slips, usable)[0]


def _say(cell: Cell, index: int, hurried: bool, rng: random.Random) -> Thought:
    if hurried:
        opening = "Simply"
    elif index == 0:
        opening = "First," if rng.random() < 0.85 else "Let us"
    else:
        opening = "Then" if rng.random() < 0.85 else "Next,"
    return Thought(f"{opening} {cell.goal}.", cell.code)


def _useless(before: Thought) -> Thought:
    """A step that shows the value of the last step once more, so the answer stays what it is."""
    return Thought("Look at it again.", before.code.split("\n")[-1])


def _share(text: str) -> float:
    """A number in [0, 1) that depends on the text alone (the same on every machine)."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def _cells(*pairs: tuple[str, str]) -> tuple[Cell, ...]:
    return tuple(Cell(goal, code) for goal, code in pairs)


def _slip(at: int, *pairs: tuple[str, str]) -> Slip:
    return Slip(at, _cells(*pairs))


def _sum(terms: list[tuple[str, str]]) -> str:
    text = "".join(sign + number for sign, number in terms)
    return text[1:] if text.startswith("+") else text


def plan_sum(question: Question) -> Plan:
    """chain_sum and decimal_chain_sum: first part, then the rest."""
    terms: list[tuple[str, str]] = question.facts["terms"]
    if len(terms) == 2:
        (_, a), (sign, b) = terms
        other = "-" if sign == "+" else "+"
        right = _cells(("work out the sum", f"print({a}{sign}{b})"))
        flips = (
            _slip(0, ("work out the sum", f"print({a}{other}{b})")),
            _slip(0, ("work out the sum", f"print({b}{sign}{a}-{a})")),
        )
        return Plan(right, flips, "firm")
    cut = (len(terms) + 1) // 2
    head, tail = terms[:cut], terms[cut:]
    flipped = [head[0]] + [("-" if sign == "+" else "+", number) for sign, number in head[1:]]
    first = ("add up the first part", f"a={_sum(head)}\nprint(a)")
    last = ("go on with the rest", f"print(a{''.join(s + n for s, n in tail)})")
    right = _cells(first, last)
    slips = [
        _slip(0, ("add up the numbers", f"a={_sum(head[:-1] or head)}\nprint(a)"), last),
        _slip(0, ("add up the numbers", f"a={_sum(flipped)}\nprint(a)"), last),
        _slip(0, ("add up the numbers", f"a={'+'.join(n for _, n in terms[:-1])}\nprint(a)")),
    ]
    care: Care = "firm"
    if len(terms) >= 5 or (len(terms) == 4 and question.type == "decimal_chain_sum"):
        care = "shaky"
    check = Cell("all in one line", f"print({_sum(terms)})")
    return Plan(right, tuple(slips), care, check)


def plan_basic_arithmetic(question: Question) -> Plan:
    """An inner bracket (or the first product) by itself, then the expression with its value."""
    expression: str = question.facts["expression"]
    tight = expression.replace("( ", "(").replace(" )", ")")
    parts = tight.split(" ")
    inner = _inner_bracket(tight)
    flat = tight.replace("(", "").replace(")", "")
    dropped = " ".join(parts[:-2]) if len(parts) > 2 and tight.count("(") == 0 else flat.replace("--", "")
    if inner is None:
        right = _cells(("write it as code", f"print({tight})"))
        plain = [
            _slip(0, ("write it as code", f"print({tight.replace('-', '', 1)})")),
            _slip(0, ("write it as code", f"print({dropped})")),
        ]
        return Plan(right, tuple(plain), "shaky" if len(parts) > 5 or tight.startswith("-") else "firm")
    rest = tight.replace(inner, "a", 1)
    right = _cells(("work out the inner bracket", f"a={inner}\nprint(a)"), ("put it in", f"print({rest})"))
    slips = [
        _slip(0, ("leave out the brackets", f"a={flat}\nprint(a)")),
        _slip(0, ("work out the bracket", f"a={inner.replace('-', '', 1)}\nprint(a)"), ("put it in", f"print({rest})")),
    ]
    care: Care = "shaky" if tight.count("(") > 1 else "firm"
    return Plan(right, tuple(slips), care, Cell("all in one line", f"print({tight})"))


def _inner_bracket(expression: str) -> str | None:
    start = expression.rfind("(")
    end = expression.find(")", start)
    return None if start < 0 or end < 0 else expression[start : end + 1]


def plan_products(question: Question) -> Plan:
    """Name the factors, then multiply."""
    a, b = question.facts["factors"]
    name = ("name the factors", f"a={a}\nb={b}\nprint(a,b)")
    right = _cells(name, ("multiply them", "print(a*b)"))
    short = b[:-1] if len(b) > 1 else b + "0"
    slips = [
        _slip(0, ("take the factors", f"a={a}\nb={short}\nprint(a,b)"), ("multiply them", "print(a*b)")),
        _slip(0, ("take the factors", f"a={a}\nb={a}\nprint(a,b)"), ("multiply them", "print(a*b)")),
        _slip(0, ("add them", f"a={a}+{b}\nprint(a)")),
    ]
    care: Care = "firm" if len(a) <= 3 else "shaky"
    return Plan(right, tuple(slips), care, Cell("in one line", f"print({a}*{b})"))


def plan_gcd(question: Question) -> Plan:
    """Divide with remainder once, then the library."""
    numbers = [str(n) for n in question.facts["numbers"]]
    a, b = numbers[:2]
    more = "".join(f",{n}" for n in numbers[2:])
    last = ("take the common divisor", f"import math\nprint(math.gcd({b},r{more}))")
    right = _cells(("find the remainder", f"r={a}%{b}\nprint(r)"), last)
    slips = [
        _slip(0, ("divide", f"r={a}//{b}\nprint(r)"), last),
        _slip(0, ("take the difference", f"r={a}-{b}\nprint(abs(r))")),
        _slip(0, ("take the smallest number", f"r=min({a},{b})\nprint(r)")),
    ]
    care: Care = "shaky" if question.facts["numbers"][0] < question.facts["numbers"][1] else "firm"
    check = Cell("with all numbers", f"import math\nprint(math.gcd({','.join(numbers)}))")
    return Plan(right, tuple(slips), care, check)


def plan_lcm(question: Question) -> Plan:
    """The common divisor, then the product divided by it."""
    a, b = question.facts["numbers"][:2]
    first = ("find the common divisor", f"import math\ng=math.gcd({a},{b})\nprint(g)")
    right = _cells(first, ("divide the product by it", f"print({a}*{b}//g)"))
    slips = [
        _slip(1, ("multiply the numbers", f"print({a}*{b})")),
        _slip(1, ("multiply by the larger", f"print(max({a},{b})*g)")),
        _slip(1, ("add and divide", f"print(({a}+{b})//g)")),
    ]
    care: Care = "shaky" if a < b else "firm"
    return Plan(right, tuple(slips), care, Cell("with the library", f"import math\nprint(math.lcm({a},{b}))"))


def plan_leg_counting(question: Question) -> Plan:
    """The first animals, then the others. The legs come from reasoning-gym's own table."""
    legs = load_gym().arithmetic.leg_counting.ANIMALS
    animals: list[tuple[str, int]] = question.facts["animals"]
    parts = [f"{count}*{legs[name]}" for name, count in animals]
    wrong = [f"{count}*{4 if legs[name] != 4 else 2}" for name, count in animals]
    cut = (len(parts) + 1) // 2
    first = (f"count the legs of the first {cut}", f"a={'+'.join(parts[:cut])}\nprint(a)")
    rest = ("add the others", f"print(a+{'+'.join(parts[cut:])})")
    right = _cells(first, rest)
    slips = [
        _slip(0, ("take four legs each", f"a={'+'.join(wrong[:cut])}\nprint(a)"), rest),
        _slip(0, ("count the animals", f"a={'+'.join(str(count) for _, count in animals)}\nprint(a)")),
        _slip(0, ("count the legs", f"a={'+'.join(parts[:-1])}\nprint(a)")),
    ]
    care: Care = "shaky" if len(animals) >= 4 else "firm"
    return Plan(right, tuple(slips), care)


def plan_simple_equations(question: Question) -> Plan:
    """Bring the number to the other side, then divide."""
    facts = question.facts
    factor, right_side = facts["factor"], facts["right"]
    if facts["before"] is None and facts["after"] is None:
        right = _cells(("divide by the factor", f"print({right_side}/{factor})"))
        short = (
            _slip(0, ("multiply", f"print({right_side}*{factor})")),
            _slip(0, ("subtract the factor", f"print({right_side}-{factor})")),
        )
        return Plan(right, short, "firm")
    if facts["before"] is not None:
        sign = "" if facts["sign"] == "+" else "-"
        moved, back = f"{right_side}-{facts['before']}", f"{right_side}+{facts['before']}"
        divisor = f"{sign}{factor}"
    else:
        opposite = "-" if facts["sign_after"] == "+" else "+"
        moved, back = f"{right_side}{opposite}{facts['after']}", f"{right_side}{facts['sign_after']}{facts['after']}"
        divisor = factor
    divide = ("divide by the factor", f"print(a/{divisor})")
    right = _cells(("bring the number over", f"a={moved}\nprint(a)"), divide)
    slips = (
        _slip(0, ("move the number", f"a={back}\nprint(a)"), divide),
        _slip(0, ("divide at once", f"a={right_side}/{factor}\nprint(a)")),
        _slip(1, ("multiply by the factor", f"print(a*{divisor})")),
    )
    care: Care = "shaky" if facts["before"] is not None else "firm"
    return Plan(right, slips, care)


def plan_simple_geometry(question: Question) -> Plan:
    """The sum of the angles, then take the known ones away."""
    sides, angles = question.facts["sides"], question.facts["angles"]
    rest = ("take the known angles away", f"print(a-{'-'.join(angles)})")
    right = _cells(("find the sum of all angles", f"a=({sides}-2)*180\nprint(a)"), rest)
    slips = (
        _slip(
            0, ("take a full turn", "a=360\nprint(a)") if sides != 4 else ("take a half turn", "a=180\nprint(a)"), rest
        ),
        _slip(0, ("find the sum of angles", f"a=({sides}-1)*180\nprint(a)"), rest),
        _slip(0, ("find the sum of angles", f"a={sides}*180\nprint(a)"), rest),
    )
    care: Care = "shaky" if sides >= 5 else "firm"
    return Plan(right, slips, care)


def plan_base_conversion(question: Question) -> Plan:
    """Read the digits in their base, then write them in the other."""
    digits, source, target = question.facts["digits"], question.facts["source"], question.facts["target"]
    letter = {2: "b", 8: "o", 10: "d"}[target]
    wrong = {2: "o", 8: "b", 10: "o"}[target]
    last = (f"write it in base {target}", f'print(format(n,"{letter}"))')
    right = _cells(("read the digits", f'n=int("{digits}",{source})\nprint(n)'), last)
    slips = (
        _slip(0, ("read the digits", f'n=int("{digits}",{min(36, source + 1)})\nprint(n)'), last),
        _slip(0, ("read it as hexadecimal", f'n=int("{digits}",16 if {source}<16 else 17)\nprint(n)'), last),
        _slip(1, ("write it down", f'print(format(n,"{wrong}"))')),
    )
    care: Care = "shaky" if source > 10 else "firm"
    return Plan(right, slips, care)


def plan_count_bits(question: Question) -> Plan:
    """Write the number in binary, then count."""
    number = question.facts["number"]
    count = ("count the ones", 'print(b.count("1"))')
    right = _cells(("write the number in binary", f"b=bin({number})\nprint(b)"), count)
    slips = (
        _slip(1, ("count the zeros", 'print(b.count("0"))')),
        _slip(1, ("count the digits", "print(len(b)-2)")),
        _slip(0, ("write it in binary", f"b=bin({number[:-3]})\nprint(b)"), count),
    )
    care: Care = "shaky" if len(number) == 10 and number[0] == "1" else "firm"
    return Plan(right, slips, care)


def plan_count_primes(question: Question) -> Plan:
    """The range, then a test of every number."""
    low, high = question.facts["low"], question.facts["high"]
    test = "n>1 and all(n%d for d in range(2,n))"
    name = ("name the range", f"a,b={low},{high}\nprint(a,b)")
    right = _cells(name, ("test every number", f"print(sum({test} for n in range(a,b+1)))"))
    slips = (
        _slip(1, ("count the odd numbers", "print(sum(n%2 for n in range(a,b+1)))")),
        _slip(1, ("test every number", "print(sum(any(n%d for d in range(2,n)) for n in range(a,b+1)))")),
        _slip(1, ("test with small numbers", "print(sum(n%2*n%3*n%5>0 for n in range(a,b+1)))")),
    )
    care: Care = "shaky" if high >= 500 and low < 500 else "firm"
    return Plan(right, slips, care)


def plan_calendar_arithmetic(question: Question) -> Plan:
    """Make the date, then its weekday."""
    year, month, day = (int(part) for part in question.facts["date"].split("-"))
    last = ("name the weekday", 'print(d.strftime("%A"))')
    right = _cells(("write the date", f"import datetime\nd=datetime.date({year},{month},{day})\nprint(d)"), last)
    other = min(day, 28)
    slips = (
        _slip(
            0, ("write the date", f"import datetime\nd=datetime.date({year},{month % 12 + 1},{other})\nprint(d)"), last
        ),
        _slip(0, ("write the date", f"import datetime\nd=datetime.date({year - 1},{month},{other})\nprint(d)"), last),
        _slip(
            0, ("write the date", f"import datetime\nd=datetime.date({year},{month},{max(1, day - 1)})\nprint(d)"), last
        ),
    )
    care: Care = "shaky" if "/" in question.text else "firm"
    return Plan(right, slips, care)


def plan_letter_counting(question: Question) -> Plan:
    """Copy the text, then count in lower case."""
    words, letter = question.facts["words"], question.facts["letter"]
    half = " ".join(words.split()[:-1])
    count = (f"count the letter {letter}", f'print(t.lower().count("{letter}"))')
    right = _cells(("copy the text", f't="{words}"\nprint(len(t))'), count)
    slips = (
        _slip(1, ("count the words", f'print(sum("{letter}" in w for w in t.split()))')),
        _slip(1, ("count the letters", f'print(len(set(t.split("{letter}"))))')),
        _slip(0, ("copy the text", f't="{half}"\nprint(len(t))'), count),
    )
    care: Care = "shaky" if len(words.split()) >= 6 else "firm"
    return Plan(right, slips, care)


def plan_gsm_symbolic(question: Question) -> Plan:
    """One variable an equation, in two or three steps; slips hit the equation that the template picks."""
    equations: list[Equation] = question.facts["equations"]
    template: str = question.facts["template"]
    lines = _assignments(equations)
    steps = _chunks(len(lines), 3)
    target = int(_share(template + "where") * len(lines))
    at = next(index for index, chunk in enumerate(steps) if target in chunk)
    goals = [_goal(equations[chunk[-1]], index, len(steps)) for index, chunk in enumerate(steps)]

    def build(changed: list[str]) -> tuple[Cell, ...]:
        return tuple(
            Cell(goal, "\n".join(changed[i] for i in chunk) + f"\nprint({'abcdefgh'[chunk[-1]]})")
            for goal, chunk in zip(goals, steps, strict=True)
        )

    slips = [
        Slip(at, build(_replace(lines, target, wrong))[at:]) for wrong in _wrong_lines(lines[target], lines[:target])
    ]
    share = _share(template + "care")
    care: Care = "shaky" if share < 0.45 else "firm"
    return Plan(build(lines), tuple(slips), care)


def _assignments(equations: list[Equation]) -> list[str]:
    """`a=35*3`, `b=a+35`, ...: a number that an earlier equation gave becomes its variable."""
    lines: list[str] = []
    known: dict[str, str] = {}
    for index, equation in enumerate(equations):
        pieces = _pieces(equation.expression)
        text = "".join(known.get(piece, piece) for piece in pieces)
        lines.append(f"{'abcdefgh'[index]}={text}")
        if len(equation.value) > 1:  # one digit is too likely to be another number
            known[equation.value] = "abcdefgh"[index]
        else:
            known.setdefault(equation.value, "abcdefgh"[index])
    return lines


def _pieces(expression: str) -> list[str]:
    pieces: list[str] = []
    for char in expression:
        if pieces and (char.isdigit() or char == ".") and (pieces[-1][-1].isdigit() or pieces[-1][-1] == "."):
            pieces[-1] += char
        else:
            pieces.append(char)
    return pieces


def _chunks(count: int, most: int) -> list[list[int]]:
    steps = min(count, most)
    bounds = [round(i * count / steps) for i in range(steps + 1)]
    return [list(range(bounds[i], bounds[i + 1])) for i in range(steps)]


def _goal(equation: Equation, index: int, count: int) -> str:
    operation = next((char for char in equation.expression if char in "*/-+"), "+")
    verb = {"*": "multiply", "/": "divide", "-": "subtract", "+": "add"}[operation]
    if index == count - 1:
        return f"{verb} to get the answer"
    return verb


def _replace(lines: list[str], index: int, line: str) -> list[str]:
    return [*lines[:index], line, *lines[index + 1 :]]


def _wrong_lines(line: str, before: list[str]) -> list[str]:
    name, expression = line.split("=")
    swap = {"+": "-", "-": "+", "*": "+", "/": "*"}
    position = next((i for i in range(len(expression) - 1, 0, -1) if expression[i] in swap), -1)
    if position < 0:
        return [f"{name}={expression}+1"]
    left, sign, right = expression[:position], expression[position], expression[position + 1 :]
    other = "*" if sign in "+-" else "-"
    wrong = [f"{name}={left}{swap[sign]}{right}", f"{name}={left}{other}{right}"]
    if left.count("(") == left.count(")"):
        wrong.append(f"{name}={left}" if left != (before[-1].split("=")[0] if before else "") else f"{name}={right}")
    return wrong


PLANS: dict[str, Callable[[Question], Plan]] = {
    "gsm_symbolic": plan_gsm_symbolic,
    "chain_sum": plan_sum,
    "decimal_chain_sum": plan_sum,
    "basic_arithmetic": plan_basic_arithmetic,
    "products": plan_products,
    "gcd": plan_gcd,
    "lcm": plan_lcm,
    "leg_counting": plan_leg_counting,
    "simple_equations": plan_simple_equations,
    "simple_geometry": plan_simple_geometry,
    "base_conversion": plan_base_conversion,
    "count_bits": plan_count_bits,
    "count_primes": plan_count_primes,
    "calendar_arithmetic": plan_calendar_arithmetic,
    "letter_counting": plan_letter_counting,
}
