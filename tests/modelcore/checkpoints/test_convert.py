"""Conversion there and back is lossless, strict about every tensor, and survives being killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Literal

import mindspore as ms
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

from modelcore.checkpoints.convert import CONVERSION, convert_checkpoint
from modelcore.config.checkpoint import FileFormat
from modelcore.errors import MindrailError
from modelcore.models.families import read_model
from modelcore.weights import outputs
from modelcore.weights.checkpoint import open_checkpoint
from tests.families import NAMES
from tests.modelcore.checkpoints import tiny_checkpoints as tiny
from tests.paths import ROOT

Change = Callable[[dict[str, torch.Tensor]], object]
Cast = Literal["fp16", "bf16", "fp32"]
MODELS = {name: partial(tiny.tiny_model, name) for name in NAMES} | {
    "llama": tiny.tiny_llama,
    "gpt_bigcode": tiny.tiny_gpt_bigcode,
}


@pytest.fixture(scope="module", params=sorted(MODELS))
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save_hf(MODELS[request.param](), tmp_path_factory.mktemp("hf") / request.param)


@pytest.fixture
def llama(tmp_path: Path) -> Path:
    return tiny.save_hf(tiny.tiny_llama(), tmp_path / "llama")


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize("format", ["ckpt", "safetensors"])
def test_there_and_back_gives_the_same_file(source: Path, tmp_path: Path, format: FileFormat) -> None:
    convert_checkpoint(source, tmp_path / "ms", to="mindspore", format=format, verify=True)
    convert_checkpoint(tmp_path / "ms", tmp_path / "back", to="hf", verify=True)
    assert (tmp_path / "back/model.safetensors").read_bytes() == (source / "model.safetensors").read_bytes()
    assert (tmp_path / "back/config.json").read_bytes() == (source / "config.json").read_bytes()


def test_transformers_computes_the_same_with_what_comes_back(source: Path, tmp_path: Path) -> None:
    convert_checkpoint(source, tmp_path / "ms", to="mindspore")
    convert_checkpoint(tmp_path / "ms", tmp_path / "back", to="hf")
    ids = torch.arange(10).reshape(1, 10)
    with torch.no_grad():
        logits = [
            AutoModelForCausalLM.from_pretrained(one)(ids).logits for one in (source, tmp_path / "back")
        ]
    assert torch.equal(*logits)


@pytest.mark.parametrize("format", ["ckpt", "safetensors"])
def test_mindspore_loads_the_result_with_the_names_and_shapes_of_the_config(
    source: Path, tmp_path: Path, format: FileFormat
) -> None:
    convert_checkpoint(source, tmp_path, to="mindspore", format=format)
    loaded = ms.load_checkpoint(str(tmp_path / f"model.{format}"), format=format)
    shapes = read_model(tmp_path).config.parameter_shapes()
    assert {name: tuple(one.shape) for name, one in loaded.items()} == shapes


def test_bigcodes_projections_are_split_and_transposed(tmp_path: Path) -> None:
    model = tiny.tiny_gpt_bigcode(dtype=torch.float32)
    convert_checkpoint(tiny.save_hf(model, tmp_path / "hf"), tmp_path / "ms", to="mindspore")
    loaded = ms.load_checkpoint(str(tmp_path / "ms/model.ckpt"))
    block = model.transformer.h[1]
    rows = block.attn.c_attn.weight.detach().numpy()
    assert rows.shape == (96, 64)
    for number, part in enumerate((rows[:64], rows[64:80], rows[80:]), start=1):
        name = f"backbone.blocks.1.attention.dense{number}.weight"
        np.testing.assert_array_equal(loaded[name].asnumpy(), part)
    np.testing.assert_array_equal(
        loaded["backbone.blocks.1.output.mapping.weight"].asnumpy(), block.mlp.c_fc.weight.detach().numpy().T
    )


@pytest.mark.parametrize("dtype", ["fp16", "bf16", "fp32"])
def test_a_cast_equals_torchs_and_config_json_has_the_type(source: Path, tmp_path: Path, dtype: Cast) -> None:
    kind = {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[dtype]
    convert_checkpoint(source, tmp_path / "ms", to="mindspore", dtype=dtype, verify=True)
    convert_checkpoint(tmp_path / "ms", tmp_path / "back", to="hf")
    expected = load_file(source / "model.safetensors")
    found = load_file(tmp_path / "back/model.safetensors")
    assert found.keys() == expected.keys()
    for name, tensor in found.items():
        assert torch.equal(tensor, expected[name].to(kind)), name
    config = json.loads((tmp_path / "back/config.json").read_text())
    assert config.get("dtype", config.get("torch_dtype")) == str(kind).removeprefix("torch.")


def test_shards_and_one_file_give_the_same_result(source: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(source, dtype="auto")
    shards = tiny.save_hf(model, tmp_path / "shards", shard="100KB")
    assert (shards / "model.safetensors.index.json").exists()
    for name, directory in (("a", source), ("b", shards)):
        convert_checkpoint(directory, tmp_path / name, to="mindspore")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_pytorch_files_convert_like_safetensors(source: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(source, dtype="auto")
    report = convert_checkpoint(tiny.save_bin(model, tmp_path / "bin"), tmp_path / "a", to="mindspore")
    convert_checkpoint(source, tmp_path / "b", to="mindspore")
    assert (tmp_path / "a/model.ckpt").read_bytes() == (tmp_path / "b/model.ckpt").read_bytes()
    assert report.dropped == (("lm_head.weight",) if model.config.tie_word_embeddings else ())


def test_a_large_model_goes_back_in_shards_that_transformers_loads(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "SHARD_BYTES", 100_000)
    convert_checkpoint(source, tmp_path / "ms", to="mindspore")
    report = convert_checkpoint(tmp_path / "ms", tmp_path / "back", to="hf", verify=True)
    assert len(report.files) > 1
    original, back = (
        AutoModelForCausalLM.from_pretrained(one).state_dict() for one in (source, tmp_path / "back")
    )
    assert original.keys() == back.keys()
    assert [name for name in original if not torch.equal(original[name], back[name])] == []


def test_the_report_lists_every_tensor_with_its_sha256(llama: Path, tmp_path: Path) -> None:
    report = convert_checkpoint(llama, tmp_path / "ms", to="mindspore")
    listed = json.loads((tmp_path / "ms" / CONVERSION).read_text())
    assert [one["name"] for one in listed["tensors"]] == list(read_model(llama).config.parameter_shapes())
    assert (
        listed["size"]
        == report.size
        == sum(t.nbytes for t in load_file(llama / "model.safetensors").values())
    )
    assert {len(one["sha256"]) for one in listed["tensors"]} == {64}


def test_nan_and_infinity_are_counted(tmp_path: Path) -> None:
    model = tiny.tiny_llama()
    model.lm_head.weight.data[0, :3] = torch.tensor([float("nan"), float("inf"), -float("inf")])
    report = convert_checkpoint(tiny.save_hf(model, tmp_path / "hf"), tmp_path / "ms", to="mindspore")
    assert (report.nan, report.infinite) == (1, 2)


def edited(directory: Path, change: Change) -> Path:
    tensors = load_file(directory / "model.safetensors")
    change(tensors)
    save_file(tensors, directory / "model.safetensors", metadata={"format": "pt"})
    return directory


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t.pop("model.layers.1.mlp.up_proj.weight"),
            r"model\.layers\.1\.mlp\.up_proj\.weight is missing",
        ),
        (lambda t: t.update(extra=torch.ones(2)), "extra is in the checkpoint, but not in the model"),
        (
            lambda t: t.update({"model.norm.weight": torch.ones(63, dtype=torch.bfloat16)}),
            r"model\.norm\.weight: has shape \[63\], config\.json demands \[64\]",
        ),
        (
            lambda t: t.update({"model.norm.weight": torch.ones(64, dtype=torch.int32)}),
            r"model\.norm\.weight: is int32",
        ),
        (
            lambda t: t.update({"model.layers.3.mlp.up_proj.weight": torch.ones(2, 2)}),
            r"model\.layers\.3\.mlp\.up_proj\.weight is in the checkpoint",
        ),
    ],
    ids=["missing", "unexpected", "misshapen", "integer", "a-layer-too-many"],
)
def test_a_wrong_tensor_ends_the_conversion_by_name_and_nothing_is_left(
    llama: Path, tmp_path: Path, change: Change, message: str
) -> None:
    with pytest.raises(MindrailError, match=message):
        convert_checkpoint(edited(llama, change), tmp_path / "ms", to="mindspore")
    assert not (tmp_path / "ms").exists()


def test_pytorchs_bin_becomes_safetensors_in_one_step(tmp_path: Path) -> None:
    model = tiny.tiny_llama(tied=True)
    source = tiny.save_bin(model, tmp_path / "bin")
    report = convert_checkpoint(source, tmp_path / "hf", to="hf", verify=True)
    expected = tiny.save_hf(model, tmp_path / "expected")
    assert report.dropped == ("lm_head.weight",)
    assert contents(tmp_path / "hf")["model.safetensors"] == contents(expected)["model.safetensors"]
    assert json.loads((tmp_path / "hf/config.json").read_text())["torch_dtype"] == "bfloat16"


def test_safetensors_are_sharded_with_an_index_as_transformers_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tiny.tiny_gpt_bigcode()
    source = tiny.save_bin(model, tmp_path / "bin")
    monkeypatch.setattr(outputs, "SHARD_BYTES", 100_000)
    assert len(convert_checkpoint(source, tmp_path / "hf", to="hf").files) > 1
    again = AutoModelForCausalLM.from_pretrained(tmp_path / "hf", dtype="auto").state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())


def test_mindspores_names_may_be_kept_while_format_and_type_change(llama: Path, tmp_path: Path) -> None:
    convert_checkpoint(llama, tmp_path / "ms", to="mindspore")
    (tmp_path / "ms/model.ckpt").rename(tmp_path / "ms/codellama_7b.ckpt")
    convert_checkpoint(
        tmp_path / "ms", tmp_path / "st", to="mindspore", format="safetensors", dtype="fp32", verify=True
    )
    convert_checkpoint(llama, tmp_path / "expected", to="mindspore", format="safetensors", dtype="fp32")
    for name in ("model.safetensors", "config.json"):
        assert (tmp_path / "st" / name).read_bytes() == (tmp_path / "expected" / name).read_bytes()


def test_two_checkpoints_of_any_names_are_refused(llama: Path, tmp_path: Path) -> None:
    convert_checkpoint(llama, tmp_path / "ms", to="mindspore")
    (tmp_path / "ms/model.ckpt").rename(tmp_path / "ms/one.ckpt")
    shutil.copyfile(tmp_path / "ms/one.ckpt", tmp_path / "ms/two.ckpt")
    with pytest.raises(MindrailError, match=r"holds one\.ckpt and two\.ckpt"):
        convert_checkpoint(tmp_path / "ms", tmp_path / "hf", to="hf")


def test_config_json_states_the_type_that_the_weights_have(llama: Path, tmp_path: Path) -> None:
    config = json.loads((llama / "config.json").read_text())
    key = "dtype" if "dtype" in config else "torch_dtype"
    (llama / "config.json").write_text(json.dumps(config | {key: "float32"}))
    convert_checkpoint(llama, tmp_path / "ms", to="mindspore")
    assert json.loads((tmp_path / "ms/config.json").read_text()) == config | {key: "bfloat16"}


def test_a_source_without_config_json_takes_another_directorys(llama: Path, tmp_path: Path) -> None:
    convert_checkpoint(llama, tmp_path / "ms", to="mindspore")
    alone = tmp_path / "alone/codellama.ckpt"
    alone.parent.mkdir()
    (tmp_path / "ms/model.ckpt").rename(alone)
    convert_checkpoint(alone, tmp_path / "hf", to="hf", description=llama)
    assert (tmp_path / "hf/model.safetensors").read_bytes() == (llama / "model.safetensors").read_bytes()


def test_a_tied_head_may_be_stored_but_must_be_the_embedding(tmp_path: Path) -> None:
    model = tiny.tiny_llama(tied=True)
    same = tiny.save_bin(model, tmp_path / "same")
    assert convert_checkpoint(same, tmp_path / "a", to="mindspore").dropped == ("lm_head.weight",)
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight + 1)
    other = tiny.save_bin(model, tmp_path / "other")
    with pytest.raises(MindrailError, match=r"lm_head\.weight differs from model\.embed_tokens\.weight"):
        convert_checkpoint(other, tmp_path / "b", to="mindspore")


def test_a_training_checkpoints_states_are_left_out_and_reported(llama: Path, tmp_path: Path) -> None:
    convert_checkpoint(llama, tmp_path / "ms", to="mindspore")
    loaded = ms.load_checkpoint(str(tmp_path / "ms/model.ckpt"))
    norm = loaded["model.norm_out.weight"]
    trained = [{"name": name, "data": one} for name, one in loaded.items()]
    trained += [
        {"name": "adam_m.model.norm_out.weight", "data": norm},
        {"name": "step_num", "data": ms.Tensor(3)},
    ]
    (tmp_path / "ms/model.ckpt").unlink()
    ms.save_checkpoint(trained, str(tmp_path / "ms/model.ckpt"))
    report = convert_checkpoint(tmp_path / "ms", tmp_path / "back", to="hf", verify=True)
    assert report.dropped == ("adam_m.model.norm_out.weight", "step_num")


def test_a_single_file_is_converted_with_the_config_beside_it(llama: Path, tmp_path: Path) -> None:
    convert_checkpoint(llama / "model.safetensors", tmp_path / "ms", to="mindspore")
    (tmp_path / "ms/model.ckpt").rename(tmp_path / "ms/llama.ckpt")
    convert_checkpoint(tmp_path / "ms/llama.ckpt", tmp_path / "back", to="hf")
    assert (tmp_path / "back/model.safetensors").read_bytes() == (llama / "model.safetensors").read_bytes()


def test_other_weights_in_the_destination_are_not_mixed_in(llama: Path, tmp_path: Path) -> None:
    convert_checkpoint(llama, tmp_path / "ms", to="mindspore")
    with pytest.raises(MindrailError, match=r"model\.ckpt: is in the way"):
        convert_checkpoint(llama, tmp_path / "ms", to="mindspore", format="safetensors")


_KILLED = """
import sys, time
from pathlib import Path
from modelcore.checkpoints.convert import convert_checkpoint
from modelcore.store.journal import Journal
original = Journal.append
written = []
def append(self, record):
    original(self, record)
    written.append(record)
    if len(written) == int(sys.argv[4]):
        print("there", flush=True)
        time.sleep(60)
