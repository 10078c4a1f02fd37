"""The generators, formats and tokenizer behind the bundled model `mini`, and the model as it ships."""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "recipes" / "mini"))

if find_spec("reasoning_gym") is None:  # not imported yet: every process collects this file
    pytest.skip("the extra `mini` is not installed", allow_module_level=True)
torch = pytest.importorskip("torch")

import cells  # noqa: E402
import corpus  # noqa: E402
import demonstrations  # noqa: E402
import draw  # noqa: E402
import formats  # noqa: E402
import outcomes  # noqa: E402
import questions  # noqa: E402
import vocabulary  # noqa: E402

from mcts_math.formats import make_format  # noqa: E402
from mcts_math.messages import Sample  # noqa: E402
from mcts_math.tasks import Task  # noqa: E402

MODEL = ROOT / "models" / "mini"
DATA = ROOT / "data" / "mini"


def _records(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("family", list(questions.FAMILIES))
def test_the_right_plan_gives_the_reference_answer(family: str) -> None:
    for question in questions.draw(family, 7_000, 12):
        plan = demonstrations.PLANS[family](question)
        seen = cells.run_cells([cell.code for cell in plan.right])
        assert formats.same_answer(formats.tidy(seen[-1]), question.answer), (question, seen)


@pytest.mark.parametrize("family", list(questions.FAMILIES))
def test_every_plan_has_a_slip_that_goes_wrong_somewhere(family: str) -> None:
    wrong = 0
    for question in questions.draw(family, 8_000, 12):
        plan = demonstrations.PLANS[family](question)
        slip = plan.slips[0]
        seen = cells.run_cells([cell.code for cell in plan.right[: slip.at] + slip.cells])
        wrong += not formats.same_answer(formats.tidy(seen[-1]), question.answer)
    assert wrong >= 5


def test_drawing_is_reproducible_and_excludes_what_it_is_told() -> None:
    first = questions.draw("lcm", 5, 20)
    assert first == questions.draw("lcm", 5, 20)
    others = questions.draw("lcm", 5, 20, frozenset(q.text for q in first))
    assert not {q.text for q in first} & {q.text for q in others}
    with pytest.raises(ValueError, match="no family 'lmc'"):
        questions.draw("lmc", 5, 1)


def test_shipped_test_questions_are_the_generated_ones() -> None:
    shipped = _records("test.jsonl")
    assert [(r["question"], r["answer"]) for r in shipped] == [(q.text, q.answer) for q in questions.test_questions()]
    assert len(shipped) == 500
    assert len({r["id"] for r in shipped}) == 500
    counts = Counter(r["type"] for r in shipped)
    assert counts["gsm_symbolic"] == 80
    assert set(counts.values()) == {80, 30}


def test_more_questions_are_other_ones_in_the_same_mix() -> None:
    more = draw.more_questions(draw.SEED, 1)
    assert Counter(q.type for q in more) == Counter(r["type"] for r in _records("test.jsonl"))
    known = {r["question"] for name in ("test.jsonl", "train.jsonl") for r in _records(name)}
    assert len({q.text for q in more} - known) == 500
    assert more == draw.more_questions(draw.SEED, 1)


def test_no_test_question_is_a_training_question() -> None:
    test = {r["question"] for r in _records("test.jsonl")}
    train = {r["question"] for r in _records("train.jsonl")}
    assert len(train) >= 3000
    assert not test & train
    assert not test & {q.text for q in questions.train_questions(dict.fromkeys(questions.FAMILIES, 30))}


@pytest.mark.parametrize(
    ("text", "value"), [("2+3*4", 14), ("(7-2)*3", 15), ("-4/8", -0.5), ("0.1+0.2", 0.3), ("50/100*74", 37)]
)
def test_arithmetic(text: str, value: float) -> None:
    assert float(questions.arithmetic(text)) == pytest.approx(value)


@pytest.mark.parametrize("text", ["2+", "__import__('os')", "1/0", "a+1", "2**9", ""])
def test_arithmetic_takes_nothing_else(text: str) -> None:
    with pytest.raises(ValueError, match="not plain arithmetic"):
        questions.arithmetic(text)


def test_worked_solutions_give_their_true_equations() -> None:
    text = (
        "He has 3 times as many, so 35 × 3 = 105 kiwi\nTotal: 105 + 35 = 140\nwrong: 2 + 2 = 5\n53 x €13 = €689\n#### 1"
    )
    found = [(e.expression, e.value) for e in questions.read_worked_solution(text)]
    assert found == [("35*3", "105"), ("105+35", "140"), ("53*13", "689")]


def test_word_problems_reuse_earlier_results() -> None:
    equations = [questions.Equation("", "35*3", "105"), questions.Equation("", "105+35", "140")]
    assert demonstrations._assignments(equations) == ["a=35*3", "b=a+35"]


def test_demonstrations_are_right_often_and_wrong_often() -> None:
    rng = random.Random(3)
    drawn = [q for family in questions.FAMILIES for q in questions.draw(family, 6_000, 10)]
    right = {"firm": [0, 0], "shaky": [0, 0]}
    for question in drawn:
        plan = demonstrations.PLANS[question.type](question)
        thoughts = demonstrations.demonstrate(plan, demonstrations.Rates(), rng)
        seen = cells.run_cells([thought.code for thought in thoughts])
        right[plan.care][formats.same_answer(formats.tidy(seen[-1]), question.answer)] += 1
    share = {care: good / (good + bad) for care, (bad, good) in right.items()}
    assert 0.6 < share["firm"] < 0.95
    assert 0.2 < share["shaky"] < 0.65


def test_observations_are_shown_as_the_tool_shows_them() -> None:
    seen = cells.run_cells(["a=1/3\nprint(a)", "print(a*3)", "print(7)", 'print("x", a)', "print(b)"])
    assert seen[:4] == ["0.3333", "1.0", "7", "x 0.3333333333333333"]
    assert seen[4].startswith("NameError")


def test_a_demonstration_is_what_the_format_shows_and_reads() -> None:
    step_format = make_format("react_sft")
    code, answer = formats.code_step("First, add.", "a=1\nprint(a)"), formats.final_step("Done.", "$7$")
    drafts = [step_format.read(Sample(text, 0.0, 1)) for text in (code, answer)]
    assert [(draft.answer, [action.code for action in draft.actions]) for draft in drafts] == [
        (None, ["```python\na=1\nprint(a)\n```"]),
        ("7", []),
    ]
    assert step_format.observed(drafts[0], ["1"]) == code + formats.observed("1")
    assert step_format.finished(drafts[1]) == answer
    assert step_format.step_delim == formats.DELIM
    assert step_format.prompt(Task("1", "What is 1?"), []) == formats.head("What is 1?")


def test_outcomes_are_solutions_of_the_projects_solver_with_their_rewards(tokenizer: Any, tmp_path: Path) -> None:
    asked = questions.draw("gcd", 4_000, 6)
    drawn = outcomes.sample_outcomes(MODEL, asked, 1)
    assert len(drawn) == 12
    assert {outcome.reward for outcome in drawn} <= {1, -1}
    assert sum(outcome.reward for outcome in drawn) > 0  # the model knows this family
    for outcome, question in zip(drawn, asked * 2, strict=True):
        assert outcome.texts[0] == formats.head(question.text)
        assert all(text.startswith("<step>") and text.endswith(formats.DELIM) for text in outcome.texts[1:])
    outcomes.save_outcomes(drawn, tmp_path / "outcomes.jsonl")
    assert outcomes.load_outcomes(tmp_path / "outcomes.jsonl") == drawn
    encoded = outcomes.encode_outcomes(drawn, tokenizer)
    assert encoded.reward.count_nonzero() == sum(len(outcome.texts) for outcome in drawn)


def test_corpus_pads_and_resumes_the_same_batches() -> None:
    rows = [[([5] * n, False, 0), ([6] * n, True, 1)] for n in range(1, 40)]
    laid = corpus.lay_out(rows)
    batch = laid.batch([0, 2])
    assert batch.ids.tolist() == [[5, 6, 0, 0, 0, 0], [5, 5, 5, 6, 6, 6]]
    assert batch.learn.tolist()[1] == [False] * 3 + [True] * 3
    assert batch.reward.tolist()[1] == [0] * 5 + [1]
    first, second = laid.batches(100, 4), laid.batches(100, 4)
    for _ in range(30):
        assert torch.equal(next(first).ids, next(second).ids)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    transformers = pytest.importorskip("transformers")
    return transformers.AutoTokenizer.from_pretrained(MODEL)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  two  spaces ,and a comma .",
        "héllo wörld 日本 ☃ \x00\x07",
        "12345 0012 3.14159\n\n\t x\r\n",
        formats.head("What is 2+2?") + formats.code_step("First, add.", "print(2+2)") + formats.observed("4") + "\n",
        formats.final_step("That is the result.", "4") + "\n",
        "</step></p><p>Final Answer:```python```<|pad|x",
    ],
)
def test_the_tokenizer_loses_nothing(tokenizer: Any, text: str) -> None:
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert tokenizer.decode(ids, skip_special_tokens=True) == text


