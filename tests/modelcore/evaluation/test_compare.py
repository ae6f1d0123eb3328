from __future__ import annotations

from dataclasses import replace

import pytest

from modelcore.errors import MindrailError
from modelcore.evaluation.compare import compare, mcnemar
from modelcore.evaluation.passk import pass_at_k
from modelcore.evaluation.report import ProblemScore, ScoreReport


def report_of(*passed: bool, isolation: str = "landlock") -> ScoreReport:
    rows = tuple(
        ProblemScore(f"T/{i}", 1, int(right), ("passed" if right else "failed",), ("",))
        for i, right in enumerate(passed)
    )
    return ScoreReport(
        benchmark={"name": "tiny", "digest": "d", "problems": len(rows)},
        samples={"rows": len(rows), "digest": "s"},
        template=None,
        standalone=False,
        limits={},
        isolation=isolation,
        python={},
        missing=(),
        pass_at_k=(pass_at_k([(row.samples, row.correct) for row in rows], 1),),
        verdicts={},
        problems=rows,
    )


def test_won_and_lost_problems_are_named() -> None:
    result = compare(report_of(True, False, True, False), report_of(True, True, False, False))
    assert (result.won, result.lost, result.both, result.neither) == (("T/1",), ("T/2",), 1, 1)
    assert result.p_value == 1.0
    assert result.differences == ()


def test_conditions_that_differ_are_named() -> None:
    assert compare(report_of(True), report_of(True, isolation="namespaces")).differences == ("isolation",)


def test_mcnemar_is_a_two_sided_binomial_test_on_the_changed_problems() -> None:
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(5, 0) == mcnemar(0, 5) == 0.0625
    assert mcnemar(15, 5) == pytest.approx(0.04138947)  # 2 * P(X <= 5), X ~ Binomial(20, 1/2)


def test_scores_of_different_benchmarks_are_not_compared() -> None:
    other = replace(report_of(True), benchmark={"name": "tiny", "digest": "e", "problems": 1})
    with pytest.raises(MindrailError, match="two different files of benchmark tiny"):
        compare(report_of(True), other)
    with pytest.raises(MindrailError, match="1 tasks are in only one of the scores"):
        compare(report_of(True), replace(report_of(True, True), benchmark=report_of(True).benchmark))