Journal.append = append
convert_checkpoint(Path(sys.argv[1]), Path(sys.argv[2]), to=sys.argv[3])
"""


def killed_after(count: int, source: Path, destination: Path, to: str) -> None:
    """Convert in a child and kill -9 it once so many tensors are written."""
    command = [sys.executable, "-c", _KILLED, str(source), str(destination), to, str(count)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as child:
        assert child.stdout is not None and child.stdout.readline() == b"there\n"
        os.kill(child.pid, signal.SIGKILL)


def test_a_killed_conversion_goes_on_where_it_was(source: Path, tmp_path: Path) -> None:
    convert_checkpoint(source, tmp_path / "expected", to="mindspore")
    killed_after(12, source, tmp_path / "ms", "mindspore")
    assert not (tmp_path / "ms/model.ckpt").exists() and not (tmp_path / "ms" / CONVERSION).exists()
    before = (tmp_path / "ms/model.ckpt.journal").read_text().splitlines()
    assert len(before) == 13
    convert_checkpoint(source, tmp_path / "ms", to="mindspore")
    assert contents(tmp_path / "ms") == contents(tmp_path / "expected")


def test_what_was_damaged_since_the_kill_is_written_again(source: Path, tmp_path: Path) -> None:
    convert_checkpoint(source, tmp_path / "expected", to="mindspore")
    killed_after(12, source, tmp_path / "ms", "mindspore")
    begun = tmp_path / "ms/model.ckpt.writing"
    content = bytearray(begun.read_bytes())
    content[1000:1100] = bytes(100)
    begun.write_bytes(content)
    convert_checkpoint(source, tmp_path / "ms", to="mindspore")
    assert contents(tmp_path / "ms") == contents(tmp_path / "expected")


def test_a_conversion_of_another_source_is_not_continued(llama: Path, tmp_path: Path) -> None:
    killed_after(12, llama, tmp_path / "ms", "mindspore")
    edited(llama, lambda t: t["model.norm.weight"].mul_(2))
    convert_checkpoint(llama, tmp_path / "ms", to="mindspore")
    convert_checkpoint(llama, tmp_path / "expected", to="mindspore")
    assert contents(tmp_path / "ms") == contents(tmp_path / "expected")


def test_verification_names_the_tensor_that_the_disk_changed(
    llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damage(*arguments: Any, **options: Any) -> object:
        written = write(*arguments, **options)
        place = open_checkpoint(tmp_path / "ms").tensors["model.norm_out.weight"].extents[0]
        with place.path.open("r+b") as file:
            file.seek(place.offset)
            file.write(b"\x01\x02")
        return written

    write = outputs.write_outputs
    monkeypatch.setattr("modelcore.checkpoints.convert.write_outputs", damage)
    with pytest.raises(MindrailError, match=r"what was written for model\.norm\.weight differs"):
        convert_checkpoint(llama, tmp_path / "ms", to="mindspore", verify=True)
    assert not (tmp_path / "ms" / CONVERSION).exists()


def meta_checkpoint(model: torch.nn.Module, directory: Path, parts: int) -> Path:
    """Write a model's weights as Meta's files: q and k in pairs, cut over so many ranks."""
    directory.mkdir()
    model.config.save_pretrained(directory)
    ranks: list[dict[str, torch.Tensor]] = [{"rope.freqs": torch.ones(8)} for _ in range(parts)]
    for name, tensor in model.state_dict().items():
        layer = name.split(".")[2] if "layers" in name else ""
        kind = name.removeprefix(f"model.layers.{layer}.") if layer else name
        meta, axis = META_NAMES[kind]
        if kind.endswith(("q_proj.weight", "k_proj.weight")):
            heads = tensor.shape[0] // 16
            tensor = tensor.view(heads, 2, 8, 64).transpose(1, 2).reshape(-1, 64)
        pieces = [tensor] * parts if axis is None else tensor.chunk(parts, axis)
        for rank, piece in zip(ranks, pieces, strict=True):
            rank[f"layers.{layer}.{meta}" if layer else meta] = piece.clone()
    for number, rank in enumerate(ranks):
        torch.save(rank, directory / f"consolidated.{number:02d}.pth")
    return directory


META_NAMES = {
    "model.embed_tokens.weight": ("tok_embeddings.weight", 1),
    "input_layernorm.weight": ("attention_norm.weight", None),
    "self_attn.q_proj.weight": ("attention.wq.weight", 0),
    "self_attn.k_proj.weight": ("attention.wk.weight", 0),
    "self_attn.v_proj.weight": ("attention.wv.weight", 0),
    "self_attn.o_proj.weight": ("attention.wo.weight", 1),
    "post_attention_layernorm.weight": ("ffn_norm.weight", None),
    "mlp.gate_proj.weight": ("feed_forward.w1.weight", 0),
    "mlp.down_proj.weight": ("feed_forward.w2.weight", 1),
    "mlp.up_proj.weight": ("feed_forward.w3.weight", 0),
    "model.norm.weight": ("norm.weight", None),
    "lm_head.weight": ("output.weight", 0),
}


@pytest.mark.parametrize("parts", [1, 2])
def test_metas_files_convert_like_hugging_faces(tmp_path: Path, parts: int) -> None:
    model = tiny.tiny_llama()
    meta = meta_checkpoint(model, tmp_path / "meta", parts)
    convert_checkpoint(meta, tmp_path / "a", to="mindspore", verify=True)
    convert_checkpoint(tiny.save_hf(model, tmp_path / "hf"), tmp_path / "b", to="mindspore")
    assert (tmp_path / "a/model.ckpt").read_bytes() == (tmp_path / "b/model.ckpt").read_bytes()


def meta_alone(model: torch.nn.Module, directory: Path, parts: int, **changes: object) -> Path:
    """Write Meta's files as Meta does: with params.json and without config.json."""
    meta_checkpoint(model, directory, parts)
    (directory / "config.json").unlink()
    (directory / "generation_config.json").unlink(missing_ok=True)
    config = model.config
    params = {
        "dim": config.hidden_size,
        "n_layers": config.num_hidden_layers,
        "n_heads": config.num_attention_heads,
        "n_kv_heads": config.num_key_value_heads,
        "multiple_of": 256,
        "ffn_dim_multiplier": 1.0,
        "norm_eps": 1e-6,
        "vocab_size": -1,
    }
    (directory / "params.json").write_text(json.dumps({**params, **changes}))
    return directory


