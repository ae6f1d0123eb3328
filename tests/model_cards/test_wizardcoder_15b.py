"""The page of the model card wizardcoder_15b: all of its commands run, in its order."""

from __future__ import annotations

import pytest

from tests.model_cards.conftest import StartWalk
from tests.model_cards.walk import Card

CARD = Card("wizardcoder_15b", "WizardLMTeam/WizardCoder-15B-V1.0")


def test_the_commands_that_start_no_ranks_run_in_the_pages_order(start_walk: StartWalk) -> None:
    start_walk(CARD).run(slow=False)


@pytest.mark.long
@pytest.mark.ranks
@pytest.mark.server
def test_the_whole_page_runs(start_walk: StartWalk, server: None) -> None:
    printed = start_walk(CARD).run(slow=True)
    assert any("pass@1" in text for line, text in printed.items() if line.startswith("mindrail evaluate "))
