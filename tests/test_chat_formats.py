"""The chat formats: how a model's reply is read, where a step ends, what a search over turns looks like."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from stand_ins import solve_one

from mcts_math.errors import ConfigError, RefusedError
from mcts_math.files import dump_line, parse_line
from mcts_math.formats import FormatOptions, make_format
from mcts_math.formats.replies import read_reply
from mcts_math.messages import Conversation, Message, Piece, Sample, Sampling, ToolCall, text_of
from mcts_math.methods import METHODS
from mcts_math.requests import Evaluate, Evaluation, Generate, Generation
from mcts_math.run.record import record_to_tree, tree_to_record
from mcts_math.search.expansion import derive_seed
from mcts_math.settings import make_settings
from mcts_math.step import TOOL, Outcome
from mcts_math.tasks import Task
from mcts_math.train.config import ExamplesConfig
from mcts_math.train.examples import format_of

TASK = Task("t", "What is 2+2?", ("4",))
GIVEN = json.dumps({"code": "print(2+2)"})
WRONG, RIGHT = "<think>\nhm\n</think>\nIt is \\boxed{5}.", "It is \\boxed{4}."
END = 0  # the token that ends a turn


def sample(text: str, stop: str = "", *, opening: str = "", ended: bool = True, tokens: int = 0) -> Sample:
    """A sample whose tokens are its characters; `stop` ended it, else its end of turn, or its length."""
    ids = tuple(map(ord, text + stop)) + ((END,) if ended and not stop else ())
    finish = "stop" if ended or stop else "length"
    return Sample(text, -1.0, tokens or len(ids), finish, (Piece(text + stop, ids),), opening)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "content", "calls"),
    [
        (f'So.\n<tool_call>\n{{"name": "f", "arguments": {GIVEN}}}\n</tool_call>', "So.", [("f", GIVEN)]),
        (f'<tool_call>{{"name": "f", "arguments": {GIVEN}}}</tool_call>\n'
         '<tool_call>{"name": "g", "arguments": {}}</tool_call>', "", [("f", GIVEN), ("g", "{}")]),
        ('<tool_call>{"name": "f", "arguments": {"code": "s = \'</tool_call>\'"}}</tool_call> So.', "So.",
         [("f", '{"code": "s = \'</tool_call>\'"}')]),
        ('<tool_call>\n{"name": "f", "arguments": {"co', "", [("", '{"name": "f", "arguments": {"co')]),
        ("<tool_call>\n<function=f>\n<parameter=code>\nprint(2+2)\n</parameter>\n</function>\n</tool_call>", "",
         [("f", GIVEN)]),
        ("<tool_call>f\n<arg_key>code</arg_key>\n<arg_value>print(2+2)</arg_value>\n</tool_call>", "", [("f", GIVEN)]),
        (f'{{"name": "f", "parameters": {GIVEN}}}', "", [("f", GIVEN)]),
        (f'{{"name": "f", "parameters": {GIVEN}}}; {{"name": "f", "parameters": {GIVEN}}}<|eom_id|>', "",
         [("f", GIVEN)] * 2),
        ("<|python_tag|>print(2+2)", "", [("", "print(2+2)")]),
        (f'<|python_tag|>{{"name": "f", "parameters": {GIVEN}}}', "", [("f", GIVEN)]),
        (f'Hm.[TOOL_CALLS] [{{"name": "f", "arguments": {GIVEN}}}]', "Hm.", [("f", GIVEN)]),
        (f"[TOOL_CALLS]f[CALL_ID]a1[ARGS]{GIVEN}[TOOL_CALLS]g[ARGS]{{}}", "", [("f", GIVEN), ("g", "{}")]),
        (f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n{GIVEN}\n```<｜tool▁call▁end｜>"
         "<｜tool▁calls▁end｜>", "", [("f", GIVEN)]),
        (f"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>f<｜tool▁sep｜>{GIVEN}<｜tool▁call▁end｜>"
         "<｜tool▁calls▁end｜>", "", [("f", GIVEN)]),
        (f"<|channel|>commentary to=functions.f <|constrain|>json<|message|>{GIVEN}<|call|>", "", [("f", GIVEN)]),
        (f" to=functions.f<|channel|>commentary json<|message|>{GIVEN}", "", [("f", GIVEN)]),
        ("<|channel|>final<|message|>It is 4.", "It is 4.", []),
        (f"<|channel|>commentary<|message|>Hm.<|end|><|start|>assistant to=functions.f<|channel|>commentary<|message|>"
         f"{GIVEN}", "Hm.", [("f", GIVEN)]),
        ('<|tool_call>call:f{code:<|"|>print(2+2)<|"|>}<tool_call|>', "", [("f", GIVEN)]),
        ("<|tool_call_start|>[f(code='print(2+2)')]<|tool_call_end|>", "", [("f", GIVEN)]),
        (r"<|tool_call_start|>[f(code='\d')]<|tool_call_end|>", "", [("f", r'{"code": "\\d"}')]),
        ("It is {4}.", "It is {4}.", []),
        ('{"answer": 4}', '{"answer": 4}', []),
    ],
)  # fmt: skip
def test_calls_are_read_in_the_syntax_of_each_family(text: str, content: str, calls: list[tuple[str, str]]) -> None:
    message = read_reply(text)
    assert message.content == content
    assert [call.name for call in message.calls] == [name for name, _ in calls]
    for call, (_, arguments) in zip(message.calls, calls, strict=True):
        assert call.arguments == arguments or json.loads(call.arguments) == json.loads(arguments)


@pytest.mark.parametrize(
    ("text", "opening", "thought", "content"),
    [
        ("<think>\nhm\n</think>\n\n4", "", "hm", "4"),
        ("hm\n</think>\n\n4", "<|im_start|>assistant\n<think>\n", "hm", "4"),
        ("hm\n</think>\n\n4", "", "hm", "4"),
        ("<think>\nhm, 4", "", "hm, 4", ""),
        ("hm, 4", "<think>\n", "hm, 4", ""),
        ("4", "<think>\n\n</think>\n\n", "", "4"),
        ("[THINK]hm[/THINK]4", "", "hm", "4"),
        ("<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>4", "", "hm", "4"),
        ("<|channel>thought\nhm\n<channel|>4", "", "hm", "4"),
        ("The tag <think> opens one.", "", "", "The tag <think> opens one."),
    ],
)
def test_a_thought_is_kept_apart(text: str, opening: str, thought: str, content: str) -> None:
    message = read_reply(text, opening)
    assert (message.thought, message.content) == (thought, content)


def call_text(name: str, arguments: str) -> str:
    return f'<tool_call>\n{{"name": "{name}", "arguments": {arguments}}}\n</tool_call>'


TOOLS, CODE, STEPS, CHAT = (make_format(name) for name in ("chat_tools", "chat_code", "chat_steps", "chat"))


def test_a_turn_of_calls_is_a_step_and_each_call_is_answered() -> None:
    draft = TOOLS.read(sample(call_text(TOOL, GIVEN) + call_text("search", "{}") + call_text(TOOL, '"oops')))
    assert [action.code for action in draft.actions] == ["print(2+2)", None, None]
    notes = [action.note or "" for action in draft.actions]
    assert "no tool 'search'" in notes[1]
    assert "JSON object" in notes[2]
    assert len({action.call_id for action in draft.actions}) == 3
    assert draft.answer is None


@pytest.mark.parametrize(
    "arguments", ["[1]", '{"a": 1}', '{"code": 5}', '{"code": ""}', '{"a": "x", "b": "y"}', "null"]
)
def test_arguments_that_hold_no_code_are_an_observation(arguments: str) -> None:
    (action,) = TOOLS.read(sample(call_text(TOOL, arguments))).actions
    assert action.code is None
    assert action.note is not None


@pytest.mark.parametrize("form", [TOOLS, CODE, STEPS, CHAT], ids=lambda form: form.name)
def test_an_unfinished_thought_is_no_answer(form: Any) -> None:
    draft = form.read(sample("<think>\nso \\boxed{4}, print\n```python\n1\n```", ended=False))
    assert (draft.answer, draft.actions, draft.whole) == (None, (), False)
    finished = form.read(sample("<think>\nno \\boxed{5}\n</think>\nIt is \\boxed{4}."))
    assert finished.answer == "4"


def test_a_block_of_python_ends_a_step_and_other_fences_do_not() -> None:
    stopped = sample("Let me.\n```python\nprint(2+2)\n", "```\n")
    assert CODE.read(stopped).actions[0].code == "print(2+2)"
    assert CODE.resume(stopped, Sampling(max_tokens=100)) is None
    assert (
        CODE.read(sample("```python\nprint(2+2)\n```")).actions[0].code == "print(2+2)"
    )  # the model ended its turn behind it
    for text in ("As a table:\n", "As a table:\n```\n1 2\n", "```json\n1\n"):
        resumption = CODE.resume(sample(text, "```\n"), Sampling(max_tokens=100))
        assert resumption is not None
    assert CODE.read(sample("It is \\boxed{4}.")).answer == "4"
    assert CODE.read(sample("```python\n\n```")).actions == ()


def test_the_output_stands_behind_the_closed_block_in_the_same_turn() -> None:
    (solved,) = search("react", "chat_code", "Let me.\n```python\nprint(1)", "It is \\boxed{4}.", stop="\n```\n")
    prompt = TALKS[-1]
    assert [message.role for message in prompt.messages] == ["system", "user", "assistant"]
    assert text_of(prompt.messages[-1].written) == "Let me.\n```python\nprint(1)\n```\n```output\nok after 0\n```\n"
    assert solved.tree.correct is True


def test_steps_end_at_the_delimiter_and_the_solution_with_the_turn() -> None:
    assert STEPS.read(sample("First.", "\n\n")).goes_on
    assert STEPS.resume(sample("", "\n\n"), Sampling(max_tokens=9)) is not None  # an empty step is none
    last = STEPS.read(sample("So it is 4."))
    assert (last.goes_on, last.whole) == (False, True)
    assert STEPS.read(sample("So \\boxed{4}.", "\n\n")).answer == "4"
    earlier = STEPS.read(sample("That is all.", opening="<|im_start|>assistant\nThe final answer is 4.\n\n"))
    assert earlier.answer == "4"


def test_a_step_ends_where_the_users_expression_matches() -> None:
    form = make_format("chat_steps", FormatOptions(step_delim="\n", step_pattern=r"[.!]\n"))
    limits = Sampling(max_tokens=99)
    assert form.stops == ("\n",)
    assert form.resume(sample("So it is four.", "\n"), limits) is None
    goes_on = form.resume(sample("So it is", "\n", tokens=9), limits)
    assert goes_on is not None
    assert (goes_on.pieces, goes_on.sampling.max_tokens) == ((), 90)
    assert form.resume(sample("So it is", "\n", tokens=99), limits) is None  # all its tokens are used up
    assert form.resume(sample("So it is"), limits) is None  # the model has ended its turn
    with pytest.raises(ConfigError, match=r"step_pattern.*unterminated"):
        make_format("chat_steps", FormatOptions(step_pattern="["))


def test_a_thought_is_one_step_or_searched() -> None:
    searched = make_format("chat_steps", FormatOptions(search_thoughts=True))
    part, limits = sample("<think>\nFirst.", "\n\n"), Sampling(max_tokens=99, stop=("\n\n",))
    resumption = STEPS.resume(part, limits)
    assert resumption is not None
    assert resumption.sampling.stop == ("</think>",)
    assert searched.resume(part, limits) is None
    assert searched.read(part).goes_on
    end = sample("First.\n", "</think>", opening="<think>\n")
    after = STEPS.resume(end, limits)
    assert after is not None
    assert after.sampling.stop == ("\n\n",)


def test_a_budget_closes_a_thought() -> None:
    form = make_format("chat", FormatOptions(max_thinking_tokens=5))
    limits = Sampling(max_tokens=100)
    assert form.begin(limits).max_tokens == 5
    open_thought = form.resume(sample("<think>hm", ended=False, tokens=5), limits)
    assert open_thought is not None
    assert text_of(open_thought.pieces) == "\n</think>\n\n"
    assert open_thought.sampling.max_tokens == 95
    no_thought = form.resume(sample("It is", ended=False, tokens=5), limits)
    assert no_thought is not None
    assert no_thought.pieces == ()
    assert form.resume(sample("<think>hm", ended=False, tokens=4), limits) is None  # the context was full
    assert form.resume(sample("It is 4.", tokens=5), limits) is None


def test_a_budget_that_a_server_can_not_go_on_from_is_an_error() -> None:
    form = make_format("chat", FormatOptions(max_thinking_tokens=5))
    with pytest.raises(RefusedError, match="folder"):
        form.resume(Sample("hm", -1.0, 5, "length"), Sampling(max_tokens=100))
    assert form.resume(Sample("4", -1.0, 1), Sampling(max_tokens=100)) is None


@pytest.mark.parametrize(
    "text",
    [
        " " * 40000, "x" + "\n" * 40000 + "y", "<|channel|>commentary" + " " * 40000,
        "<|channel|>commentary to=" + "a" * 40000, "<tool_call><function=f>" + "<parameter=" * 4000,
        "<tool_call>" + "<arg_key>" * 4000, "<tool_call>" + "<arg_key></arg_key>" * 2000,
        "<|tool_call>call:f{" + "a" * 40000, '{"name":"f","arguments":{}}\n' * 4000, "<think></think>" * 2000,
        "<tool_call>" * 4000, "<|start|>assistant<|channel|>analysis<|message|>" * 1000, "```python\n" * 4000,
    ],
    ids=lambda text: text[:30],
)  # fmt: skip
def test_what_a_model_may_write_is_read_in_linear_time(text: str) -> None:
    begun = time.process_time()
    for form in (TOOLS, CODE, STEPS, CHAT):
        form.resume(sample(text), Sampling(max_tokens=100_000))
        form.read(sample(text))
    assert time.process_time() - begun < 5  # a quadratic reading takes minutes


@pytest.mark.parametrize(
    "block",
    [
        '<tool_call>{"name": "f", "arguments": {"code": ' + "1" * 5000 + "}}</tool_call>",
        '<tool_call>{"name": "f", "arguments": ' + "[" * 5000,
        '<|tool_call_start|>[f(code=b"x")]<|tool_call_end|>',
        "<|tool_call_start|>[f(code={1})]<|tool_call_end|>",
        "<|tool_call_start|>[f(code={[]: 1})]<|tool_call_end|>",
        call_text(TOOL, json.dumps({"code": "print('\ud83d')"})),
    ],
    ids=range(6),
)
def test_a_call_that_can_not_be_shown_as_it_is_breaks_nothing(block: str) -> None:
    draft = TOOLS.read(sample(block))
    (action,) = draft.actions
    assert action.note is not None or action.code in ("print('\ufffd')", block[19:-17])  # bare Python is run as it is
    assert draft.text.encode()


def test_a_box_that_the_delimiter_cuts_is_no_answer_yet() -> None:
    assert STEPS.read(sample("So \\boxed{", "\n\n")).goes_on
    assert STEPS.read(sample("4}.", opening="So \\boxed{\n\n")).answer == "4"


def test_fences_in_a_thought_close_no_block_and_are_none() -> None:
    thought = "<think>\n```python\nhm\n{}</think>\nSo:\n"
    for written in (thought.format("") + "```python\n1\n", thought.format("```\n") + "```json\n1\n"):
        (solved,) = search("react", "chat_code", written, "It is \\boxed{4}.", stop="```\n")
        assert solved.tree.correct is True
        assert "```\n```\n```output" not in text_of(TALKS[-1].messages[-1].written)
    assert CODE.resume(sample(written, "```\n"), Sampling(max_tokens=999)) is not None


def test_a_thought_that_a_stop_string_ends_at_its_budget_is_closed() -> None:
    form = make_format("chat_code", FormatOptions(max_thinking_tokens=5))
    resumption = form.resume(sample("<think>\n", "```\n", tokens=5), Sampling(max_tokens=100, stop=("```\n",)))
    assert resumption is not None
    assert text_of(resumption.pieces) == "\n</think>\n\n"


TALKS: list[Conversation] = []


class Chat:
    """A model that writes given replies in turn, in characters as tokens; it says what it was asked."""

    def __init__(self, *replies: str, stop: str = "") -> None:
        self._replies, self._stop, self._asked = replies, stop, 0
        self.sampled: list[Generate] = []
        TALKS.clear()

    async def generate(self, request: Generate) -> Generation:
        assert isinstance(request.prompt, Conversation)
        TALKS.append(request.prompt)
        self.sampled.append(request)
        samples = []
        for _ in range(request.num_samples):
            text = self._replies[self._asked % len(self._replies)]
            self._asked += 1
            samples.append(sample(text, self._stop if "boxed" not in text else ""))
        return Generation(tuple(samples), 0.5, num_prompt_tokens=7)

    async def evaluate(self, request: Evaluate) -> Evaluation:
        assert isinstance(request.prompt, Conversation)
        return Evaluation(0.9 if "boxed" in text_of(request.prompt.messages[-1].written) else 0.25)

    async def close(self) -> None:
        return None


def search(mode: str, form: str, *replies: str, stop: str = "", policy: type[Chat] = Chat, **keys: Any) -> list[Any]:
    options = {"mode": mode, "prompt_wrap": form, "max_depth": 4, **keys}
    return [solve_one(options, policy(*replies, stop=stop), {"id": "t", "question": TASK.question, "answer": "4"})]


def test_tools_are_answered_by_messages_of_the_tool_and_the_turn_stays_as_sampled() -> None:
    asks = call_text(TOOL, GIVEN) + "\n" + call_text(TOOL, '{"code": "x"}')
    (solved,) = search("react", "chat_tools", asks, "It is \\boxed{4}.")
    first, second = TALKS
    assert [tool.name for tool in first.tools] == [TOOL]
    assert [message.role for message in second.messages] == ["user", "assistant", "tool", "tool"]
    turn, *answers = second.messages[1:]
    assert turn.written[0].tokens == (*map(ord, asks), END)
    assert [message.content for message in answers] == ["ok after 0", "ok after 1"]
    assert [message.call_id for message in answers] == [call.id for call in turn.calls]
    assert solved.tree.correct is True


@pytest.mark.parametrize("mode", ["sbs", "mcts"])
@pytest.mark.parametrize("form", ["chat_tools", "chat_code", "chat_steps"])
def test_searches_over_steps_run_in_every_chat_format(mode: str, form: str) -> None:
    step = {"chat_tools": call_text(TOOL, GIVEN), "chat_code": "```python\n1\n", "chat_steps": "First."}[form]
    stop = {"chat_tools": "", "chat_code": "```\n", "chat_steps": "\n\n"}[form]
    keys: dict[str, Any] = {"iterations": 6} if mode == "mcts" else {"step_beam_width": 2}
    replies = [step, step + " ", "It is \\boxed{4}.", "It is \\boxed{5}."]
    (solved,) = search(mode, form, *replies, stop=stop, n_generate_sample=2, value="head", **keys)
    assert solved.error == ""
    assert solved.tree.solutions
    outcomes = {node.step.outcome for node in solved.tree.nodes if node.step is not None}
    assert outcomes == {Outcome.CONTINUE, Outcome.ANSWER}


@pytest.mark.parametrize("mode", ["revision", "self_refine", "best_of_n", "self_consistency"])
@pytest.mark.parametrize("form", ["chat", "chat_tools", "chat_code", "chat_steps"])
def test_attempts_run_in_every_chat_format(mode: str, form: str) -> None:
    (solved,) = search(mode, form, WRONG, RIGHT, RIGHT, trials=3)
    assert solved.error == ""
    answers = [attempt.answer for attempt in solved.tree.attempts]
    assert answers[0] == "5"
    if mode != "self_consistency":
        assert solved.tree.correct is True


def test_a_thought_that_a_stop_string_cut_goes_on_and_the_step_is_one() -> None:
    (solved,) = search("react", "chat_code", "<think>\nas ```python", "hm\n</think>\nIt is \\boxed{4}.", stop="```\n")
    (node,) = solved.tree.nodes[1:]
    assert node.step.message.thought.startswith("as ```python```\nhm")
    assert node.step.num_tokens == sum(len(piece.tokens) for piece in node.step.message.written)
    assert solved.tree.correct is True


class CutInThoughts(Chat):
    """Every step is cut in its thought; the first asks for code where it goes on, the second says 4."""

    async def generate(self, request: Generate) -> Generation:
        assert isinstance(request.prompt, Conversation)
        _, output, step = text_of(request.prompt.messages[-1].pieces).rpartition("```output")
        if "<think>" in step:
            SAMPLED.append(request)
            self._replies = ("hm\n</think>\n" + ("\\boxed{4}" if output else "```python\nprint(4)\n```"),)
        else:
            self._replies = ("<think>\nas ```python",)
        return await super().generate(request)


SAMPLED: list[Generate] = []


@pytest.mark.parametrize("width", [1, 2, 4])
def test_the_parts_of_attempts_draw_other_numbers_the_same_beside_others_and_alone(width: int) -> None:
    SAMPLED.clear()
    search("self_consistency", "chat_code", "", stop="```\n", policy=CutInThoughts, trials=4, n_generate_sample=width)
    places = [f"attempt {attempt} step {step}" for attempt in range(4) for step in ("0", "1 code")]
    assert sorted(request.seed for request in SAMPLED) == sorted(derive_seed(0, "t", f"{p} part 0") for p in places)


def test_a_sample_that_goes_on_is_one_and_comes_to_its_end() -> None:
    keys: dict[str, Any] = {"stop": "```\n", "policy": CutInThoughts, "trials": 4, "max_question_samples": 3}
    (solved,) = search("self_consistency", "chat_code", "", **keys)
    assert (solved.tree.stopped, solved.cost.samples) == ("max_question_samples", 3)
    assert len(solved.tree.nodes) == 4  # an attempt of two steps, and the first one of another
    assert len(solved.tree.attempts) == 1


def test_a_tree_of_turns_reads_back_from_its_record() -> None:
    asks = "<think>hm</think>" + call_text(TOOL, GIVEN) + call_text("search", "{}")
    (solved,) = search("react", "chat_tools", asks, "It is \\boxed{4}.")
    line = tree_to_record(solved.tree, METHODS["react"], TOOLS)
    again = record_to_tree(parse_line(dump_line(line)) or {})
    assert [node.step for node in again.nodes] == [node.step for node in solved.tree.nodes]
    assert tree_to_record(again, METHODS["react"], TOOLS) == line


def test_a_message_of_a_file_that_is_none_is_refused() -> None:
    turn = Message("assistant", "a", "t", (ToolCall("f", "{}", "c"),), "", (Piece("a", (1,)),))
    assert Message.from_json(json.loads(json.dumps(turn.to_json()))) == turn
    for wrong in ({"role": "robot", "content": ""}, {"role": "user"}, {"role": "user", "content": None}):
        with pytest.raises((KeyError, TypeError, ValueError)):
            Message.from_json(wrong)


class Uncounted(Chat):
    """A server that tells no numbers of tokens."""

    async def generate(self, request: Generate) -> Generation:
        reply = await super().generate(request)
        return replace(reply, samples=tuple(replace(each, num_tokens=0) for each in reply.samples))


def test_parts_without_tokens_come_to_an_end() -> None:
    (solved,) = search("react", "chat_code", "```json\n1\n", stop="```\n", policy=Uncounted)
    assert solved.error == ""
    assert len(TALKS) == 2


class Served(Chat):
    """A server that reads calls itself: they are in no text."""

    async def generate(self, request: Generate) -> Generation:
        reply = await super().generate(request)
        read = [read_reply(each.text) for each in reply.samples]
        samples = [replace(s, text=m.content, written=(), message=m) for s, m in zip(reply.samples, read, strict=True)]
        return replace(reply, samples=tuple(samples))


def test_calls_that_a_server_has_read_are_told_apart_and_trained_on() -> None:
    calls = [call_text(TOOL, json.dumps({"code": code})) for code in ("1", "1", "2")]
    (solved,) = search(
        "sbs", "chat_tools", *calls, *["It is \\boxed{4}."] * 3, policy=Served, n_generate_sample=3,
        remove_duplicate=True,
    )  # fmt: skip
    assert [node.step.code for node in solved.tree.children(solved.tree.root)] == ["1", "2"]
    assert all(TOOLS.training_texts(solved.tree.steps(solved.tree.nodes[solved.tree.solutions[0]])))


def test_variables_of_the_template_stand_in_the_record_and_in_training_prompts() -> None:
    form = make_format("chat_tools", FormatOptions(template=(("enable_thinking", False),)))
    (solved,) = search("react", "chat_tools", "It is \\boxed{4}.", chat_template_kwargs={"enable_thinking": False})
    assert TALKS[0].template == (("enable_thinking", False),)
    line = parse_line(dump_line(tree_to_record(solved.tree, METHODS["react"], form))) or {}
    assert line["chat_template_kwargs"] == {"enable_thinking": False}
    found = format_of(line, solved.tree, make_settings(ExamplesConfig, {}, {}), "here")
    assert found.prompt(TASK, []) == form.prompt(TASK, [])
