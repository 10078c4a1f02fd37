"""The scheduler: order does not matter, nothing waits for its neighbours, limits hold, failures stay where they are."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import numpy
import pytest
from scripted import Behaviour, RandomPolicy, ScriptedPolicy, scripted
from stand_ins import EchoInterpreter, EqualChecker, EqualVerifier, code, final, line_of, outline

from mcts_math.config import make_config
from mcts_math.errors import ConfigError, EngineError, MctsMathError, RefusedError, TaskError
from mcts_math.requests import (
    Check,
    Evaluate,
    Evaluation,
    Execute,
    Generate,
    Generation,
    Observation,
    Services,
    Verification,
    Verify,
)
from mcts_math.scheduler import RunLimits, Scheduler, Solved
from mcts_math.solver import search_maker, solve
from mcts_math.tasks import make_tasks
from mcts_math.tree import Tree

BASE = {"prompt_wrap": "react_sft", "n_generate_sample": 3, "max_depth": 6, "need_value_func": True}
MCTS = BASE | {"mode": "mcts", "iterations": 8, "errors_threshold": 3}


def questions(count: int) -> list[dict[str, Any]]:
    return [{"id": str(i), "question": f"question {i}", "answer": str(i % 10)} for i in range(count)]


def run(config: dict[str, Any], tasks: list[dict[str, Any]], policy: Any, **options: Any) -> list[Solved]:
    options = {"interpreter": EchoInterpreter(), "checker": EqualChecker()} | options
    return solve(config, tasks, policy=policy, **options)


def drawn(tree: Tree) -> object:
    return line_of(tree)["react"], tree.correct


@pytest.mark.parametrize("mode", ["react", "sbs", "mcts"])
def test_trees_do_not_depend_on_what_else_is_in_flight(mode: str) -> None:
    config = {
        "react": {"mode": "react", "prompt_wrap": "react_sft", "max_depth": 6},
        "sbs": {**BASE, "mode": "sbs", "step_beam_width": 2},
        "mcts": MCTS,
    }[mode]
    alone = run(config | {"batch_size": 1}, questions(40), RandomPolicy(5))
    delays = Behaviour(max_delay_s=0.004)
    crowd = run(
        config | {"batch_size": 40}, questions(40)[::-1], RandomPolicy(5, delays), interpreter=EchoInterpreter(0.003)
    )
    assert [drawn(s.tree) for s in alone] == [drawn(s.tree) for s in crowd[::-1]]


def test_results_come_in_the_order_of_the_tasks() -> None:
    solved = run(MCTS, questions(30), RandomPolicy(1, Behaviour(max_delay_s=0.01)))
    assert [s.tree.task.id for s in solved] == [str(i) for i in range(30)]


def test_a_slow_question_holds_up_itself_only() -> None:
    done: list[str] = []

    class OneSlow(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            if request.task_id == "0":
                while len(done) < 19:
                    await asyncio.sleep(0.001)
            return await super().generate(request)

    run(MCTS, questions(20), OneSlow(1), on_solved=lambda s: done.append(s.tree.task.id))
    assert done[-1] == "0"


def test_in_flight_is_bounded_and_filled() -> None:
    now = peak = 0

    class Counting(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            nonlocal now, peak
            now += 1
            peak = max(peak, now)
            await asyncio.sleep(0.001)
            now -= 1
            return await super().generate(request)

    run(MCTS | {"batch_size": 7}, questions(30), Counting(1))
    assert peak == 7


def test_no_bound_of_trees_is_no_bound() -> None:
    policy = RandomPolicy(1)
    scheduler = Scheduler(Services(policy, policy, EchoInterpreter(), EqualChecker()), RunLimits(in_flight=0))

    search = search_maker(make_config(MCTS), use_values=True)

    async def drive() -> int:
        return len([one async for one in scheduler.run(make_tasks(questions(9)), search)])

    assert asyncio.run(drive()) == 9


def test_every_session_is_released() -> None:
    interpreter = EchoInterpreter()
    run(MCTS, questions(10), RandomPolicy(1), interpreter=interpreter)
    assert sorted(interpreter.released) == sorted(str(i) for i in range(10))


def test_history_holds_the_ancestors_cells_and_siblings_do_not_see_each_other() -> None:
    interpreter = EchoInterpreter()
    policy = ScriptedPolicy(lambda r: scripted(code(f"a{r.prompt.count('</step>')}"), code("b"), value=0.0))
    config = MCTS | {"n_generate_sample": 2, "iterations": 6}
    (solved,) = run(config, questions(1), policy, interpreter=interpreter)
    tree = solved.tree
    for request in interpreter.requests:
        node = next(
            n for n in tree.nodes if n.step is not None and n.step.runs and n.step.runs[0].seed == request.cell.seed
        )
        ancestors = tree.steps(node)[:-1]
        assert [cell.code for cell in request.history] == [s.code for s in ancestors]
        assert [cell.seed for cell in request.history] == [s.runs[0].seed for s in ancestors]
    seeds = [request.cell.seed for request in interpreter.requests]
    assert len(set(seeds)) == len(seeds)


def test_one_broken_tree_does_not_end_the_run() -> None:
    class Broken(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            if request.task_id == "3":
                raise ValueError("bad luck")
            return await super().generate(request)

    with pytest.warns(RuntimeWarning, match=r"1 failed[^$]*question '3' broke down[^$]*in generate"):
        solved = run(MCTS, questions(6), Broken(1))
    assert [bool(s.error) for s in solved] == [False, False, False, True, False, False]
    assert solved[3].error == "ValueError: bad luck"
    assert isinstance(solved[3].fault, ValueError)


def test_code_that_breaks_down_on_every_question_ends_the_run() -> None:
    class Broken(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            raise KeyError("mine")

    seen: list[Solved] = []
    with pytest.raises(KeyError, match="mine"):
        run(MCTS | {"batch_size": 2}, questions(50), Broken(1), on_solved=seen.append)
    assert len(seen) == 8


def test_faults_of_some_that_come_before_all_results_do_not_end_the_run() -> None:
    class Broken(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            if int(request.task_id) < 10:
                raise KeyError("mine")
            await asyncio.sleep(0.05)
            return await super().generate(request)

    with pytest.warns(RuntimeWarning, match="10 failed"):
        solved = run(MCTS | {"batch_size": -1}, questions(30), Broken(1))
    assert sum(bool(each.error) for each in solved) == 10


def test_results_that_come_together_with_faults_are_looked_at_first() -> None:
    ready, waiting = asyncio.Event(), set[str]()

    class Batched(ScriptedPolicy):
        async def generate(self, request: Generate) -> Generation:
            waiting.add(request.task_id)
            if len(waiting) == 15:
                ready.set()
            await ready.wait()
            if request.task_id in {"0", "1", "2", "3", "4", "5", "6", "7", "8", "14"}:
                raise KeyError("mine")
            return await super().generate(request)

    config = {"mode": "react", "prompt_wrap": "react_sft", "batch_size": -1}
    with pytest.warns(RuntimeWarning, match="10 failed"):
        solved = run(config, questions(15), Batched(lambda request: scripted(final("1"))))
    assert sum(bool(each.error) for each in solved) == 10


def test_one_question_that_can_not_be_judged_does_not_end_the_run() -> None:
    class Strict(EqualVerifier):
        async def verify(self, request: Verify) -> Verification:
            if request.task.id == "3":
                raise TaskError("the problem's `test` is not Python")
            return await super().verify(request)

    config = {"mode": "best_of_n", "prompt_wrap": "react_sft", "trials": 2}
    solved = run(config, questions(6), ScriptedPolicy(lambda r: scripted(final("1"))), verifier=Strict())
    assert [s.error for s in solved] == ["", "", "", "the problem's `test` is not Python", "", ""]


def test_one_refused_request_ends_its_question_alone() -> None:
    class Careful(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            if request.task_id == "3":
                raise RefusedError("http://host/v1 gave up on a sample: finish_reason 'content_filter'")
            return await super().generate(request)

    solved = run(MCTS, questions(6), Careful(1))
    assert [bool(s.error) for s in solved] == [False, False, False, True, False, False]
    assert "content_filter" in solved[3].error


def test_a_broken_engine_ends_the_run_and_leaves_nothing_running() -> None:
    finished: list[str] = []

    class Dying(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            await asyncio.sleep(0)
            if len(finished) >= 3:
                raise EngineError("out of memory; lower max_batch_size")
            return await super().generate(request)

    with pytest.warns(RuntimeWarning, match=r"4\d of 50 questions were not finished: out of memory"):
        solved = run(
            MCTS | {"batch_size": 2}, questions(50), Dying(1), on_solved=lambda s: finished.append(s.tree.task.id)
        )
    assert len(finished) >= 3
    assert {s.tree.task.id for s in solved if not s.error} == set(finished)
    assert all("lower max_batch_size" in s.error for s in solved if s.error)


@pytest.mark.parametrize("error", [TaskError("mine"), OSError("no room")])
def test_what_the_callers_own_function_raises_is_passed_on(error: Exception) -> None:
    """It is no fault of a service, so no question is reported as unfinished for it."""
    seen: list[Solved] = []

    def on_solved(solved: Solved) -> None:
        seen.append(solved)
        if len(seen) == 3:
            raise error

    with pytest.raises(type(error), match=str(error)):
        run(MCTS | {"batch_size": 2}, questions(20), RandomPolicy(1), on_solved=on_solved)
    assert len(seen) == 3


def test_an_engine_that_dies_before_anything_is_done_is_an_error() -> None:
    class Dead(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            raise EngineError("out of memory; lower max_batch_size")

    with pytest.raises(EngineError, match="lower max_batch_size"):
        run(MCTS, questions(5), Dead(1))


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Evaluation(0.0), "Generate was answered by Evaluation"),
        ("text", "Generate was answered by str"),
        (scripted(final("1"), value=float("nan")), "value source answered nan"),
        (scripted(final("1"), value=1.5), "value source answered 1.5"),
    ],
)
def test_a_policy_that_breaks_the_protocol_is_named(reply: Any, message: str) -> None:
    class Bad(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            return reply  # type: ignore[no-any-return]

    with pytest.raises(EngineError, match=message):
        run(MCTS | {"n_generate_sample": 1}, questions(1), Bad(1))


def test_missing_values_are_an_error_where_the_config_needs_them() -> None:
    class NoValues:
        async def generate(self, request: Generate) -> Generation:
            return scripted(*[code("x")] * request.num_samples)

        async def close(self) -> None: ...

    with pytest.raises(MctsMathError, match="value is head, but the policy has no `evaluate`"):
        run(MCTS, questions(1), NoValues())
    solved = run(MCTS | {"need_value_func": False}, questions(1), NoValues())
    assert solved[0].tree.root.value == 0.0


class Endless(RandomPolicy):
    """Never answers, takes its time."""

    async def generate(self, request: Generate) -> Generation:
        await asyncio.sleep(0.02)
        return scripted(*[code(f"x{i}") for i in range(request.num_samples)], value=0.0)


def test_max_total_time_ends_a_question_with_what_it_has() -> None:
    begun = time.monotonic()
    (solved,) = run(MCTS | {"iterations": 10_000, "max_depth": 9, "max_total_time": 0.4}, questions(1), Endless(1))
    assert solved.tree.stopped == "max_total_time"
    assert len(solved.tree.nodes) > 4
    assert time.monotonic() - begun < 10
    assert 0.3 < solved.cost.seconds < 2


@pytest.mark.parametrize("mode", ["mcts", "best_of_n"])
def test_max_total_time_holds_for_a_policy_that_never_waits(mode: str) -> None:
    """It blocks the event loop, as an object around a synchronous client does: no watchdog looks meanwhile."""

    class Blocking(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            time.sleep(0.05)
            return scripted(*[code("x")] * request.num_samples)

    own = {"iterations": 30} if mode == "mcts" else {"trials": 30}
    config = {"mode": mode, "prompt_wrap": "react_sft", "max_depth": 9, "max_total_time": 0.1, **own}
    (solved,) = run(config, questions(1), Blocking(1), verifier=EqualVerifier())
    assert (solved.tree.stopped, solved.error) == ("max_total_time", "")
    assert solved.cost.samples <= 2  # after so many its time is used up


def test_max_total_time_holds_after_a_prompt_that_does_not_fit() -> None:
    class Narrow(Endless):
        async def generate(self, request: Generate) -> Generation:
            if str(request.prompt).count("</step>") > 1:
                return Generation((), too_long=True)
            return await super().generate(request)

    config = {"mode": "sbs", "prompt_wrap": "react_sft", "n_generate_sample": 2, "step_beam_width": 2, "max_depth": 9}
    (solved,) = run(config, questions(1), Narrow(1))
    assert solved.tree.stopped == "context_length"

    class Stuck(Narrow):
        async def generate(self, request: Generate) -> Generation:
            reply = await super().generate(request)
            if not reply.too_long and str(request.prompt).count("</step>") > 0:
                await asyncio.Event().wait()
            return reply

    mcts = MCTS | {"value": "none", "need_value_func": False, "max_total_time": 0.4, "iterations": 99}
    (solved,) = run(mcts, questions(1), Stuck(1))
    assert solved.tree.stopped == "max_total_time"


def test_machine_time_is_shared_among_questions_in_flight() -> None:
    begun = time.monotonic()
    solved = run(MCTS | {"iterations": 10}, questions(20), Endless(1))
    wall = time.monotonic() - begun
    assert sum(s.cost.seconds for s in solved) <= wall
    assert max(s.cost.seconds for s in solved) < max(s.cost.wall_s for s in solved) / 5


ANSWERS: list[Any] = [
    Evaluation(None), Evaluation(numpy.float32(0.5)), Evaluation("0.5"), Evaluation(1.5), 0.5, None,  # type: ignore[arg-type]
]  # fmt: skip


@pytest.mark.parametrize("mode", ["sbs", "mcts"])
@pytest.mark.parametrize("answer", ANSWERS)
def test_a_value_model_that_answers_no_value_ends_the_run_and_says_so(mode: str, answer: Any) -> None:
    class Odd(RandomPolicy):
        async def evaluate(self, request: Evaluate) -> Any:
            return answer

    config = {"mode": mode, "prompt_wrap": "react_sft", "n_generate_sample": 2}
    with pytest.raises(EngineError, match=r"(value (source|model) answered|Evaluate was answered by)"):
        run(config, questions(1), RandomPolicy(1), value_model=Odd(1))


@pytest.mark.parametrize("mode", ["react", "sbs", "mcts", "best_of_n", "revision", "token_beam"])
@pytest.mark.parametrize("factor", [0, 2])
def test_an_engine_that_answers_another_number_of_samples_ends_the_run_and_says_so(mode: str, factor: int) -> None:
    class Odd(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            reply = await super().generate(request)
            return replace(reply, samples=reply.samples * factor)

    config = {"mode": mode, "prompt_wrap": "react_sft", "temperature": 0 if mode == "token_beam" else 1}
    with pytest.raises(EngineError, match=r"the policy answered \d+ samples where \d+ were asked for"):
        run(config, questions(1), Odd(1), verifier=EqualVerifier())


def test_a_model_that_computes_no_numbers_fails_the_question_alone() -> None:
    class Overflowing(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            reply = await super().generate(request)
            bad = tuple(replace(sample, logprob=float("nan")) for sample in reply.samples)
            return replace(reply, samples=bad) if request.task_id == "1" else reply

    for mode in ("sbs", "mcts"):
        solved = run({"mode": mode, "prompt_wrap": "react_sft"}, questions(3), Overflowing(1))
        assert ["NaN" in each.error for each in solved] == [False, True, False]


def test_a_service_that_cancels_a_request_loses_nothing_that_is_done() -> None:
    class Aborted(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            if request.task_id == "3":
                raise asyncio.CancelledError
            return await super().generate(request)

    with pytest.warns(RuntimeWarning, match="a service cancelled a request"):
        solved = run(MCTS | {"batch_size": 1}, questions(5), Aborted(1))
    assert [bool(each.error) for each in solved] == [False, False, False, True, True]


def test_a_misspelt_service_is_not_passed_over() -> None:
    with pytest.raises(TypeError, match=r"unexpected argument 'valuemodel'\. There are .*value_model"):
        run(MCTS, questions(1), RandomPolicy(1), valuemodel=RandomPolicy(1))
    with pytest.raises(ConfigError, match="Read a file with load_config"):
        run("configs/sbs_sft.yaml", questions(1), RandomPolicy(1))  # type: ignore[arg-type]


def test_the_time_limit_does_not_cut_the_grading_of_a_tree_that_another_limit_ended() -> None:
    class Slow(EqualChecker):
        async def check(self, request: Check) -> bool:
            await asyncio.sleep(0.5)  # longer than the limit
            return await super().check(request)

    policy = ScriptedPolicy(lambda request: scripted(final("1"), code("x"), value=0.5))
    config = MCTS | {"n_generate_sample": 2, "max_question_tokens": 1, "max_total_time": 0.2}
    (solved,) = run(config, [{"id": "1", "question": "Q", "answer": "1"}], policy, checker=Slow())
    assert (solved.tree.stopped, solved.tree.correct, solved.error) == ("max_question_tokens", True, "")


def test_a_stuck_request_is_cut_by_max_total_time() -> None:
    class Stuck(RandomPolicy):
        async def evaluate(self, request: Evaluate) -> Evaluation:
            if "Final" in str(request.prompt):
                await asyncio.Event().wait()
            return await super().evaluate(request)

    config = MCTS | {"max_total_time": 0.3}
    policy = ScriptedPolicy(lambda r: scripted(final("1"), final("2"), final("3"), value=0.0))
    (solved,) = run(config, questions(1), policy, value_model=Stuck(1))
    assert solved.tree.stopped == "max_total_time"
    assert [node.answer for node in solved.tree.nodes] == [None, "1", "2", "3"]


def test_question_token_budget() -> None:
    (solved,) = run(MCTS | {"iterations": 500, "max_question_tokens": 200}, questions(1), Endless(1))
    assert solved.tree.stopped == "max_question_tokens"
    assert 200 <= solved.cost.tokens < 400


def test_what_crossed_the_token_limit_is_kept() -> None:
    """It was paid for: its code is run, and it stands in the tree."""
    policy = ScriptedPolicy(lambda r: scripted(code("a"), final("7"), value=0.0))
    config = MCTS | {"n_generate_sample": 2, "iterations": 9, "max_question_tokens": 1}
    (solved,) = run(config, [{"id": "t", "question": "Q", "answer": "7"}], policy)
    assert [node.answer for node in solved.tree.nodes] == [None, None, "7"]
    assert solved.tree.nodes[1].step.runs[0].observation == "ok after 0"  # type: ignore[union-attr]
    assert (solved.tree.stopped, solved.tree.correct) == ("max_question_tokens", True)


@pytest.mark.parametrize("mode", ["react", "sbs", "mcts"])
def test_a_prompt_that_does_not_fit_says_so(mode: str) -> None:
    config = {"mode": mode, "prompt_wrap": "react_sft"}
    (solved,) = run(config, questions(1), RandomPolicy(1, Behaviour(max_prompt_chars=1)))
    assert (solved.tree.stopped, solved.tree.correct) == ("context_length", False)
    assert solved.tree.root.value == -1.0


@pytest.mark.parametrize("mode", ["sbs", "mcts"])
def test_values_of_an_object_passed_in_are_the_only_ones(mode: str) -> None:
    """The policy has a head of its own, which must not be asked."""

    class Constant(RandomPolicy):
        async def evaluate(self, request: Evaluate) -> Evaluation:
            return Evaluation(0.25)

    class Headed(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            assert not request.want_value
            return await super().generate(request)

        async def evaluate(self, request: Evaluate) -> Evaluation:
            raise AssertionError

    config = {"mode": mode, "prompt_wrap": "react_sft", "n_generate_sample": 3, "max_depth": 6}
    for settings in (config, config | {"value": "head"}):
        (solved,) = run(settings, questions(1), Headed(1), value_model=Constant(2))
        assert {node.estimate for node in solved.tree.nodes} - {None} == {0.25}
    with pytest.raises(MctsMathError, match="mode react asks for no values"):
        run({"mode": "react"}, questions(1), Headed(1), value_model=Constant(2))


def test_without_a_value_source_no_head_is_asked() -> None:
    """MCTS of round 1: a leaf counts 0, though the policy would tell values."""
    config = {key: value for key, value in MCTS.items() if key != "need_value_func"} | {"is_sampling": True}
    (solved,) = run(config, questions(1), RandomPolicy(1))
    assert {node.estimate for node in solved.tree.nodes} == {None}
    assert solved.tree.root.value == 0.0


def test_run_token_budget_stops_the_run() -> None:
    done: list[Solved] = []
    with pytest.warns(RuntimeWarning, match="5000 generated tokens"):
        run(MCTS | {"max_run_tokens": 5000, "batch_size": 2}, questions(200), RandomPolicy(1), on_solved=done.append)
    assert 0 < len(done) < 200
    assert 5000 <= sum(s.cost.tokens for s in done) < 5200  # the replies that cross the limit are still used
    cut = [solved.tree for solved in done if solved.tree.stopped]
    assert 1 <= len(cut) <= 2  # those in flight, which are kept as far as they came
    assert {tree.stopped for tree in cut} == {"max_run_tokens"}


def test_a_run_token_budget_that_suffices_to_begin_all_questions_is_no_error() -> None:
    solved = run(MCTS | {"max_run_tokens": 300}, questions(20), RandomPolicy(1))
    assert len(solved) == 20
    assert any(one.tree.stopped == "max_run_tokens" for one in solved)


def test_sampling_without_ground_truth_is_refused_before_anything_runs() -> None:
    with pytest.raises(TaskError, match="1 of 2 questions have neither `answer`"):
        run(MCTS | {"is_sampling": True}, [{"question": "a", "answer": "1"}, {"question": "b"}], RandomPolicy(1))


def test_closing_the_stream_early_cancels_what_is_in_flight() -> None:
    cancelled: list[str] = []

    class Noticing(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            try:
                if request.task_id != "0":
                    await asyncio.Event().wait()
                return await super().generate(request)
            except asyncio.CancelledError:
                cancelled.append(request.task_id)
                raise

    async def first() -> None:
        policy = Noticing(1)
        services = Services(policy, policy, EchoInterpreter(), EqualChecker())
        search = search_maker(make_config(MCTS), use_values=True)
        results: AsyncIterator[Solved] = Scheduler(services, RunLimits()).run(make_tasks(questions(5)), search)
        assert (await anext(results)).tree.task.id == "0"
        await results.aclose()  # type: ignore[attr-defined]

    asyncio.run(first())
    assert sorted(cancelled) == ["1", "2", "3", "4"]


def test_cost_counts_what_was_done() -> None:
    class Timed(EchoInterpreter):
        async def execute(self, request: Execute) -> Observation:
            return Observation("1", seconds=0.5)

    script = {
        "<question> question 0 </question>\n": scripted(code("a"), final("0"), "?", value=0.0),
        f"<question> question 0 </question>\n{final('0')}\n</step>\n": scripted(value=0.1),
    }
    (solved,) = run(MCTS | {"iterations": 1}, questions(1), ScriptedPolicy(script), interpreter=Timed())
    cost = solved.cost
    assert (cost.samples, cost.evaluations, cost.cells, cost.cell_s) == (3, 1, 1, 0.5)
    assert cost.requests == 4  # generate, execute, evaluate, and the check of the answer it chose
    assert cost.tokens == sum(n.step.num_tokens for n in solved.tree.nodes if n.step is not None)
    assert cost.prompt_tokens > 0
    assert outline(solved.tree)["0"][1] == 3


def test_an_error_of_all_trees_at_once_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    class NoTemplate(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            raise EngineError("no chat template")

    tasks = [{"question": f"q{i}", "answer": "1"} for i in range(20)]
    with pytest.raises(EngineError, match="no chat template") as told:
        solve(MCTS, tasks, policy=NoTemplate(1), interpreter=EchoInterpreter(), checker=EqualChecker())
    assert told.value.__context__ is None  # no other error is shown above it
    gc.collect()
    assert caplog.text == ""  # asyncio would tell of each exception that nobody looked at


def test_inside_an_event_loop_solve_says_what_to_use() -> None:
    async def cell() -> None:
        solve(MCTS, [])

    with pytest.raises(RuntimeError, match="await solve_async"):
        asyncio.run(cell())


def test_single_questions_come_and_go_each_with_bounds_and_a_session_of_its_own() -> None:
    """What a service asks of a scheduler: trees beside each other, one cancelled, one cut short, two of one id."""
    interpreter, tasks = EchoInterpreter(), make_tasks(questions(3))
    search = search_maker(make_config(MCTS), use_values=True)

    async def drive() -> tuple[list[Solved], tuple[int, int]]:
        policy = RandomPolicy(5, Behaviour(min_delay_s=0.002, max_delay_s=0.004))
        scheduler = Scheduler(Services(policy, policy, interpreter, EqualChecker()), RunLimits())
        twice = [asyncio.create_task(scheduler.solve(tasks[0], search, session=name)) for name in "ab"]
        short = asyncio.create_task(scheduler.solve(tasks[1], search, limits=RunLimits(question_tokens=1)))
        slow = asyncio.create_task(scheduler.solve(tasks[2], search, limits=RunLimits(question_s=1e-3)))
        gone, never = (asyncio.create_task(scheduler.solve(tasks[2], search)) for _ in range(2))
        never.cancel()  # before it has begun
        await asyncio.sleep(0.005)
        gone.cancel()
        ended = await asyncio.gather(gone, never, return_exceptions=True)
        assert [type(end) for end in ended] == [asyncio.CancelledError] * 2
        return await asyncio.gather(*twice, short, slow), scheduler.in_flight

    (one, other, short, slow), left = asyncio.run(drive())
    assert drawn(one.tree) == drawn(other.tree)  # and nothing that the one did was seen by the other
    assert {request.session for request in interpreter.requests} >= {"a", "b"}
    assert sorted(interpreter.released) == ["1", "2", "2", "a", "b"]
    assert (short.tree.stopped, slow.tree.stopped) == ("max_question_tokens", "max_total_time")
    assert left == (0, 0)


def test_a_service_that_dies_fails_the_question_that_asked_it_alone() -> None:
    class Dying(RandomPolicy):
        async def generate(self, request: Generate) -> Generation:
            if request.task_id == "1":
                raise EngineError("dead")
            return await super().generate(request)

    async def drive() -> list[Solved | BaseException]:
        policy, search = Dying(5), search_maker(make_config(MCTS), use_values=True)
        scheduler = Scheduler(Services(policy, policy, EchoInterpreter(), EqualChecker()))
        asked = (scheduler.solve(task, search) for task in make_tasks(questions(3)))
        return await asyncio.gather(*asked, return_exceptions=True)

    first, second, third = asyncio.run(drive())
    assert isinstance(first, Solved)
    assert isinstance(third, Solved)
    assert str(second) == "dead"
