"""Questions for the bundled model `mini`, drawn from the package reasoning-gym.

What it is: fifteen families of short questions, cleaned of answer-format instructions, each with the facts that the
demonstrations need. What it is not: a benchmark; the numbers of `mini` on them compare with nothing else.

Train and test questions come from different seeds, and a training question whose text is also a test question's is
dropped.
"""

from __future__ import annotations

import ast
import operator
import random
import re
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

TEST_SEED = 900_000
TRAIN_SEED = 100_000


@dataclass(frozen=True)
class Question:
    """One question.

    Attributes:
        type: the family's name.
        text: what the model is asked, one line.
        answer: the reference answer.
        level: 1 (easy) to 5, from the question's size.
        facts: what the generator knows about the question (numbers, terms); not stored.
    """

    type: str
    text: str
    answer: str
    level: int
    facts: dict[str, Any] = field(default_factory=dict, compare=False, hash=False)


@dataclass(frozen=True)
class Equation:
    """One line of a worked word problem: the words before it, the expression, its value."""

    words: str
    expression: str
    value: str


_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


def arithmetic(expression: str) -> Fraction:
    """The value of an expression of numbers, + - * / and brackets.

    Raises:
        ValueError: it is anything else, or divides by zero.
    """

    def walk(node: ast.AST) -> Fraction:
        if isinstance(node, ast.Expression):
            return walk(node.body)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float):
            return Fraction(str(node.value))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -walk(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
            return Fraction(_OPERATORS[type(node.op)](walk(node.left), walk(node.right)))
        raise ValueError(f"not plain arithmetic: {expression!r}")

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return walk(ast.parse(expression.strip(), mode="eval"))
    except (SyntaxError, ZeroDivisionError) as error:
        raise ValueError(f"not plain arithmetic: {expression!r}") from error


_UNIT = re.compile(r"/[A-Za-z]+")
_EQUATION = re.compile(r"([\d.()\s+\-*/A-Za-z]*?[\d)][A-Za-z/ ]*)=\s*(-?\d+(?:\.\d+)?)")


def read_worked_solution(text: str) -> list[Equation]:
    """The true equations of a worked solution, in order; lines that do not parse or do not hold are left out."""
    found: list[Equation] = []
    for line in text.split("####")[0].split("\n"):
        plain = re.sub(r"[$€£¥]", "", line.replace("×", "*").replace("÷", "/"))
        plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain)
        plain = re.sub(r"(?<=\d)\s*x\s*(?=\d)", "*", plain)
        plain = re.sub(r"(\d+(?:\.\d+)?)%", r"\1/100", plain)
        for match in _EQUATION.finditer(plain):
            bare = re.sub(r"[A-Za-z]+", "", _UNIT.sub("", match.group(1))).strip()
            tail = re.search(r"[\d(][\d.()\s+\-*/]*$", bare)
            expression = tail.group(0).replace(" ", "") if tail else ""
            if not re.search(r"[+\-*/]", expression):
                continue
            try:
                holds = abs(arithmetic(expression) - Fraction(match.group(2))) < Fraction(1, 10**6)
            except ValueError:
                continue
            if holds:
                found.append(Equation(plain[: match.start()].strip(), expression, match.group(2)))
    return found


def signed_terms(expression: str) -> list[tuple[str, str]]:
    """`"4 - 1 + 7"` as `[("+", "4"), ("-", "1"), ("+", "7")]`."""
    words = expression.split()
    return [("+", words[0])] + [(words[i], words[i + 1]) for i in range(1, len(words) - 1, 2)]


Entry = dict[str, Any]
Reader = Callable[[Entry], Question | None]


def _read_gsm_symbolic(entry: Entry) -> Question | None:
    meta = entry["metadata"]
    equations = read_worked_solution(meta["answer_cot"])
    text = re.sub(r"\s+", " ", entry["question"].split("Give the result as")[0]).strip()
    if not 2 <= len(equations) <= 5 or len(text) > 420:
        return None
    try:
        if Fraction(equations[-1].value) != Fraction(entry["answer"]):
            return None
    except ValueError:
        return None
    template = "/".join(meta["variables"])
    return Question(
        "gsm_symbolic", text, entry["answer"], len(equations), {"equations": equations, "template": template}
    )


