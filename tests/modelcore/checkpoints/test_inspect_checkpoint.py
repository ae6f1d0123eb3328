"""What `inspect_checkpoint` says of each kind of checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.checkpoints.inspect_checkpoint import inspect_checkpoint
from modelcore.config.checkpoint import FileFormat
from modelcore.errors import MindrailError
from tests.modelcore.checkpoints import tiny_checkpoints as tiny


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_hf(tiny.tiny_llama(), tmp_path_factory.mktemp("hf") / "llama", shard="100KB")


def test_a_sharded_hugging_face_directory(llama: Path) -> None:
    found = inspect_checkpoint(llama)
    assert found.kind.startswith("Hugging Face checkpoint (safetensors in ")
    assert found.family == "llama"
    assert found.notes == ("fits config.json: 30 parameters of llama",)
    assert found.dtypes == {"bf16": 30}
    assert found.size == 2 * found.elements == 228224
    assert {tensor.file for tensor in found.tensors} == {path.name for path in llama.glob("*.safetensors")}


@pytest.mark.parametrize("format", ["ckpt", "safetensors"])
def test_a_mindspore_directory_and_its_file(llama: Path, tmp_path: Path, format: FileFormat) -> None:
    convert_checkpoint(llama, tmp_path, to="mindspore", format=format)
    for path in (tmp_path, tmp_path / f"model.{format}"):
        found = inspect_checkpoint(path)
        assert found.kind == f"MindSpore checkpoint ({format})"
        assert found.notes == ("fits config.json: 30 parameters of llama",)


def test_weights_that_do_not_fit_their_config(llama: Path, tmp_path: Path) -> None:
    other = tiny.save_hf(tiny.tiny_llama(layers=2), tmp_path / "two")
    (other / "config.json").write_bytes((llama / "config.json").read_bytes())
    assert "does not fit config.json" in inspect_checkpoint(other).notes[0]


def test_a_file_without_config(llama: Path, tmp_path: Path) -> None:
    shard = next(llama.glob("*.safetensors"))
    (tmp_path / "x.safetensors").write_bytes(shard.read_bytes())
    found = inspect_checkpoint(tmp_path / "x.safetensors")
    assert found.kind == "weights (safetensors)" and found.family is None


def test_a_sharded_directory_of_ranks(llama: Path, tmp_path: Path) -> None:
    convert_checkpoint(llama, tmp_path / "ms", to="mindspore")
    for rank in (0, 2):
        (tmp_path / f"rank_{rank}").mkdir()
        content = (tmp_path / "ms/model.ckpt").read_bytes()
        (tmp_path / f"rank_{rank}" / f"checkpoint_{rank}.ckpt").write_bytes(content)
    found = inspect_checkpoint(tmp_path)
    assert found.kind == "MindSpore checkpoint sharded over 2 ranks"
    assert found.notes == ("rank 1 is missing", "no strategy files: cannot be merged")
    assert len(found.tensors) == 60


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(MindrailError, match="no checkpoint here"):
        inspect_checkpoint(tmp_path)
