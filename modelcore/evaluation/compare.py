"""Comparison of two scores problem by problem, with a test of whether the difference may be chance."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

from modelcore.errors import MindrailError
from modelcore.evaluation.conditions import Conditions
from modelcore.evaluation.report import ScoreReport

__all__ = ["Comparison", "compare", "mcnemar"]

_SIGNIFICANCE = 0.05
_CONDITIONS = ("template", "standalone", "limits", "isolation", "python")


@dataclass(frozen=True)
class Comparison:
    """Two scores on the same problems.

    Args:
        won: tasks that only the second passes.
        lost: tasks that only the first passes.
        both, neither: numbers of tasks that both or neither pass.
        p_value: of McNemar's exact test: the probability of so uneven a split of the changed tasks if both
            are equally good.
        differences: names of conditions (fields of `Conditions`) that differ, and so may explain a
            difference in score.
    """

    won: tuple[str, ...]
    lost: tuple[str, ...]
    both: int
    neither: int
    p_value: float
    differences: tuple[str, ...]

    @property
    def conclusion(self) -> str:
        """What the p-value means at the usual significance level of 5 %, in words."""
        return "unlikely to be chance" if self.p_value < _SIGNIFICANCE else "may well be chance"


def mcnemar(won: int, lost: int) -> float:
    """Return the two-sided exact p-value of McNemar's test.

    The number of changes in one direction is binomial with probability 1/2 (McNemar 1947).

    Args:
        won, lost: numbers of problems that changed in either direction.

    Example:
        >>> mcnemar(5, 0)
        0.0625
    """
    changed = won + lost
    tail: float = sum(comb(changed, number) for number in range(min(won, lost) + 1)) / 2**changed
    return min(1.0, 2 * tail)


def compare(first: ScoreReport, second: ScoreReport) -> Comparison:
    """Compare two scores.

    A problem counts as passed if more than half of its samples are correct.

    Raises:
        MindrailError: the scores are of different benchmarks, or of different problems of one.
    """
    _require_same_benchmark(first, second)
    before, after = _passed(first), _passed(second)
    if before.keys() != after.keys():
        count = len(before.keys() ^ after.keys())
        raise MindrailError(
            f"{count} tasks are in only one of the scores",
            where="compare",
            fix="score samples of every task in both",
        )
    won = tuple(task for task in before if after[task] and not before[task])
    lost = tuple(task for task in before if before[task] and not after[task])
    both = sum(before[task] and after[task] for task in before)
    return Comparison(
        won=won,
        lost=lost,
        both=both,
        neither=len(before) - both - len(won) - len(lost),
        p_value=mcnemar(len(won), len(lost)),
        differences=_differences(first.conditions, second.conditions),
    )


def _require_same_benchmark(first: ScoreReport, second: ScoreReport) -> None:
    one, other = first.conditions.benchmark, second.conditions.benchmark
    if one == other:
        return
    text = f"benchmark {one.name} against {other.name}"
    if one.name == other.name:
        text = f"two different files of benchmark {one.name}"
    raise MindrailError(text, where="compare", fix="compare scores of the same benchmark file")


def _differences(first: Conditions, second: Conditions) -> tuple[str, ...]:
    return tuple(name for name in _CONDITIONS if getattr(first, name) != getattr(second, name))


def _passed(report: ScoreReport) -> dict[str, bool]:
    return {row.task_id: 2 * row.correct > row.samples for row in report.problems}