def _read_chain_sum(entry: Entry) -> Question:
    terms = signed_terms(entry["metadata"]["expression"])
    return Question("chain_sum", entry["question"].strip(), entry["answer"], len(terms) - 1, {"terms": terms})


def _read_decimal_chain_sum(entry: Entry) -> Question:
    terms = signed_terms(entry["metadata"]["expression"])
    return Question("decimal_chain_sum", entry["question"].strip(), entry["answer"], len(terms) - 1, {"terms": terms})


def _read_basic_arithmetic(entry: Entry) -> Question | None:
    expression = entry["metadata"]["expression"]
    try:
        if arithmetic(expression) != Fraction(entry["answer"]):
            return None  # a quotient that the reference answer rounds
    except ValueError:
        return None
    level = min(5, 1 + len(re.findall(r" [+\-*/] ", expression)) + expression.count("("))
    return Question("basic_arithmetic", entry["question"].strip(), entry["answer"], level, {"expression": expression})


def _read_products(entry: Entry) -> Question:
    factors = entry["metadata"]["expression"].split(" * ")
    text = entry["question"].split(" Give only")[0].strip()
    return Question("products", text, entry["answer"], entry["metadata"]["num_digits"], {"factors": factors})


def _read_gcd(entry: Entry) -> Question:
    numbers = entry["metadata"]["numbers"]
    text = entry["question"].split(" Give only")[0].strip()
    return Question("gcd", text, entry["answer"], len(numbers), {"numbers": numbers})


def _read_lcm(entry: Entry) -> Question:
    numbers = entry["metadata"]["numbers"]
    return Question("lcm", entry["question"].strip(), entry["answer"], 2, {"numbers": numbers})


def _read_leg_counting(entry: Entry) -> Question:
    text = "How many legs are there in total if you have " + entry["question"].split("if you have ")[1].strip()
    animals = list(entry["metadata"]["animals"].items())
    return Question("leg_counting", text, entry["answer"], len(animals), {"animals": animals})


def _read_simple_equations(entry: Entry) -> Question | None:
    meta = entry["metadata"]
    match = re.fullmatch(r"(?:(-?\d+) ([+-]) )?(-?\d+)\*[a-z](?: ([+-]) (\d+))? = (-?\d+)", meta["equation"])
    if match is None:
        return None
    before, sign, factor, sign_after, after, right = match.groups()
    if before is not None and after is not None:
        return None
    facts = {"factor": factor, "right": right, "before": before, "sign": sign, "after": after, "sign_after": sign_after}
    level = 1 + (before is not None or after is not None) + (before is not None)
    return Question("simple_equations", entry["question"].strip(), entry["answer"], level, facts)


def _read_simple_geometry(entry: Entry) -> Question:
    meta = entry["metadata"]
    text = re.sub(r"\.0°", "°", entry["question"].split("Return only")[0]).strip()
    angles = [str(int(angle)) for angle in meta["known_angles"]]
    return Question(
        "simple_geometry", text, entry["answer"], len(angles) - 1, {"sides": meta["n_sides"], "angles": angles}
    )


def _read_base_conversion(entry: Entry) -> Question | None:
    meta = entry["metadata"]
    if meta["target_base"] not in (2, 8, 10):
        return None  # answers with letters could be read as numbers ("1e5")
    text = "Convert" + entry["question"].split("Now, convert")[1].rstrip() + "."
    facts = {"digits": meta["source_repr"], "source": meta["source_base"], "target": meta["target_base"]}
    return Question("base_conversion", text, entry["answer"], 1 + (meta["target_base"] != 10), facts)


