"""The plan of a run that is in the store, and of one that differs from it: it says what the run then does."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from flows.cli.main import command_line
from tests.flows.reduced_demo import REDUCED, Demo
from tests.paths import ROOT

pytestmark = [pytest.mark.ranks, pytest.mark.server]


def plan(demo: Demo, *changes: str) -> dict[str, dict[str, Any]]:
    sets = [part for change in (*REDUCED, *changes) for part in ("--set", change)]
    arguments = ["plan", str(ROOT / "configs" / "demo.yaml"), "--store", str(demo.store), *sets, "--json"]
    done = CliRunner().invoke(command_line, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return {step["name"]: step for step in json.loads(done.stdout)["steps"]}


def to_do(steps: dict[str, dict[str, Any]]) -> list[str]:
    return [name for name, step in steps.items() if step["state"] == "to do"]


def test_what_was_done_is_cached_with_its_directory(demo: Demo) -> None:
    steps = plan(demo)
    assert to_do(steps) == []
    assert {name: step["output"] for name, step in steps.items()} == {
        name: str(demo.path(name)) for name in steps
    }


def test_what_depends_on_a_change_is_to_do_and_its_time_known_from_before(demo: Demo) -> None:
    steps = plan(demo, "train.steps=24")
    assert to_do(steps) == ["launch", "merge", "export", "generate", "extract", "score"]
    before = next(step for step in demo.result["steps"] if step["name"] == "launch")
    assert steps["launch"]["seconds"] > before["seconds"]
    assert to_do(plan(demo, "score.timeout=2")) == ["score (before)", "score"]
