"""Benchmark problems in HumanEval's format, with tests that nearly correct programs do not pass.

The calls of a problem's `check` are chosen so that near misses fail. A program of which no call distinguishes
a near miss becomes no problem.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from modelcore.demo.near_misses import careless_sources, near_programs
from modelcore.demo.probes import Arguments, draw_arguments, nothing, probes
from modelcore.demo.program import Program, compile_function

__all__ = ["draw_example", "draw_problem"]

_DRAWN_EXAMPLES = 4
_DRAWN_CALLS = 120
_LEAST_CALLS = 7
# Calls that every problem has, whether they distinguish anything or not: the smallest, and three drawn ones.
_ALWAYS = 4


def draw_example(program: Program, random_source: random.Random) -> Arguments:
    """Draw the call that the docstring shows: of a few, a short one whose result is not empty or zero."""
    function = compile_function(program.source(), program.name)
    drawn = [draw_arguments(program.takes, random_source, short=True) for _ in range(_DRAWN_EXAMPLES)]
    results = [function(*arguments) for arguments in drawn]
    best = min(range(len(drawn)), key=lambda n: (not results[n], len(repr(drawn[n])) + len(repr(results[n]))))
    return drawn[best]


def draw_problem(program: Program, task_id: str, random_source: random.Random) -> dict[str, str] | None:
    """Return the problem as a row of HumanEval's JSONL, or None if every call passes a near miss."""
    function = compile_function(program.source(), program.name)
    near = [compile_function(other.source(), other.name) for other in near_programs(program)]
    careless = [compile_function(source, program.name) for source in careless_sources(program)]
    chosen = _distinguishing_calls(function, near, careless, _calls(program, random_source))
    if chosen is None:
        return None
    prompt = program.prompt(draw_example(program, random_source))
    asserts = [
        f"    assert candidate({', '.join(map(repr, arguments))}) == {function(*arguments)!r}\n"
        for arguments in chosen
    ]
    return {
        "task_id": task_id,
        "prompt": prompt,
        "entry_point": program.name,
        "canonical_solution": program.body(),
        "test": "def check(candidate):\n" + "".join(asserts),
    }


def _calls(program: Program, random_source: random.Random) -> list[Arguments]:
    """Return the calls to choose from: those that every problem has, short ones, long ones, probes."""
    long = [draw_arguments(program.takes, random_source) for _ in range(_DRAWN_CALLS)]
    short = [draw_arguments(program.takes, random_source, short=True) for _ in range(_DRAWN_CALLS // 2)]
    always = [nothing(program.takes), *long[: _ALWAYS - 1]]
    return [*always, *short, *long[_ALWAYS - 1 :], *probes(program.takes)]


def _distinguishing_calls(
    function: Callable[..., Any],
    near: list[Callable[..., Any]],
    careless: list[Callable[..., Any]],
    calls: list[Arguments],
) -> list[Arguments] | None:
    """Choose calls so that each near miss fails one of them: greedily the call that most of the rest fail.

    Returns:
        The calls; None if one of `near` fails none. One of `careless` that fails none is equivalent.
    """
    failing = [
        {i for i, miss in enumerate(near + careless) if _differs(miss, arguments, function(*arguments))}
        for arguments in calls
    ]
    left: set[int] = set().union(*failing)
    if not left.issuperset(range(len(near))):
        return None
    chosen = list(range(_ALWAYS))
    left = left.difference(*failing[:_ALWAYS])
    while left or len(chosen) < _LEAST_CALLS:
        rest = (n for n in range(len(calls)) if n not in chosen)
        best = max(rest, key=lambda n: (len(failing[n] & left), -n))
        left -= failing[best]
        chosen.append(best)
    return [calls[n] for n in chosen]


def _differs(miss: Callable[..., Any], arguments: Arguments, result: Any) -> bool:
    try:
        return bool(miss(*arguments) != result)
    except (TypeError, ValueError, ZeroDivisionError):
        return True
