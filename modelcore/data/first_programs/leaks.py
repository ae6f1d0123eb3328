"""Counts what a benchmark shares with the training rows, from the finished texts alone.

It knows nothing of how either was made: it parses and runs the code it finds in them.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from modelcore.data.first_programs.probes import behaviours
from modelcore.data.first_programs.program import compile_function, without_names
from modelcore.data.first_programs.rows import instruction, unfenced

__all__ = ["Leaks", "count_leaks"]


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


def count_leaks(rows: Sequence[Mapping[str, str]], problems: Sequence[Mapping[str, str]]) -> Leaks:
    """Compare every problem with every row.

    Args:
        rows: Alpaca rows as in `train.json`.
        problems: HumanEval rows as in `benchmark.jsonl`.
    """
    prompts = {row["instruction"] for row in rows}
    sources = [unfenced(row["output"]) for row in rows]
    programs = {without_names(source) for source in sources}
    known = {item for source in sources for item in _behaviours(source)}
    solutions = [problem["prompt"] + problem["canonical_solution"] for problem in problems]
    return Leaks(
        same_prompt=sum(instruction(problem["prompt"]) in prompts for problem in problems),
        same_program=sum(without_names(solution) in programs for solution in solutions),
        same_behaviour=sum(not known.isdisjoint(_behaviours(solution)) for solution in solutions),
    )


def _behaviours(source: str) -> set[tuple[str, str]]:
    function = ast.parse(source).body[0]
    assert isinstance(function, ast.FunctionDef)
    return set(behaviours(compile_function(source, function.name)).items())
