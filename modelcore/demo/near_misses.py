"""Programs that are nearly equal to another one: a benchmark's tests must fail them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from modelcore.demo.program import Chain, Program
from modelcore.demo.steps import STEPS

__all__ = ["careless_sources", "near_programs"]

_OPERATORS = (" + ", " - ", " * ", " // ", " % ")
_COMPARISONS = (" < ", " <= ", " > ", " >= ", " == ", " != ")
_FIND_OPERATOR = re.compile("|".join(re.escape(text) for text in (" ** ", *_OPERATORS, *_COMPARISONS)))


def near_programs(program: Program) -> Iterator[Program]:
    """Yield programs of our own steps that are not `program`.

    Every constant one off, every step replaced by each that could stand there, each step left out, and, where
    the order matters, the two parameters swapped.
    """
    for chain in _near_chains(program.chain):
        yield replace(program, chain=chain)
    if program.composition[0] in ("pair_subtract", "pair_range"):
        yield replace(program, parameters=program.parameters[::-1])


def careless_sources(program: Program) -> Iterator[str]:
    """Yield the source with one operator, or the space, replaced; some of these may do the same."""
    source = program.source()
    for match in _FIND_OPERATOR.finditer(source):
        group = _COMPARISONS if match[0] in _COMPARISONS else _OPERATORS
        for operator in group:
            if operator != match[0]:
                yield source[: match.start()] + operator + source[match.end() :]
    if '" "' in source:
        yield source.replace('" "', '"-"')


def _near_chains(chain: Chain) -> Iterator[Chain]:
    for i, (step, constant) in enumerate(chain):
        before, after = chain[:i], chain[i + 1 :]
        for other in _one_off(constant):
            yield (*before, (step, other), *after)
        kind = (step.takes, step.gives, step.constants)
        for other_step in STEPS:
            if kind == (other_step.takes, other_step.gives, other_step.constants) and other_step is not step:
                yield (*before, (other_step, constant), *after)
        if step.takes == step.gives and len(chain) > 1:
            yield (*before, *after)


def _one_off(constant: str) -> tuple[str, ...]:
    """Return the numbers or letters before and after a constant."""
    if not constant:
        return ()
    if constant.isdigit():
        return str(int(constant) - 1), str(int(constant) + 1)
    return chr(ord(constant) - 1), chr(ord(constant) + 1)
