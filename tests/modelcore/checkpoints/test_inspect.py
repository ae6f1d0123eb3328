"""Whatever mindrail writes or reads is told for what it is, and anything else is refused in a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.checkpoints.inspect import Found, inspect_path
from modelcore.checkpoints.reshard import shard_checkpoint
from modelcore.data.encoding.rows import Rows
from modelcore.data.mindrecord.file import MindRecordWriter
from modelcore.errors import MindrailError
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut
from modelcore.store.store import Store
from modelcore.weights.tensors import StoredTensor
from tests.modelcore.checkpoints import tiny_checkpoints as tiny


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of everything: hf, ms, shards, tokenizer, rows, an artifact in store."""
    root = tmp_path_factory.mktemp("made")
    tiny.save_hf(tiny.tiny_llama(), root / "hf", shard="100KB")
    write_tokenizer(root / "hf")
    convert_checkpoint(root / "hf", root / "ms", to="mindspore")
    shard_checkpoint(root / "ms", root / "shards", Cut(Layout(data_parallel=1, model_parallel=2)))
    (root / "tokenizer").mkdir()
    write_tokenizer(root / "tokenizer")
    (root / "rows").mkdir()
    with MindRecordWriter(root / "rows" / "train.mindrecord", ("input_ids", "labels")) as writer:
        ids = np.arange(36, dtype=np.int32).reshape(4, 9)
        writer.write(Rows(ids, ids))
    return root


def write_tokenizer(directory: Path) -> None:
    letters = sorted(ByteLevel.alphabet())
    tokenizer = Tokenizer(BPE(vocab={letter: at for at, letter in enumerate(letters)}, merges=[]))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(["</s>"])
    tokenizer.save(str(directory / "tokenizer.json"))
    (directory / "tokenizer_config.json").write_text('{"eos_token": "</s>"}')


def line(found: Found, name: str) -> dict[str, Any]:
    return next(row for row in found.brief if row["name"] == name)


def test_a_checkpoint_is_told_with_a_line_for_all_layers(made: Path) -> None:
    found = inspect_path(made / "hf")
    assert found.what == "Hugging Face checkpoint (safetensors in 3 shards)"
    assert len(found.rows) == found.totals["tensors"] == 30
    down = line(found, "model.layers.{}.mlp.down_proj.weight")
    assert (down["count"], down["shape"], down["size"]) == (3, (64, 112), 3 * 64 * 112 * 2)
    assert sum(row["size"] for row in found.brief) == found.totals["bytes"]


def test_its_tokenizer_is_compared_with_its_embedding(made: Path) -> None:
    notes = inspect_path(made / "hf").notes
    assert "tokenizer beside it: byte-level BPE, tokenizer.json, 257 tokens" in notes
    assert any("the tokenizer has 257 tokens, the embedding 96 rows" in note for note in notes)


def test_layers_that_differ_are_lines_of_their_own(made: Path, tmp_path: Path) -> None:
    from safetensors.numpy import save_file

    shapes = {"layers.0.weight": (2, 3), "layers.1.weight": (2, 3), "layers.2.weight": (2, 4)}
    tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    save_file(tensors, tmp_path / "x.safetensors")
    brief = inspect_path(tmp_path / "x.safetensors").brief
    assert [(row["name"], row["count"]) for row in brief] == [("layers.{}.weight", 2), ("layers.2.weight", 1)]


@pytest.mark.parametrize(
    ("place", "what", "totals"),
    [
        ("ms", "MindSpore checkpoint (ckpt)", {"tensors": 30}),
        ("ms/model.ckpt", "MindSpore checkpoint (ckpt)", {"tensors": 30}),
        ("hf/model-00001-of-00003.safetensors", "Hugging Face checkpoint (safetensors)", {}),
        ("hf/model.safetensors.index.json", "Hugging Face checkpoint (safetensors in 3 shards)", {}),
        ("hf/config.json", "configuration of a llama model, without weights", {"vocab_size": 96}),
        ("shards", "MindSpore checkpoint sharded over 2 ranks", {"tensors": 60}),
        ("shards/rank_1", "weights (ckpt)", {"tensors": 30}),
        ("shards/strategy", "strategy files of 2 ranks", {"ranks": 2}),
        ("shards/strategy/ckpt_strategy_rank_1.ckpt", "strategy file of one rank", {"parameters": 30}),
        ("rows", "MindRecord", {"rows": 4}),
        ("rows/train.mindrecord", "MindRecord", {"rows": 4}),
        ("rows/train.mindrecord.db", "MindRecord", {"rows": 4}),
        ("tokenizer", "tokenizer (byte-level BPE, tokenizer.json)", {"tokens": 257, "eos": 256}),
        ("tokenizer/tokenizer.json", "tokenizer (byte-level BPE, tokenizer.json)", {"pad": None}),
    ],
)
def test_each_thing_is_told_for_what_it_is(made: Path, place: str, what: str, totals: dict[str, Any]) -> None:
    found = inspect_path(made / place)
    assert found.what == what
    assert found.totals.items() >= totals.items()
    json.dumps([found.rows, found.totals], allow_nan=False)


