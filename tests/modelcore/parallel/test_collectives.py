"""The collectives' values and gradients on two real ranks, and alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from modelcore.launching.gang import run_gang

PROGRAM = [sys.executable, str(Path(__file__).with_name("collectives_program.py"))]


def test_alone_everything_is_the_identity(tmp_path: Path):
    subprocess.run([*PROGRAM, str(tmp_path), "1"], check=True, timeout=300)
    assert found(tmp_path, 0) == {
        "index": [0, 1],
        "value": -1.0,
        "gradient": [1.0, 1.0],
        "sum": [-3.0, 2.0],
        "max": [-3.0, 2.0],
        "gather": [[-3.0, 2.0]],
        "least": 7,
        "ranks": [0],
    }


@pytest.mark.ranks
def test_two_ranks_get_the_sum_forward_and_the_sum_of_gradients_backward(tmp_path: Path):
    run_gang([*PROGRAM, str(tmp_path), "2"], world_size=2, log_dir=tmp_path / "logs")
    for rank in range(2):
        assert found(tmp_path, rank) == {
            "index": [rank, 2],
            "value": -3.0,
            "gradient": [3.0, 3.0],
            "sum": [-9.0, 6.0],
            "max": [-3.0, 4.0],
            "gather": [[-3.0, 2.0], [-6.0, 4.0]],
            "least": 7,
            "ranks": [1],
        }


def found(directory: Path, rank: int) -> dict:
    return json.loads((directory / f"{rank}.json").read_text())
