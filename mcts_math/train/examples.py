"""Training data as files hold it: right and wrong solutions of a tree, every step with its Q value (SPEC A9), the last
one's its reward; and step-level preference pairs (SVPO), two visited steps after one partial solution, one of clearly
higher Q. A step without text of its own, such as a few-shot step of thought alone, is part of the step after it, and so
is its Q."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar

from pydantic import BeforeValidator, Field, PlainSerializer, StrictBool, TypeAdapter, ValidationError

from mcts_math.engine.tokenizer import Codec
from mcts_math.errors import RecordError, RefusedError
from mcts_math.files import read_records, require_different
from mcts_math.formats import FORMATS, FormatOptions, StepFormat, make_format, recognise_format
from mcts_math.messages import Conversation, Message, Piece, Prompt
from mcts_math.settings import explain
from mcts_math.step import Outcome
from mcts_math.tasks import JsonObject, is_ours
from mcts_math.train.config import ExamplesConfig
from mcts_math.tree import Node, Tree

T = TypeVar("T")
POSITIVE, NEGATIVE = 1.0, -1.0
MOST_PAIRS: Final = 8
"""Of one tree, so that no question outweighs the others."""


@contextmanager
def showing(name: str) -> Iterator[None]:
    """Raises RecordError, which names a line by its id, where the model's tokenizer or template can't show it."""
    try:
        yield
    except RefusedError as error:
        raise RecordError(f"{name!r} can't be trained on: {error}. Leave it out.") from error


def own_turns(codec: Codec, turns: tuple[Message, ...]) -> tuple[Message, ...]:
    """Turns as a model with this tokenizer reads them: where another one has sampled them, their text alone counts."""
    return tuple(replace(turn, written=tuple(_own_piece(codec, piece) for piece in turn.written)) for turn in turns)


def own_prompt(codec: Codec, prompt: Prompt) -> Prompt:
    return prompt if isinstance(prompt, str) else replace(prompt, messages=own_turns(codec, prompt.messages))


def _own_piece(codec: Codec, piece: Piece) -> Piece:
    tokens = piece.tokens[:-1] if piece.tokens[-1:] and piece.tokens[-1] in codec.eos_ids else piece.tokens
    is_own = max(tokens, default=0) < codec.vocab_size and codec.decode(tokens).strip() == piece.text.strip()
    return piece if is_own else replace(piece, tokens=())


@dataclass(frozen=True, slots=True)
class Lines(Generic[T]):
    """How things of one type stand in a file."""

    adapter: TypeAdapter[T]
    what: str  # each line is, for messages
    remedy: str = ""

    def load(self, data: JsonObject, where: str) -> T:
        """What a line holds; its place stands for an id that it lacks. Raises RecordError, naming `where`."""
        try:
            return self.adapter.validate_python({"id": where} | data)
        except ValidationError as error:
            problem = explain(max(error.errors(), key=lambda found: len(found["loc"])))  # of a union what fits best
            raise RecordError(f"{where}: not {self.what}: {problem}.{self.remedy and ' '}{self.remedy}") from None

    def dump(self, one: T) -> JsonObject:
        """The line of it, without what is at its default."""
        return self.adapter.dump_python(one, mode="json", exclude_defaults=True)  # type: ignore[no-any-return]

    def read(self, paths: Sequence[str | Path], *, may_be_empty: bool = False) -> Iterator[T]:
        """Streams what the lines of files hold. Raises RecordError, naming file and line, or a file given twice."""
        require_different(paths)
        for path in paths:
            for where, record in read_records(path, may_be_empty=may_be_empty):
                yield self.load(record, where)


def _stored(talk: Conversation) -> Any:
    data = TypeAdapter(Conversation).dump_python(talk, mode="json", exclude_defaults=True)
    return data if talk.tools or talk.template else data["messages"]


def _with_messages(data: Any) -> Any:
    return {"messages": data} if isinstance(data, list) and data else data


StoredPrompt: TypeAlias = (
    str | Annotated[Conversation, BeforeValidator(_with_messages), PlainSerializer(_stored, when_used="json")]
)
"""A text, or a conversation: in a file the list of its messages, as TRL reads it, or an object with tools beside."""


Quality: TypeAlias = Annotated[float, Field(strict=True, ge=NEGATIVE, le=POSITIVE)]  # Q of a step


@dataclass(frozen=True, slots=True)
class ExampleStep:
    """A step as the prompt shows it, its delimiter included, its Q, and the turns of a conversation."""

    text: Annotated[str, Field(min_length=1)]
    q: Quality
    turns: tuple[Message, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    id: Annotated[str, BeforeValidator(str)]  # of the question and, behind a "/", the tag of the last node
    question: str
    prompt: StoredPrompt  # what the model is shown before the first step: a text, or a conversation
    steps: Annotated[tuple[ExampleStep, ...], Field(min_length=1)]  # at least one
    correct: StrictBool  # whether the final answer is right
    value_source: str = ""  # who scored its steps, as in results files; "" where nobody did, or tells


EXAMPLES: Final = Lines(TypeAdapter(Example), "a training example", "Make it with make_examples.py.")


def format_of(record: Mapping[str, Any], tree: Tree, config: ExamplesConfig, where: str) -> StepFormat:
    """The format that a tree was made with: as its line tells, else the config, else as its steps look. Raises
    RecordError, naming `where`."""
    told = record if is_ours(record) else {}
    stored = told.get("format") if isinstance(told.get("format"), str) else None
    name = stored if stored in FORMATS else config.format
    if name is None and stored is None:
        steps = [node.step for node in tree.nodes if node.step is not None]
        readable = [step for step in steps if not step.outcome.is_failure]
        name = recognise_format(step.text for step in readable or steps)
    if name is None:
        what = "does not tell the format of its steps" if stored is None else f"has steps in the format {stored!r}"
        raise RecordError(f"{where}: the line {what}. Say it with the key format: {', '.join(FORMATS)}.")
    delim = told.get("step_delim", config.step_delim)
    variables = told.get("chat_template_kwargs")
    template = tuple(variables.items()) if stored is not None and isinstance(variables, dict) else ()
    step_delim = delim if isinstance(delim, str) else None
    return make_format(name, FormatOptions(step_delim=step_delim, num_few_shot=0, template=template))


@dataclass(frozen=True, slots=True)
class Solution:
    """A leaf that ends a solution: its node, and whether it is right (None: not known yet)."""

    node: Node
    correct: bool | None


def solutions_of(tree: Tree, *, failed: bool) -> list[Solution]:
    """The visited leaves that end solutions, in node order; equal ones once. `failed`: without an answer too."""
    found: dict[tuple[str, ...], Solution] = {}
    for node in tree.nodes:
        step = node.step
        if step is None or not node.visit_count:
            continue
        if tree.is_solution(node):
            solution = Solution(node, step.correct)
        elif failed and step.outcome.is_failure:
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


def to_example(tree: Tree, solution: Solution, tag: str, form: StepFormat, source: str = "") -> Example | None:
    """The example of one judged solution, whose last node has the tag; None where its steps have no text."""
    path = tree.path(solution.node)
    made = [node.step for node in path if node.step is not None]
    texts = form.training_texts(made)
    values = [min(max(node.q_value, NEGATIVE), POSITIVE) for node in path[:-1]]
    values.append(POSITIVE if solution.correct else NEGATIVE)
    parts = zip(texts, values, map(form.turns, made), strict=True)
    steps = tuple(ExampleStep(text, q, turns) for text, q, turns in parts if text)
    prompt = form.for_training().prompt(tree.task, [])
    if not steps:
        return None
    return Example(f"{tree.task.id}/{tag}", tree.task.question, prompt, steps, solution.correct is True, source)


def _pick(tree: Tree, solutions: list[Solution], most: int, how: str, rng: random.Random) -> list[Solution]:
    solutions = rng.sample(solutions, len(solutions))
    return (solutions if how == "random" else _different_first(tree, solutions))[:most]


def _different_first(tree: Tree, solutions: list[Solution]) -> list[Solution]:
    """Orders solutions so that new answers come first, then new programs, then the rest."""
    answers: set[str] = set()
    programs: set[tuple[str, ...]] = set()

    def rank(solution: Solution) -> int:  # among those before it
        answer = "" if solution.correct else solution.node.answer or ""  # right answers are equal, however written
        program = tuple(step.code or "" for step in tree.steps(solution.node))
        found = 0 if answer not in answers else 1 if program not in programs else 2
        answers.add(answer)
        programs.add(program)
        return found

    return sorted(solutions, key=rank)


StoredStep: TypeAlias = Annotated[str | tuple[Message, ...], Field(min_length=1)]
"""A step as text, or as the turns that it adds to a conversation."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two steps that follow one prompt."""

    id: str  # of the question and, behind a "/", the tag of their parent and the numbers of the two
    prompt: StoredPrompt  # question and steps so far, delimiter included
    chosen: StoredStep  # the better and the worse step, delimiter included
    rejected: StoredStep
    q_chosen: Quality = math.nan  # their Qs
    q_rejected: Quality = math.nan

    @property
    def margin(self) -> float:
        """Q of the better step less that of the worse one, in (0, 2]."""
        return self.q_chosen - self.q_rejected

    def to_json(self) -> JsonObject:
        """As TRL reads pairs: texts, or messages where the prompt is a conversation."""
        return PAIRS.dump(self) | {"margin": self.margin}


