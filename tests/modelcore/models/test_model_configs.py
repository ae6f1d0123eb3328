"""Every shipped model: its YAML is sound, its config.json gives the published number of parameters."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import yaml

from modelcore.evaluation.templates import template
from modelcore.models.families import model_config
from modelcore.parallel.mesh import Layout

MODELS = Path(__file__).parents[3] / "configs" / "models"
HF = Path(__file__).parent / "hf_configs"

# Parameters: computed from config.json and equal to the weights' bytes / 2 where the hub's index tells them.
PARAMETERS = {
    "codellama-7b": 6_738_546_688,
    "codellama-7b-python": 6_738_415_616,
    "codellama-34b": 33_743_970_304,
    "deepseek-coder-1.3b-instruct": 1_346_471_936,
    "deepseek-coder-33b-base": 33_342_991_360,
    "wizardcoder-15b": 15_517_462_528,
}


def test_all_models_are_shipped() -> None:
    names = {path.stem for path in MODELS.glob("*.yaml")} - {"demo"}
    assert len(names) == 21
    assert names == {path.stem for path in HF.glob("*.json")}


@pytest.mark.parametrize("name", sorted(path.stem for path in HF.glob("*.json")))
def test_a_shipped_model_is_one_that_is_implemented(name: str) -> None:
    shipped = yaml.safe_load((MODELS / f"{name}.yaml").read_text())
    assert shipped.keys() == {"family", "source", "template", "pad_id"}
    family = model_config(json.loads((HF / f"{name}.json").read_text()), name)
    assert shipped["family"] == family.name
    assert shipped["source"].startswith("hf://")
    assert template(shipped["template"])
    assert shipped["pad_id"] < family.config.vocab_size
    shapes = family.config.parameter_shapes()
    assert family.names.expand(family.config.num_layers, shapes)
    assert set(family.partition(Layout(model_parallel=8)).placements) == set(shapes)
    if name in PARAMETERS:
        assert sum(map(math.prod, shapes.values())) == PARAMETERS[name]


def test_codellamas_true_index_holds_exactly_the_tensors_of_its_config(shared_data: Path) -> None:
    directory = shared_data / "codellama_7b_metadata"
    index = json.loads((directory / "model.safetensors.index.json").read_text())
    family = model_config(json.loads((directory / "config.json").read_text()), directory)
    shapes = family.config.parameter_shapes()
    rows = family.names.expand(family.config.num_layers, shapes)
    buffers = family.names.buffer_names(family.config.num_layers)
    assert {row.hf for row in rows} == set(index["weight_map"]) - buffers
    assert 2 * sum(map(math.prod, shapes.values())) == index["metadata"]["total_size"]
