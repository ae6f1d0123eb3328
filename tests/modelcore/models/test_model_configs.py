"""Every shipped model: its YAML is sound, its config.json gives the published number of parameters."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
import transformers

from modelcore.checkpoints.model_check import check_model
from modelcore.errors import MindrailError
from modelcore.evaluation.templates import template
from modelcore.models.families import model_from_config
from modelcore.models.network import WHOLE_NETWORK
from modelcore.models.shipped import shipped_models
from modelcore.parallel.mesh import Layout
from tests.paths import ROOT

HF = ROOT / "configs" / "models"

# Parameters: computed from config.json and equal to the weights' bytes / 2 where the hub's index has them.
PARAMETERS = {
    "codellama-7b": 6_738_546_688,
    "codellama-7b-python": 6_738_415_616,
    "codellama-34b": 33_743_970_304,
    "deepseek-coder-1.3b-instruct": 1_346_471_936,
    "deepseek-coder-33b-base": 33_342_991_360,
    "wizardcoder-15b": 15_517_462_528,
    "qwen2.5-coder-0.5b": 494_032_768,
    "qwen2.5-coder-1.5b": 1_543_714_304,
    "qwen2.5-coder-3b": 3_085_938_688,
    "qwen2.5-coder-7b": 7_615_616_512,
    "qwen2.5-coder-14b": 14_770_033_664,
    "qwen2.5-coder-32b": 32_763_876_352,
}


def test_all_models_are_shipped() -> None:
    assert len(shipped_models()) == 33
    assert shipped_models().keys() == {path.stem for path in HF.glob("*.json")}
    assert len({model.source for model in shipped_models().values()}) == 33


@pytest.mark.parametrize("name", sorted(path.stem for path in HF.glob("*.json")))
def test_a_shipped_model_is_one_that_is_implemented(name: str, tmp_path: Path) -> None:
    shipped = shipped_models()[name]
    (tmp_path / "config.json").write_bytes((HF / f"{name}.json").read_bytes())
    model = check_model(tmp_path, shipped)
    assert template(shipped.template).name == shipped.template
    shapes = model.config.parameter_shapes()
    rows = model.family.names.expand(model.config.num_layers, shapes)
    assert {part for row in rows for part in row.parts} == set(shapes)
    ways = math.gcd(8, *model.family.counts(model.config).values())
    assert ways > 1
    assert set(model.partition(Layout(model_parallel=ways)).placements) == set(shapes)
    if name in PARAMETERS:
        assert sum(map(math.prod, shapes.values())) == PARAMETERS[name]


@pytest.mark.parametrize("name", sorted(path.stem for path in HF.glob("*.json")))
def test_the_networks_parameters_are_those_of_the_table_and_the_partition(name: str) -> None:
    raw = json.loads((HF / f"{name}.json").read_text())
    # The shapes of one layer are those of all; a network of 34 billion parameters is not built here.
    one_layer = raw | {"num_hidden_layers": 1, "n_layer": 1} | {key: 64 for key in WIDTHS if key in raw}
    if "num_attention_heads" in raw:
        ratio = raw["num_attention_heads"] // raw.get("num_key_value_heads", raw["num_attention_heads"])
        one_layer |= {"num_attention_heads": 8, "num_key_value_heads": 8 // min(8, ratio)}
    else:
        one_layer |= {"n_head": 8}
    model = model_from_config(one_layer | {"pad_token_id": None, "vocab_size": 64}, name)
    network = model.family.network(model.config, WHOLE_NETWORK)
    found = {parameter.name: tuple(parameter.shape) for parameter in network.get_parameters()}
    assert found == model.config.parameter_shapes()
    assert set(model.partition(Layout()).placements) == set(found)


WIDTHS = ("hidden_size", "intermediate_size", "n_embd", "n_inner", "n_positions", "max_position_embeddings")


def test_another_model_behind_a_shipped_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes((HF / "wizardcoder-15b.json").read_bytes())
    with pytest.raises(MindrailError, match="model_type is gpt_bigcode, the model of that name is llama"):
        check_model(tmp_path, shipped_models()["codellama-7b"])
    (tmp_path / "config.json").write_bytes((HF / "codellama-7b-python.json").read_bytes())
    with pytest.raises(MindrailError, match="vocab_size 32000 has no row for its padding, 32000"):
        check_model(tmp_path, shipped_models()["wizardcoder-python-7b"])


@pytest.mark.parametrize(
    "name",
    [
        *("codellama-7b", "codellama-34b", "deepseek-coder-33b-base", "wizardcoder-15b"),
        *("qwen2.5-coder-0.5b", "qwen2.5-coder-32b-instruct"),
    ],
)
def test_the_tensors_of_a_config_are_those_of_transformers(name: str) -> None:
    config = transformers.AutoConfig.from_pretrained(HF / f"{name}.json")
    with torch.device("meta"):  # no memory for the weights
        theirs = transformers.AutoModelForCausalLM.from_config(config)
    model = model_from_config(json.loads((HF / f"{name}.json").read_text()), name)
    shapes = model.config.parameter_shapes()
    rows = model.family.names.expand(model.config.num_layers, shapes)
    assert {row.hf for row in rows} == {name for name, _ in theirs.named_parameters()}
    assert sum(map(math.prod, shapes.values())) == theirs.num_parameters()


def test_codellamas_true_index_holds_exactly_the_tensors_of_its_config(shared_data: Path) -> None:
    directory = shared_data / "codellama_7b_metadata"
    index = json.loads((directory / "model.safetensors.index.json").read_text())
    model = model_from_config(json.loads((directory / "config.json").read_text()), directory)
    shapes = model.config.parameter_shapes()
    rows = model.family.names.expand(model.config.num_layers, shapes)
    buffers = model.family.names.buffer_names(model.config.num_layers)
    assert {row.hf for row in rows} == set(index["weight_map"]) - buffers
    assert 2 * sum(map(math.prod, shapes.values())) == index["metadata"]["total_size"]
