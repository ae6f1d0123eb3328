"""What preflight expects a run to write is what a real run wrote."""

from __future__ import annotations

import pytest

from flows.demo import DEMO
from modelcore.config.reading import read_config
from modelcore.demo.config import Demo as DemoConfig
from tasks.preflight.directories import Directories
from tasks.preflight.disk_space import disk_needs
from tests.flows.reduced_demo import REDUCED, Demo

pytestmark = [pytest.mark.ranks, pytest.mark.server]

BESIDE_WEIGHTS = 250_000  # bytes of tokenizer, config.json, strategies and reports, at most


def test_the_estimate_of_every_step_is_near_what_it_wrote(demo: Demo) -> None:
    config = read_config(DEMO, DemoConfig, [*REDUCED, f"store={demo.store}"])
    generated = demo.path("first-programs")
    needs = disk_needs(config.pipeline(generated), Directories(demo.store, generated / "checkpoint"))
    written = {step["name"]: step["bytes"] for step in demo.result["steps"]}
    for name in ("download", "convert", "shard", "merge", "export"):
        assert 0 <= written[name] - needs[name] < BESIDE_WEIGHTS, name
    assert needs["launch"] > written["launch"] - BESIDE_WEIGHTS  # its checkpoints are gone by now
