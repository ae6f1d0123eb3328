"""Every layout trains to the numbers of one process: real ranks, real collectives."""

from __future__ import annotations

import pytest

from modelcore.parallel.mesh import Layout

pytestmark = pytest.mark.ranks


def assert_same_numbers(one: list[dict], other: list[dict]) -> None:
    assert len(one) == len(other) == 20
    for a, b in zip(one, other, strict=True):
        assert a["tokens"] == b["tokens"]
        assert b["loss"] == pytest.approx(a["loss"], rel=1e-5), f"step {a['step']}"
        assert b["global_norm"] == pytest.approx(a["global_norm"], rel=2e-4), f"step {a['step']}"


LAYOUTS = {
    "dp2": Layout(data_parallel=2),
    "tp2": Layout(model_parallel=2),
    "dp2tp2": Layout(data_parallel=2, model_parallel=2),
}
