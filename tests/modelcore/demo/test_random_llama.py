"""A random llama is a whole Hugging Face checkpoint, for our readers and transformers', byte for byte."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from modelcore.demo.config import SmallLlama
from modelcore.demo.random_llama import write_random_llama
from modelcore.models.llama.config import LlamaConfig

SIZES = SmallLlama(
    hidden_size=16,
    num_layers=3,
    num_heads=4,
    num_kv_heads=2,
    intermediate_size=24,
    max_positions=32,
)


def write(directory: Path, seed: int = 1) -> Path:
    directory.mkdir()
    (directory / "tokenizer.json").write_text("{}")
    write_random_llama(directory, SIZES, vocab_size=40, eos_id=0, pad_id=1, seed=seed, shards=3)
    return directory


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("llama") / "checkpoint")


def test_the_index_names_every_tensor_in_the_shard_it_is_in(checkpoint):
    index = json.loads((checkpoint / "model.safetensors.index.json").read_text())
    shards = {path.name: load_file(path) for path in checkpoint.glob("*.safetensors")}
    assert len(shards) == 3
    found = {name: file for file, tensors in shards.items() for name in tensors}
    assert index["weight_map"] == found
    assert index["metadata"]["total_size"] == sum(t.nbytes for s in shards.values() for t in s.values())
    assert len(found) == 9 * 3 + 3


def test_sha256sums_covers_every_other_file(checkpoint):
    lines = (checkpoint / "SHA256SUMS").read_text().splitlines()
    sums = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = {path.name: path for path in checkpoint.iterdir() if path.name != "SHA256SUMS"}
    assert sums == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


def test_our_config_reader_takes_it(checkpoint):
    config = LlamaConfig.from_hf(json.loads((checkpoint / "config.json").read_text()), checkpoint)
    assert (config.num_kv_heads, config.head_dim, config.eos_id, config.pad_id) == (2, 4, 0, 1)
    parameters = sum(int(np.prod(shape)) for shape in config.parameter_shapes().values())
    stored = sum(t.size for path in checkpoint.glob("*.safetensors") for t in load_file(path).values())
    assert parameters == stored


def test_transformers_loads_it_without_a_missing_or_left_over_weight(checkpoint):
    transformers = pytest.importorskip("transformers")
    torch = pytest.importorskip("torch")
    model, info = transformers.LlamaForCausalLM.from_pretrained(checkpoint, output_loading_info=True)
    assert not any(info.values())
    logits = model(torch.tensor([[2, 3, 4]])).logits
    assert logits.shape == (1, 3, 40)
    assert torch.isfinite(logits).all()
    assert model.generation_config.eos_token_id == 0


def test_a_seed_decides_every_byte(tmp_path):
    def contents(directory: Path) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in directory.iterdir()}

    first, again, other = (contents(write(tmp_path / n, s)) for n, s in (("a", 1), ("b", 1), ("c", 2)))
    assert first == again
    assert {name for name in first if first[name] != other[name]} == {
        "SHA256SUMS",
        *(name for name in first if name.endswith(".safetensors")),
    }
