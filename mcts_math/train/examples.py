"""Training examples: right and wrong solutions of a tree, every step with its Q value (SPEC A9). Pure functions.

An example's text is its prompt and the texts of its steps, one after another; each step ends with the step delimiter,
where the search reads its value. The last step's Q is its reward. Solutions are leaves that the search has visited;
equal ones count once.

Trees of few-shot searches (round 1 of the published system) are rewritten to the tags of `react_sft`, since that is the
form in which a tuned model is searched.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mcts_math.errors import RecordError
from mcts_math.step import Outcome, SftFormat, Step
from mcts_math.tasks import JsonObject
from mcts_math.train.config import ExamplesConfig
from mcts_math.tree import Node, Tree

POSITIVE, NEGATIVE = 1.0, -1.0
_WRONG_ENDS = (Outcome.UNPARSABLE, Outcome.TOO_DEEP, Outcome.TOO_MANY_ERRORS)


@dataclass(frozen=True, slots=True)
class ExampleStep:
    """A step as the prompt shows it, its delimiter included, and its Q in [-1, 1]."""

    text: str
    q: float


@dataclass(frozen=True, slots=True)
class Example:
    """One solution.

    Attributes:
        id: of the question and, behind a "/", the tag of the last node.
        question: its text.
        prompt: what the model is shown before the first step.
        steps: at least one.
        correct: whether the final answer is right.
    """

    id: str
    question: str
    prompt: str
    steps: tuple[ExampleStep, ...]
    correct: bool

    def to_json(self) -> JsonObject:
        return {
            "id": self.id,
            "question": self.question,
            "prompt": self.prompt,
            "steps": [{"text": step.text, "q": step.q} for step in self.steps],
            "correct": self.correct,
        }


def example_from_json(data: JsonObject, where: str) -> Example:
    """Reads a line of an examples file. Raises RecordError, naming `where`."""
    try:
        steps = tuple(ExampleStep(step["text"], float(step["q"])) for step in data["steps"])
        example = Example(str(data["id"]), str(data["question"]), str(data["prompt"]), steps, data["correct"])
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(
            f"{where}: not a training example: {error!r}. Make it with scripts/make_examples.py."
        ) from None
    if not isinstance(example.correct, bool):
        raise RecordError(f"{where}: `correct` must be true or false, not {example.correct!r}.")
    if not steps or not all(isinstance(s.text, str) and s.text and -1 <= s.q <= 1 for s in steps):
        raise RecordError(f"{where}: a training example needs steps with text and a q in [-1, 1].")
    return example


@dataclass(frozen=True, slots=True)
class Solution:
    """A leaf that ends a solution: its node, and whether it is right (None: not known yet)."""

    node: Node
    correct: bool | None


def solutions_of(tree: Tree, *, failed: bool) -> list[Solution]:
    """The visited leaves that end solutions, in node order; equal solutions once.

    Args:
        tree: of a search for training data.
        failed: those that broke off without an answer too.
    """
    found: dict[tuple[str, ...], Solution] = {}
    for node in tree.nodes:
        step = node.step
        if step is None or not node.visit_count:
            continue
        if step.outcome is Outcome.ANSWER:
            solution = Solution(node, step.correct)
        elif failed and step.outcome in _WRONG_ENDS:
            solution = Solution(node, False)
        else:
            continue
        found.setdefault(tuple(part.text for part in tree.steps(node)), solution)
    return list(found.values())


def choose(tree: Tree, solutions: Sequence[Solution], config: ExamplesConfig) -> list[Solution]:
    """Up to `max_correct` right and `max_incorrect` wrong ones, right ones first; seeded by question."""
    key = f"{config.seed}\x1f{tree.task.id}\x1f{tree.task.question}".encode("utf-8", "surrogatepass")
    rng = random.Random(hashlib.blake2b(key, digest_size=8).digest())
    right = [s for s in solutions if s.correct]
    wrong = [s for s in solutions if s.correct is False]
    return [
        *_pick(tree, right, config.max_correct, config.choose, rng),
        *_pick(tree, wrong, config.max_incorrect, config.choose, rng),
    ]


def to_example(tree: Tree, solution: Solution, tag: str, step_delim: str | None) -> Example:
    """The example of one solution.

    Args:
        tree: which holds it.
        solution: judged.
        tag: of its last node.
        step_delim: between the steps of the tree; None: what its format has.
    """
    path = tree.path(solution.node)
    show = step_writer(tree, step_delim)
    steps = [ExampleStep(show(node), min(max(node.q_value, -1.0), 1.0)) for node in path[:-1]]
    steps.append(ExampleStep(show(path[-1]), POSITIVE if solution.correct else NEGATIVE))
    prompt = SftFormat().prompt(tree.task.question, [])
    return Example(f"{tree.task.id}/{tag}", tree.task.question, prompt, tuple(steps), solution.correct is True)


def step_writer(tree: Tree, step_delim: str | None) -> Callable[[Node], str]:
    """How the steps of a tree are shown in an example, delimiter included."""
    if is_few_shot(tree):
        return lambda node: f"{rewrite(_step(node))}\n"  # of the rewritten form, whatever the tree's own was
    delim = "\n" if step_delim is None else step_delim
    return lambda node: _step(node).text + delim


def is_few_shot(tree: Tree) -> bool:
    """Whether the steps are in the form of few-shot prompts (`react`), not in tags."""
    texts = [node.step.text for node in tree.nodes if node.step is not None]
    return any("Action Input:" in text or "<Solution complete>" in text for text in texts) and not any(
        "<step>" in text for text in texts
    )


def rewrite(step: Step) -> str:
    """A few-shot step in the tags of `react_sft`.

    `Thought: …`, `Action: …`, `Action Input: …`, `Observation: …` become `<p>`, `<code>` and `<output>`; what ends
    with `Final Answer: …` becomes the last step.
    """
    thought = step.text.removesuffix("<Solution complete>").rstrip()
    if step.code is not None:
        observation = thought.partition("\nObservation:")[2].strip()
        thought = thought.partition("Action:")[0].strip().removeprefix("Thought:").strip()
        code = step.code.strip()
        fenced = code if code.startswith("```") else f"```python\n{code}\n```"
        return f"<step>\n<p>\n{thought}\n</p>\n<code>\n{fenced}\n</code>\n<output>\n{observation}\n</output>\n</step>"
    if step.answer is None:
        return thought
    thought = thought.partition("Final Answer:")[0].partition("Action:")[0].strip().removeprefix("Thought:").strip()
    return f"<step>\n<p>\n{thought}\n</p>\n<p>\nFinal Answer: {step.answer}\n</p>\n</step>"


def _step(node: Node) -> Step:
    assert node.step is not None  # only the root has none
    return node.step


def _pick(tree: Tree, solutions: list[Solution], most: int, how: str, rng: random.Random) -> list[Solution]:
    if how in ("shortest", "longest"):
        lengths = {s.node.id: sum(len(step.text) for step in tree.steps(s.node)) for s in solutions}
        return sorted(solutions, key=lambda s: lengths[s.node.id], reverse=how == "longest")[:most]
    solutions = rng.sample(solutions, len(solutions))
    return (solutions if how == "random" else _different_first(tree, solutions))[:most]


def _different_first(tree: Tree, solutions: list[Solution]) -> list[Solution]:
    """Orders solutions so that new answers come first, then new programs, then the rest."""
    answers: set[str] = set()
    programs: set[tuple[str, ...]] = set()
    ranked: list[tuple[int, int, Solution]] = []
    for place, solution in enumerate(solutions):
        answer = "" if solution.correct else solution.node.answer or ""  # right answers are equal, however written
        program = tuple(step.code or "" for step in tree.steps(solution.node))
        rank = 0 if answer not in answers else 1 if program not in programs else 2
        answers.add(answer)
        programs.add(program)
        ranked.append((rank, place, solution))
    return [solution for _, _, solution in sorted(ranked, key=lambda item: item[:2])]
