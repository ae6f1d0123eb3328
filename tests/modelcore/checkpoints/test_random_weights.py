from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelcore.checkpoints.random_weights import write_random_weights
from modelcore.models.families import model_config
from modelcore.training.checkpoint_file import read_tensors

CONFIGS: dict[str, dict[str, Any]] = {
    "llama": {
        "vocab_size": 64,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 32,
        "rms_norm_eps": 1e-5,
    },
    "gpt_bigcode": {
        "vocab_size": 64,
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 4,
        "n_positions": 32,
        "multi_query": True,
    },
}


@pytest.mark.parametrize("family", list(CONFIGS))
def test_every_parameter_is_drawn_by_its_kind(family: str, tmp_path: Path):
    raw = {"model_type": family, **CONFIGS[family]}
    (tmp_path / "config.json").write_text(json.dumps(raw))
    made, again = tmp_path / "made", tmp_path / "again"
    for directory in (made, again):
        directory.mkdir()
        write_random_weights(tmp_path, directory, seed=3)
    assert (made / "model.ckpt").read_bytes() == (again / "model.ckpt").read_bytes()
    assert (made / "config.json").is_file()
    tensors = read_tensors(made / "model.ckpt")
    shapes = model_config(raw, tmp_path).config.parameter_shapes()
    assert {name: tensor.shape for name, tensor in tensors.items()} == shapes
    for name, tensor in tensors.items():
        if tensor.ndim > 1:
            to_residual = name.endswith(("wo.weight", "w2.weight", "projection.weight"))
            assert tensor.std() == pytest.approx(0.01 if to_residual else 0.02, rel=0.1), name
        else:
            assert set(np.unique(tensor)) == {1.0 if "norm" in name and "beta" not in name else 0.0}, name


def test_another_seed_gives_other_weights(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "llama", **CONFIGS["llama"]}))
    drawn = []
    for seed in (1, 2):
        directory = tmp_path / str(seed)
        directory.mkdir()
        write_random_weights(tmp_path, directory, seed=seed)
        drawn.append((directory / "model.ckpt").read_bytes())
    assert drawn[0] != drawn[1]
