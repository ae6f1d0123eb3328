"""Counts what a benchmark shares with the training rows, from the finished texts alone.

It does not depend on how either was generated: it parses and runs the code in them.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelcore.demo.probes import behaviours
from modelcore.demo.program import compile_function, without_names
from modelcore.demo.rows import instruction, unfenced

__all__ = ["Known", "Leaks", "count_leaks"]


@dataclass(frozen=True)
class Leaks:
    """How many problems have a training row with the same ...

    Attributes:
        same_prompt: instruction, word for word.
        same_program: program, once names and docstring are taken out: same operations, order and constants.
        same_behaviour: results for every probe, however written.
    """

    same_prompt: int
    same_program: int
    same_behaviour: int

    @property
    def none(self) -> bool:
        """Whether nothing is shared."""
        return self == Leaks(0, 0, 0)


class Known:
    """What the training rows hold.

    Args:
        rows: Alpaca rows as in `train.json`.
    """

    def __init__(self, rows: Sequence[Mapping[str, str]]) -> None:
        sources = [unfenced(row["output"]) for row in rows]
        self._prompts = {row["instruction"] for row in rows}
        self._programs = {without_names(source) for source in sources}
        self._behaviours = {item for source in sources for item in _behaviours(source)}

    def prompt(self, prompt: str) -> bool:
        """Whether a row asks with this prompt, word for word."""
        return instruction(prompt) in self._prompts

    def program(self, source: str) -> bool:
        """Whether a row answers with this function, names and docstring aside."""
        return without_names(source) in self._programs

    def behaviour(self, source: str) -> bool:
        """Whether a row answers with a function that returns the same for every probe."""
        return not self._behaviours.isdisjoint(_behaviours(source))


def count_leaks(known: Known, problems: Sequence[Mapping[str, str]]) -> Leaks:
    """Compare every problem with every row.

    Args:
        known: the training rows.
        problems: HumanEval rows as in `benchmark.jsonl`.
    """
    solutions = [problem["prompt"] + problem["canonical_solution"] for problem in problems]
    return Leaks(
        same_prompt=sum(known.prompt(problem["prompt"]) for problem in problems),
        same_program=sum(map(known.program, solutions)),
        same_behaviour=sum(map(known.behaviour, solutions)),
    )


def _behaviours(source: str) -> set[tuple[str, str]]:
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    return set(behaviours(compile_function(source, function.name)).items())
