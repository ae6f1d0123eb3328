"""Comparing two scores problem by problem: what was won, what was lost, and whether it may be chance."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

from modelcore.errors import MindrailError
from modelcore.evaluation.report import ScoreReport

__all__ = ["Comparison", "compare", "mcnemar"]

_LEVEL = 0.05


@dataclass(frozen=True)
class Comparison:
    """Two scores on the same problems.

    Args:
        won: tasks that the first fails and the second passes.
        lost: tasks that the first passes and the second fails.
        both, neither: how many tasks both pass, and none.
        p_value: of McNemar's exact test: how likely so uneven a split of the changed tasks is, if both
            are equally good.
        differences: conditions under which the two were scored differently (names of `ScoreReport`
            fields); a difference in score may come from these.
    """

    won: tuple[str, ...]
    lost: tuple[str, ...]
    both: int
    neither: int
    p_value: float
    differences: tuple[str, ...]

    @property
    def judgement(self) -> str:
        """What the p-value says at the customary level, in words."""
        return "unlikely to be chance" if self.p_value < _LEVEL else "may well be chance"


def mcnemar(won: int, lost: int) -> float:
    """Return the two-sided exact p-value of McNemar's test: a fair coin over the changed problems.

    Example:
        >>> mcnemar(5, 0)
        0.0625
    """
    changed = won + lost
    tail: float = sum(comb(changed, number) for number in range(min(won, lost) + 1)) / 2**changed
    return min(1.0, 2 * tail)


def compare(first: ScoreReport, second: ScoreReport) -> Comparison:
    """Compare two scores.

    A problem counts as passed if more than half of its samples are right (with one sample: if it is).

    Raises:
        MindrailError: they are of different benchmarks, or of different problems of one.
    """
    if first.benchmark != second.benchmark:
        text = f"benchmark {first.benchmark['name']} against {second.benchmark['name']}"
        if first.benchmark["name"] == second.benchmark["name"]:
            text = f"two different files of benchmark {first.benchmark['name']}"
        raise MindrailError(text, where="compare", fix="compare scores of the same benchmark file")
    before, after = _passed(first), _passed(second)
    if before.keys() != after.keys():
        count = len(before.keys() ^ after.keys())
        raise MindrailError(
            f"{count} tasks are in only one of the scores", where="compare", fix="score both whole"
        )
    won = tuple(task for task in before if after[task] and not before[task])
    lost = tuple(task for task in before if before[task] and not after[task])
    both = sum(before[task] and after[task] for task in before)
    conditions = ("template", "standalone", "limits", "isolation", "python")
    return Comparison(
        won=won,
        lost=lost,
        both=both,
        neither=len(before) - both - len(won) - len(lost),
        p_value=mcnemar(len(won), len(lost)),
        differences=tuple(name for name in conditions if getattr(first, name) != getattr(second, name)),
    )


def _passed(report: ScoreReport) -> dict[str, bool]:
    return {row.task_id: 2 * row.correct > row.samples for row in report.problems}
