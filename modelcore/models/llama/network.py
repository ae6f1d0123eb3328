"""The llama network for training and for logits of whole sequences, on one rank of any layout.

A stage of a pipeline is a network with some of the layers; a tensor-parallel slice is a network with some
of the heads and some of the feed-forward's width (Shoeybi et al. 2019). Parameter names are MindFormers'.
Generation has its own network with a KV cache (`decoder.py`).
"""

from __future__ import annotations

import math
from typing import Any

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from modelcore.models.layers import (
    CausalAttention,
    Embedding,
    Head,
    Linear,
    NamedCell,
    RMSNorm,
    RowLinear,
    causal_masks,
    own_segment_masks,
    zeros,
)
from modelcore.models.llama.config import LlamaConfig
from modelcore.models.loss import NextTokenLoss
from modelcore.parallel.collectives import WHOLE, TensorGroup, ToTensorParallel

__all__ = ["Llama", "build_loss", "build_stage", "rotary_tables"]


def rotary_tables(config: LlamaConfig, positions: int) -> tuple[np.ndarray, np.ndarray]:
    """Return cos and sin of the rotary angles, float32 [positions, head_dim], in Hugging Face's layout.

    The angle of pair i at position p is p / rope_scaling * theta^(-2i / head_dim) (Su et al. 2021; linear
    scaling: Chen et al. 2023).
    """
    pairs = np.arange(0, config.head_dim, 2, dtype=np.float32) / config.head_dim
    frequencies = (1.0 / np.power(np.float32(config.rope_theta), pairs)) / np.float32(config.rope_scaling)
    angles = np.outer(np.arange(positions, dtype=np.float32), frequencies)
    angles = np.concatenate([angles, angles], axis=1)
    return np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)


def quarter_turn(head_dim: int) -> np.ndarray:
    """Return the float32 matrix R with x @ R = (-second half of x, first half of x)."""
    half = head_dim // 2
    turn = np.zeros((head_dim, head_dim), np.float32)
    turn[np.arange(half) + half, np.arange(half)] = -1
    turn[np.arange(half), np.arange(half) + half] = 1
    return turn


class Attention(NamedCell):
    """Grouped-query self-attention with rotary positions, of this rank's heads."""

    def __init__(self, config: LlamaConfig, tensor: TensorGroup, prefix: str) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        self.heads, self.kv_heads = config.num_heads // tensor.size, config.num_kv_heads // tensor.size
        hidden, queries, keys = config.hidden_size, self.heads * self.head_dim, self.kv_heads * self.head_dim
        self.wq = Linear(f"{prefix}.wq", hidden, queries)
        self.wk = Linear(f"{prefix}.wk", hidden, keys)
        self.wv = Linear(f"{prefix}.wv", hidden, keys)
        self.wo = RowLinear(f"{prefix}.wo", queries, hidden, tensor)
        self.attend = CausalAttention(self.heads, self.kv_heads, self.head_dim)
        self.enter = ToTensorParallel(tensor)
        self.turn = Tensor(quarter_turn(self.head_dim))
        self.scale = 1 / math.sqrt(self.head_dim)

    def construct(self, x: Tensor, tables: tuple[Tensor, Tensor], masks: tuple[Tensor, ...]) -> Tensor:
        """Return [batch * seq, hidden] for x of the same shape."""
        x = self.enter(x)
        seq = tables[0].shape[0]
        q = self._rotate(self.wq(x) * self.scale, seq, self.heads, tables)
        k = self._rotate(self.wk(x), seq, self.kv_heads, tables)
        v = self.wv(x).reshape(-1, seq, self.kv_heads, self.head_dim)
        mixed = self.attend(q, k, v, masks)
        return self.wo(mixed.reshape(x.shape[0], -1))

    def _rotate(self, x: Tensor, seq: int, heads: int, tables: tuple[Tensor, Tensor]) -> Tensor:
        """Return [batch, seq, heads, head_dim]: x cos + (x turned by a quarter) sin."""
        turned = ops.matmul(x.reshape(-1, self.head_dim), ops.cast(self.turn, x.dtype))
        shape = (-1, seq, heads, self.head_dim)
        cos, sin = ops.cast(tables[0], x.dtype), ops.cast(tables[1], x.dtype)
        return x.reshape(shape) * cos + turned.reshape(shape) * sin


class FeedForward(NamedCell):
    """w2(silu(w1 x) * w3 x) (Shazeer 2020)."""

    def __init__(self, config: LlamaConfig, tensor: TensorGroup, prefix: str) -> None:
        super().__init__()
        hidden, inner = config.hidden_size, config.intermediate_size // tensor.size
        self.w1 = Linear(f"{prefix}.w1", hidden, inner)
        self.w2 = RowLinear(f"{prefix}.w2", inner, hidden, tensor)
        self.w3 = Linear(f"{prefix}.w3", hidden, inner)
        self.enter = ToTensorParallel(tensor)

    def construct(self, x: Tensor) -> Tensor:
        """Return [rows, hidden] for x of the same shape."""
        x = self.enter(x)
        return self.w2(ops.silu(self.w1(x)) * self.w3(x))


