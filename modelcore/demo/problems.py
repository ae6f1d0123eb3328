"""Benchmark problems in HumanEval's form, with tests that programs which are nearly right do not pass.

The calls of a problem's `check` are chosen against near misses. A program that no call tells from another of
our own that is nearly the same is not asked at all.
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
# Calls that every problem makes, whether they tell anything or not: with nothing, and three ordinary ones.
_ALWAYS = 4


def draw_example(program: Program, random_source: random.Random) -> Arguments:
    """Draw the call that the docstring shows: of a few, a short one whose result is not empty or zero."""
    function = compile_function(program.source(), program.name)
    drawn = [draw_arguments(program.takes, random_source, short=True) for _ in range(_DRAWN_EXAMPLES)]
    results = [function(*arguments) for arguments in drawn]
    best = min(range(len(drawn)), key=lambda n: (not results[n], len(repr(drawn[n])) + len(repr(results[n]))))
    return drawn[best]


def draw_problem(program: Program, task_id: str, random_source: random.Random) -> dict[str, str] | None:
    """Return the problem as a row of HumanEval's JSONL, or None when a near miss cannot be told from it."""
    function = compile_function(program.source(), program.name)
    near = [compile_function(other.source(), other.name) for other in near_programs(program)]
    careless = [compile_function(source, program.name) for source in careless_sources(program)]
    chosen = _telling_calls(function, near, careless, _calls(program, random_source))
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
    """Return the calls to choose from: first those always made, then short ones, long ones, the probes."""
    long = [draw_arguments(program.takes, random_source) for _ in range(_DRAWN_CALLS)]
    short = [draw_arguments(program.takes, random_source, short=True) for _ in range(_DRAWN_CALLS // 2)]
    always = [nothing(program.takes), *long[: _ALWAYS - 1]]
    return [*always, *short, *long[_ALWAYS - 1 :], *probes(program.takes)]


def _telling_calls(
    function: Callable[..., Any],
    near: list[Callable[..., Any]],
    careless: list[Callable[..., Any]],
    calls: list[Arguments],
) -> list[Arguments] | None:
    """Choose calls so that each near miss answers one of them wrongly: greedily the one that tells most.

    Returns:
        The calls; None when no call tells one of `near`. One of `careless` that no call tells does the same.
    """
    told = [
        {i for i, miss in enumerate(near + careless) if _differs(miss, arguments, function(*arguments))}
        for arguments in calls
    ]
    left: set[int] = set().union(*told)
    if not left.issuperset(range(len(near))):
        return None
    chosen = list(range(_ALWAYS))
    left = left.difference(*told[:_ALWAYS])
    while left or len(chosen) < _LEAST_CALLS:
        best = max((n for n in range(len(calls)) if n not in chosen), key=lambda n: (len(told[n] & left), -n))
        left -= told[best]
        chosen.append(best)
    return [calls[n] for n in chosen]


def _differs(miss: Callable[..., Any], arguments: Arguments, result: Any) -> bool:
    try:
        return bool(miss(*arguments) != result)
    except (TypeError, ValueError, ZeroDivisionError):
        return True
