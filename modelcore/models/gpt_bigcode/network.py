"""The GPTBigCode network for training and for logits of whole sequences, on one rank of any layout.

A stage of a pipeline is a network with some of the layers; a tensor-parallel slice is a network with some
of the query heads and some of the feed-forward's width; the single key and value head is on every rank.
Parameter names are MindFormers'. Generation has its own network with a KV cache (`decoder.py`).
"""

from __future__ import annotations

import math
from typing import Any

import mindspore
from mindspore import Parameter, Tensor, nn, ops

from modelcore.models.activations import GELU, TanhGELU
from modelcore.models.attention import CausalAttention, causal_masks, own_segment_masks, places
from modelcore.models.gpt_bigcode.config import GPTBigCodeConfig
from modelcore.models.layers import Embedding, Head, Linear, NamedCell, RowLinear, zeros
from modelcore.models.loss import NextTokenLoss
from modelcore.models.norms import LayerNorm
from modelcore.parallel.collectives import WHOLE, TensorGroup, ToTensorParallel

__all__ = ["GPTBigCode", "build_loss", "build_stage"]


class Attention(NamedCell):
    """Multi-query self-attention (Shazeer 2019) of this rank's query heads."""

    def __init__(self, config: GPTBigCodeConfig, tensor: TensorGroup, prefix: str) -> None:
        super().__init__()
        self.head_dim, self.heads = config.head_dim, config.num_heads // tensor.size
        hidden, queries = config.hidden_size, self.heads * self.head_dim
        self.dense1 = Linear(f"{prefix}.dense1", hidden, queries, bias=True)
        self.dense2 = Linear(f"{prefix}.dense2", hidden, self.head_dim, bias=True)
        self.dense3 = Linear(f"{prefix}.dense3", hidden, self.head_dim, bias=True)
        self.projection = RowLinear(
            f"{prefix}.projection", queries, hidden, tensor, bias=True, stored_transposed=True
        )
        self.attend = CausalAttention(self.heads, 1, self.head_dim)
        self.enter = ToTensorParallel(tensor)
        self.scale = 1 / math.sqrt(self.head_dim)

    def construct(self, x: Tensor, seq: int, masks: tuple[Tensor, ...]) -> Tensor:
        """Return [batch * seq, hidden] for x of the same shape."""
        q = self.dense1(self.enter(x)) * self.scale
        # Every rank computes the same keys and values, and uses them with other queries.
        k, v = self.enter(self.dense2(x)), self.enter(self.dense3(x))
        q = ops.transpose(q.reshape(-1, seq, self.heads, self.head_dim), (0, 2, 1, 3))
        mixed = self.attend(
            q.reshape(-1, seq, self.head_dim),
            k.reshape(-1, seq, self.head_dim),
            v.reshape(-1, seq, self.head_dim),
            masks,
        )
        mixed = ops.transpose(mixed.reshape(-1, self.heads, seq, self.head_dim), (0, 2, 1, 3))
        return self.projection(mixed.reshape(x.shape[0], -1))


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


class Block(NamedCell):
    """Attention and feed-forward, each after a norm and added to its input."""

    def __init__(self, config: GPTBigCodeConfig, tensor: TensorGroup, prefix: str) -> None:
        super().__init__()
        self.layernorm1 = LayerNorm(f"{prefix}.layernorm1", config.hidden_size, config.norm_eps)
        self.attention = Attention(config, tensor, f"{prefix}.attention")
        self.layernorm2 = LayerNorm(f"{prefix}.layernorm2", config.hidden_size, config.norm_eps)
        self.output = FeedForward(config, tensor, f"{prefix}.output")

    def construct(self, x: Tensor, seq: int, masks: tuple[Tensor, ...]) -> Tensor:
        """Return [rows, hidden] for x of the same shape."""
        x = x + self.attention(self.layernorm1(x), seq, masks)
        return x + self.output(self.layernorm2(x))


class GPTBigCode(NamedCell):
    """The layers of one pipeline stage; of the first stage also the embeddings, of the last the head.

    Args:
        config: the model's.
        tensor: the tensor-parallel group of this rank.
        layers: which layers; None for all.
        first: whether the embeddings are here. Otherwise the input is hidden states.
        last: whether norm and head are here. Otherwise the output is hidden states.
        vocab_emb_dp: keep embedding and head whole on every rank of the tensor group (MindFormers' key); so
            it is, too, when the vocabulary does not divide.
        compute: dtype of activations and products; norms, softmax and loss are float32 all the same.
        recompute: compute each layer's activations again in the backward pass instead of keeping them.
    """

    def __init__(
        self,
        config: GPTBigCodeConfig,
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
        self.config, self.first, self.last, self.compute = config, first, last, compute
        self.heads, self.kv_heads, self.hidden_size = config.num_heads // tensor.size, 1, config.hidden_size
        whole = vocab_emb_dp or config.vocab_size % tensor.size != 0
        self.vocabulary = WHOLE if whole else tensor
        self.embed: Any = self._embedding() if first or (last and config.tie_embeddings) else None
        name = "backbone.embedding.position_embedding.embedding_table"
        positions = config.max_positions
        self.positions: Any = Embedding(name, positions, config.hidden_size, WHOLE) if first else None
        numbers = range(config.num_layers) if layers is None else layers
        blocks = [Block(config, tensor, f"backbone.blocks.{i}") for i in numbers]
        self.layers = nn.CellList(blocks, auto_prefix=False)
        if recompute:
            for block in self.layers:
                block.recompute()
        self.norm: Any = (
            LayerNorm("backbone.layernorm", config.hidden_size, config.norm_eps) if last else None
        )
        self.head: Any = Head(self._head_weight()) if last else None

    def _embedding(self) -> Embedding:
        name = "backbone.embedding.word_embedding.embedding_table"
        return Embedding(name, self.config.vocab_size, self.hidden_size, self.vocabulary)

    def _head_weight(self) -> Parameter:
        if self.config.tie_embeddings:
            return self.embed.table
        return zeros("head.head_weight", self.config.vocab_size // self.vocabulary.size, self.hidden_size)

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
            words = self.embed(x.reshape(-1)).reshape(batch, seq, -1)
            if segments is None:
                positions = self.positions.table[:seq]
            else:
                positions = self.positions(places(segments).reshape(-1)).reshape(batch, seq, -1)
            y = ops.cast(words + positions, self.compute).reshape(-1, self.hidden_size)
        else:
            y = x.reshape(-1, self.hidden_size)
        masks = causal_masks(batch, seq, self.heads, 1)
        if segments is not None:
            masks = own_segment_masks(masks, segments, self.heads)
        for layer in self.layers:
            y = layer(y, seq, masks)
        if self.last:
            y = self.norm(y)
        return y.reshape(batch, seq, self.hidden_size)


def build_loss(config: GPTBigCodeConfig, tensor: TensorGroup = WHOLE, **stage: Any) -> NextTokenLoss:
    """Return the loss of a network; `stage` as of `GPTBigCode`."""
    return NextTokenLoss(GPTBigCode(config, tensor, **stage))


def build_stage(config: GPTBigCodeConfig, tensor: TensorGroup = WHOLE, **stage: Any) -> GPTBigCode:
    """Return the network of a pipeline stage that is not the last; `stage` as of `GPTBigCode`."""
    return GPTBigCode(config, tensor, last=False, **stage)
