"""The public functions, the policies, and decisions worth a name."""

from __future__ import annotations

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from mcts_math.answer import Policy, Status, check, is_equiv, math_is_equiv
from mcts_math.answer.__main__ import main


def test_a_list_of_accepted_answers() -> None:
    assert math_is_equiv(["3", r"\frac12"], "0.5")
    assert not math_is_equiv(["3", "4"], "0.5")
    assert check(("3", "4"), "4").gold == "4"
    assert check([], "4").status is Status.UNPARSED
    assert check([r"\foo{", "3"], "4").status is Status.DIFFERENT


@pytest.mark.parametrize(
    ("policy", "gold", "pred", "default"),
    [
        (Policy(percent="number"), r"10\%", "0.1", True),
        (Policy(percent="fraction"), r"10\%", "10", True),
        (Policy(rounding=False), r"\sqrt{3}", "1.732", True),
        (Policy(min_digits=5), r"\sqrt{3}", "1.732", True),
        (Policy(letter_case=True), r"\text{Monday}", "monday", True),
        (Policy(equation_value=False), "x=5", "5", True),
        (Policy(list_order=True), "1,2", "2,1", True),
        (Policy(units=False), r"5\text{ cm}", "5", True),
    ],
)
def test_policies(policy: Policy, gold: str, pred: str, default: bool) -> None:
    assert is_equiv(gold, pred) is default
    assert is_equiv(gold, pred, policy) is not default
    assert is_equiv(pred, gold, policy) is not default


def test_percent_in_both_readings_by_default() -> None:
    assert is_equiv(r"10\%", "10")
    assert is_equiv(r"10\%", "0.1")
    assert not is_equiv("10", "0.1")


def test_a_spacing_command_that_lost_its_space_at_the_end() -> None:
    assert is_equiv(r"\frac12", "\\frac12\\")
    assert not is_equiv(r"\frac13", "\\frac12\\")


def test_domain_traps() -> None:
    assert is_equiv(r"\sqrt{x^2}", "|x|")
    assert not is_equiv(r"\sqrt{x^2}", "x")
    assert not is_equiv(r"\sqrt{(x-1)^2}", "x-1")
    assert is_equiv(r"\ln(x^2)", r"2\ln|x|")
    assert is_equiv(r"\frac{x^2-1}{x-1}", "x+1")
    assert not is_equiv(r"\arcsin(\sin x)", "x")


def test_close_numbers_are_told_apart() -> None:
    assert not is_equiv(r"12345678901\sqrt2", r"12345678902\sqrt2")
    assert not is_equiv("10^{20}+1", "10^{20}")
    assert not is_equiv(r"\pi^{40}", r"\pi^{40}+1")
    assert not is_equiv(r"e^{\pi\sqrt{163}}", "262537412640768744")
    assert is_equiv(r"\sqrt{2}+\sqrt{3}", r"\sqrt{5+2\sqrt6}")


def test_texts_are_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for text in (
        "__import__('os').system('touch pwned')",
        "open('pwned','w')",
        'exec(\'open("pwned","w")\')',
        "Matrix([open('pwned','w')])",
        "Rational(open('pwned','w'), 1)",
        "{x.__class__.__base__.__subclasses__()}",
        "cos\nposix\nsystem\n(S'touch pwned'\ntR.",
    ):
        check("5", text)
        check(text, text + " ")
    assert list(tmp_path.iterdir()) == []


def test_no_state_between_calls() -> None:
    first = [check("x+1", "1+x"), check(r"\frac{1}{3}", "0.333"), check("(1,2)", "[1,2]")]
    check("y = 3", "x = 3")
    check("{" * 50, "5")
    assert first == [check("x+1", "1+x"), check(r"\frac{1}{3}", "0.333"), check("(1,2)", "[1,2]")]


def test_import_is_light() -> None:
    heavy = {"sympy", "mpmath", "torch", "asyncio", "mcts_math.answer.reply.claims"}
    code = f"import sys, mcts_math.answer.service.worker; print(sorted({heavy!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_missing_dependency_is_an_error_at_import() -> None:
    code = (
        "import sys, importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'mpmath' else find(name, *rest)\n"
        "import mcts_math.answer"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode != 0
    assert "CheckerError: the answer checker needs mpmath" in found.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "shown"),
    [
        ([r"\frac12", "0.5"], 0, "equal"),
        (["[0,1)", "(0,1)"], 1, "different"),
        (["5", r"\foo{"], 2, "unparsed"),
        (["--percent", "number", r"10\%", "0.1"], 1, "different"),
        (["--or", "6", "5", "6"], 0, "equal"),
        (["--extract", "6", r"so \boxed{6}."], 0, "equal"),
        (["--extract", "6", "perhaps 6"], 2, "no final answer"),
        (["--json", "x+1", "1+x"], 0, '"status": "equal"'),
        (["--", "-5", "-5.0"], 0, "equal"),
    ],
)
def test_command(capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, shown: str) -> None:
    assert main(arguments) == code
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "code", "shown"), [(["5", "5.0"], 0, "equal"), (["5"], 2, "")])
def test_command_in_a_process_of_its_own(arguments: list[str], code: int, shown: str) -> None:
    command = [sys.executable, "-m", "mcts_math.answer", *arguments]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == code, found.stderr
    assert shown in found.stdout


@pytest.mark.parametrize("text", ["\tfrac{1}{2}", "\x0crac{1}{2}", "\tfrac{π}{2π}", " \tfrac12"])
def test_commands_that_lost_their_backslash_to_an_escape(text: str) -> None:
    assert is_equiv(text, "0.5")
    assert not is_equiv(text, "2")


@pytest.mark.parametrize(
    "text", ["{'x': 1  'y': 2}", "[{x: 1, y: 2}, {x: 3  y: 4}]", "12 square cm^{2}^{3}", "5 square", "12\\text{ m^s}"]
)
def test_malformed_prints_differ(text: str) -> None:
    for gold in ("x=1,y=2", "(1,2),(3,4)", "144", "12\\text{ km/h}"):
        assert not is_equiv(gold, text)


def test_numbers_are_answers_too() -> None:
    assert is_equiv(5, "5.0")
    assert is_equiv([1, 2.5], "5/2")
    assert is_equiv("1/2", Fraction(1, 2))
    assert not is_equiv(5, 6)
