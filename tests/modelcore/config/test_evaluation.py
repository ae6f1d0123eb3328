"""The options of scoring are those of the sandbox that executes the answers."""

from __future__ import annotations

from typing import get_args

from modelcore.config.evaluation import Isolation, Score
from modelcore.sandbox.isolation import LEVELS
from modelcore.sandbox.limits import DEFAULT_LIMITS, MIB


def test_the_levels_of_isolation_are_the_sandboxs() -> None:
    assert get_args(Isolation) == LEVELS


def test_a_score_without_options_has_the_sandboxs_limits() -> None:
    score = Score()
    assert (score.timeout, score.memory_mb * MIB) == (DEFAULT_LIMITS.seconds, DEFAULT_LIMITS.memory)