@pytest.mark.parametrize("parts", [1, 2])
def test_metas_files_alone_become_a_model_that_transformers_computes_alike(
    tmp_path: Path, parts: int
) -> None:
    torch.manual_seed(3)
    rope = {"rope_type": "default", "rope_theta": 1e6}
    model = LlamaForCausalLM(LlamaConfig(**TINY_META, rope_parameters=rope)).eval()
    meta = meta_alone(model, tmp_path / "meta", parts, rope_theta=1e6)
    convert_checkpoint(meta, tmp_path / "hf", to="hf", verify=True)
    convert_checkpoint(meta, tmp_path / "ms", to="mindspore", verify=True)
    convert_checkpoint(tmp_path / "ms", tmp_path / "back", to="hf")
    assert (tmp_path / "back/model.safetensors").read_bytes() == (
        tmp_path / "hf/model.safetensors"
    ).read_bytes()
    config = json.loads((tmp_path / "back/config.json").read_text())
    assert (config["vocab_size"], config["intermediate_size"]) == (96, 112)
    assert (config["num_key_value_heads"], config["max_position_embeddings"]) == (2, 16384)
    ids = torch.arange(10).reshape(1, 10)
    with torch.no_grad():
        ours = AutoModelForCausalLM.from_pretrained(tmp_path / "back", dtype="auto")
        assert torch.equal(ours(ids).logits, model(ids).logits)


