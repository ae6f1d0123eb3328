"""The llama network for training and for logits of whole sequences, on one rank of any layout.

A stage of a pipeline is a network with some of the layers; a tensor-parallel slice is a network with some
of the heads and some of the feed-forward's width (Shoeybi et al. 2019). Parameter names are MindFormers'.
Generation has its own network with a KV cache (`decoder.py`).
"""

from __future__ import annotations

from typing import Any

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.ops.primitive import constexpr

from modelcore.models.activations import SiLUGate
from modelcore.models.attention import CausalAttention, causal_masks, own_segment_masks
from modelcore.models.layers import Embedding, Head, Linear, NamedCell, RowLinear, zeros
from modelcore.models.llama.config import LlamaConfig
from modelcore.models.loss import NextTokenLoss
from modelcore.models.norms import RMSNorm
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


@constexpr
def rotations(config: LlamaConfig, seq: int) -> Tensor:
    """Return what turns a query or key at each position, float32 [seq, head_dim, head_dim].

    x cos + (x turned by a quarter) sin is linear in x: one product with this matrix, which on CPU costs a
    third of the five operations written out. The scores' division by sqrt(head_dim) is in it, half with the
    queries and half with the keys. It is a constant of the graph, shared by all layers.
    """
    cos, sin = rotary_tables(config, seq)
    turns = np.eye(config.head_dim, dtype=np.float32) * cos[:, None, :]
    turns += quarter_turn(config.head_dim) * sin[:, None, :]
    return Tensor(turns * np.float32(config.head_dim**-0.25))


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
        self.rotate = ops.BatchMatMul()

    def construct(self, x: Tensor, turns: Tensor, masks: tuple[Tensor, ...]) -> Tensor:
        """Return [seq * batch, hidden] for x of the same shape, and `turns` of `rotations`."""
        x = self.enter(x)
        seq, turns = turns.shape[0], ops.cast(turns, x.dtype)
        q = self.rotate(self.wq(x).reshape(seq, -1, self.head_dim), turns)
        k = self.rotate(self.wk(x).reshape(seq, -1, self.head_dim), turns)
        v = self.wv(x).reshape(seq, -1, self.head_dim)
        mixed = self.attend(self._swapped(q), self._swapped(k), self._swapped(v), masks)
        return self.wo(self._swapped(mixed).reshape(x.shape[0], -1))

    def _swapped(self, x: Tensor) -> Tensor:
        """Return [batch * heads, seq, head_dim] of [seq, batch * heads, head_dim], or the other way."""
        return ops.transpose(x, (1, 0, 2))


class FeedForward(NamedCell):
    """w2(silu(w1 x) * w3 x) (Shazeer 2020)."""

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


class Layer(NamedCell):
    """Attention and feed-forward, each after a norm and added to its input."""

    def __init__(self, config: LlamaConfig, tensor: TensorGroup, prefix: str) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(f"{prefix}.attention_norm", config.hidden_size, config.norm_eps)
        self.attention = Attention(config, tensor, f"{prefix}.attention")
        self.ffn_norm = RMSNorm(f"{prefix}.ffn_norm", config.hidden_size, config.norm_eps)
        self.feed_forward = FeedForward(config, tensor, f"{prefix}.feed_forward")

    def construct(self, x: Tensor, turns: Tensor, masks: tuple[Tensor, ...]) -> Tensor:
        """Return [seq * batch, hidden] for x of the same shape; the rest as of `Attention`."""
        x = x + self.attention(self.attention_norm(x), turns, masks)
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
        # Rows lie by position, then by sample, so that one product turns all heads of a position.
        by_position = x.swapaxes(0, 1)
        if self.first:
            y = ops.cast(self.embed(by_position.reshape(-1)), self.compute)
        else:
            y = by_position.reshape(-1, self.hidden_size)
        turns = rotations(self.config, seq)
        masks = causal_masks(batch, seq, self.heads, self.kv_heads)
        if segments is not None:
            # Rotary positions need not begin again with a sample: only their differences count.
            masks = own_segment_masks(masks, segments, self.heads)
        for layer in self.layers:
            y = layer(y, turns, masks)
        if self.last:
            y = self.norm(y)
        return y.reshape(seq, batch, self.hidden_size).swapaxes(0, 1)


def build_loss(config: LlamaConfig, tensor: TensorGroup = WHOLE, **stage: Any) -> NextTokenLoss:
    """Return the loss of a network; `stage` as of `Llama`."""
    return NextTokenLoss(Llama(config, tensor, **stage))


def build_stage(config: LlamaConfig, tensor: TensorGroup = WHOLE, **stage: Any) -> Llama:
    """Return the network of a pipeline stage that is not the last; `stage` as of `Llama`."""
    return Llama(config, tensor, last=False, **stage)
