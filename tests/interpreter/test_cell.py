"""Formatting of observations, without a sandbox: harmless code only."""

from __future__ import annotations

import ast
import struct
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcts_math.interpreter.worker import cell, kernel, seccomp, wire


@pytest.fixture(autouse=True)
def _stdout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdout", sys.stdout)  # a cell replaces it; put back afterwards


@pytest.mark.parametrize(
    ("code", "clean"),
    [("```python\nx\n```", "x"), ("x", "x"), ("  ``` Python x ``` \n", "x"), ("", ""), ("`", ""), ("x\n\u2003", "x")],
)
def test_sanitize(code: str, clean: str) -> None:
    assert cell.sanitize(code) == clean


def test_sanitize_takes_linear_time() -> None:
    assert cell.sanitize(" ` " * 10**5 + "x" + " ` " * 10**5 + "y" + "` " * 10**5)[0] == "x"


@pytest.mark.parametrize(
    ("text", "rounded"),
    [
        ("0.33333\n", "0.3333\n"),
        ("7", "7"),
        ("7.00001", "7.0"),
        ("x", "x"),
        ("1e999", "inf"),
        ("", ""),
        ("-1e-9", "-0.0"),
    ],
)
def test_round_number(text: str, rounded: str) -> None:
    assert cell.round_number(text) == rounded


@given(st.text(max_size=40))
def test_rounding_never_lengthens(text: str) -> None:
    assert len(cell.round_number(text).strip()) <= len(text.strip())


@given(st.text(), st.integers(1, 50))
def test_truncation(text: str, limit: int) -> None:
    cut = cell.truncate(text, limit)
    assert cut == text if len(text) <= limit else len(cut) <= limit + 3
    assert cut[: limit // 2] == text[: limit // 2]


@pytest.mark.parametrize(
    ("code", "number"),
    [
        ("print(1)", 1),
        ("for i in x:\n  if i:\n    print(i)", 1),
        ("if a:\n  pass\nelse:\n  print(1)", 1),
        ("def f():\n  print(1)", 1),
        ("with x:\n  print(1)", 0),
        ("x = print", 0),
        ("a.print(1)", 0),
        ("print(1)\nwhile a:\n  print(2)\nx", 2),
    ],
)
def test_prints(code: str, number: int) -> None:
    assert sum(map(cell.prints, ast.parse(code).body)) == number


def test_state_is_shared_by_cells() -> None:
    state: dict[str, object] = {}
    assert cell.run("x = 1", state, cell.Style()) == ("", False)
    assert cell.run("x += 1\n1/0", state, cell.Style()) == ("ZeroDivisionError: division by zero", True)
    assert cell.run("x", state, cell.Style()) == ("2", False)


def test_output_is_kept_at_both_ends_only() -> None:
    shown = cell.run("for i in range(10**5): print(i)", {}, cell.Style())
    assert shown.text.startswith("0\n1\n2\n")
    assert shown.text.endswith("99998\n99999")
    assert len(shown.text) <= 503


@pytest.mark.parametrize(
    "code", ["\x00", "x = '\ud800'\nx = y", "(" * 3000, "1" * 5000, "\\", "'''", "async def f(: pass"]
)
def test_code_that_is_not_python(code: str) -> None:
    assert cell.run(code, {}, cell.Style()).failed


@given(st.text())
def test_any_code_survives_the_wire(code: str) -> None:
    assert wire.pack_cell(code, 0)[wire.CELL.size :].decode("utf-8", "surrogatepass") == code


@pytest.mark.parametrize("files", [False, True])
def test_the_filters_are_sound(files: bool) -> None:
    """Every jump lands within the program, and every way ends in a return."""
    for ops in (seccomp.listener_program(), seccomp.program(files)):
        assert len(ops) < 4096
        for i, op in enumerate(ops):
            if op.code & 7 == 5:
                assert max(op.jump_true, op.jump_false) + i + 1 < len(ops)
        assert ops[-1].code == 0x06
    assert ops[-1] == seccomp._ERRNO_EPERM


def ask_filters(arch: int, number: int, *args: int, files: bool = False) -> int:
    """What the kernel makes of the two filters' answers: the stricter one, which is the smaller number."""
    programs = (seccomp.listener_program(), seccomp.program(files))
    return min(run_filter(ops, arch, number, *args) for ops in programs)


def run_filter(ops: list[seccomp._Op], arch: int, number: int, *args: int) -> int:
    """What a filter answers to a call: an interpreter for the few instructions that it uses."""
    padded = (*args, *(0,) * (6 - len(args)))
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, arch, 0, *(a & (2**64 - 1) for a in padded))
    accumulator, at = 0, 0
    while True:
        op = ops[at]
        at += 1
        if op.code == 0x20:
            (accumulator,) = struct.unpack_from("<I", data, op.value)
        elif op.code == 0x54:
            accumulator &= op.value
        elif op.code == 0x15:
            at += op.jump_true if accumulator == op.value else op.jump_false
        elif op.code == 0x45:
            at += op.jump_true if accumulator & op.value else op.jump_false
        else:
            assert op.code == 0x06
            return op.value


