from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from modelcore.checkpoints.random_weights import write_random_weights
from tests.families import NAMES, small, small_model
from tests.tensors import read_tensors


@pytest.mark.parametrize("family", NAMES)
def test_every_parameter_is_drawn_by_its_kind(family: str, tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps(small(family)))
    made, again = tmp_path / "made", tmp_path / "again"
    for directory in (made, again):
        directory.mkdir()
        write_random_weights(tmp_path, directory, seed=3)
    assert (made / "model.ckpt").read_bytes() == (again / "model.ckpt").read_bytes()
    assert (made / "config.json").is_file()
    tensors = read_tensors(made / "model.ckpt")
    shapes = small_model(family).config.parameter_shapes()
    assert {name: tensor.shape for name, tensor in tensors.items()} == shapes
    for name, tensor in tensors.items():
        if tensor.ndim > 1:
            to_residual = name.endswith(("wo.weight", "w2.weight", "projection.weight"))
            assert tensor.std() == pytest.approx(0.01 if to_residual else 0.02, rel=0.1), name
        else:
            assert set(np.unique(tensor)) == {1.0 if "norm" in name and "beta" not in name else 0.0}, name


def test_another_seed_gives_other_weights(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps(small("llama")))
    drawn = []
    for seed in (1, 2):
        directory = tmp_path / str(seed)
        directory.mkdir()
        write_random_weights(tmp_path, directory, seed=seed)
        drawn.append((directory / "model.ckpt").read_bytes())
    assert drawn[0] != drawn[1]
