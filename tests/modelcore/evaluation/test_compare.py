from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modelcore.errors import MindrailError
from modelcore.evaluation.compare import Comparison, compare, mcnemar
from modelcore.evaluation.conditions import BenchmarkRecord, Conditions, SamplesRecord, TemplateRecord
from modelcore.evaluation.report import ProblemScore, ScoreReport
from modelcore.sandbox.limits import Limits


def problem(number: int, correct: int, samples: int) -> ProblemScore:
    verdicts = ("passed",) * correct + ("failed",) * (samples - correct)
    return ProblemScore(f"T/{number}", samples, correct, verdicts, ("",) * samples)


def report_of(*correct: int, samples: int = 1, digest: str = "d", **changes: Any) -> ScoreReport:
    """A report with that many correct samples of each problem."""
    conditions = Conditions(
        benchmark=BenchmarkRecord("tiny", digest, 4),
        samples=SamplesRecord(len(correct) * samples, "s"),
        template=None,
        standalone=False,
        limits=Limits(),
        isolation="landlock",
        python={"python": "3.11.2"},
    )
    rows = tuple(problem(number, count, samples) for number, count in enumerate(correct))
    return ScoreReport(replace(conditions, **changes), (), (), {}, rows)


def test_won_and_lost_problems_are_named() -> None:
    result = compare(report_of(1, 0, 1, 0, 0), report_of(1, 1, 0, 0, 0))
    assert result == Comparison(("T/1",), ("T/2",), both=1, neither=2, p_value=1.0, differences=())


def test_a_problem_is_passed_if_more_than_half_of_its_samples_are_correct() -> None:
    before, after = report_of(0, 0, 0, 0, samples=4), report_of(1, 2, 3, 4, samples=4)
    assert compare(before, after).won == ("T/2", "T/3")


@pytest.mark.parametrize(
    "change",
    [
        {"template": TemplateRecord("base", 1, "stops")},
        {"standalone": True},
        {"limits": Limits(seconds=5)},
        {"isolation": "namespaces"},
        {"python": {"python": "3.12.0"}},
    ],
)
def test_conditions_that_differ_are_named(change: dict[str, Any]) -> None:
    assert compare(report_of(1), report_of(1, **change)).differences == tuple(change)


def test_other_samples_are_no_difference_in_conditions() -> None:
    assert compare(report_of(1), report_of(1, samples=3)).differences == ()


@pytest.mark.parametrize(
    ("won", "lost", "p_value"),
    [
        (0, 0, 1.0),
        (1, 0, 1.0),
        (3, 3, 1.0),
        (5, 0, 0.0625),
        (0, 5, 0.0625),
        (6, 0, 0.03125),
        (15, 5, 2 * 21700 / 2**20),  # 2 P(X <= 5), X ~ Binomial(20, 1/2): 1+20+190+1140+4845+15504 = 21700
    ],
)
def test_mcnemar_is_a_two_sided_binomial_test_on_the_changed_problems(
    won: int, lost: int, p_value: float
) -> None:
    assert mcnemar(won, lost) == p_value


@pytest.mark.parametrize(
    ("p_value", "conclusion"),
    [(0.0499, "unlikely to be chance"), (0.05, "may well be chance"), (1.0, "may well be chance")],
)
def test_the_conclusion_is_drawn_at_five_per_cent(p_value: float, conclusion: str) -> None:
    assert Comparison((), (), 0, 0, p_value, ()).conclusion == conclusion


def test_scores_of_different_benchmarks_are_not_compared() -> None:
    other = report_of(1, benchmark=BenchmarkRecord("mbpp", "d", 4))
    with pytest.raises(MindrailError) as different_names:
        compare(report_of(1), other)
    assert str(different_names.value) == (
        "compare: benchmark tiny against mbpp; compare scores of the same benchmark file"
    )
    with pytest.raises(MindrailError) as different_files:
        compare(report_of(1), report_of(1, digest="e"))
    assert str(different_files.value) == (
        "compare: two different files of benchmark tiny; compare scores of the same benchmark file"
    )


def test_scores_of_different_problems_are_not_compared() -> None:
    with pytest.raises(MindrailError) as error:
        compare(report_of(1), report_of(1, 1, 0))
    assert str(error.value) == (
        "compare: 2 tasks are in only one of the scores; score samples of every task in both"
    )
