"""The leak count finds what it is there to find, under new names and in other words too."""

from __future__ import annotations

from modelcore.demo.leaks import Known, Leaks, count_leaks
from modelcore.demo.rows import fenced, instruction

PROMPT = 'def tidy(numbers):\n    """Add 7 to each number.\n    >>> tidy([1])\n    [8]\n    """\n'
BODY = "    return [n + 7 for n in numbers]\n"
PROBLEM = {"prompt": PROMPT, "canonical_solution": BODY}


def row(source: str, prompt: str = "def f(x):\n") -> dict[str, str]:
    return {"instruction": instruction(prompt), "input": "", "output": fenced(source)}


def test_nothing_is_shared_with_another_program():
    assert count_leaks(Known([row("def f(x):\n    return [n + 8 for n in x]\n")]), [PROBLEM]) == Leaks(
        0, 0, 0
    )


def test_the_same_prompt_is_found():
    assert count_leaks(Known([row("def tidy(x):\n    return 0\n", PROMPT)]), [PROBLEM]) == Leaks(1, 0, 0)


def test_the_same_program_under_other_names_is_found():
    assert count_leaks(Known([row("def f(x):\n    return [n + 7 for n in x]\n")]), [PROBLEM]) == Leaks(
        0, 1, 1
    )


def test_another_way_to_the_same_results_is_found():
    source = "def f(x):\n    result = [n + 3 for n in x]\n    return [n + 4 for n in result]\n"
    assert count_leaks(Known([row(source)]), [PROBLEM]) == Leaks(0, 0, 1)
