"""What is judged, and what is said of it."""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, astuple, dataclass
from typing import Any, ClassVar, Final, Protocol

from mcts_math.errors import TaskError
from mcts_math.tasks.benchmarks.livecodebench import IMPORTS

_NAME: Final = re.compile(r"(?P<root>[^\W\d]\w*)(?:(?P<made>\(\))?\.(?P<method>[^\W\d]\w*))?")
_NUMBERS: Final = {"timeout_s": 0.01, "tolerance": 0.0}
_MOST_NAMES: Final = 100  # a completion is searched for each of them
TWO_PROCESSES, ONE_PROCESS = "two_processes", "one_process"


@dataclass(frozen=True, slots=True)
class Case:
    """One input and what it must give.

    Attributes:
        input: text for standard input, or the arguments of a call.
        output: what is printed, or the value that the call returns.
    """

    input: str | tuple[Any, ...]
    output: Any


@dataclass(frozen=True, slots=True)
class Problem:
    """A program to be written, and its tests.

    Attributes:
        prompt: code that the completion may go on with, and whose other functions it may use; "" where there is none.
        test: Python: asserts, `check(candidate)`, test functions and classes, doctests; "" where `cases` say it all.
        entry_point: name of the function or class, `Class().method`, or several of these between commas; "" for a
            program that reads standard input and prints.
        cases: inputs and outputs.
        tolerance: of numbers that are compared, relative above 1 and absolute below; None: equal (a printed number:
            1e-6); 0: a printed number is equal as a decimal. In `test` it holds for `==` and `!=` of
            numbers and containers of them.
        timeout_s: limit of one test; None: all of them share the judge's limit.
        every_test: run the tests after one that failed, for partial credit.
        isolation: "two_processes"; or "one_process", for tests that need the code's own objects beside them.
        wrapped: each output of `cases` is a list of one, which may stand for what is in it, as in APPS.
        or_method: the entry point may be a method of a class `Solution` instead, as in APPS.
    """

    prompt: str
    test: str
    entry_point: str
    cases: tuple[Case, ...] = ()
    tolerance: float | None = None
    timeout_s: float | None = None
    every_test: bool = False
    isolation: str = TWO_PROCESSES
    wrapped: bool = False
    or_method: bool = False

    @property
    def needed_s(self) -> float:
        """Seconds that its cases may take together: of each, its limit and one more; 0 where there is no limit."""
        return 0.0 if self.timeout_s is None else (self.timeout_s + 1) * len(self.cases)

    @property
    def names(self) -> list[str]:
        """Names that the code must define: of functions and classes."""
        return [entry["root"] for entry in self.entries]

    @property
    def entries(self) -> list[dict[str, Any]]:
        """The entry points in parts: root, made (whether it is called for an object first), method (or None)."""
        parts = [part.strip() for part in self.entry_point.split(",") if part.strip()]
        return [match.groupdict() for part in parts if (match := _NAME.fullmatch(part))]

    @classmethod
    def from_record(cls, record: Mapping[str, Any], where: str = "problem") -> Problem:
        """The problem within a record; further keys are passed over.

        `test` is what judges; where there is none, `test_list` is. `cases` is a list of {input, output}, where the
        input is text or a list of arguments; `input_output` is {inputs, outputs, fn_name}, as an object or as JSON;
        without `fn_name`, a text may be a list of its lines.

        Raises:
            TaskError: naming `where` and the field that is missing or wrong.
        """
        record = _in_usual_fields(record, where)
        cases = tuple(_cases(record, where))
        prompt = _text(record, "prompt", where, "" if cases else None)
        test = _text(record, "test", where, "" if cases else None)
        entry_point = _entry_point(record, where, bool(cases))
        if not test.strip() and not cases:
            raise TaskError(f"{where}: `test` is empty: any completion would pass. Give the problem its tests.")
        if test.strip() and not entry_point:
            raise TaskError(f"{where}: `test` needs an `entry_point`: the name of what it calls.")
        isolation = record.get("isolation", TWO_PROCESSES)
        if isolation not in (TWO_PROCESSES, ONE_PROCESS):
            raise TaskError(f"{where}: `isolation` is {isolation!r}; it must be {TWO_PROCESSES!r} or {ONE_PROCESS!r}.")
        every = record.get("every_test", False)
        if not isinstance(every, bool):
            raise TaskError(f"{where}: `every_test` is {every!r}; it must be true or false.")
        numbers: dict[str, Any] = {name: _number(record, name, least, where) for name, least in _NUMBERS.items()}
        more: dict[str, Any] = {"every_test": every, "isolation": isolation, "wrapped": record["wrapped"]}
        more["or_method"] = record["or_method"]
        return cls(prompt, test, entry_point, cases, **numbers, **more)

    def to_record(self) -> dict[str, Any]:
        """What `from_record` reads: the published three fields, and others where they are not as usual."""
        record: dict[str, Any] = {"prompt": self.prompt, "test": self.test, "entry_point": self.entry_point}
        if self.wrapped or self.or_method:
            record["input_output"] = {
                "inputs": [case.input for case in self.cases],
                "outputs": [case.output for case in self.cases],
                "fn_name": self.entry_point if self.or_method else "",
            }
        elif self.cases:
            record["cases"] = [{"input": case.input, "output": case.output} for case in self.cases]
        usual = Problem("", "", "")
        for name in ("tolerance", "timeout_s", "every_test", "isolation"):
            if getattr(self, name) != getattr(usual, name):
                record[name] = getattr(self, name)
        return record