class Layer(NamedCell):
    """Attention and feed-forward, each after a norm and added to its input."""

    def __init__(self, config: LlamaConfig, tensor: TensorGroup, prefix: str) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(f"{prefix}.attention_norm", config.hidden_size, config.norm_eps)
        self.attention = Attention(config, tensor, f"{prefix}.attention")
        self.ffn_norm = RMSNorm(f"{prefix}.ffn_norm", config.hidden_size, config.norm_eps)
        self.feed_forward = FeedForward(config, tensor, f"{prefix}.feed_forward")

    def construct(self, x: Tensor, tables: tuple[Tensor, Tensor], masks: tuple[Tensor, ...]) -> Tensor:
        """Return [rows, hidden] for x of the same shape."""
        x = x + self.attention(self.attention_norm(x), tables, masks)
        return x + self.feed_forward(self.ffn_norm(x))


class Llama(NamedCell):
    """The layers of one pipeline stage; of the first stage also the embedding, of the last the head.

    Args:
        config: the model's.
        tensor: the tensor-parallel group of this rank.
        layers: which layers; None for all.
        first: whether the embedding is here. Otherwise the input is hidden states.
        last: whether norm and head are here. Otherwise the output is hidden states.
        vocab_emb_dp: keep embedding and head whole on every rank of the tensor group (MindFormers' key); so
            it is, too, when the vocabulary does not divide.
        compute: dtype of activations and products; norms, softmax and loss are float32 all the same.
        recompute: compute each layer's activations again in the backward pass instead of keeping them.
    """

    def __init__(
        self,
        config: LlamaConfig,
        tensor: TensorGroup = WHOLE,
        layers: range | None = None,
        first: bool = True,
        last: bool = True,
        *,
        vocab_emb_dp: bool = False,
        compute: mindspore.Type = mindspore.float32,
        recompute: bool = False,
    ) -> None:
        super().__init__()
        self.first, self.last, self.compute = first, last, compute
        self.hidden_size = config.hidden_size
        self.heads, self.kv_heads = config.num_heads // tensor.size, config.num_kv_heads // tensor.size
        whole = vocab_emb_dp or config.vocab_size % tensor.size != 0
        self.vocabulary = WHOLE if whole else tensor
        name = "model.tok_embeddings.embedding_weight"
        tied_away = last and config.tie_embeddings and not first
        self.embed: Any = (
            Embedding(name, config.vocab_size, config.hidden_size, self.vocabulary)
            if first or tied_away
            else None
        )
        numbers = range(config.num_layers) if layers is None else layers
        self.layers = nn.CellList(
            [Layer(config, tensor, f"model.layers.{i}") for i in numbers], auto_prefix=False
        )
        if recompute:
            for layer in self.layers:
                layer.recompute()
        self.norm: Any = RMSNorm("model.norm_out", config.hidden_size, config.norm_eps) if last else None
        self.head: Any = Head(self._head_weight(config)) if last else None
        self.cos, self.sin = (Tensor(table) for table in rotary_tables(config, config.max_positions))
        self.config = config

    def _head_weight(self, config: LlamaConfig) -> Parameter:
        if config.tie_embeddings:
            return self.embed.table
        return zeros("lm_head.weight", config.vocab_size // self.vocabulary.size, config.hidden_size)

    def construct(self, x: Tensor, segments: Tensor | None = None) -> Tensor:
        """Return float32 logits [batch, seq, vocabulary of this rank]; if not last, what `hidden` does.

        Args:
            x: int32 ids [batch, seq] in the first stage, hidden [batch, seq, width] in a later one.
            segments: int32 [batch, seq], the sample each token of a packed row is of; it then attends to
                its own sample only, at its place in it. None where every row is one sample.
        """
        hidden = self.hidden(x, segments)
        if self.last:
            return self.head(hidden.reshape(-1, self.hidden_size)).reshape(x.shape[0], x.shape[1], -1)
        return hidden

    def hidden(self, x: Tensor, segments: Tensor | None = None) -> Tensor:
        """Return what the head sees (or the next stage): [batch, seq, width]."""
        batch, seq = x.shape[0], x.shape[1]
        if self.first:
            y = ops.cast(self.embed(x.reshape(-1)), self.compute)
        else:
            y = x.reshape(-1, self.hidden_size)
        tables = (self.cos[:seq].expand_dims(1), self.sin[:seq].expand_dims(1))
        masks = causal_masks(batch, seq, self.heads, self.kv_heads)
        if segments is not None:
            # Rotary positions need not begin again with a sample: only their differences count.
            masks = own_segment_masks(masks, segments, self.heads)
        for layer in self.layers:
            y = layer(y, tables, masks)
        if self.last:
            y = self.norm(y)
        return y.reshape(batch, seq, self.hidden_size)


def build_loss(config: LlamaConfig, tensor: TensorGroup = WHOLE, **stage: Any) -> NextTokenLoss:
    """Return the loss of a network; `stage` as of `Llama`."""
    return NextTokenLoss(Llama(config, tensor, **stage))


def build_stage(config: LlamaConfig, tensor: TensorGroup = WHOLE, **stage: Any) -> Llama:
    """Return the network of a pipeline stage that is not the last; `stage` as of `Llama`."""
    return Llama(config, tensor, last=False, **stage)
