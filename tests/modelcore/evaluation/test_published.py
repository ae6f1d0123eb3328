from __future__ import annotations

from modelcore.evaluation.published import published_scores


def test_every_figure_comes_with_its_conditions_and_source() -> None:
    scores = published_scores()
    assert len(scores) == 21
    assert all(0 < score.percent < 100 and score.conditions and score.source for score in scores)


def test_one_model_may_have_several_figures() -> None:
    assert [score.percent for score in published_scores("wizardcoder-15b")] == [59.8, 57.3, 59.15]