def test_a_mindrecords_columns_are_its_table(made: Path) -> None:
    assert inspect_path(made / "rows").rows == (
        {"column": "input_ids", "dtype": "int32", "values a row": 9},
        {"column": "labels", "dtype": "int32", "values a row": 9},
    )


def test_several_mindrecords_are_a_line_each(made: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        with MindRecordWriter(tmp_path / f"{name}.mindrecord", ("input_ids",)) as writer:
            writer.write(Rows(np.zeros((3, 5), np.int32), None))
    found = inspect_path(tmp_path)
    assert (found.what, found.totals) == ("MindRecords", {"files": 2, "rows": 6})
    assert found.rows[0] == {"file": "a.mindrecord", "rows": 3, "columns": "input_ids"}


def test_a_tokenizers_special_tokens_are_its_table(made: Path) -> None:
    assert inspect_path(made / "tokenizer").rows == ({"id": 256, "token": "</s>", "role": "eos"},)


def test_an_artifact_is_told_with_what_it_holds(made: Path, tmp_path: Path) -> None:
    built = Store(tmp_path).build(
        "convert",
        lambda directory: convert_checkpoint(made / "hf", directory, to="mindspore"),
        version=1,
        inputs={"checkpoint": "abc"},
        parameters={"to": "mindspore"},
    )
    found = inspect_path(built.artifact.path)
    assert found.what == "artifact of the step convert"
    assert found.totals["digest"] == built.artifact.digest and found.totals["inputs"] == {"checkpoint": "abc"}
    assert {row["file"] for row in found.rows} >= {"model.ckpt", "config.json"}
    assert found.notes == ("holds: MindSpore checkpoint (ckpt): 30 tensors, 228 kB",)
    (built.artifact.path / "manifest.json").write_text("{")
    with pytest.raises(MindrailError, match="its manifest is damaged"):
        inspect_path(built.artifact.path)


@pytest.mark.parametrize("parts", ["params.json", "none"])
def test_metas_files_are_told(tmp_path: Path, parts: str) -> None:
    import torch

    (tmp_path / "meta").mkdir()
    rows = {"tok_embeddings.weight": torch.ones(96, 64), "layers.0.feed_forward.w1.weight": torch.ones(8, 64)}
    torch.save(rows, tmp_path / "meta" / "consolidated.00.pth")
    if parts == "params.json":
        params = {"dim": 64, "n_layers": 1, "n_heads": 4, "norm_eps": 1e-5}
        (tmp_path / "meta" / "params.json").write_text(json.dumps(params))
    found = inspect_path(tmp_path / "meta")
    assert found.what == "Meta's checkpoint in 1 part"
    assert (found.totals.get("family") == "llama") == (parts == "params.json")
    assert any("it cannot be converted" in note for note in found.notes) == (parts == "none")


def test_thirteen_gigabytes_are_told_from_their_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(tensor: StoredTensor) -> None:
        raise AssertionError(f"{tensor.name} is read")

    monkeypatch.setattr(StoredTensor, "chunks", read)
    header = {"w": {"dtype": "F16", "shape": [6_500_000_000], "data_offsets": [0, 13_000_000_000]}}
    text = json.dumps(header).encode()
    with (tmp_path / "big.safetensors").open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + 13_000_000_000)
    assert inspect_path(tmp_path / "big.safetensors").totals["bytes"] == 13_000_000_000


def test_what_is_unknown_is_refused_in_a_line(made: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("nothing")
    (tmp_path / "empty").mkdir()
    for place in (tmp_path / "notes.txt", tmp_path / "empty", made / "ms" / "conversion.json"):
        with pytest.raises(MindrailError, match="not something mindrail knows; give a checkpoint"):
            inspect_path(place)
    with pytest.raises(MindrailError, match="no such file"):
        inspect_path(tmp_path / "nowhere")
    for name in ("a.safetensors", "b.safetensors"):
        (tmp_path / "empty" / name).write_bytes(b"")
    with pytest.raises(MindrailError, match=r"holds a\.safetensors and 1 more weights files"):
        inspect_path(tmp_path / "empty")
