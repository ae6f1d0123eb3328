"""Weight files that are made to cost time or memory: counted and refused before much of either is taken."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.checkpoints.inspect import inspect_path
from modelcore.checkpoints.shards import read_strategies
from modelcore.errors import MindrailError
from modelcore.parallel.strategy import read_strategy
from modelcore.weights.protobuf import length_prefix
from tests.families import SMALL

STRING = b"\x0a\x10" + b"\x0a\x01s\x12\x0b\x12\x03str\x1a\x04text"


def header(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


def archive(pickle: bytes, **entries: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        made.writestr("archive/data.pkl", pickle)
        for name, data in entries.items():
            made.writestr(f"archive/{name}", data)
    return content.getvalue()


def crowded_archive() -> bytes:
    """Return an archive whose end record says that its directory takes 2 GB."""
    content = bytearray(archive(b"\x80\x02}."))
    end = content.rfind(b"PK\5\6")
    content[end + 12 : end + 16] = (2 << 30).to_bytes(4, "little")
    return bytes(content)


def archive_on_two_disks() -> bytes:
    """Return an archive whose zip64 locator, before the end record, says that there are two disks."""
    content = archive(b"\x80\x02}.")
    end = content.rfind(b"PK\5\6")
    locator = b"PK\6\7" + (0).to_bytes(4, "little") + (0).to_bytes(8, "little") + (2).to_bytes(4, "little")
    return content[:end] + locator + content[end:]


EXPENSIVE: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "200,000 tensors in a header": (
        "x.safetensors",
        lambda: header(b"{" + b",".join(b'"%d":{"data_offsets":1}' % i for i in range(200_000)) + b"}"),
        "200000 tensors; at most 50000",
    ),
    "a million objects in a header": (
        "x.safetensors",
        lambda: header(b"[" + b"{}," * 1_000_000 + b"{}]"),
        "too many values",
    ),
    "60,000 strings": ("x.ckpt", lambda: STRING * 60_000, "more than 50000 tensors and slices"),
    "a million names of one value": (
        "x.ckpt",
        lambda: length_prefix(1, 3_000_000) + b"\x0a\x01t" * 1_000_000,
        "not one of a plain tensor",
    ),
    "20 MB of dictionaries": (
        "x.bin",
        lambda: archive(b"\x80\x02" + b"}" * (20 << 20) + b"."),
        "sensible size",
    ),
    "600,000 dictionaries": (
        "x.bin",
        lambda: archive(b"\x80\x02" + b"}" * 600_000 + b"."),
        "more than 500000 op",
    ),
    "a byte order of 1 MB": ("x.bin", lambda: archive(b"\x80\x02}.", byteorder=bytes(1 << 20)), "big-endian"),
    "an archive on two disks": ("x.bin", archive_on_two_disks, "damaged zip archive"),
    "a directory of 2 GB": ("x.bin", crowded_archive, "whose directory takes 2147483648 bytes"),
}


@pytest.mark.parametrize("attack", EXPENSIVE)
def test_what_would_cost_much_is_refused(tmp_path: Path, attack: str) -> None:
    name, content, message = EXPENSIVE[attack]
    (tmp_path / name).write_bytes(content())
    with pytest.raises(MindrailError, match=message) as caught:
        inspect_path(tmp_path / name)
    assert len(str(caught.value)) <= 290


@pytest.mark.parametrize(
    "name",
    ["config.json", "model.safetensors.index.json", "tokenizer.json", "tokenizer.model", "vocab.json"],
)
def test_a_sparse_file_of_100_gb_is_refused_by_its_size(tmp_path: Path, name: str) -> None:
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    (tmp_path / name).touch()
    os.truncate(tmp_path / name, 100 << 30)
    with pytest.raises(MindrailError, match="107374182400 bytes"):
        inspect_path(tmp_path / name)


def test_a_rank_of_ten_digits_lists_no_ranks(tmp_path: Path) -> None:
    for name in ("ckpt_strategy_rank_0.ckpt", "ckpt_strategy_rank_9999999999.ckpt"):
        (tmp_path / name).write_bytes(b"\x08\x00")
    with pytest.raises(MindrailError, match="not a strategy file"):
        read_strategies(tmp_path)
    (tmp_path / "ckpt_strategy_rank_0.ckpt").rename(tmp_path / "ckpt_strategy_rank_99999.ckpt")
    with pytest.raises(MindrailError, match="the strategy file of rank 0 is missing"):
        read_strategies(tmp_path)


def test_a_sparse_strategy_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ckpt_strategy_rank_0.ckpt"
    path.write_bytes(b"\x08\x00")
    os.truncate(path, 100 << 30)
    with pytest.raises(MindrailError, match="107374182400 bytes"):
        read_strategy(path)


@pytest.mark.parametrize("value", ["1e400", "-1e400", "NaN", "9" * 5000, '"\\ud800"', "[" * 90 + "]" * 90])
def test_a_config_of_impossible_values_is_refused(tmp_path: Path, value: str) -> None:
    config = json.dumps(SMALL["llama"] | {"rope_theta": 12345})
    (tmp_path / "config.json").write_text(config.replace("12345", value))
    with pytest.raises(MindrailError, match=r"config\.json: not JSON"):
        inspect_path(tmp_path)


@pytest.mark.parametrize(
    "field", [*sorted(SMALL["llama"]), "dtype", "torch_dtype", "rope_scaling", "head_dim"]
)
@pytest.mark.parametrize("value", [None, True, -1, 0, 1.5, 1 << 31, 10**99, "x", [], {}, [[]]], ids=str)
def test_a_config_field_of_any_value_is_read_or_refused(tmp_path: Path, field: str, value: object) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SMALL["llama"] | {field: value}))
    try:
        inspect_path(tmp_path)
    except MindrailError as error:
        assert "config.json" in str(error)


@pytest.mark.parametrize("value", [[], "", 0, False, "float64"], ids=repr)
def test_a_type_that_is_none_is_refused_before_conversion(tmp_path: Path, value: object) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SMALL["llama"] | {"torch_dtype": value}))
    with pytest.raises(MindrailError, match="torch_dtype is"):
        inspect_path(tmp_path)


def test_a_scalar_for_an_embedding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SMALL["llama"]))
    entry = {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}
    text = json.dumps({"model.embed_tokens.weight": entry}).encode()
    (tmp_path / "model.safetensors").write_bytes(header(text) + bytes(4))
    with pytest.raises(MindrailError):
        convert_checkpoint(tmp_path, tmp_path / "out", to="mindspore")


def test_an_index_with_a_file_name_of_100_000_letters_is_refused(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "n" * 100_000}}))
    with pytest.raises(MindrailError, match="no file's name") as caught:
        inspect_path(tmp_path)
    assert len(str(caught.value)) <= 290


def test_a_file_name_of_100_000_letters_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MindrailError) as caught:
        inspect_path(tmp_path / ("n" * 100_000))
    assert len(str(caught.value)) <= 290