@pytest.mark.skipif(not kernel.X86_64, reason="numbers of x86-64")
@pytest.mark.parametrize(
    ("number", "args", "answer"),
    [
        (0, (), "allow"), (59, (), "deny"), (57, (), "deny"), (435, (), "deny"), (0x40000000, (), "deny"),
        (56, (0x8011,), "ask"), (56, (17,), "deny"), (56, (0x3D0F00,), "ask"), (56, (0x10008011,), "deny"),
        (9, (0, 1, 3, 0x22), "allow"), (9, (0, 1, 3, 0x21), "deny"),
        (9, (0, 1, 3, 0x40022), "deny"), (9, (0, 1, 3, 3), "deny"),
        (53, (1, 1), "allow"), (53, (1, 0x80801), "allow"), (53, (1, 2), "deny"), (53, (2, 1), "deny"),
        (157, (1, 9), "allow"), (157, (1, 0), "deny"), (157, (15,), "allow"),
        (157, (4, 1), "deny"), (157, (38, 1), "deny"),
        (72, (3, 3), "allow"), (72, (3, 8), "deny"), (16, (0, 0x5401), "allow"), (16, (0, 0x5412), "deny"),
        (302, (0,), "allow"), (302, (1,), "deny"), (231, (), "allow"), (62, (), "deny"), (46, (), "deny"),
        (44, (), "allow"), (99999, (), "deny"), (44, (3, 0, 1, 0x4000), "allow"), (44, (3, 0, 1, 1), "deny"),
        (45, (3, 0, 1, 0x42), "allow"), (45, (3, 0, 1, 0x41), "deny"),
        (47, (3, 1, 0), "allow"), (47, (3, 1, 1), "deny"),
    ],
)  # fmt: skip
def test_what_the_filter_answers(number: int, args: tuple[int, ...], answer: str) -> None:
    got = ask_filters(0xC000003E, number, *args)
    assert got >> 16 == {"allow": 0x7FFF, "ask": 0x7FC0, "deny": 0x0005}[answer]


@pytest.mark.skipif(not kernel.X86_64, reason="numbers of x86-64")
@pytest.mark.parametrize(
    ("number", "name"), [(83, "mkdir"), (87, "unlink"), (82, "rename"), (77, "ftruncate"), (280, "utimensat")]
)
def test_files_may_be_changed_only_where_there_is_a_folder_for_them(number: int, name: str) -> None:
    assert ask_filters(0xC000003E, number) >> 16 == 0x0005, name
    assert ask_filters(0xC000003E, number, files=True) >> 16 == 0x7FFF, name


@pytest.mark.skipif(not kernel.X86_64, reason="numbers of x86-64")
@pytest.mark.parametrize("number", [90, 91, 268, 452, 92, 93, 94, 86, 88, 133, 161, 165])
def test_nobody_may_change_rights_or_make_links_and_devices(number: int) -> None:
    assert ask_filters(0xC000003E, number, files=True) >> 16 == 0x0005


@pytest.mark.skipif(not kernel.X86_64, reason="numbers of x86-64")
def test_a_lock_is_free_and_is_never_made() -> None:
    assert {ask_filters(0xC000003E, 72, 3, lock) for lock in (6, 7, 37, 38)} == {0x50000}


@pytest.mark.skipif(not kernel.X86_64, reason="numbers of x86-64")
def test_another_machine_word_is_killed() -> None:
    assert run_filter(seccomp.program(files=True), 0x40000003, 0) == 0x80000000
