"""Writes a llama with random weights as a Hugging Face checkpoint: what a demo or a test starts from.

The weights are drawn with numpy alone; the same arguments give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from modelcore.demo.config import SmallLlama

__all__ = ["write_llama_config", "write_random_llama"]

_INDEX = "model.safetensors.index.json"


def write_random_llama(
    directory: Path,
    sizes: SmallLlama,
    *,
    vocab_size: int,
    eos_id: int,
    pad_id: int,
    seed: int,
    shards: int = 2,
) -> None:
    """Write config.json, generation_config.json, the weights with their index, and SHA256SUMS of all files.

    Args:
        directory: an existing directory; SHA256SUMS covers files already in it (a tokenizer's), too.
        sizes: of the model.
        vocab_size: rows of the embedding and of the head.
        eos_id: token that ends a text; also where one begins.
        pad_id: token that pads rows.
        seed: of the weights.
        shards: safetensors files to spread the weights over, in the order of the layers.
    """
    write_llama_config(directory, sizes, vocab_size=vocab_size, eos_id=eos_id, pad_id=pad_id)
    generation = {"_from_model_config": True, **_special_tokens(eos_id, pad_id)}
    _write_json(directory / "generation_config.json", generation)
    _write_shards(directory, _draw(sizes, vocab_size, seed), shards)
    _write_sums(directory)


def write_llama_config(
    directory: Path, sizes: SmallLlama, *, vocab_size: int, eos_id: int, pad_id: int
) -> None:
    """Write config.json alone; arguments as of `write_random_llama`."""
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocab_size,
        "hidden_size": sizes.hidden_size,
        "intermediate_size": sizes.intermediate_size,
        "num_hidden_layers": sizes.num_layers,
        "num_attention_heads": sizes.num_heads,
        "num_key_value_heads": sizes.num_kv_heads,
        "max_position_embeddings": sizes.max_positions,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "rope_scaling": None,
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": False,
        "initializer_range": 0.02,
        "use_cache": True,
        "torch_dtype": "float32",
    }
    _write_json(directory / "config.json", config | _special_tokens(eos_id, pad_id))


def _special_tokens(eos_id: int, pad_id: int) -> dict[str, int]:
    return {"bos_token_id": eos_id, "eos_token_id": eos_id, "pad_token_id": pad_id}


def _shapes(sizes: SmallLlama, vocab_size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    hidden, wide = sizes.hidden_size, sizes.intermediate_size
    key_value = hidden // sizes.num_heads * sizes.num_kv_heads
    yield "model.embed_tokens.weight", (vocab_size, hidden)
    for layer in (f"model.layers.{i}" for i in range(sizes.num_layers)):
        yield f"{layer}.input_layernorm.weight", (hidden,)
        yield f"{layer}.self_attn.q_proj.weight", (hidden, hidden)
        yield f"{layer}.self_attn.k_proj.weight", (key_value, hidden)
        yield f"{layer}.self_attn.v_proj.weight", (key_value, hidden)
        yield f"{layer}.self_attn.o_proj.weight", (hidden, hidden)
        yield f"{layer}.post_attention_layernorm.weight", (hidden,)
        yield f"{layer}.mlp.gate_proj.weight", (wide, hidden)
        yield f"{layer}.mlp.up_proj.weight", (wide, hidden)
        yield f"{layer}.mlp.down_proj.weight", (hidden, wide)
    yield "model.norm.weight", (hidden,)
    yield "lm_head.weight", (vocab_size, hidden)


def _draw(sizes: SmallLlama, vocab_size: int, seed: int) -> dict[str, np.ndarray]:
    """Norms are one; matrices normal with the deviation that keeps a signal's size: 1/sqrt(inputs).

    What adds to the residual stream is smaller by sqrt(2 layers), as in GPT-2. The head starts as a copy of
    the embedding, so that a token that attention copies is likely to be predicted: a small model is trained
    to copy names and constants in fewer steps. From then on the two are trained separately.
    """
    random_source = np.random.default_rng(seed)
    drawn: dict[str, np.ndarray] = {}
    for name, shape in _shapes(sizes, vocab_size):
        if name == "lm_head.weight":
            drawn[name] = drawn["model.embed_tokens.weight"].copy()
        elif len(shape) == 1:
            drawn[name] = np.ones(shape, np.float32)
        else:
            deviation = shape[1] ** -0.5
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                deviation /= (2 * sizes.num_layers) ** 0.5
            drawn[name] = (random_source.standard_normal(shape) * deviation).astype(np.float32)
    return drawn


def _write_shards(directory: Path, tensors: Mapping[str, np.ndarray], shards: int) -> None:
    names = list(tensors)
    bounds = [len(names) * i // shards for i in range(shards + 1)]
    weight_map: dict[str, str] = {}
    for i in range(shards):
        file = f"model-{i + 1:05d}-of-{shards:05d}.safetensors"
        part = names[bounds[i] : bounds[i + 1]]
        save_file({name: tensors[name] for name in part}, directory / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(part, file)
    size = sum(tensor.nbytes for tensor in tensors.values())
    _write_json(directory / _INDEX, {"metadata": {"total_size": size}, "weight_map": weight_map})


def _write_sums(directory: Path) -> None:
    files = sorted(path for path in directory.iterdir() if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (directory / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
