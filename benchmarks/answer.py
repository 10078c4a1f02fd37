"""The answer checker's figures, with math-verify side by side in the same run.

    python benchmarks/answer.py [--data DIR] [--every N]

Without --data only the labelled suite and the hostile texts are run. DIR holds `math/math_testset_annotation.json`, and
`gsm8k/test.jsonl` and `math/train.jsonl`, whose solutions are read without their marks.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "answer")]

from hostile import HOSTILE  # noqa: E402  (tests/answer)
from suite_pairs import suite_pairs  # noqa: E402

from mcts_math.answer import CheckerPool, extract_answer, is_equiv  # noqa: E402
from mcts_math.answer.parse.read import forget  # noqa: E402
from mcts_math.run.program import run_script  # noqa: E402

Judge = Callable[[str, str], bool]


@dataclass(frozen=True)
class Pair:
    """A labelled pair."""

    gold: str
    pred: str
    equal: bool


@dataclass
class Score:
    """How one checker did on one set of pairs; times are of this process, in seconds (the machine may be shared)."""

    right: int = 0
    false_positives: list[Pair] = field(default_factory=list)
    false_negatives: list[Pair] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def line(self, name: str, total: int) -> str:
        """One row of the table."""
        ordered = sorted(self.seconds)
        return (
            f"  {name:<12} {100 * self.right / total:6.2f} %   false positives {len(self.false_positives):4d}   "
            f"median {1e3 * statistics.median(ordered):7.3f} ms   p99 {1e3 * ordered[int(0.99 * len(ordered))]:8.3f} ms"
            f"   {len(ordered) / sum(ordered):8.0f} pairs/s"
        )


def math_verify_judge() -> Judge | None:
    """math-verify as it is meant to be used, or None where it is not installed."""
    try:
        from math_verify import parse, verify
    except ImportError:
        return None
    import logging

    logging.disable(logging.CRITICAL)

    def judge(gold: str, pred: str) -> bool:
        try:
            return bool(verify(parse(f"${gold}$"), parse(f"${pred}$")))
        except Exception:  # whatever it raises is its answer: not equal
            return False

    return judge


def run(judge: Judge, pairs: list[Pair], cold: bool = False) -> Score:
    """Judges every pair in this process."""
    score = Score()
    for pair in pairs:
        if cold:
            forget()
        start = time.process_time()
        verdict = judge(pair.gold, pair.pred)
        score.seconds.append(time.process_time() - start)
        if verdict == pair.equal:
            score.right += 1
        else:
            (score.false_positives if verdict else score.false_negatives).append(pair)
    return score


def restyled(answer: str) -> Iterator[str]:
    """The same answer in other habits."""
    yield f"${answer}$"
    yield f"\\boxed{{{answer}}}"
    yield f"{answer}."
    yield answer.replace("\\frac", "\\dfrac")
    yield re.sub(r"\\frac\{(\d)\}\{(\d)\}", r"\\frac\1\2", answer)
    yield re.sub(r"\\sqrt\{(\d)\}", r"\\sqrt\1", answer)
    yield answer.replace("\\pi", "π").replace("\\infty", "∞").replace("\\cup", "∪").replace("^\\circ", "°")
    if (
        "\\left" not in answer
        and "\\text" not in answer
        and answer.count("(") == answer.count(")")
        and "[" not in answer
    ):
        yield answer.replace("(", "\\left(").replace(")", "\\right)")


def sympy_print(answer: str) -> str | None:
    """The answer as sympy prints it, or None where the LaTeX reader loses something (bases, degrees, case, units)."""
    from latex2sympy2_extended import latex2sympy

    if re.search(r"\d_|circ|\\text|\\mbox|[A-Z]|<|overline|\\!", answer):
        return None
    try:
        return str(latex2sympy(answer))
    except Exception:  # its parser raises anything
        return None


def math_pairs(path: Path) -> dict[str, list[Pair]]:
    """Pairs made from the MATH answers, by kind."""
    records = json.loads(path.read_text(encoding="utf-8"))
    answers = [record["answer"] if isinstance(record["answer"], str) else record["answer"][0] for record in records]
    unique = list(dict.fromkeys(answers))
    random_source = random.Random(20)
    pairs: dict[str, list[Pair]] = {"itself (5000)": [Pair(answer, answer, True) for answer in answers]}
    pairs["restyled"] = [Pair(a, other, True) for a in unique for other in dict.fromkeys(restyled(a)) if other != a]
    pairs["as sympy prints it"] = [Pair(a, text, True) for a in unique if (text := sympy_print(a)) is not None]
    others = [(a, random_source.choice(unique)) for a in answers]
    pairs["another question's answer"] = [
        Pair(a, b, False)
        for a, b in others
        if re.sub(r"\W|[dt](?=frac)|[a-z] =", "", a) != re.sub(r"\W|[dt](?=frac)|[a-z] =", "", b)
    ]
    changed = []
    for answer in unique:
        places = [i for i, char in enumerate(answer) if char.isdigit()]
        if places:
            place = random_source.choice(places)
            digit = random_source.choice([d for d in "0123456789" if d != answer[place]])
            changed.append(Pair(answer, answer[:place] + digit + answer[place + 1 :], False))
    pairs["one digit changed"] = changed
    return pairs


def compare(name: str, pairs: list[Pair], rival: Judge | None, verbose: bool) -> None:
    """Prints both checkers' rows for one set."""
    print(f"{name}: {len(pairs)} pairs")
    forget()
    ours = run(is_equiv, pairs)
    print(ours.line("ours", len(pairs)))
    if rival is not None:
        theirs = run(rival, pairs)
        print(theirs.line("math-verify", len(pairs)))
        print(f"  ratio of throughput: {sum(theirs.seconds) / sum(ours.seconds):.1f}")
    for kind, missed in (("FALSE POSITIVE", ours.false_positives), ("FALSE NEGATIVE", ours.false_negatives)):
        for pair in missed[: 100 if verbose else 5]:
            print(f"    {kind}: {pair.gold!r} | {pair.pred!r}")


