"""The demo's form: any number of steps makes a configuration that is accepted."""

from __future__ import annotations

import pytest

from flows.demo import DEMO, _warmup
from modelcore.config.reading import read_config
from modelcore.demo.config import Demo


@pytest.mark.parametrize(("steps", "warmup"), [(1, 0), (40, 4), (41, 40), (300, 40)])
def test_a_short_run_warms_up_for_a_tenth_of_it(steps: int, warmup: int) -> None:
    assert _warmup(steps) == warmup
    read_config(DEMO, Demo, [f"train.steps={steps}", f"train.warmup_steps={warmup}"])
