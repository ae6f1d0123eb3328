"""`mindrail shard`, `reshard` and `merge`: from a checkpoint to shards of any layout and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

from flows.cli.layout_options import rank_numbers
from flows.cli.main import command_line
from modelcore.checkpoints.write_shards import Target, write_targets
from modelcore.errors import MindrailError
from modelcore.models.llama.config import LlamaConfig
from modelcore.weights.checkpoint import open_checkpoint
from modelcore.weights.ckpt_file import ckpt_layout
from modelcore.weights.dtypes import BF16, FP32
from modelcore.weights.file_layout import TensorSpec
from modelcore.weights.tensors import from_array

CONFIG = {
    "model_type": "llama",
    "vocab_size": 32,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A tiny llama's checkpoint."""
    directory = tmp_path / "whole"
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(CONFIG))
    random = np.random.default_rng(0)
    shapes = LlamaConfig.from_hf(CONFIG, directory).parameter_shapes()
    tensors = {
        name: from_array(random.random(shape, np.float32))
        for parameter, shape in shapes.items()
        for name in (parameter, f"adam_m.{parameter}")
    }
    specs = [TensorSpec(name, tensor.dtype, tensor.shape) for name, tensor in tensors.items()]
    write_targets({directory / "model.ckpt": Target(ckpt_layout(specs), tensors)}, "")
    return directory


def mindrail(*arguments: object) -> Result:
    return CliRunner().invoke(command_line, [str(argument) for argument in arguments])


def result(*arguments: object) -> dict[str, Any]:
    done = mindrail(*arguments, "--json")
    assert done.exit_code == 0, done.exception
    return json.loads(done.stdout)


def test_offsets_and_shared_states_go_there_and_back(whole: Path, tmp_path: Path) -> None:
    made = result(
        *("shard", whole, tmp_path / "shards", "--data-parallel", 2, "--pipeline-stage", 2),
        *("--offset", "0,1", "--shard-optimizer", "--format", "safetensors"),
    )
    assert len([name for name in made["files"] if name.startswith("rank_")]) == 4
    result("reshard", tmp_path / "shards", tmp_path / "others", "--model-parallel", 2, "--vocab-emb-dp")
    assert "vocab_emb_dp" in json.dumps(
        result("reshard", tmp_path / "others", tmp_path / "same", "--model-parallel", 2, "--vocab-emb-dp")
    )
    result("merge", tmp_path / "others", tmp_path / "joined")
    result("merge", tmp_path / "shards", tmp_path / "direct")
    joined = (tmp_path / "joined" / "model.ckpt").read_bytes()
    assert joined == (tmp_path / "direct" / "model.ckpt").read_bytes()
    assert len(joined) == (whole / "model.ckpt").stat().st_size


def test_layers_that_do_not_divide_name_the_offsets_to_give(whole: Path, tmp_path: Path) -> None:
    refused = mindrail("shard", whole, tmp_path / "shards", "--pipeline-stage", 2)
    assert isinstance(refused.exception, MindrailError)
    assert "5 layers do not divide into 2 stages; give offset, e.g. [0, 1]" in str(refused.exception)
    assert not (tmp_path / "shards").exists()


def test_a_host_makes_its_own_ranks(whole: Path, tmp_path: Path) -> None:
    made = result("shard", whole, tmp_path / "shards", "--model-parallel", 2, "--ranks", "1")
    assert [name for name in made["files"] if name.startswith("rank_")] == ["rank_1/checkpoint_1.ckpt"]


def test_a_merge_writes_the_file_that_is_named_and_casts_the_parameters(whole: Path, tmp_path: Path) -> None:
    result("shard", whole / "model.ckpt", tmp_path / "shards", "--model-parallel", 2)
    made = result("merge", tmp_path / "shards", tmp_path / "merged/llama.ckpt", "--dtype", "bf16")
    assert [path.name for path in (tmp_path / "merged").iterdir()] == ["llama.ckpt"]
    assert "config.json" in made["notes"][-1]
    tensors = open_checkpoint(tmp_path / "merged").tensors
    assert {tensors[name].dtype for name in tensors if not name.startswith("adam_m.")} == {BF16}
    assert {tensors[name].dtype for name in tensors if name.startswith("adam_m.")} == {FP32}
    result("merge", tmp_path / "shards", tmp_path / "directory", "--dtype", "bf16")
    assert json.loads((tmp_path / "directory/config.json").read_text())["torch_dtype"] == "bfloat16"


def test_ranks_are_read() -> None:
    assert rank_numbers("0-2,7") == [0, 1, 2, 7]
    assert rank_numbers(None) is None


@pytest.mark.parametrize("text", ["", "x", "1,,2", "1.5", "--1"])
def test_what_is_no_list_of_ranks_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter, match="is not of the form"):
        rank_numbers(text)