def _read_count_bits(entry: Entry) -> Question:
    number = str(entry["metadata"]["number"])
    return Question("count_bits", entry["question"].strip(), entry["answer"], len(number) // 3, {"number": number})


def _read_count_primes(entry: Entry) -> Question:
    meta = entry["metadata"]
    text = entry["question"].replace(" ?", "?").strip()
    return Question("count_primes", text, entry["answer"], 2, {"low": meta["start"], "high": meta["end"]})


def _read_calendar(entry: Entry) -> Question:
    text = re.split(r"(?<=[?])\s|(?<=\d{4}[.])\s", entry["question"].strip())[0]
    return Question("calendar_arithmetic", text, entry["answer"], 1, {"date": entry["metadata"]["target_date"]})


def _read_letter_counting(entry: Entry) -> Question:
    meta = entry["metadata"]
    facts = {"words": " ".join(meta["span"]), "letter": meta["target_letter"]}
    return Question("letter_counting", entry["question"].strip(), entry["answer"], len(meta["span"]) - 2, facts)


@dataclass(frozen=True)
class Family:
    """How to draw one family: the reader, and the settings of reasoning-gym's generator."""

    read: Reader
    settings: dict[str, Any] = field(default_factory=dict)


FAMILIES: dict[str, Family] = {
    "gsm_symbolic": Family(_read_gsm_symbolic),
    "chain_sum": Family(_read_chain_sum),
    "decimal_chain_sum": Family(_read_decimal_chain_sum, {"max_terms": 5, "max_digits": 3, "max_decimal_places": 2}),
    "basic_arithmetic": Family(_read_basic_arithmetic, {"max_terms": 4, "max_digits": 3}),
    "products": Family(_read_products),
    "gcd": Family(_read_gcd, {"max_numbers": 3}),
    "lcm": Family(_read_lcm),
    "leg_counting": Family(_read_leg_counting, {"min_animals": 2, "max_animals": 5}),
    "simple_equations": Family(_read_simple_equations, {"max_terms": 3}),
    "simple_geometry": Family(_read_simple_geometry),
    "base_conversion": Family(_read_base_conversion),
    "count_bits": Family(_read_count_bits),
    "count_primes": Family(_read_count_primes, {"max_n": 1000}),
    "calendar_arithmetic": Family(_read_calendar, {"tasks": ["weekday_of_date"]}),
    "letter_counting": Family(_read_letter_counting, {"min_words": 3, "max_words": 7}),
}


def draw(family: str, seed: int, count: int, exclude: frozenset[str] = frozenset()) -> list[Question]:
    """`count` different questions of one family, none of whose texts is in `exclude`.

    Raises:
        ValueError: the family is unknown, or cannot give that many.
    """
    if family not in FAMILIES:
        raise ValueError(f"no family {family!r}; there are {', '.join(FAMILIES)}")
    seen = set(exclude)
    found: list[Question] = []
    batch = 20 if family == "calendar_arithmetic" else max(count // 4, 200)
    for round_number in range(250):
        for entry in _entries(family, seed + round_number * batch, batch, round_number):
            question = FAMILIES[family].read(entry)
            if question is None or question.text in seen:
                continue
            seen.add(question.text)
            found.append(question)
            if len(found) == count:
                return found
    raise ValueError(f"family {family!r} gave {len(found)} different questions, {count} were wanted")


def load_gym() -> Any:
    """The package reasoning_gym, imported late: it takes seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of cellpylib, which it needs, where that is compiled first
        import reasoning_gym  # type: ignore[import-untyped]
    return reasoning_gym


def _entries(family: str, seed: int, count: int, round_number: int) -> Iterator[Entry]:
    settings = dict(FAMILIES[family].settings)
    if family == "calendar_arithmetic":
        settings["year"] = 1990 + round_number % 40  # a year has few dates
    dataset = load_gym().create_dataset(family, seed=seed, size=count, **settings)
    for index in range(count):
        yield dataset[index]


def test_questions() -> list[Question]:
    """The 500 test questions: 80 word problems, 30 of every other family, in a fixed mixed order."""
    drawn = [
        question for family in FAMILIES for question in draw(family, TEST_SEED, 80 if family == "gsm_symbolic" else 30)
    ]
    random.Random(TEST_SEED).shuffle(drawn)
    return drawn


def train_questions(per_family: dict[str, int], seed: int = TRAIN_SEED) -> list[Question]:
    """Training questions in a fixed mixed order; a family that has fewer different ones gives what it has."""
    exclude = frozenset(question.text for question in test_questions())
    drawn: list[Question] = []
    for family, count in per_family.items():
        while True:
            try:
                drawn += draw(family, seed, count, exclude)
                break
            except ValueError:
                count = count * 3 // 4
    random.Random(seed).shuffle(drawn)
    return drawn
