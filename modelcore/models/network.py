"""What the networks of all families share: embedding, blocks, final norm and head of one rank of any layout.

A stage of a pipeline is a network with some of the blocks; a tensor-parallel slice is a network with some
of the heads and some of the feed-forward's width (Shoeybi et al. 2019). Parameter names are MindFormers'.

Not here: a family's blocks and how they know positions (`<family>/network.py`), the loss (`loss.py`),
generation with a KV cache (`decoder.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mindspore
from mindspore import Parameter, Tensor, nn

from modelcore.models.attention import causal_masks, own_segment_masks
from modelcore.models.config import ModelConfig
from modelcore.models.layers import Embedding, Head, NamedCell, matrix
from modelcore.parallel.collectives import WHOLE, TensorGroup

__all__ = ["WHOLE_NETWORK", "Block", "Context", "NetworkPart", "Transformer"]

Context = tuple[Tensor, ...]
"""What all blocks share in one pass: the causal masks, after anything else that the family's blocks need."""


@dataclass(frozen=True)
class NetworkPart:
    """Which part of a model's network a rank builds, and how that part computes.

    Attributes:
        tensor: the tensor-parallel group of the rank.
        layers: which layers; None for all.
        first: whether the embedding is here. Otherwise the input is hidden states.
        last: whether norm and head are here. Otherwise the output is hidden states.
        vocab_emb_dp: keep embedding and head whole on every rank of the tensor group (MindFormers' key); so
            they are, too, when the vocabulary does not divide.
        compute: dtype of activations and products; norms, softmax and loss are float32 all the same.
        recompute: compute each layer's activations again in the backward pass instead of keeping them.
    """

    tensor: TensorGroup = WHOLE
    layers: range | None = None
    first: bool = True
    last: bool = True
    vocab_emb_dp: bool = False
    compute: mindspore.Type = mindspore.float32
    recompute: bool = False


WHOLE_NETWORK = NetworkPart()
"""All of a network on one rank, in float32."""


class Block(NamedCell):
    """Attention and feed-forward, each after a norm and added to its input.

    Args:
        attention_norm: of the attention's input.
        attention: construct(x, context); has `heads` and `kv_heads`, those of this rank.
        feed_forward_norm: of the feed-forward's input.
        feed_forward: construct(x).
    """

    def __init__(
        self, attention_norm: nn.Cell, attention: nn.Cell, feed_forward_norm: nn.Cell, feed_forward: nn.Cell
    ) -> None:
        super().__init__()
        self.attention_norm, self.attention = attention_norm, attention
        self.feed_forward_norm, self.feed_forward = feed_forward_norm, feed_forward

    def construct(self, x: Tensor, context: Context) -> Tensor:
        """Return [rows, hidden] for x of the same shape."""
        x = x + self.attention(self.attention_norm(x), context)
        return x + self.feed_forward(self.feed_forward_norm(x))


class Transformer(NamedCell):
    """The blocks of one pipeline stage; of the first stage also the embedding, of the last norm and head.

    Each family's network adds how its rows are ordered, and what its blocks share, by three methods: `rows`,
    `batch` and `context`.

    Args:
        config: the model's.
        part: the part of it to build.
        embedding: name of the embedding's table.
        head: name of the head's weight, where it is not tied to the embedding.
        block: makes the block of a layer, given its number.
        norm: makes the final norm.
        positions: name of the table of learned positions; "" where there is none.
    """

    def __init__(
        self,
        config: ModelConfig,
        part: NetworkPart,
        *,
        embedding: str,
        head: str,
        block: Callable[[int], Block],
        norm: Callable[[], nn.Cell],
        positions: str = "",
    ) -> None:
        super().__init__()
        self.first, self.last, self.compute = part.first, part.last, part.compute
        self.hidden_size, self.max_positions = config.hidden_size, config.max_positions
        whole = part.vocab_emb_dp or config.vocab_size % part.tensor.size != 0
        self.vocabulary = WHOLE if whole else part.tensor
        width, rows = config.hidden_size, config.vocab_size
        has_table = part.first or (part.last and config.tie_embeddings)
        self.embed: Any = Embedding(embedding, rows, width, self.vocabulary) if has_table else None
        has_positions = part.first and positions != ""
        self.positions: Any = (
            Embedding(positions, config.max_positions, width, WHOLE) if has_positions else None
        )
        layers = range(config.num_layers) if part.layers is None else part.layers
        self.layers = nn.CellList([block(layer) for layer in layers], auto_prefix=False)
        self.heads, self.kv_heads = self.layers[0].attention.heads, self.layers[0].attention.kv_heads
        if part.recompute:
            for layer in self.layers:
                layer.recompute()
        self.norm: Any = norm() if part.last else None
        self.head: Any = Head(self._head_weight(config, head)) if part.last else None

    def _head_weight(self, config: ModelConfig, name: str) -> Parameter:
        if config.tie_embeddings:
            return self.embed.table
        return matrix(name, config.vocab_size // self.vocabulary.size, config.hidden_size)

    def rows(self, x: Tensor, segments: Tensor | None) -> Tensor:
        """Return the first block's input, [batch * seq, width] in the family's order, of `hidden`'s input."""
        raise NotImplementedError

    def batch(self, rows: Tensor, batch: int, seq: int) -> Tensor:
        """Return [batch, seq, width] of rows in the family's order."""
        raise NotImplementedError

    def context(self, masks: Context, seq: int) -> Context:
        """Return what the blocks share beside the masks of `causal_masks`."""
        raise NotImplementedError

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
        y = self.rows(x, segments)
        masks = causal_masks(batch, seq, self.heads, self.kv_heads)
        if segments is not None:
            masks = own_segment_masks(masks, segments, self.heads)
        context = self.context(masks, seq)
        for layer in self.layers:
            y = layer(y, context)
        if self.last:
            y = self.norm(y)
        return self.batch(y, batch, seq)
