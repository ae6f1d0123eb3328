"""Names of levels and templates, and the limits, are those of the modules that define them."""

from __future__ import annotations

from typing import get_args

from modelcore.config.data import RowOptions
from modelcore.config.evaluation import TEMPLATES_OF_ROWS, Isolation, Score, TemplateName
from modelcore.config.keys import keys_of
from modelcore.evaluation.templates import TEMPLATES
from modelcore.sandbox.isolation import LEVELS
from modelcore.sandbox.limits import DEFAULT_LIMITS, MIB


def test_the_levels_of_isolation_are_the_sandboxs() -> None:
    assert get_args(Isolation) == LEVELS


def test_a_score_without_options_has_the_sandboxs_limits() -> None:
    score = Score()
    assert (score.timeout, score.memory_mb * MIB) == (DEFAULT_LIMITS.seconds, DEFAULT_LIMITS.memory)


def test_the_names_of_the_templates_are_the_templates() -> None:
    assert get_args(TemplateName) == tuple(known.name for known in TEMPLATES)


def test_every_row_format_has_a_template() -> None:
    (form,) = (key for key in keys_of(RowOptions) if key.name == "format")
    assert set(TEMPLATES_OF_ROWS) == set(form.choices)
