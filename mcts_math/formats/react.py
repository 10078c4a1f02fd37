"""`react`: Thought / Action / Action Input / Observation, for base models with worked examples in the prompt (SPEC A3).

1. An action is `python_interpreter`, or `None`: a step of thought alone. Any other name is answered by an observation
   that names the two. The solution goes on after each of them.
2. Published files are read as they are, beside ours: `few_shot_path` is a JSON list of whole examples (strings) or of
   `{question, solution}`; `prompt_path` is a JSON object with `react_format_instructions` and `react_suffix`, or a text
   file with the instructions.
3. A model that is trained on such steps is searched in the tags of `react_sft`: that is their training text.
4. Departure: `Action: None` in front of a final answer calls nothing, so the answer stands.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mcts_math.errors import ConfigError
from mcts_math.files import read_json, read_text, short_digest
from mcts_math.formats.base import FINAL_ANSWER, FormatOptions, StepFormat, opening, read_answer
from mcts_math.formats.react_sft import SftFormat
from mcts_math.messages import Sample
from mcts_math.step import TOOL, Action, Draft, Outcome, Step
from mcts_math.tasks import Task

NO_ACTION: Final = "None"
NOTHING_RUN: Final = "No action, no observation. Please continue to solve."
_COMPLETE: Final = "<Solution complete>"
_SUFFIX: Final = "Question: {input}"
_TOOL_DESC: Final = f"{TOOL}: runs Python code; it shows what the code prints, or the value of its last line"
_BUNDLED: Final = Path(__file__).parent / "react_data"


@dataclass(frozen=True, slots=True)
class FewShotFormat(StepFormat):
    """See `base.StepFormat`."""

    instructions: str  # text before the examples
    examples: tuple[str, ...]  # the worked examples of this run's prompt, each a whole text
    suffix: str = _SUFFIX  # what follows them; `{input}` in it is the question with the steps so far
    step_delim: str = "\n\n"
    stops: tuple[str, ...] = ("\nObservation:", "Observation:", _COMPLETE)
    name: str = "react"

    @classmethod
    def make(cls, options: FormatOptions) -> FewShotFormat:
        """Reads the prompt files. Raises ConfigError where one can't be read, or holds too few examples."""
        instructions, suffix = _read_prompt(options.prompt_path)
        examples = _read_examples(options.few_shot_path)
        if options.num_few_shot > len(examples):
            raise ConfigError(f"num_few_shot is {options.num_few_shot}, but there are only {len(examples)} examples.")
        chosen = choose_examples(examples, options.num_few_shot, options.seed)
        return cls(instructions, chosen, suffix, **options.given)

    def prompt(self, task: Task, steps: Sequence[Step]) -> str:
        question, before = opening(task)
        asked = question + self.step_delim + "".join(map(self._show, [*before, *steps]))
        # Not str.format: questions, code and examples are full of braces.
        return "\n\n".join([self.instructions.strip(), *self.examples, self.suffix.replace("{input}", asked)])

    def user_turn(self, task: Task, steps: Sequence[Step], text: str) -> tuple[str, str]:
        return self.prompt(task, steps), self._show(Step(text, Outcome.USER))

    def _show(self, step: Step) -> str:
        if step.outcome is Outcome.USER:
            return f"Question: {step.text}{self.step_delim}"
        return step.text + self.step_delim

    def read(self, sample: Sample) -> Draft:
        text = sample.text.strip().removesuffix(_COMPLETE).rstrip().removesuffix("Observation:").rstrip()
        before, is_final, answer = text.rpartition(FINAL_ANSWER)  # a thought may hold the words too
        action, action_input = _read_action(before if is_final else text)
        if is_final:
            if action not in ("", NO_ACTION) or "Action Input:" in answer:
                return Draft(text)
            return Draft(text, answer=read_answer(answer))
        if action == TOOL:
            return Draft(text, (Action(TOOL, action_input),)) if action_input else Draft(text)
        return Draft(text, (Action(action, action_input, _note(action)),)) if action else Draft(text)

    def observed(self, draft: Draft, observations: Sequence[str]) -> str:
        return f"{draft.text}{self.step_delim}Observation: {observations[0]}"

    def finished(self, draft: Draft) -> str:
        return f"{draft.text}\n{_COMPLETE}" if draft.answer is not None else draft.text

    def for_training(self) -> StepFormat:
        return SftFormat()

    def training_texts(self, steps: Sequence[Step]) -> list[str]:
        texts, thoughts = [], list[str]()
        for step in steps:
            thoughts.append(_thought(step))
            if step.outcome is Outcome.CONTINUE and step.code is None:
                texts.append("")  # tags have no step of thought alone: it begins the thought of the next one
            else:
                texts.append(_in_tags(step, thoughts) + SftFormat().step_delim)
                thoughts = []
        return texts

    def fingerprint(self) -> str:
        return short_digest(json.dumps([self.instructions, self.examples, self.suffix]))