def test_tags_and_numbers_are_one_token(tokenizer: Any) -> None:
    for tag in vocabulary.TAGS:
        assert len(tokenizer(tag)["input_ids"]) == 1, tag
    for number in range(1000):
        assert len(tokenizer(str(number))["input_ids"]) == 1


def test_a_prompt_tokenises_as_inside_a_demonstration(tokenizer: Any) -> None:
    rng = random.Random(1)
    for question in [q for family in questions.FAMILIES for q in questions.draw(family, 9_000, 3)]:
        drawn = corpus.write_demonstration(question, demonstrations.Rates(), rng)
        if drawn is None:
            continue
        pieces = [text for text, _ in drawn.pieces]
        apart = [token for text in pieces for token in tokenizer(text)["input_ids"]]
        assert tokenizer("".join(pieces))["input_ids"] == apart


def test_the_shipped_model_is_a_stock_llama_with_a_value_head() -> None:
    config = json.loads((MODEL / "config.json").read_text())
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["value_model"] is True
    assert config["max_position_embeddings"] == vocabulary.CONTEXT
    head = torch.load(MODEL / "value_head.pth", weights_only=True)
    assert head["v_head.summary.weight"].shape == (1, config["hidden_size"])
    assert head["v_head.summary.bias"].shape == (1,)
    stored = sum(path.stat().st_size for folder in (MODEL, DATA) for path in folder.iterdir())
    assert stored <= 10_000_000
