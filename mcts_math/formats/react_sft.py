"""`react_sft`: tagged steps, for models that were tuned on them (SPEC A3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mcts_math.formats.base import FINAL_ANSWER, FormatOptions, StepFormat, opening, read_answer
from mcts_math.messages import Sample
from mcts_math.step import TOOL, Action, Draft, Outcome, Step
from mcts_math.tasks import Task


@dataclass(frozen=True, slots=True)
class SftFormat(StepFormat):
    """See `base.StepFormat`."""

    step_delim: str = "\n"
    stops: tuple[str, ...] = ("\n</code>", "</code>", "</step>")
    name: str = "react_sft"

    @classmethod
    def make(cls, options: FormatOptions) -> SftFormat:
        return cls(**options.given)

    def prompt(self, task: Task, steps: Sequence[Step]) -> str:
        question, before = opening(task)
        return "".join(map(self._show, [Step(question, Outcome.USER), *before, *steps]))

    def user_turn(self, task: Task, steps: Sequence[Step], text: str) -> tuple[str, str]:
        return self.prompt(task, steps), self._show(Step(text, Outcome.USER))

    def _show(self, step: Step) -> str:
        if step.outcome is Outcome.USER:
            return f"<question> {step.text} </question>\n"
        return step.text + self.step_delim

    def read(self, sample: Sample) -> Draft:
        text = sample.text.strip()
        for end in ("</code>", "</step>"):
            text = text.removesuffix(end).rstrip()
        before, code_tag, code = text.partition("<code>")
        if FINAL_ANSWER in before:
            if code_tag:
                return Draft(text)
            return Draft(text, answer=read_answer(before.rpartition(FINAL_ANSWER)[2].partition("</p>")[0]))
        code, closed, rest = code.partition("</code>")
        if not code.strip() or FINAL_ANSWER in rest:
            return Draft(text)
        # A policy that ignores stop strings writes on after </code>: what it makes up there is not kept.
        return Draft(f"{before}<code>{code}".rstrip() if closed else text, (Action(TOOL, code.strip()),))

    def observed(self, draft: Draft, observations: Sequence[str]) -> str:
        return f"{draft.text}\n</code>{self.step_delim}<output>\n{observations[0]}\n</output>\n</step>"

    def finished(self, draft: Draft) -> str:
        return f"{draft.text}\n</step>" if draft.answer is not None else draft.text

    def training_texts(self, steps: Sequence[Step]) -> list[str]:
        return list(map(self._show, steps))