def choose_examples(examples: Sequence[str], num: int, seed: int) -> tuple[str, ...]:
    """`num` examples drawn at random without repeats; the same for every question of a run with this seed."""
    return tuple(random.Random(seed).sample(list(examples), num))


def _read_action(text: str) -> tuple[str, str]:
    """The tool that a text calls and what it is given, as written; ("", "") where it calls none."""
    before, given, action_input = text.partition("Action:")[2].partition("Action Input:")
    return (before.rpartition("Action:")[2].strip() or NO_ACTION, action_input.strip()) if given else ("", "")


def _note(action: str) -> str:
    if action == NO_ACTION:
        return NOTHING_RUN
    return f"Error: there is no tool {action[:80]!r}. Action is {TOOL} or {NO_ACTION}."


def _thought(step: Step) -> str:
    text = step.text if step.answer is None else step.text.rpartition(FINAL_ANSWER)[0]
    text = text.partition("Action:")[0]
    return text.removesuffix(_COMPLETE).strip().removeprefix("Thought:").strip()


def _in_tags(step: Step, thoughts: Sequence[str]) -> str:
    """A few-shot step in the tags of `react_sft`, with the thoughts that led to it; one that can't be read stays as
    it is."""
    thought = "\n".join(thoughts)
    if step.answer is not None:
        return f"<step>\n<p>\n{thought}\n</p>\n<p>\n{FINAL_ANSWER} {step.answer}\n</p>\n</step>"
    if step.outcome is Outcome.UNPARSABLE:
        return "\n".join([*thoughts[:-1], step.text])
    if step.code is None:  # a solution that ended, too deep, in thought
        return f"<step>\n<p>\n{thought}\n</p>\n</step>"
    code = step.code.strip()
    fenced = code if code.startswith("```") else f"```python\n{code}\n```"
    # Published records don't hold the observation by itself.
    told = step.runs[0].observation
    shown = told if told is not None else step.text.partition("Observation:")[2].strip()
    return f"<step>\n<p>\n{thought}\n</p>\n<code>\n{fenced}\n</code>\n<output>\n{shown}\n</output>\n</step>"


def _read_prompt(given: str | None) -> tuple[str, str]:
    path = _BUNDLED / "instructions.txt" if given is None else Path(given)
    remedy = "Leave prompt_path out for the bundled text."
    if path.suffix != ".json":
        return read_text(path, remedy, ConfigError), _SUFFIX
    data = read_json(path, remedy, ConfigError)
    keys = ("react_format_instructions", "react_suffix")
    if not isinstance(data, dict) or not all(isinstance(data.get(key), str) for key in keys):
        raise ConfigError(f"prompt_path: {path}: expected a JSON object with the texts {' and '.join(keys)}.")
    if "{input}" not in data["react_suffix"]:
        raise ConfigError(f"prompt_path: {path}: react_suffix has no {{input}}, where the question would stand.")
    instructions = data["react_format_instructions"].replace("{tool_desc}", _TOOL_DESC)
    return instructions.replace("{tool_names}", TOOL), data["react_suffix"]


def _read_examples(given: str | None) -> list[str]:
    path = _BUNDLED / "examples.json" if given is None else Path(given)
    data = read_json(path, "Leave few_shot_path out for the bundled text.", ConfigError)
    if not isinstance(data, list):
        raise ConfigError(f"few_shot_path: {path}: expected a JSON list of examples, found {type(data).__name__}.")
    return [_example(item, f"few_shot_path: {path}, example {index}") for index, item in enumerate(data)]


def _example(item: Any, where: str) -> str:
    if isinstance(item, str):
        return item.strip()
    if isinstance(item, dict) and all(isinstance(item.get(key), str) for key in ("question", "solution")):
        return f"Question: {item['question']}\n\n{item['solution'].strip()}"
    raise ConfigError(f"{where}: expected a whole example as text, or an object with `question` and `solution`.")
