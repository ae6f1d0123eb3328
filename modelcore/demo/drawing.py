"""Draws programs: those of the training set, and the held-out ones of the benchmark.

There are two kinds of held-out programs:
- "new pair": two steps follow each other that never do so in a training program. A model that solves it
  composes steps, instead of repeating sequences that it was trained on;
- "new constants": the same steps in the same order occur in training, but never with these constants. A
  model that solves it reads the constants from the prompt.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from modelcore.demo.leaks import Known
from modelcore.demo.probes import behaviours
from modelcore.demo.program import Chain, Program, compile_function
from modelcore.demo.steps import STEPS, Step
from modelcore.errors import MindrailError

__all__ = ["KINDS", "HeldOut", "Pairs", "draw_held_out", "draw_training", "held_out_pairs"]

KINDS = ("new pair", "new constants")

_NAMES = """
    apply build change compute convert create derive do edit fix form gather get handle make measure obtain
    operate parse perform prepare process produce refine render report resolve run select shape solve
    transform treat update use work
""".split()  # noqa: SIM905
_PARAMETERS: dict[str, tuple[tuple[str, ...], ...]] = {
    "pair": (("a", "b"), ("x", "y"), ("left", "right"), ("first", "second")),
    "int": (("n",), ("x",), ("number",), ("value",)),
    "numbers": (("numbers",), ("values",), ("items",), ("nums",)),
    "text": (("text",), ("string",), ("s",), ("message",)),
    "words": (("words",), ("names",), ("tokens",), ("strings",)),
}
_LENGTHS = (1, 2, 2, 2, 2, 3, 3, 3)
# One pair of steps in this many is kept for the benchmark.
_HELD_OUT_SHARE = 8
_TRIES_PER_PROGRAM = 200
# Of sentence and body together: every padded row of the training data is as long as the longest.
_MOST_CHARACTERS = 200

Pairs = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class HeldOut:
    """A program for the benchmark, and its kind (one of `KINDS`)."""

    program: Program
    kind: str


def held_out_pairs(random_source: random.Random) -> Pairs:
    """Choose the pairs of steps that no training program may have one after the other."""
    pairs = [(a.name, b.name) for a in STEPS for b in STEPS if a.gives == b.takes and a is not b]
    return frozenset(random_source.sample(pairs, len(pairs) // _HELD_OUT_SHARE))


def draw_training(count: int, pairs: Pairs, random_source: random.Random) -> list[Program]:
    """Draw `count` programs, no two with the same steps and constants, none with a held-out pair of steps.

    Raises:
        MindrailError: there are not that many.
    """
    found: dict[Chain, Program] = {}
    for program in _programs(count, random_source):
        if program.chain not in found and not _pairs_of(program) & pairs and _every_step_matters(program):
            found[program.chain] = program
        if len(found) == count:
            return list(found.values())
    raise MindrailError(
        f"{count} distinct programs wanted, {len(found)} found", where="first programs", fix="ask for fewer"
    )


def draw_held_out(
    count: int, training: list[Program], known: Known, pairs: Pairs, random_source: random.Random
) -> Iterator[HeldOut]:
    """Draw programs that are not in `training` under any name, both kinds alternately.

    Args:
        count: how many the caller needs at least; bounds the search.
        training: from `draw_training`.
        known: the rows of `training`.
        pairs: the pairs of steps held out there.
        random_source: where the draw comes from.

    Raises:
        MindrailError: no more can be found.
    """
    compositions = {program.composition for program in training}
    drawn: set[tuple[str, str]] = set()
    for kind in (KINDS[attempt % 2] for attempt in range(_TRIES_PER_PROGRAM * count)):
        for program in _programs(count, random_source):
            fits = (
                program.composition in compositions if kind == "new constants" else _pairs_of(program) & pairs
            )
            source = program.source()
            if (
                not fits
                or known.program(source)
                or known.behaviour(source)
                or not _every_step_matters(program)
            ):
                continue
            behaviours_ = set(_behaviours(program).items())
            if drawn.isdisjoint(behaviours_):
                drawn |= behaviours_
                yield HeldOut(program, kind)
                break
    raise MindrailError(
        f"no {count} held-out programs found", where="first programs", fix="ask for fewer problems"
    )


def _programs(count: int, random_source: random.Random) -> Iterator[Program]:
    for _ in range(count * _TRIES_PER_PROGRAM):
        chain = _draw_chain(random_source.choice(_LENGTHS), random_source)
        if chain is not None:
            parameters = random_source.choice(_PARAMETERS[chain[0][0].takes])
            program = Program(chain, random_source.choice(_NAMES), parameters)
            if len(program.sentence()) + len(program.body()) <= _MOST_CHARACTERS:
                yield program


def _draw_chain(length: int, random_source: random.Random) -> Chain | None:
    """Draw steps that fit each other by their types; None if the chain ends early or would repeat a step."""
    takes = random_source.choice(tuple(_PARAMETERS))
    steps: list[Step] = []
    for _ in range(length):
        possible = [step for step in STEPS if step.takes == takes and step not in steps]
        if not possible:
            return None
        steps.append(random_source.choice(possible))
        takes = steps[-1].gives
    return tuple((step, random_source.choice(step.constants or ("",))) for step in steps)


def _pairs_of(program: Program) -> set[tuple[str, str]]:
    names = program.composition
    return set(pairwise(names))


def _behaviours(program: Program, takes: str | None = None) -> dict[str, str]:
    return behaviours(compile_function(program.source(), program.name), takes)


def _every_step_matters(program: Program) -> bool:
    """Whether no step can be left out without changing what the program does."""
    whole = _behaviours(program, program.takes)
    for i, (step, _) in enumerate(program.chain):
        rest = program.chain[:i] + program.chain[i + 1 :]
        if rest and step.takes == step.gives:
            shorter = Program(rest, program.name, program.parameters)
            if _behaviours(shorter, program.takes) == whole:
                return False
    return True
