"""Meta's own llama checkpoints (`consolidated.NN.pth`) presented under Hugging Face's names.

Each file holds one rank's slice of a model-parallel model: projections into heads and feed-forward, and the
output, are cut by rows; the embedding and those back to the residual stream by columns; norms are in every
file (facebookresearch/codellama, llama/model.py). Meta rotates neighbouring pairs of a head's dimensions,
Hugging Face its two halves, so the rows of q and k are reordered within each head (transformers,
convert_llama_weights_to_hf.py). Beside them `params.json` has the model's numbers, except those that follow
from the tensors' shapes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelcore.errors import MindrailError
from modelcore.models.hf_fields import integer, optional_integer, positive_number
from modelcore.models.llama.config import LlamaConfig
from modelcore.store.json_file import read_json_object
from modelcore.weights.checkpoint import open_file
from modelcore.weights.dtypes import BF16, FP16, FP32
from modelcore.weights.tensors import DerivedTensor, LazyTensor, StoredTensor, joined, read

__all__ = ["meta_config", "meta_parts", "meta_tensors"]

# Meta's name, Hugging Face's name, the axis that model parallelism cuts (None: every file has it whole).
_TABLE: tuple[tuple[str, str, int | None], ...] = (
    ("tok_embeddings.weight", "model.embed_tokens.weight", 1),
    ("layers.{}.attention_norm.weight", "model.layers.{}.input_layernorm.weight", None),
    ("layers.{}.attention.wq.weight", "model.layers.{}.self_attn.q_proj.weight", 0),
    ("layers.{}.attention.wk.weight", "model.layers.{}.self_attn.k_proj.weight", 0),
    ("layers.{}.attention.wv.weight", "model.layers.{}.self_attn.v_proj.weight", 0),
    ("layers.{}.attention.wo.weight", "model.layers.{}.self_attn.o_proj.weight", 1),
    ("layers.{}.ffn_norm.weight", "model.layers.{}.post_attention_layernorm.weight", None),
    ("layers.{}.feed_forward.w1.weight", "model.layers.{}.mlp.gate_proj.weight", 0),
    ("layers.{}.feed_forward.w2.weight", "model.layers.{}.mlp.down_proj.weight", 1),
    ("layers.{}.feed_forward.w3.weight", "model.layers.{}.mlp.up_proj.weight", 0),
    ("norm.weight", "model.norm.weight", None),
    ("output.weight", "lm_head.weight", 0),
)
_DROPPED = "rope.freqs"
# What params.json may say (facebookresearch/codellama, ModelArgs); `multiple_of` and `ffn_dim_multiplier`
# only give the feed-forward's width, which the tensors have too.
_PARAMS = frozenset(
    (
        *("dim", "n_layers", "n_heads", "n_kv_heads", "norm_eps", "rope_theta", "vocab_size"),
        *("multiple_of", "ffn_dim_multiplier", "max_batch_size", "max_seq_len"),
    )
)
_EMBEDDING, _GATE = "tok_embeddings.weight", "layers.0.feed_forward.w1.weight"
_HF_DTYPES = {FP16: "float16", BF16: "bfloat16", FP32: "float32"}
_BLOCK_ROWS = 256


def meta_parts(directory: Path) -> list[Path]:
    """Return `consolidated.00.pth`, `.01.pth`, … of a directory, in order; none if it has none.

    Raises:
        MindrailError: one of them is missing.
    """
    parts = sorted(directory.glob("consolidated.*.pth"))
    for number, path in enumerate(parts):
        if path.name != f"consolidated.{number:02d}.pth":
            raise MindrailError(
                f"consolidated.{number:02d}.pth is missing", where=directory, fix="download it"
            )
    return parts


def meta_config(parts: Sequence[Path]) -> dict[str, Any]:
    """Return the Hugging Face config.json of Meta's files: of `params.json` and of the tensors' shapes.

    The context, which neither has, is that of Hugging Face's own conversion: 16384 tokens for CodeLlama's
    rope_theta, else Llama 2's 4096.

    Args:
        parts: `meta_parts`, at least one.

    Raises:
        MindrailError: params.json is missing, is not one, or has a feature that is not implemented here; a
            tensor is missing.
    """
    path = parts[0].parent / "params.json"
    if not path.is_file():
        raise MindrailError(
            "no config.json and no params.json here",
            where=path.parent,
            fix="put Meta's params.json beside its weights",
        )
    raw = read_json_object(path)
    if unknown := sorted(set(raw) - _PARAMS):
        raise MindrailError(f"{unknown[0]} is {raw[unknown[0]]!r}: not implemented", where=path)
    first = open_file(parts[0])
    embedding, gate = (_take(first, name, parts[0]) for name in (_EMBEDDING, _GATE))
    for name, tensor in ((_EMBEDDING, embedding), (_GATE, gate)):
        if len(tensor.shape) != 2:
            raise MindrailError(f"shape {tensor.shape}, not a matrix", where=f"{parts[0]}: {name}")
    theta = positive_number(raw, "rope_theta", 10000.0, path)
    heads = integer(raw, "n_heads", path)
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": embedding.shape[0],
        "hidden_size": integer(raw, "dim", path),
        "intermediate_size": gate.shape[0] * len(parts),
        "num_hidden_layers": integer(raw, "n_layers", path),
        "num_attention_heads": heads,
        "num_key_value_heads": optional_integer(raw, "n_kv_heads", heads, path),
        "max_position_embeddings": 16384 if theta > 10000.0 else 4096,
        "hidden_act": "silu",
        "rms_norm_eps": positive_number(raw, "norm_eps", 1e-5, path),
        "rope_theta": theta,
        "rope_scaling": None,
        "attention_bias": False,
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "torch_dtype": _HF_DTYPES.get(embedding.dtype, str(embedding.dtype)),
    }


def meta_tensors(paths: Sequence[Path], config: LlamaConfig) -> dict[str, LazyTensor]:
    """Return the whole model's tensors under Hugging Face's names, joined and reordered while they are read.

    Args:
        paths: the files, in order.
        config: the model's; it says how many heads there are.

    Raises:
        MindrailError: the files are not the parts of one llama model.
    """
    files = [open_file(path) for path in paths]
    tensors: dict[str, LazyTensor] = {}
    for form, hf_form, axis in _TABLE:
        for layer in range(config.num_layers if "{}" in form else 1):
            name, hf_name = form.format(layer), hf_form.format(layer)
            parts = [_take(file, name, path) for file, path in zip(files, paths, strict=True)]
            tensors[hf_name] = _whole(parts, axis)
            if ".attention.w" in name and name.split(".")[-2] in ("wq", "wk"):
                heads = config.num_heads if ".wq." in name else config.num_kv_heads
                tensors[hf_name] = _halves_first(tensors[hf_name], heads, f"{paths[0]}: {name}")
    for file, path in zip(files, paths, strict=True):
        file.pop(_DROPPED, None)
        if file:
            raise MindrailError(
                f"{next(iter(file))} is in the checkpoint, but not in the model of config.json", where=path
            )
    return tensors


def _take(file: dict[str, StoredTensor], name: str, path: Path) -> StoredTensor:
    if name not in file:
        raise MindrailError(f"{name} is missing", where=path, fix="get the checkpoint again")
    return file.pop(name)


def _whole(parts: Sequence[StoredTensor], axis: int | None) -> LazyTensor:
    """Return the tensor that the parts are slices (or, without an axis, copies) of."""
    first = parts[0]
    rank = 1 if axis is None else 2
    if any(
        part.shape != first.shape or part.dtype != first.dtype or len(part.shape) != rank for part in parts
    ):
        raise MindrailError(
            f"{first.name} has other shapes in other parts: {[list(part.shape) for part in parts]}",
            where=first.extents[0].path,
        )
    if axis is None:
        return _only_copy(parts)
    return joined(parts) if axis == 0 or len(parts) == 1 else _side_by_side(parts)


def _only_copy(parts: Sequence[StoredTensor]) -> StoredTensor:
    copies = {read(part).tobytes() for part in parts}
    if len(copies) > 1:
        raise MindrailError(f"{parts[0].name} differs between the parts", where=parts[0].extents[0].path)
    return parts[0]


def _side_by_side(parts: Sequence[StoredTensor]) -> DerivedTensor:
    """Return the parts joined on axis 1."""
    rows, width = parts[0].shape

    def produce() -> Iterator[NDArray]:
        for top in range(0, rows, _BLOCK_ROWS):
            bottom = min(rows, top + _BLOCK_ROWS)
            yield np.concatenate([read(part.rows(top, bottom)) for part in parts], axis=1).reshape(-1)

    return DerivedTensor(parts[0].dtype, (rows, width * len(parts)), produce)


def _halves_first(tensor: LazyTensor, heads: int, where: str) -> DerivedTensor:
    """Reorder each head's rows from (pair, 2) to (2, pair)."""
    rows, columns = tensor.shape
    if not isinstance(tensor, StoredTensor) or not rows or rows % (2 * heads):
        raise MindrailError(f"{rows} rows are not {heads} heads of an even size", where=where)
    head = rows // heads

    def produce() -> Iterator[NDArray]:
        for top in range(0, rows, head):
            pairs = read(tensor.rows(top, top + head)).reshape(head // 2, 2, columns)
            yield np.ascontiguousarray(pairs.swapaxes(0, 1)).reshape(-1)

    return DerivedTensor(tensor.dtype, (rows, columns), produce)