def _text(record: Mapping[str, Any], field: str, where: str, default: str | None = None) -> str:
    value = record.get(field, default)
    if not isinstance(value, str):
        found = "is missing" if value is None else f"must be a string, not {type(value).__name__}"
        raise TaskError(f"{where}: the field `{field}` {found}. A problem needs prompt, test and entry_point.")
    return value


def _number(record: Mapping[str, Any], field: str, least: float, where: str) -> float | None:
    value = record.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < 1e9:
        raise TaskError(f"{where}: `{field}` is {value!r}; it must be a number, at least {least:g}.")
    return float(value)


def _in_usual_fields(record: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The record with `test_list` as `test`, `input_output` as `cases` and all else, several names in one text."""
    record = {**record, "wrapped": False, "or_method": False}
    if record.get("test") is None and isinstance(record.get("test_list"), list):
        record["test"] = "\n".join(map(str, record["test_list"]))
    if "input_output" in record and not record.get("cases"):
        cases, name = _input_output(record["input_output"], where)
        record["entry_point"] = record.get("entry_point") or name
        record["prompt"] = record.get("prompt") or IMPORTS
        if record["entry_point"]:
            outputs = [case["output"] for case in cases]
            record["wrapped"] = all(isinstance(output, list) and len(output) == 1 for output in outputs)
            record["or_method"] = record["entry_point"] == name
        else:
            cases = [{key: _joined(text) for key, text in case.items()} for case in cases]
        record["cases"] = cases
    names = record.get("entry_point")
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        record["entry_point"] = ", ".join(names)
    return record


def _input_output(value: Any, where: str) -> tuple[list[dict[str, Any]], str]:
    """Cases, and the name of what they call; "" where it is a program."""
    try:
        value = json.loads(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{where}: `input_output` is not JSON: {error}.") from None
    inputs, outputs = (value.get(key) if isinstance(value, Mapping) else None for key in ("inputs", "outputs"))
    if not isinstance(inputs, list) or not isinstance(outputs, list) or len(inputs) != len(outputs):
        raise TaskError(f"{where}: `input_output` needs `inputs` and `outputs`, two lists of one length.")
    if not inputs:
        raise TaskError(f"{where}: there is no case: any completion would pass. Give the problem its tests.")
    pairs = [{"input": given, "output": wanted} for given, wanted in zip(inputs, outputs, strict=True)]
    return pairs, str(value.get("fn_name") or "")


def _joined(text: Any) -> Any:
    """Lines as one text; anything else as it is."""
    if isinstance(text, list) and all(isinstance(line, str) for line in text):
        return "\n".join(line.removesuffix("\n") for line in text)
    return text


def _entry_point(record: Mapping[str, Any], where: str, has_cases: bool) -> str:
    if has_cases and not record.get("entry_point"):
        return ""
    text = _text(record, "entry_point", where)
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > _MOST_NAMES:
        raise TaskError(f"{where}: `entry_point` holds {len(parts)} names; at most {_MOST_NAMES} can be looked for.")
    for part in parts:
        if not _NAME.fullmatch(part) or any(map(keyword.iskeyword, re.findall(r"\w+", part))):
            raise TaskError(
                f"{where}: `entry_point` is {text[:80]!r}; it must be the name of a function or a class, or "
                "`Class().method`; several with commas between them."
            )
    return ", ".join(parts)


def _cases(record: Mapping[str, Any], where: str) -> Iterator[Case]:
    found = record.get("cases") or []
    if not isinstance(found, (list, tuple)) or not all(
        isinstance(case, Mapping) and {"input", "output"} <= case.keys() for case in found
    ):
        raise TaskError(f"{where}: `cases` must be a list of objects with `input` and `output`.")
    calls = bool(record.get("entry_point"))
    for number, case in enumerate(found):
        if calls != isinstance(case["input"], (list, tuple)):
            need = "a list of arguments" if calls else "text, as no `entry_point` says what is called"
            raise TaskError(f"{where}: the input of case {number} must be {need}.")
        if not calls and not isinstance(case["output"], str):
            raise TaskError(f"{where}: the output of case {number} must be text.")
        yield Case(tuple(case["input"]) if calls else case["input"], case["output"])


NO_CODE = "no code was found in the completion"


@dataclass(frozen=True, slots=True)
class TestResult:
    """What came of one test.

    Attributes:
        name: the test's name, or its line.
        passed: it did.
        detail: why not; "" where it passed.
    """

    __test__: ClassVar[bool] = False  # nothing for pytest to collect
    name: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What came of it.

    Attributes:
        passed: all tests passed, in time.
        result: "passed", "timed out", "failed: …" or `NO_CODE`.
        code: what was judged; None where there was none, or a service did not say.
        tests: those that ran, at most 1,000; after one that failed only with `Problem.every_test`.
        num_passed: of all tests that ran.
        num_tests: that ran.
    """

    passed: bool
    result: str
    code: str | None = None
    tests: tuple[TestResult, ...] = ()
    num_passed: int = 0
    num_tests: int = 0

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Judgement:
        """The judgement that a service tells of: at least `passed` and `result`.

        Raises:
            ValueError, TypeError, KeyError: it is none.
        """
        if not isinstance(record["passed"], bool):
            raise ValueError("`passed` is neither true nor false")
        tests = tuple(TestResult(str(name), bool(passed), str(why)) for name, passed, why in record.get("tests", ()))
        code = record.get("code")
        num_passed, num_tests = (record.get(key) or 0 for key in ("num_passed", "num_tests"))
        if not (isinstance(num_passed, int) and isinstance(num_tests, int) and 0 <= num_passed <= num_tests):
            raise ValueError(f"{num_passed!r} of {num_tests!r} tests can't have passed")
        code = None if code is None else str(code)
        return cls(record["passed"], str(record["result"]), code, tests, num_passed, num_tests)

    def to_record(self, details: bool) -> dict[str, Any]:
        """What `from_record` reads: the published two fields, or with `details` all of them."""
        record = asdict(self) | {"tests": [astuple(test) for test in self.tests]}
        return record if details else {key: record[key] for key in ("passed", "result")}

    @property
    def credit(self) -> float:
        """Share of the tests that passed, in [0, 1]; of use with `Problem.every_test`."""
        return 1.0 if self.passed else self.num_passed / self.num_tests if self.num_tests else 0.0


class CodeJudge(Protocol):
    """Judges completions: the sandbox here (`Judge`), or a service elsewhere (`JudgeClient`)."""

    async def judge(self, problem: Problem, completion: str) -> Judgement: ...

    async def close(self) -> None: ...