PAIRS: Final = Lines(TypeAdapter(Pair), "a preference pair")


def pairs_of(tree: Tree, form: StepFormat, margin: float) -> list[Pair]:
    """The pairs of a tree whose Qs differ by `margin` at least: the widest ones, MOST_PAIRS of them."""
    tags = {node.id: tag for tag, node in tree.tags()}
    found: list[Pair] = []
    for parent in tree.nodes:
        visited = [child for child in tree.children(parent) if child.visit_count]
        shown = [child for child in visited if child.step and child.step.outcome is not Outcome.UNPARSABLE]
        for better, worse in product(shown, shown):
            if better.q_value - worse.q_value < margin:
                continue
            prompt, chosen = _continued(tree, better, form)
            _, rejected = _continued(tree, worse, form)
            if chosen and rejected and chosen != rejected:
                names = f"{tags[better.id].rpartition('.')[2]}>{tags[worse.id].rpartition('.')[2]}"
                name = f"{tree.task.id}/{tags[parent.id]}/{names}"
                found.append(Pair(name, prompt, chosen, rejected, better.q_value, worse.q_value))
    return sorted(found, key=lambda pair: -pair.margin)[:MOST_PAIRS]


def _continued(tree: Tree, node: Node, form: StepFormat) -> tuple[Prompt, str | tuple[Message, ...]]:
    """What a training would show before a node's step, and the step; thoughts that lead to it are a part of it."""
    steps = tree.steps(node)
    prompt = form.for_training().prompt(tree.task, [])
    if not isinstance(prompt, str):
        return form.prompt(tree.task, steps[:-1]), form.turns(steps[-1])
    *before, text = form.training_texts(steps)
    return prompt + "".join(before), text