def by_kind() -> None:
    """The blind list by kind, as one process without a second reader judges it."""
    kinds: dict[str, list[Pair]] = {}
    for pair in suite_pairs():
        if pair.table == "blind":
            kinds.setdefault(pair.kind, []).append(Pair(pair.gold, pair.pred, pair.equal))
    print(f"{'blind list':<50} pairs  differ  false positives  right")
    everything = [pair for pairs in kinds.values() for pair in pairs]
    for kind, pairs in (*kinds.items(), ("all", everything)):
        score = run(is_equiv, pairs)
        differ = sum(not pair.equal for pair in pairs)
        print(
            f"{kind:<50} {len(pairs):5d}  {differ:6d}  {len(score.false_positives):15d}"
            f"  {100 * score.right / len(pairs):5.1f} %"
        )


def unmarked(data: Path, every: int, beside: bool) -> None:
    """Worked solutions of the data sets without `####` and boxes: answers that are found, and those that are wrong.

    Args:
        beside: math-verify reads the same texts.
    """
    solutions: dict[str, list[tuple[str, str]]] = {"GSM8K": [], "MATH": []}
    for record in map(json.loads, (data / "gsm8k" / "test.jsonl").read_text(encoding="utf-8").splitlines()):
        text, _, gold = re.sub(r"<<.*?>>", "", record["answer"]).partition("####")
        solutions["GSM8K"].append((text.strip(), gold.strip()))
    for record in map(json.loads, (data / "math" / "train.jsonl").read_text(encoding="utf-8").splitlines()):
        solution = record["solution"]
        text, boxes = re.subn(r"\\boxed\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}", r"\1", solution)
        if boxes == 1:
            solutions["MATH"].append((text, extract_answer(solution) or ""))
    for name, pairs in solutions.items():
        found = [(gold, answer) for text, gold in pairs[::every] if (answer := extract_answer(text)) is not None]
        right = sum(is_equiv(gold, answer) for gold, answer in found)
        print(f"{name}, {len(pairs[::every])} solutions without marks: {right} right, {len(found) - right} wrong")
        if beside:
            from math_verify import parse, verify

            verdicts = [verify(parse(f"${gold}$"), read) for text, gold in pairs[::every] if (read := parse(text))]
            print(f"  math-verify: {sum(verdicts)} right, {len(verdicts) - sum(verdicts)} wrong")


def hostile() -> None:
    """Hostile texts in the pool: time of each, memory of this process before and after."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    slowest = 0.0
    with CheckerPool(num_workers=1) as pool:
        pool.check("x", "y")
        for text in HOSTILE:
            start = time.perf_counter()
            pool.check("(x+1)^{100000}", text)
            slowest = max(slowest, time.perf_counter() - start)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"hostile: {len(HOSTILE)} texts   slowest {slowest:.2f} s   this process grew by {grown / 1024:.1f} MB")


def throughput(pairs: list[Pair]) -> None:
    """The pool over all cores, and one process with and without remembered readings."""
    for name, cold in (("readings remembered", False), ("nothing remembered", True)):
        forget()
        score = run(is_equiv, pairs, cold)
        print(f"one process, {name}: {score.line('ours', len(pairs)).strip()}")
    with CheckerPool() as pool:
        pool.check("x", "y")
        start = time.perf_counter()
        count = sum(1 for _ in pool.check_many((pair.gold, pair.pred) for pair in pairs))
        print(f"pool of {pool.num_workers}: {count / (time.perf_counter() - start):.0f} pairs/s")


def main() -> int:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of the benchmark data")
    parser.add_argument("--every", type=int, default=1, help="take every n-th pair only")
    parser.add_argument("--alone", action="store_true", help="without math-verify")
    parser.add_argument("--verbose", action="store_true", help="list every pair that was judged wrongly")
    arguments: Any = parser.parse_args()
    warnings.simplefilter("ignore")
    rival = None if arguments.alone else math_verify_judge()
    step = max(arguments.every, 1)
    suite = [Pair(pair.gold, pair.pred, pair.equal) for pair in suite_pairs()][::step]
    compare("labelled suite", suite, rival, arguments.verbose)
    by_kind()
    path = arguments.data / "math" / "math_testset_annotation.json" if arguments.data else None
    if path is None or not path.exists():
        print("MATH: not run, no data")
    else:
        everything: list[Pair] = []
        for name, pairs in math_pairs(path).items():
            compare(f"MATH, {name}", pairs[::step], rival, arguments.verbose)
            everything += pairs[::step]
        throughput(everything)
        unmarked(arguments.data, step, rival is not None)
    hostile()
    return 0


if __name__ == "__main__":
    run_script(main)
