"""Questions that are solved by guessing and checking, and demonstrations of how one does that.

Eight families whose answer is hard to work out in one's head and easy to check: a step tries a number, and its code
tells whether it fits. So small a model doesn't know the answer before it writes it, and can judge it afterwards: the
situation that search is for. (In the other families a slip is to be seen in the plan, and a policy that has learned not
to make it leaves search nothing to find.)

A demonstration tries one number, and where that fails, now and then another; often it takes the number all the same.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass

from demonstrations import Thought
from questions import Question

TEST_SEED, TRAIN_SEED, ROUNDS_SEED = 910_000, 110_000, 510_000
OPTIONS, SPREAD = 8, 9.0  # how many numbers a question lists; how far they are from the right one


@dataclass(frozen=True)
class Guess:
    """What one may try: how a sentence names it, the code that tells whether it fits, the answer it would give."""

    name: str
    code: str
    answer: str


@dataclass(frozen=True)
class Puzzle:
    """A question with its possible guesses.

    Attributes:
        text: the question.
        guesses: all that one may try.
        right: index of the right one.
    """

    text: str
    guesses: tuple[Guess, ...]
    right: int


@dataclass(frozen=True)
class Habits:
    """The probabilities behind the demonstrations.

    Attributes:
        right: that a guess is the right one.
        again: that a failed guess is followed by another.
        most: guesses a demonstration has at most.
    """

    right: float = 0.4
    again: float = 0.4
    most: int = 4


def demonstrate(puzzle: Puzzle, habits: Habits, rng: random.Random) -> tuple[list[Thought], str]:
    """One demonstration: its steps, and the answer that it ends with."""
    thoughts: list[Thought] = []
    tried: set[int] = set()
    while True:
        wrong = [index for index in range(len(puzzle.guesses)) if index != puzzle.right and index not in tried]
        index = puzzle.right if rng.random() < habits.right else rng.choice(wrong)
        guess = puzzle.guesses[index]
        thoughts.append(Thought(f"{'Then' if tried else 'First,'} try {guess.name}.", guess.code))
        tried.add(index)
        if index == puzzle.right or len(tried) == habits.most or rng.random() >= habits.again:
            return thoughts, guess.answer


def _listed(text: str, right: int, low: int, high: int, code: str, rng: random.Random) -> Puzzle:
    """A puzzle whose question lists numbers from `low` to `high`: `right`, and others that are mostly not far from it.

    Args:
        text: with `{0}` where the list goes.
        code: what to do with a guess x.
    """
    numbers = {right}
    while len(numbers) < OPTIONS:
        number = round(rng.gauss(right, SPREAD))
        numbers |= {number} if low <= number <= high else {rng.randint(low, high)}
    listed = rng.sample(sorted(numbers), OPTIONS)
    guesses = tuple(Guess(str(x), f"x={x}\n{code}", str(x)) for x in listed)
    return Puzzle(text.format(", ".join(map(str, listed))), guesses, listed.index(right))


def sum_product(rng: random.Random) -> Puzzle:
    """Two numbers by their sum and product."""
    small, large = sorted(rng.sample(range(3, 32), 2))
    total = small + large
    texts = (
        f"Two whole numbers add up to {total} and their product is {small * large}. Which of {{0}} is one of them?",
        f"The product of two whole numbers is {small * large} and their sum is {total}. Which of {{0}} is one?",
    )
    right = rng.choice((small, large))
    puzzle = _listed(rng.choice(texts), right, 2, 40, f"print(x*({total}-x)=={small * large})", rng)
    return puzzle if sum(guess.name == str(total - right) for guess in puzzle.guesses) == 0 else sum_product(rng)


def ages(rng: random.Random) -> Puzzle:
    """Two numbers by their difference and product."""
    older, younger = rng.sample(("Anna", "Ben", "Carla", "David", "Emma", "Frank", "Nora", "Paul"), 2)
    age, gap = rng.randint(4, 25), rng.randint(2, 14)
    product = age * (age + gap)
    texts = (
        f"{older} is {gap} years older than {younger}. The product of their ages is {product}. "
        f"How old is {younger}: {{0}}?",
        f"The ages of {younger} and {older} multiply to {product}, and {older} is {gap} years older. "
        f"Which of {{0}} is the age of {younger}?",
    )
    return _listed(rng.choice(texts), age, 2, 40, f"print(x*(x+{gap})=={product})", rng)


def heads_and_legs(rng: random.Random) -> Puzzle:
    """How many of two kinds of animals."""
    heads = rng.randint(20, 80)
    rabbits = rng.randint(1, heads - 1)
    legs = 2 * heads + 2 * rabbits
    texts = (
        f"A farm has {heads} chickens and rabbits with {legs} legs in total. How many rabbits are there: {{0}}?",
        f"There are {legs} legs on {heads} animals, all of them chickens or rabbits. "
        "Which of {0} is the number of rabbits?",
    )
    return _listed(rng.choice(texts), rabbits, 1, heads - 1, f"print(4*x+2*({heads}-x)=={legs})", rng)


def stamps(rng: random.Random) -> Puzzle:
    """How many of two prices."""
    count, (cheap, dear) = rng.randint(20, 60), sorted(rng.sample(range(2, 16), 2))
    many = rng.randint(1, count - 1)
    cost = cheap * (count - many) + dear * many
    texts = (
        f"{count} stamps cost {cost} cents, some {cheap} cents each and the others {dear}. "
        f"How many cost {dear} cents: {{0}}?",
        f"A class buys {count} tickets for {cost} dollars, some for {cheap} dollars and the rest for {dear}. "
        f"Which of {{0}} is the number of tickets for {dear} dollars?",
    )
    return _listed(rng.choice(texts), many, 1, count - 1, f"print({dear}*x+{cheap}*({count}-x)=={cost})", rng)


def square(rng: random.Random) -> Puzzle:
    """A root of a quadratic equation."""
    root, factor = rng.randint(4, 25), rng.randint(2, 14)
    value = root * root + factor * root
    texts = (
        f"The square of a number plus {factor} times the number is {value}. Which of {{0}} is it?",
        f"Which x of {{0}} solves x*x + {factor}*x = {value}?",
    )
    return _listed(rng.choice(texts), root, 2, 40, f"print(x*x+{factor}*x=={value})", rng)


def remainders(rng: random.Random) -> Puzzle:
    """A number by two remainders."""
    while True:
        first, second, number = rng.randint(4, 12), rng.randint(4, 12), rng.randint(13, 99)
        texts = (
            f"Which of {{0}} leaves remainder {number % first} when divided by {first} "
            f"and remainder {number % second} when divided by {second}?",
            f"One of {{0}} has remainder {number % first} for division by {first} and {number % second} for division "
            f"by {second}. Which one?",
        )
        code = f"print(x%{first}=={number % first} and x%{second}=={number % second})"
        puzzle = _listed(rng.choice(texts), number, 13, 99, code, rng)
        wanted = number % first, number % second
        alike = sum((int(guess.name) % first, int(guess.name) % second) == wanted for guess in puzzle.guesses)
        if first != second and alike == 1:
            return puzzle


def pair_sum(rng: random.Random) -> Puzzle:
    """Two numbers of a list by their sum."""
    while True:
        numbers = rng.sample(range(11, 100), 5)
        pairs = list(itertools.combinations(numbers, 2))
        right = rng.randrange(len(pairs))
        total = sum(pairs[right])
        if sum(sum(pair) == total for pair in pairs) == 1:
            break
    texts = (
        "Which two of {0} have the sum {1}? Give the larger of the two.",
        "Two of {0} add up to {1}. What is the larger one of them?",
    )
    text = rng.choice(texts).format(", ".join(map(str, numbers)), total)
    guesses = tuple(Guess("two of them", f"print({a}+{b}=={total})", str(max(a, b))) for a, b in pairs)
    return Puzzle(text, guesses, right)


def multiple(rng: random.Random) -> Puzzle:
    """The one number of a list that another divides."""
    divisor = rng.randint(7, 23)
    numbers = [n for n in rng.sample(range(24, 180), 100) if n % divisor][:OPTIONS]
    right = rng.randrange(OPTIONS)
    numbers[right] = divisor * rng.randint(24 // divisor + 1, 179 // divisor)
    texts = (
        "Which of {0} is a multiple of {1}?",
        "One of {0} can be divided by {1} without remainder. Which one?",
    )
    text = rng.choice(texts).format(", ".join(map(str, numbers)), divisor)
    return Puzzle(text, tuple(Guess(str(n), f"x={n}\nprint(x%{divisor}==0)", str(n)) for n in numbers), right)


FAMILIES: dict[str, Callable[[random.Random], Puzzle]] = {
    "sum_product": sum_product,
    "ages": ages,
    "heads_and_legs": heads_and_legs,
    "stamps": stamps,
    "square": square,
    "remainders": remainders,
    "pair_sum": pair_sum,
    "multiple": multiple,
}


def draw(family: str, seed: int, count: int, exclude: frozenset[str] = frozenset()) -> list[Question]:
    """`count` different questions of one family, none of whose texts is in `exclude`; facts: the puzzle.

    Raises:
        ValueError: the family cannot give that many.
    """
    rng = random.Random(f"{family} {seed}")
    seen, found = set(exclude), list[Question]()
    for _ in range(50 * count):
        puzzle = FAMILIES[family](rng)
        if puzzle.text in seen:
            continue
        seen.add(puzzle.text)
        level = 1 + len(puzzle.text) // 60
        answer = puzzle.guesses[puzzle.right].answer
        found.append(Question(family, puzzle.text, answer, level, {"puzzle": puzzle}))
        if len(found) == count:
            return found
    raise ValueError(f"family {family!r} gave {len(found)} different questions, {count} were wanted")
