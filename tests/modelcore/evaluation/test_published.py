from __future__ import annotations

from modelcore.evaluation.published import published_scores


def test_every_score_has_conditions_and_a_source() -> None:
    scores = published_scores()
    assert len(scores) == 21
    assert all(0 < score.percent < 100 and score.conditions and score.source for score in scores)


def test_scores_are_selected_by_a_part_of_the_name_ignoring_case() -> None:
    assert [score.percent for score in published_scores("WIZARDcoder-15b")] == [59.8, 57.3, 59.15]
