"""Solvers that make whole attempts (SPEC B): what counts, when they stop, what they say, and what is noted."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from scripted import Behaviour, RandomPolicy, ScriptedPolicy, scripted
from stand_ins import QUESTION, EqualChecker, EqualVerifier, code, final, grow_tree, line_of, solve_one

from mcts_math.answer import PoolChecker
from mcts_math.errors import ConfigError, TaskError
from mcts_math.formats import make_format
from mcts_math.messages import Sample
from mcts_math.requests import Adapt, Adaptation, Check, Generate, Generation, Verification, Verify
from mcts_math.run.run import to_record
from mcts_math.scheduler import Solved
from mcts_math.search.fttt import NO_STEP, REFLECT, RESET
from mcts_math.search.revision import INCORRECT, NO_ANSWER, TRY_AGAIN
from mcts_math.search.self_refine import CRITICISE, REFINE
from mcts_math.solver import solve
from mcts_math.step import Verdict
from mcts_math.train.examples import solutions_of
from mcts_math.tree import Tree
from mcts_math.verifiers import make_verifier

ROOT = "<question> Q </question>\n"
WRONG, RIGHT = final("2"), final("1")


class Texts(ScriptedPolicy):
    """Writes the given texts one after another, whatever is asked; samples of one request are a piece of the list."""

    def __init__(self, *texts: str, adaptations: list[Adaptation] | None = None) -> None:
        self.left = list(texts)
        self.adapted: list[Adapt] = []
        self.dropped: list[str] = []
        self.adaptations = adaptations
        super().__init__(self.write)

    def write(self, request: Generate) -> Generation:
        texts = [self.left.pop(0) for _ in range(request.num_samples)]
        return Generation((), too_long=True) if texts == ["long"] else scripted(*texts)

    async def adapt(self, request: Adapt) -> Adaptation:
        self.adapted.append(request)
        return self.adaptations.pop(0) if self.adaptations else Adaptation(1.5, 70)

    async def release(self, session: str) -> None:
        self.dropped.append(session)

    @property
    def prompts(self) -> list[Any]:
        return [request.prompt for request in self.requests]


def verdicts(tree: Tree) -> list[str | None]:
    return [None if attempt.verdict is None else attempt.verdict.value for attempt in tree.attempts]


def config(mode: str, **more: Any) -> dict[str, Any]:
    return {"mode": mode, "trials": 3, "max_depth": 3, **more}


def test_best_of_n_stops_at_the_first_success() -> None:
    tree = grow_tree(config("best_of_n"), Texts(WRONG, RIGHT, WRONG))
    assert verdicts(tree) == ["incorrect", "correct"]
    assert tree.correct is True
    assert [tree.nodes[i].answer for i in tree.solutions] == ["1", "2"]


def test_best_of_n_goes_on_where_told_to() -> None:
    tree = grow_tree(config("best_of_n", stop_at_success=False), Texts(RIGHT, WRONG, RIGHT))
    assert verdicts(tree) == ["correct", "incorrect", "correct"]


def test_an_attempt_without_answer_does_not_count_up_to_twice_the_budget() -> None:
    tree = grow_tree(config("best_of_n"), Texts("?", WRONG, "?", WRONG, WRONG))
    assert verdicts(tree) == ["no_answer", "incorrect", "no_answer", "incorrect", "incorrect"]
    tree = grow_tree(config("best_of_n"), Texts(*"????", WRONG, "?"))
    assert len(tree.attempts) == 6
    assert tree.correct is False


def test_an_attempt_is_a_chain_with_its_code_run() -> None:
    tree = grow_tree(config("best_of_n"), Texts(code("A"), WRONG, code("B"), code("C"), RIGHT))
    tags = dict(tree.tags())
    assert list(tags) == ["0", "0.0", "0.0.0", "0.1", "0.1.0", "0.1.0.0"]
    assert "ok after 1" in tags["0.1.0"].step.text  # type: ignore[union-attr]  # C ran after B only
    assert [attempt.tokens for attempt in tree.attempts] == [
        sum(step.num_tokens for step in tree.steps(tags[tag])) for tag in ("0.0.0", "0.1.0.0")
    ]


def test_a_chain_deeper_than_max_depth_has_no_answer() -> None:
    tree = grow_tree(config("best_of_n", max_depth=1), Texts(code("A"), code("B"), RIGHT))
    assert verdicts(tree) == ["no_answer", "correct"]


def test_attempts_side_by_side_are_those_made_one_by_one() -> None:
    behaviour = Behaviour(final_rate=0.3, error_rate=0.2, num_answers=50)
    for mode, more in (("best_of_n", {"stop_at_success": False}), ("self_consistency", {})):
        trees = [
            grow_tree(
                config(mode, trials=9, max_depth=6, n_generate_sample=width, **more),
                RandomPolicy(5, behaviour),
            )
            for width in (1, 4, 9)
        ]
        chains = [[[step.text for step in tree.steps(tree.nodes[a.node])] for a in tree.attempts] for tree in trees]
        assert chains[0][:9] == chains[1][:9] == chains[2][:9]
        assert len({str(chain) for chain in chains[0]}) > 5


def test_one_request_asks_for_the_samples_of_a_wave() -> None:
    engine = Texts(WRONG, "?", WRONG, WRONG, RIGHT)
    tree = grow_tree(config("best_of_n", n_generate_sample=3), engine)
    assert [request.num_samples for request in engine.requests if isinstance(request, Generate)] == [3, 1]
    assert verdicts(tree) == ["incorrect", "no_answer", "incorrect", "incorrect"]


def test_self_consistency_never_asks_the_verifier() -> None:
    verifier = EqualVerifier()
    engine = Texts(WRONG, RIGHT, "?", final("3"), WRONG, RIGHT)
    tree = solve_one(config("self_consistency", trials=5), engine, verifier=verifier).tree
    assert verifier.requests == []
    assert verdicts(tree) == [None, None, "no_answer", None, None, None]
    assert [tree.nodes[i].answer for i in tree.solutions] == ["2", "2", "1", "3", "1"]  # the tie's first
    assert tree.correct is False


def test_a_vote_that_is_cut_short_counts_equal_texts() -> None:
    tree = grow_tree(config("self_consistency", trials=9, max_question_tokens=75), Texts(*[WRONG, RIGHT, RIGHT] * 3))
    assert tree.stopped == "max_question_tokens"
    assert 0 < len(tree.attempts) < 9
    assert tree.solutions


def test_revision_is_one_conversation() -> None:
    engine = Texts(code("A"), WRONG, "?", RIGHT)
    tree = grow_tree(config("revision"), engine)
    assert verdicts(tree) == ["incorrect", "no_answer", "correct"]
    first, second, third = engine.prompts[0], engine.prompts[2], engine.prompts[3]
    assert first == ROOT
    assert second.startswith(engine.prompts[1])
    assert second.endswith(f"</step>\n<question> {TRY_AGAIN} </question>\n")
    assert third == f"{second}?\n<question> {NO_ANSWER} </question>\n"
    assert [tag for tag, _ in tree.tags()][-1] == "0.0.0.0.0.0.0"


def test_depth_counts_within_an_attempt() -> None:
    tree = grow_tree(config("revision", max_depth=2), Texts(code("A"), WRONG, code("B"), WRONG, code("C"), RIGHT))
    assert verdicts(tree) == ["incorrect", "incorrect", "correct"]


def test_a_conversation_that_outgrows_the_context_says_so() -> None:
    for mode, texts in (("revision", [WRONG, "long"]), ("self_refine", [WRONG, "fine", "long"])):
        tree = grow_tree(config(mode), Texts(*texts))
        assert tree.stopped == "context_length"
        assert verdicts(tree) == ["incorrect"]
    for mode in ("best_of_n", "self_consistency", "revision", "self_refine", "fttt"):
        tree = grow_tree(config(mode), Texts("long"))
        assert (tree.stopped, tree.attempts) == ("context_length", [])


def test_self_refine_criticises_between_attempts() -> None:
    engine = Texts(WRONG, "The sum is off.", RIGHT)
    tree = grow_tree(config("self_refine"), engine)
    assert verdicts(tree) == ["incorrect", "correct"]
    assert engine.prompts[1].endswith(f"<question> {CRITICISE} </question>\n")
    assert engine.prompts[2] == f"{engine.prompts[1]}The sum is off.\n<question> {REFINE} </question>\n"
    assert not any(INCORRECT in prompt for prompt in engine.prompts)  # the verdict is not told
    assert tree.attempts[1].tokens > tree.attempts[0].tokens  # the critique is charged to the attempt that follows it


def test_fttt_learns_from_the_feedback_and_samples_from_the_bare_question() -> None:
    engine = Texts(WRONG, "?", final("3"), RIGHT)
    tree = grow_tree(config("fttt"), engine)
    assert verdicts(tree) == ["incorrect", "no_answer", "incorrect", "correct"]
    assert engine.prompts == [ROOT] * 4
    generates = [request for request in engine.requests if isinstance(request, Generate)]
    assert [request.adapter for request in generates] == ["", "t", "t", "t"]
    assert len({request.seed for request in generates}) == 4
    (term,) = engine.adapted[0].terms
    attempt = f"{ROOT}{WRONG}\n</step>\n"
    assert (term.prompt, term.completion) == (attempt, f"<question> {INCORRECT} </question>\n")
    assert engine.adapted[0].sampled == attempt
    assert [adapt.session for adapt in engine.adapted] == ["t", "t"]
    assert engine.dropped == ["t"]
    assert [attempt.loss for attempt in tree.attempts] == [1.5, None, 1.5, None]
    assert [attempt.adapted_tokens for attempt in tree.attempts] == [0, 70, 0, 70]


def test_the_last_attempt_is_not_learnt_from() -> None:
    engine = Texts(WRONG, WRONG, WRONG)
    grow_tree(config("fttt"), engine)
    assert len(engine.adapted) == 2


def test_fttt_with_self_reflection_asks_the_model_as_it_was_loaded() -> None:
    engine = Texts(WRONG, "I added badly.", WRONG, "", RIGHT)
    tree = grow_tree(config("fttt", self_reflection=True, reflection_weight=0.5), engine)
    generates = [request for request in engine.requests if isinstance(request, Generate)]
    assert [request.adapter for request in generates] == ["", "", "t", "", "t"]
    asked = f"{ROOT}{WRONG}\n</step>\n<question> {REFLECT} </question>\n"
    assert generates[1].prompt == asked
    feedback, reflection = engine.adapted[0].terms
    assert (feedback.weight, reflection.weight) == (1.0, 0.5)
    assert (reflection.prompt, reflection.completion) == (asked, "I added badly.")
    assert len(engine.adapted[1].terms) == 1  # nothing was written
    assert engine.adapted[0].sampled == feedback.prompt
    assert tree.correct is True


def test_optune_samples_with_and_without_the_change_in_turn() -> None:
    """Trials 2, 4, … have the change made of the attempt before; one without an answer is tried again as it was."""
    engine = Texts(WRONG, "?", final("3"), final("4"), "?", final("5"), RIGHT)
    tree = grow_tree(config("optune", trials=6), engine)
    assert verdicts(tree) == ["incorrect", "no_answer", "incorrect", "incorrect", "no_answer", "incorrect", "correct"]
    generates = [request for request in engine.requests if isinstance(request, Generate)]
    assert engine.prompts == [ROOT] * 7
    assert [request.adapter for request in generates] == ["", "t", "t", "", "t", "t", ""]
    taught = [request.terms[0].prompt for request in engine.adapted]
    assert taught == [f"{ROOT}{text}\n</step>\n" for text in (WRONG, final("4"))]
    assert all(request.terms[0].completion == f"<question> {INCORRECT} </question>\n" for request in engine.adapted)
    assert [attempt.loss for attempt in tree.attempts] == [1.5, None, None, 1.5, None, None, None]
    assert engine.dropped == ["t"]


def test_optune_without_room_for_the_feedback_samples_on_as_loaded() -> None:
    engine = Texts(WRONG, WRONG, RIGHT, adaptations=[Adaptation(0.0, too_long=True)])
    tree = grow_tree(config("optune"), engine)
    assert [attempt.note for attempt in tree.attempts] == [NO_STEP, "", ""]
    assert all(request.adapter == "" for request in engine.requests if isinstance(request, Generate))


def test_a_step_that_is_not_finite_is_noted_and_the_trial_counts() -> None:
    engine = Texts(
        WRONG, WRONG, RIGHT, adaptations=[Adaptation(float("nan"), 9, reset=True), Adaptation(0.0, too_long=True)]
    )
    tree = grow_tree(config("fttt"), engine)
    assert [attempt.note for attempt in tree.attempts] == [RESET, NO_STEP, ""]
    from mcts_math.config import make_config
    from mcts_math.cost import Cost
    from mcts_math.files import dump_line

    settings = make_config({"mode": "fttt", "prompt_wrap": "react_sft"})
    line = to_record(Solved(tree, Cost()), settings, make_format("react_sft"))
    assert [attempt.get("note") for attempt in line["attempts"]] == [RESET, NO_STEP, None]
    assert json.loads(dump_line(line))["attempts"][0]["loss"] is None
    assert line["oracle"] is True


def test_attempt_n_is_the_same_under_every_solver() -> None:
    behaviour = Behaviour(final_rate=1.0, unparsable_rate=0.0, num_answers=1000)

    class Learning(RandomPolicy):
        async def adapt(self, request: Adapt) -> Adaptation:
            return Adaptation(1.0)

        async def release(self, session: str) -> None: ...

    answers = []
    for mode in ("best_of_n", "self_consistency", "fttt", "optune"):
        tree = grow_tree(config(mode, trials=5), Learning(3, behaviour))
        answers.append([attempt.answer for attempt in tree.attempts])
    assert answers[0] == answers[1] == answers[2]


def test_token_beam_shares_its_width_among_open_solutions() -> None:
    def write(request: Generate) -> Generation:
        width = request.sampling.beam_width
        assert width == request.num_samples
        if request.prompt == ROOT:
            assert width == 4
            return scripted(code("A"), WRONG, code("B"), final("3"), logprobs=(-0.1, -0.2, -0.3, -0.4))
        assert width == 2
        answer = final("5") if "A" in request.prompt else RIGHT
        return scripted(answer, "?", logprobs=(-0.01, -50.0))

    tree = grow_tree(config("token_beam", trials=4, temperature=0.0), ScriptedPolicy(write))
    assert [attempt.answer for attempt in tree.attempts] == ["5", "1", "2", "3"]  # by mean log-probability
    assert tree.correct is True
    assert next(tree.nodes[i].answer for i in tree.solutions) == "1"


def test_a_whole_reply_is_one_step_in_chat() -> None:
    engine = Texts("Let me see. The answer is 2.", "def f(): pass", r"So \boxed{1}.")
    tree = solve_one(config("revision", prompt_wrap="chat"), engine).tree
    assert verdicts(tree) == ["incorrect", "no_answer", "correct"]
    roles = [[message.role for message in prompt.messages] for prompt in engine.prompts]
    assert roles == [["user"], ["user", "assistant", "user"], ["user", "assistant"] * 2 + ["user"]]
    assert engine.prompts[2].messages[-1].content == NO_ANSWER
    assert not any(request.sampling.stop for request in engine.requests if isinstance(request, Generate))


def test_the_record_reads_back() -> None:
    from mcts_math.run.record import record_to_tree

    tree = grow_tree(config("fttt", self_reflection=True), Texts(code("A"), WRONG, "Bad.", "?", RIGHT))
    line = line_of(tree, "fttt") | {"method": "fttt"}
    again = record_to_tree(line)
    assert line_of(again, "fttt") | {"method": "fttt"} == line
    assert [a.verdict for a in again.attempts] == [Verdict.INCORRECT, Verdict.NO_ANSWER, Verdict.CORRECT]
    keys = {"tag", "verdict", "answer", "tokens", "prompt_tokens", "seconds"}
    assert all(keys <= attempt.keys() for attempt in line["attempts"])
    assert sum(attempt["tokens"] for attempt in line["attempts"]) == sum(
        node.step.num_tokens for node in tree.nodes if node.step is not None
    )


def test_costs_add_up_to_the_question() -> None:
    keys = config("best_of_n", trials=8, n_generate_sample=3, stop_at_success=False)
    solved = solve_one(keys, RandomPolicy(1, Behaviour(min_delay_s=0.01, max_delay_s=0.02, final_rate=0.3)))
    attempts = solved.tree.attempts
    assert all(attempt.seconds > 0 for attempt in attempts)
    assert sum(attempt.seconds for attempt in attempts) == pytest.approx(solved.cost.seconds, abs=1e-3)
    assert sum(attempt.tokens for attempt in attempts) == solved.cost.tokens
    assert sum(attempt.prompt_tokens for attempt in attempts) == solved.cost.prompt_tokens


@pytest.mark.parametrize("keys", [
    {"mode": "token_beam", "trials": 6, "temperature": 0.0}, {"mode": "best_of_n", "trials": 6, "n_generate_sample": 3},
    {"mode": "sbs", "n_generate_sample": 3, "step_beam_width": 3, "lookahead": 2, "value": "head"},
], ids=lambda keys: str(keys["mode"]))  # fmt: skip
def test_no_two_cells_of_a_tree_share_random_numbers(keys: dict[str, Any]) -> None:
    tree = grow_tree(keys | {"max_depth": 4}, RandomPolicy(1, Behaviour(final_rate=0.1)))
    seeds = [run.seed for node in tree.nodes if node.step is not None for run in node.step.runs]
    assert len(set(seeds)) == len(seeds) > 10


def test_a_step_that_beams_share_costs_once() -> None:
    def write(request: Generate) -> Generation:
        if request.prompt == ROOT:
            return scripted(code("A" * 400), WRONG, final("3"), logprobs=(-0.2, -0.1, -0.9))
        return scripted(RIGHT, WRONG, "?", logprobs=(-0.1, -0.2, -0.9))

    tree = grow_tree(config("token_beam", trials=3, temperature=0.0), ScriptedPolicy(write))
    assert [tree.nodes[attempt.node].depth for attempt in tree.attempts] == [1, 2, 2]
    short, first, second = (attempt.tokens for attempt in tree.attempts)
    assert first > 100 > max(short, second)
    assert min(short, second) > 0
    spent = sum(node.step.num_tokens for node in tree.nodes if node.step is not None)
    assert short + first + second == spent


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"mode": "fttt", "stop_at_success": False}, "does not take stop_at_success"),
        ({"mode": "revision", "stop_at_success": False}, "does not take stop_at_success"),
        ({"mode": "token_beam"}, "temperature"),
        ({"mode": "best_of_n", "self_reflection": True}, "self_reflection"),
        ({"mode": "best_of_n", "remove_duplicate": True}, "remove_duplicate"),
        ({"mode": "best_of_n", "trials": 0}, "trials"),
        ({"mode": "fttt", "adapter_targets": []}, "adapter_targets"),
        ({"mode": "fttt", "adapter_dropout": 1.0}, "adapter_dropout"),
    ],
)
def test_configs_that_contradict_are_refused(settings: dict[str, Any], said: str) -> None:
    from mcts_math.config import make_config

    with pytest.raises(ConfigError, match=said):
        make_config(settings)


def test_fttt_needs_a_policy_that_adapts() -> None:
    with pytest.raises(ConfigError, match="adapt"):
        grow_tree(config("fttt"), RandomPolicy(0))


def test_seeds_differ_between_questions_and_runs() -> None:
    seeds = set()
    for seed in (1, 2):
        for name in ("a", "b"):
            engine = Texts(RIGHT)
            solve_one(config("best_of_n", seed=seed), engine, QUESTION | {"id": name})
            seeds.add(replace(engine.requests[0]).seed)  # type: ignore[union-attr]
    assert len(seeds) == 4


PROGRAM = {"id": "p", "question": "Write f.", "prompt": "", "test": "assert f() == 1", "entry_point": "f"}


class ProgramVerifier:
    """A reply that says `right` passes the tests; one without `def` holds no program."""

    async def verify(self, request: Verify) -> Verification:
        if "def" not in request.attempt:
            return Verification(Verdict.NO_ANSWER)
        return Verification(Verdict.CORRECT if "right" in request.attempt else Verdict.INCORRECT, request.attempt)

    async def close(self) -> None: ...


def solve_program(mode: str, *texts: str, **more: Any) -> Solved:
    keys = {"mode": mode, "prompt_wrap": "chat", **more}
    return solve_one(keys, Texts(*texts), PROGRAM, verifier=ProgramVerifier())


@pytest.mark.parametrize("mode", ["best_of_n", "revision", "fttt"])
def test_programs_need_no_answer(mode: str) -> None:
    tree = solve_program(mode, "def wrong", "Sorry.", "def right", trials=3).tree
    assert verdicts(tree) == ["incorrect", "no_answer", "correct"]
    assert tree.correct is True
    assert tree.solutions == [tree.attempts[2].node, tree.attempts[0].node]  # a wrong program is a solution too


def test_a_critique_is_no_program() -> None:
    solved = solve_program("self_refine", *["Sorry."] * 5, trials=4, max_question_samples=5)
    assert verdicts(solved.tree) == ["no_answer"] * 3
    assert (solved.tree.stopped, solved.tree.solutions, solved.tree.correct) == ("max_question_samples", [], False)


def test_greedy_decoding_of_programs_is_judged_by_their_tests() -> None:
    for text, right in (("def right", True), ("def wrong", False), ("Sorry.", False)):
        assert solve_program("react", text, temperature=0.0).tree.correct is right
    assert solve_program("react", "long", temperature=0.0).tree.correct is False


def test_a_vote_refuses_programs() -> None:
    with pytest.raises(TaskError, match=r"ask for programs \(first: id 'p'\)"):
        solve_program("self_consistency")


def test_searches_over_steps_find_programs() -> None:
    tree = solve_program("sbs", "def right", "def wrong", step_beam_width=2).tree
    assert tree.solutions == [1, 2]
    assert tree.correct is True
    assert solve_program("sbs", "Sorry.").tree.correct is False
    tree = solve_program("mcts", "def wrong", "def right", "Sorry.", n_generate_sample=3, is_sampling=True).tree
    assert [node.step.correct for node in tree.nodes if node.step is not None] == [False, True, False]
    assert [node.q_value for node in tree.nodes[1:]] == [-1.0, 1.0, -1.0]
    examples = solutions_of(tree, failed=False)
    assert [(example.node.id, example.correct) for example in examples] == [(1, False), (2, True), (3, False)]
    assert tree.solutions == [2]
    assert tree.correct is True
    tree = solve_program("mcts", "def right", "def wrong", n_generate_sample=2).tree  # nobody looks while it searches
    assert [node.step.correct for node in tree.nodes if node.step is not None] == [None, None]
    assert tree.correct is True


def test_a_conversation_that_the_format_can_not_show_is_refused_before_the_run() -> None:
    record = {"id": "t", "question": "Q", "answer": "1", "chat_before": [{"role": "system", "content": "Be brief."}]}
    with pytest.raises(TaskError, match="question 't': `chat_before`: a format of text shows"):
        solve(config("best_of_n", prompt_wrap="react_sft"), [record], policy=Texts())


def test_questions_that_nothing_can_judge_are_refused_before_the_run() -> None:
    for mode in ("best_of_n", "fttt", "token_beam"):
        with pytest.raises(TaskError, match="neither `answer` nor tests"):
            solve(config(mode, temperature=0.0), [{"id": "t", "question": "Q"}], policy=Texts())
    tree = grow_tree(config("self_consistency"), Texts(RIGHT, RIGHT, WRONG), answer=None)
    assert tree.correct is None
    assert len(tree.solutions) == 3


@pytest.mark.parametrize(
    ("answers", "most"),
    [
        ([str(i) for i in range(128)], 0),  # integers are told apart without a checker
        ([f"x + {i % 4}" for i in range(128)], 3 + 2 + 1),
        ([f"x + {i}" if i % 2 else str(i % 3) for i in range(8)], 7 + 6 + 5 + 4 + 3 + 2 + 1),
    ],
)
def test_a_vote_compares_representatives(answers: list[str], most: int) -> None:
    asked: list[Check] = []

    class Counting(EqualChecker):
        async def check(self, request: Check) -> bool:
            asked.append(request)
            return await super().check(request)

    keys = {"mode": "self_consistency", "trials": len(answers), "n_generate_sample": 16}
    solved = solve_one(keys, Texts(*map(final, answers)), {"id": "t", "question": "Q"}, checker=Counting())
    assert len(asked) <= most
    winner = max(dict.fromkeys(answers), key=answers.count)
    assert solved.tree.nodes[solved.tree.solutions[0]].answer == winner
    assert len(solved.tree.solutions) == len(answers)


def test_equal_answers_of_other_spelling_vote_together() -> None:
    class Halves(EqualChecker):
        async def check(self, request: Check) -> bool:
            halves = {"1/2", "0.5", "\\frac12"}
            return {request.answer, *request.golds} <= halves

    engine = Texts(*map(final, ["3", "1/2", "3", "0.5", "\\frac12"]))
    solved = solve_one(
        {"mode": "self_consistency", "trials": 5}, engine, {"id": "t", "question": "Q"}, checker=Halves()
    )
    assert [solved.tree.nodes[i].answer for i in solved.tree.solutions] == ["1/2", "0.5", "\\frac12", "3", "3"]


@pytest.mark.parametrize("prompt_wrap", ["chat", "chat_code"])
def test_a_run_counts_the_answers_that_its_file_shows(prompt_wrap: str) -> None:
    """A reply that broke off, or whose last part says nothing, has no answer, whatever its other words look like."""
    cut = Sample("So there are 3 - 2 = 1", -1.0, 8, "length")
    part = Sample("The answer is 1.\n```python\nprint(1)\n```\n", -1.0, 8, "stop")
    done = Sample("Done.", -1.0, 2, "stop")
    replies = iter([cut] * 3 if prompt_wrap == "chat" else [part, done] * 3)

    def write(request: Generate) -> Generation:
        return Generation((next(replies, done),))

    settings = config("best_of_n", prompt_wrap=prompt_wrap)
    checker = PoolChecker(num_workers=1)
    solved = solve_one(settings, ScriptedPolicy(write), checker=checker, verifier=make_verifier(checker))
    assert not solved.error
    assert [solved.tree.nodes[i].answer for i in solved.tree.solutions] == []
    assert solved.tree.correct is False
    assert set(verdicts(solved.tree)) == {"no_answer"}
