"""The llama network for training and for logits of whole sequences, on one rank of any layout."""

from __future__ import annotations

from typing import ClassVar

from mindspore import Tensor, ops

from modelcore.models.activations import SiLUGate
from modelcore.models.attention import CausalAttention
from modelcore.models.layers import Linear, NamedCell, RowLinear
from modelcore.models.llama.config import LlamaConfig
from modelcore.models.network import WHOLE_NETWORK, Block, Context, NetworkPart, Transformer
from modelcore.models.norms import RMSNorm
from modelcore.models.rotary import scaled_rotations
from modelcore.parallel.collectives import TensorGroup, ToTensorParallel

__all__ = ["Llama"]


class Attention(NamedCell):
    """Grouped-query self-attention with rotary positions, of this rank's heads."""

    JOINED: ClassVar = {"query_key_value": ("query", "key", "value")}

    def __init__(self, config: LlamaConfig, tensor: TensorGroup, prefix: str, *, qkv_bias: bool) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.heads, self.kv_heads = config.num_heads // tensor.size, config.num_kv_heads // tensor.size
        hidden, queries, keys = config.hidden_size, self.heads * self.head_dim, self.kv_heads * self.head_dim
        self.query = Linear(f"{prefix}.wq", hidden, queries, bias=qkv_bias)
        self.key = Linear(f"{prefix}.wk", hidden, keys, bias=qkv_bias)
        self.value = Linear(f"{prefix}.wv", hidden, keys, bias=qkv_bias)
        self.output = RowLinear(f"{prefix}.wo", queries, hidden, tensor)
        self.attend = CausalAttention(self.heads, self.kv_heads, self.head_dim)
        self.enter = ToTensorParallel(tensor)
        self.rotate = ops.BatchMatMul()

    def construct(self, x: Tensor, context: Context) -> Tensor:
        """Return [seq * batch, hidden] for x of the same shape; of the context, rotations come first."""
        x = self.enter(x)
        seq, rotations = context[0].shape[0], ops.cast(context[0], x.dtype)
        q = self.rotate(self.query(x).reshape(seq, -1, self.head_dim), rotations)
        k = self.rotate(self.key(x).reshape(seq, -1, self.head_dim), rotations)
        v = self.value(x).reshape(seq, -1, self.head_dim)
        mixed = self.attend(self._swapped(q), self._swapped(k), self._swapped(v), context[1:])
        return self.output(self._swapped(mixed).reshape(x.shape[0], -1))

    def _swapped(self, x: Tensor) -> Tensor:
        """Return [batch * heads, seq, head_dim] of [seq, batch * heads, head_dim], or the other way."""
        return ops.transpose(x, (1, 0, 2))


class FeedForward(NamedCell):
    """w2(silu(w1 x) * w3 x) (Shazeer 2020)."""

    JOINED: ClassVar = {"gate_and_up": ("w1", "w3")}

    def __init__(self, config: LlamaConfig, tensor: TensorGroup, prefix: str) -> None:
        super().__init__()
        hidden, inner = config.hidden_size, config.intermediate_size // tensor.size
        self.w1 = Linear(f"{prefix}.w1", hidden, inner)
        self.w2 = RowLinear(f"{prefix}.w2", inner, hidden, tensor)
        self.w3 = Linear(f"{prefix}.w3", hidden, inner)
        self.gate = SiLUGate()
        self.enter = ToTensorParallel(tensor)

    def construct(self, x: Tensor) -> Tensor:
        """Return [rows, hidden] for x of the same shape."""
        x = self.enter(x)
        return self.w2(self.gate(self.w1(x), self.w3(x))[0])


class Llama(Transformer):
    """A llama network. Rows are ordered by position, then by sample: one product rotates all of a position.

    Args:
        config: the model's.
        part: the part of it to build.
        qkv_bias: whether queries, keys and values have a bias.
    """

    def __init__(
        self, config: LlamaConfig, part: NetworkPart = WHOLE_NETWORK, *, qkv_bias: bool = False
    ) -> None:
        width, eps = config.hidden_size, config.norm_eps

        def block(layer: int) -> Block:
            prefix = f"model.layers.{layer}"
            return Block(
                RMSNorm(f"{prefix}.attention_norm", width, eps),
                Attention(config, part.tensor, f"{prefix}.attention", qkv_bias=qkv_bias),
                RMSNorm(f"{prefix}.ffn_norm", width, eps),
                FeedForward(config, part.tensor, f"{prefix}.feed_forward"),
            )

        super().__init__(
            config,
            part,
            embedding="model.tok_embeddings.embedding_weight",
            head="lm_head.weight",
            block=block,
            norm=lambda: RMSNorm("model.norm_out", width, eps),
        )
        self.config = config

    def rows(self, x: Tensor, segments: Tensor | None) -> Tensor:
        """Return [seq * batch, hidden].

        Rotary positions count through a packed row: only their differences within a sample matter.
        """
        by_position = x.swapaxes(0, 1)
        if self.first:
            return ops.cast(self.embed(by_position.reshape(-1)), self.compute)
        return by_position.reshape(-1, self.hidden_size)

    def batch(self, rows: Tensor, batch: int, seq: int) -> Tensor:
        """Return [batch, seq, hidden] of [seq * batch, hidden]."""
        return rows.reshape(seq, batch, self.hidden_size).swapaxes(0, 1)

    def context(self, masks: Context, seq: int) -> Context:
        """Return the rotations of each position, then the masks."""
        config = self.config
        rotations = scaled_rotations(config.head_dim, config.rope_theta, config.rope_scaling, seq)
        return (rotations, *masks)
