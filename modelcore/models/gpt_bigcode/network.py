"""The GPTBigCode network for training and for logits of whole sequences, on one rank of any layout.

The single key and value head is on every rank of a tensor-parallel group.
"""

from __future__ import annotations

import math
from typing import ClassVar

from mindspore import Tensor, ops

from modelcore.models.activations import GELU, TanhGELU
from modelcore.models.attention import CausalAttention, segment_positions
from modelcore.models.gpt_bigcode.config import GPTBigCodeConfig
from modelcore.models.layers import Linear, NamedCell, RowLinear
from modelcore.models.network import WHOLE_NETWORK, Block, Context, NetworkPart, Transformer
from modelcore.models.norms import LayerNorm
from modelcore.parallel.collectives import TensorGroup, ToTensorParallel

__all__ = ["GPTBigCode"]


class Attention(NamedCell):
    """Multi-query self-attention (Shazeer 2019) of this rank's query heads."""

    JOINED: ClassVar = {"query_key_value": ("query", "key", "value")}

    def __init__(self, config: GPTBigCodeConfig, tensor: TensorGroup, prefix: str) -> None:
        super().__init__()
        self.head_dim, self.heads, self.kv_heads = config.head_dim, config.num_heads // tensor.size, 1
        hidden, queries = config.hidden_size, self.heads * self.head_dim
        self.query = Linear(f"{prefix}.dense1", hidden, queries, bias=True)
        self.key = Linear(f"{prefix}.dense2", hidden, self.head_dim, bias=True)
        self.value = Linear(f"{prefix}.dense3", hidden, self.head_dim, bias=True)
        self.output = RowLinear(
            f"{prefix}.projection", queries, hidden, tensor, bias=True, stored_transposed=True
        )
        self.attend = CausalAttention(self.heads, 1, self.head_dim)
        self.enter = ToTensorParallel(tensor)
        self.scale = 1 / math.sqrt(self.head_dim)

    def construct(self, x: Tensor, context: Context) -> Tensor:
        """Return [batch * seq, hidden] for x of the same shape; the context is the masks alone."""
        seq = context[-1].shape[2]
        q = self.query(self.enter(x)) * self.scale
        # Every rank computes the same keys and values, and uses them with other queries.
        k, v = self.enter(self.key(x)), self.enter(self.value(x))
        q = ops.transpose(q.reshape(-1, seq, self.heads, self.head_dim), (0, 2, 1, 3))
        mixed = self.attend(
            q.reshape(-1, seq, self.head_dim),
            k.reshape(-1, seq, self.head_dim),
            v.reshape(-1, seq, self.head_dim),
            context,
        )
        mixed = ops.transpose(mixed.reshape(-1, self.heads, seq, self.head_dim), (0, 2, 1, 3))
        return self.output(mixed.reshape(x.shape[0], -1))


class FeedForward(NamedCell):
    """projection(gelu(mapping x)) (Hendrycks and Gimpel 2016)."""

    def __init__(self, config: GPTBigCodeConfig, tensor: TensorGroup, prefix: str) -> None:
        super().__init__()
        hidden, inner = config.hidden_size, config.intermediate_size // tensor.size
        self.mapping = Linear(f"{prefix}.mapping", hidden, inner, bias=True, stored_transposed=True)
        self.projection = RowLinear(
            f"{prefix}.projection", inner, hidden, tensor, bias=True, stored_transposed=True
        )
        self.enter = ToTensorParallel(tensor)
        self.gelu = TanhGELU() if config.gelu_tanh else GELU()

    def construct(self, x: Tensor) -> Tensor:
        """Return [rows, hidden] for x of the same shape."""
        return self.projection(self.gelu(self.mapping(self.enter(x)))[0])


class GPTBigCode(Transformer):
    """A GPTBigCode network. Rows are ordered by sample, then by position.

    Args:
        config: the model's.
        part: the part of it to build.
    """

    def __init__(self, config: GPTBigCodeConfig, part: NetworkPart = WHOLE_NETWORK) -> None:
        width, eps = config.hidden_size, config.norm_eps

        def block(layer: int) -> Block:
            prefix = f"backbone.blocks.{layer}"
            return Block(
                LayerNorm(f"{prefix}.layernorm1", width, eps),
                Attention(config, part.tensor, f"{prefix}.attention"),
                LayerNorm(f"{prefix}.layernorm2", width, eps),
                FeedForward(config, part.tensor, f"{prefix}.output"),
            )

        super().__init__(
            config,
            part,
            embedding="backbone.embedding.word_embedding.embedding_table",
            positions="backbone.embedding.position_embedding.embedding_table",
            head="head.head_weight",
            block=block,
            norm=lambda: LayerNorm("backbone.layernorm", width, eps),
        )

    def rows(self, x: Tensor, segments: Tensor | None) -> Tensor:
        """Return [batch * seq, hidden]; in a packed row, positions begin again with each sample."""
        if not self.first:
            return x.reshape(-1, self.hidden_size)
        batch, seq = x.shape[0], x.shape[1]
        words = self.embed(x.reshape(-1)).reshape(batch, seq, -1)
        if segments is None:
            positions = self.positions.table[:seq]
        else:
            positions = self.positions(segment_positions(segments).reshape(-1)).reshape(batch, seq, -1)
        return ops.cast(words + positions, self.compute).reshape(-1, self.hidden_size)

    def batch(self, rows: Tensor, batch: int, seq: int) -> Tensor:
        """Return [batch, seq, hidden] of [batch * seq, hidden]."""
        return rows.reshape(batch, seq, self.hidden_size)

    def context(self, masks: Context, seq: int) -> Context:
        """Return the masks: blocks share nothing else."""
        return masks