TINY_META = {
    "vocab_size": 96,
    "hidden_size": 64,
    "intermediate_size": 112,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"use_scaled_rope": True}, r"params\.json: use_scaled_rope is True: not implemented"),
        ({"dim": "wide"}, r"params\.json: dim is 'wide', not a positive integer"),
        ({"n_layers": 2}, r"layers\.2\.\S+ is in the checkpoint, but not in the model"),
        ({"n_kv_heads": 4}, r"k_proj\.weight: has shape"),
    ],
)
def test_params_that_are_not_the_models_are_refused(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    meta = meta_alone(tiny.tiny_llama(), tmp_path / "meta", 1, **changes)
    with pytest.raises(MindrailError, match=message):
        convert_checkpoint(meta, tmp_path / "a", to="mindspore")
    assert not (tmp_path / "a" / CONVERSION).exists()


def test_metas_files_without_any_config_say_what_is_missing(tmp_path: Path) -> None:
    meta = meta_alone(tiny.tiny_llama(), tmp_path / "meta", 1)
    (meta / "params.json").unlink()
    with pytest.raises(MindrailError, match=r"no config\.json and no params\.json"):
        convert_checkpoint(meta, tmp_path / "a", to="mindspore")


def test_a_missing_part_of_metas_files_is_named(tmp_path: Path) -> None:
    meta = meta_checkpoint(tiny.tiny_llama(), tmp_path / "meta", 2)
    shutil.move(meta / "consolidated.00.pth", tmp_path / "elsewhere")
    with pytest.raises(MindrailError, match=r"consolidated\.00\.pth is missing"):
        convert_checkpoint(meta, tmp_path / "a", to="mindspore")


def test_old_exports_buffers_are_left_out_and_reported(llama: Path, tmp_path: Path) -> None:
    name = "model.layers.0.self_attn.rotary_emb.inv_freq"
    report = convert_checkpoint(
        edited(llama, lambda t: t.update({name: torch.ones(8)})), tmp_path / "ms", to="mindspore"
    )
    assert report.dropped == (name,)


def test_progress_ends_at_the_whole(llama: Path, tmp_path: Path) -> None:
    seen: list[tuple[float, float | None]] = []
    report = convert_checkpoint(
        llama,
        tmp_path / "ms",
        to="mindspore",
        progress=lambda done, total, unit, note="": seen.append((done, total)),
    )
    assert seen[-1] == (report.size, report.size)
    assert time.time() - (tmp_path / "ms" / CONVERSION).stat().st_mtime < 60
