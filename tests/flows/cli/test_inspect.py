"""`mindrail inspect` shows a table that nothing is cut off from, and says the same as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from flows.cli.main import command_line


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    names = [f"layers.{i}.a_rather_long_name_of_some_projection.weight" for i in range(40)]
    tensors = {name: np.zeros((7, 5), np.float16) for name in names}
    save_file(tensors | {"head\x1b[31m": np.zeros(3, np.float32)}, tmp_path / "x.safetensors")
    return tmp_path / "x.safetensors"


def inspected(*arguments: str) -> str:
    result = CliRunner().invoke(command_line, ["inspect", *arguments], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_repeated_layers_are_one_line_with_their_count(weights: Path) -> None:
    shown = inspected(str(weights))
    (row,) = [line for line in shown.splitlines() if "a_rather_long_name_of_some_projection" in line]
    assert row.split()[:3] == ["layers.{}.a_rather_long_name_of_some_projection.weight", "40", "fp16"]
    assert "7 × 5" in row and "2.8 kB" in row
    assert "tensors             41" in shown and "1,403" in shown


def test_all_lists_every_tensor(weights: Path) -> None:
    shown = inspected(str(weights), "--all")
    assert sum("a_rather_long_name_of_some_projection" in line for line in shown.splitlines()) == 40


def test_a_hostile_name_does_not_reach_the_terminal(weights: Path) -> None:
    assert "\x1b" not in inspected(str(weights)) and "head\\x1b[31m" in inspected(str(weights))


def test_json_holds_every_tensor(weights: Path) -> None:
    result = json.loads(inspected(str(weights), "--json"))
    assert result["what"] == "weights (safetensors)"
    assert len(result["rows"]) == 41
    assert result["rows"][0].keys() == {
        "name",
        "dtype",
        "shape",
        "size",
        "file",
    }
