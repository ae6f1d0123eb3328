"""The pages of docs/model_cards cover the cards, and what the tests replace is on them."""

from __future__ import annotations

import re

import pytest

from modelcore.config.environment import ENVIRONMENT_SETS
from tests.model_cards.card import parts_of
from tests.model_cards.walk import PAGES, SUBSTITUTIONS, commands_of
from tests.paths import ROOT

CARDS = ROOT.parent / "shared" / "cards"
NAMES = sorted(path.stem for path in PAGES.glob("*.md") if path.stem != "README")

with_cards = pytest.mark.skipif(
    not CARDS.is_dir(), reason="../shared/cards is not here: the model cards are not committed"
)


@with_cards
def test_every_card_has_a_page() -> None:
    assert sorted(path.stem for path in CARDS.glob("*.md") if path.stem != "README") == NAMES


@with_cards
@pytest.mark.parametrize("name", NAMES)
def test_a_page_mentions_every_part_of_its_card_that_a_user_types(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text(encoding="utf-8")
    parts = dict.fromkeys(parts_of(CARDS / f"{name}.md"))
    assert len(parts) > 15
    assert [part for part in parts if part not in page] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_page_goes_from_the_download_to_a_score_and_has_a_test(name: str) -> None:
    commands = [line.split()[1] for line in commands_of(PAGES / f"{name}.md")]
    assert commands.index("download") < commands.index("convert") < commands.index("evaluate")
    assert {"prompts", "score"} <= set(commands)
    assert (ROOT / "tests" / "model_cards" / f"test_{name}.py").is_file()


def test_what_the_walks_replace_is_on_a_page() -> None:
    lines = [line for name in NAMES for line in commands_of(PAGES / f"{name}.md")]
    assert [shown for shown in SUBSTITUTIONS if not any(shown in line for line in lines)] == []


def test_no_page_promises_what_has_no_command() -> None:
    """`not there yet` is said of everything in a row without a command of ours."""
    for name in NAMES:
        for row in re.findall(r"^\| (.*) \|$", (PAGES / f"{name}.md").read_text(), re.M):
            if "MindIR" in row or "run_infer_main.py" in row:
                assert "not there yet" in row, f"{name}: {row}"


def test_the_ascend_page_lists_every_variable_of_every_set() -> None:
    page = (ROOT / "docs" / "ascend.md").read_text()
    for name, found in ENVIRONMENT_SETS.items():
        (row,) = re.findall(rf"^\| `{name}` .*$", page, re.M)
        assert [
            f"{key}={value}" for key, value in found.variables.items() if f"`{key}={value}`" not in row
        ] == []
        assert (PAGES / f"{found.card}.md").is_file()
