"""Writes a llama with random weights as a Hugging Face checkpoint: what a demo or a test starts from.

The weights are drawn with numpy alone; the same arguments give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

__all__ = ["RandomLlama"]

_INDEX = "model.safetensors.index.json"


@dataclass(frozen=True)
class RandomLlama:
    """The sizes of a llama, and how it starts.

    Attributes:
        hidden_size: width of the residual stream.
        num_layers: decoder layers.
        num_heads: attention heads.
        num_kv_heads: key and value heads; divides `num_heads`.
        intermediate_size: width of the feed-forward layer.
        max_positions: context in tokens.
        shards: safetensors files to spread the weights over, in the order of the layers.
    """

    hidden_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    intermediate_size: int
    max_positions: int
    shards: int = 2

    def write(self, directory: Path, *, vocab_size: int, eos_id: int, pad_id: int, seed: int) -> None:
        """Write config.json, generation_config.json, the shards with index, and SHA256SUMS of all files.

        Args:
            directory: an existing directory; files already in it (a tokenizer's) enter SHA256SUMS too.
            vocab_size: rows of the embedding and of the head.
            eos_id: token that ends a text; also stands where one begins.
            pad_id: token that fills up.
            seed: of the weights.
        """
        self.write_config(directory, vocab_size=vocab_size, eos_id=eos_id, pad_id=pad_id)
        ends = _ends(eos_id, pad_id)
        _write_json(directory / "generation_config.json", {"_from_model_config": True, **ends})
        self._write_shards(directory, self._draw(vocab_size, seed))
        _write_sums(directory)

    def write_config(self, directory: Path, *, vocab_size: int, eos_id: int, pad_id: int) -> None:
        """Write config.json alone, which says the model's sizes; arguments as of `write`."""
        _write_json(directory / "config.json", self._config(vocab_size) | _ends(eos_id, pad_id))

    def _config(self, vocab_size: int) -> dict[str, object]:
        return {
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "vocab_size": vocab_size,
            "hidden_size": self.hidden_size,
            "intermediate_size": self.intermediate_size,
            "num_hidden_layers": self.num_layers,
            "num_attention_heads": self.num_heads,
            "num_key_value_heads": self.num_kv_heads,
            "max_position_embeddings": self.max_positions,
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

    def _shapes(self, vocab_size: int) -> Iterator[tuple[str, tuple[int, ...]]]:
        hidden, wide = self.hidden_size, self.intermediate_size
        key_value = hidden // self.num_heads * self.num_kv_heads
        yield "model.embed_tokens.weight", (vocab_size, hidden)
        for layer in (f"model.layers.{i}" for i in range(self.num_layers)):
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

    def _draw(self, vocab_size: int, seed: int) -> dict[str, np.ndarray]:
        """Norms are one; matrices normal with the deviation that keeps a signal's size: 1/sqrt(inputs).

        What adds to the residual stream is smaller by sqrt(2 layers), as in GPT-2. The head starts as a copy
        of the embedding, so that a token that attention brings along is soon said again: a small model learns
        to copy names and constants in fewer steps. From there on the two are trained apart.
        """
        random_source = np.random.default_rng(seed)
        drawn: dict[str, np.ndarray] = {}
        for name, shape in self._shapes(vocab_size):
            if name == "lm_head.weight":
                drawn[name] = drawn["model.embed_tokens.weight"].copy()
            elif len(shape) == 1:
                drawn[name] = np.ones(shape, np.float32)
            else:
                deviation = shape[1] ** -0.5
                if name.endswith(("o_proj.weight", "down_proj.weight")):
                    deviation /= (2 * self.num_layers) ** 0.5
                drawn[name] = (random_source.standard_normal(shape) * deviation).astype(np.float32)
        return drawn

    def _write_shards(self, directory: Path, tensors: Mapping[str, np.ndarray]) -> None:
        names = list(tensors)
        bounds = [len(names) * i // self.shards for i in range(self.shards + 1)]
        weight_map: dict[str, str] = {}
        for i in range(self.shards):
            file = f"model-{i + 1:05d}-of-{self.shards:05d}.safetensors"
            part = names[bounds[i] : bounds[i + 1]]
            save_file({name: tensors[name] for name in part}, directory / file, metadata={"format": "pt"})
            weight_map |= dict.fromkeys(part, file)
        size = sum(tensor.nbytes for tensor in tensors.values())
        _write_json(directory / _INDEX, {"metadata": {"total_size": size}, "weight_map": weight_map})


def _ends(eos_id: int, pad_id: int) -> dict[str, int]:
    return {"bos_token_id": eos_id, "eos_token_id": eos_id, "pad_token_id": pad_id}


def _write_sums(directory: Path) -> None:
    files = sorted(path for path in directory.iterdir() if path.is_file() and path.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files]
    (directory / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
