"""Verdicts from what a completion answers, without isolation. See test_pool.py for whole processes."""

from __future__ import annotations

import random

import pytest

from modelcore.sandbox import verdicts
from modelcore.sandbox.harness import prepare, run_tests
from modelcore.sandbox.sample import Sample
from modelcore.sandbox.verdicts import Outcome

from .serving import serving

CHECK_THREE = "def check(f):\n    assert f(1, 2) == 3\n"


def outcome_of(program: str, test: str = CHECK_THREE, helpers: str = "", seed: str = "") -> Outcome:
    sample = Sample(program, helpers, test, "f", seed)
    prepare(sample)
    with serving() as completion:
        return run_tests(sample, completion)


ADD = "def f(x, y=0):\n    return x + y"


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        (ADD, Outcome(verdicts.PASSED)),
        ("def f(x, y):\n    return 4", Outcome(verdicts.FAILED, "assert f(1, 2) == 3")),
        ("def f(x, y):\n    return x / 0", Outcome(verdicts.ERROR, "ZeroDivisionError: division by zero")),
        ("def f(x, y):\n    assert x == 5, 'own'", Outcome(verdicts.ERROR, "AssertionError: own")),
        ("def f(x, y):\n    raise KeyboardInterrupt", Outcome(verdicts.ERROR, "KeyboardInterrupt")),
        ("def f(x, y):\n    raise MemoryError", Outcome(verdicts.OUT_OF_MEMORY, "MemoryError")),
        ("raise ValueError('top')", Outcome(verdicts.ERROR, "ValueError: top")),
        ("raise MemoryError", Outcome(verdicts.OUT_OF_MEMORY, "MemoryError")),
        ("g = 1", Outcome(verdicts.ERROR, "NameError: name 'f' is not defined")),
        ("def f(x, y):\n    return f", Outcome(verdicts.FAILED, "assert f(1, 2) == 3")),
    ],
)
def test_what_the_program_does_decides_the_verdict(program: str, expected: Outcome) -> None:
    assert outcome_of(program) == expected


def test_a_program_that_does_not_compile_is_not_run() -> None:
    result = outcome_of("def f(:")
    assert result.verdict == verdicts.DID_NOT_COMPILE and result.reason.startswith("SyntaxError: ")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("assert f(1) == 2, 'own message'", Outcome(verdicts.FAILED, "own message")),
        ("x = f(1)\n    assert (\n        x == 2\n    )", Outcome(verdicts.FAILED, "assert ( x == 2 )")),
        ("assert True\n    assert not f(1)\n    assert True", Outcome(verdicts.FAILED, "assert not f(1)")),
        ("f(1)()", Outcome(verdicts.ERROR, "TypeError: 'int' object is not callable")),
        ("raise SystemExit(2)", Outcome(verdicts.ERROR, "SystemExit: 2")),
        ("f(len)", Outcome(
            verdicts.ERROR,
            "a test passes a builtin_function_or_method, which cannot be passed to a completion",
        )),
    ],
)  # fmt: skip
def test_what_the_test_does_decides_the_reason(body: str, expected: Outcome) -> None:
    assert outcome_of(ADD, f"def check(f):\n    {body}\n") == expected


def test_an_assertion_outside_the_test_has_no_source_to_report() -> None:
    helpers = "def require(x):\n    assert x\n"
    assert outcome_of(ADD, "def check(f):\n    require(f(0))\n", helpers) == Outcome(verdicts.FAILED)


def test_helpers_of_the_prompt_win_over_those_of_the_completion() -> None:
    helpers = "import math\ndef twice(x):\n    return 2 * x\ndef f(x):\n"  # ends in a bare def, as prompts do
    test = "def check(f):\n    assert f(math.floor(2.5)) == twice(2)\n"
    assert outcome_of("def f(x):\n    return 4\ntwice = None", test, helpers).passed


def test_helpers_that_are_not_code_are_ignored() -> None:
    assert outcome_of(ADD, CHECK_THREE, "Write a function that adds.").passed


def test_names_of_the_completion_can_be_used_by_the_test_inside_functions_too() -> None:
    test = "def check(f):\n    def inner():\n        return other(f(1))\n    assert inner() == 10\n"
    assert outcome_of(ADD + "\ndef other(x):\n    return 10 * x", test).passed


def test_the_entry_point_may_be_called_by_its_own_name() -> None:
    assert outcome_of(ADD, "def check(candidate):\n    assert f(1) == candidate(1)\n").passed


def test_what_the_test_defines_replaces_the_completions_name() -> None:
    test = "def other(x):\n    return 'test'\ndef check(f):\n    assert other(1) == 'test'\n"
    assert outcome_of(ADD + "\ndef other(x):\n    return 'completion'", test).passed


def test_random_numbers_of_a_test_depend_on_the_seed_alone() -> None:
    test = "import random\ndef check(f):\n    raise ValueError(random.random())\n"
    state = random.getstate()
    try:
        first, again, other = (outcome_of(ADD, test, seed=seed).reason for seed in ("a", "a", "b"))
    finally:
        random.setstate(state)
    assert first == again != other
