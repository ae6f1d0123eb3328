"""Causal attention over whole sequences, and the masks it takes.

Works on one rank's heads, in training and for logits; softmax is float32.

Not here: attention into a KV cache (`cache.py`), positions, the linear layers around it.
"""

from __future__ import annotations

import mindspore
import numpy as np
from mindspore import Tensor, nn, ops
from mindspore.ops.primitive import constexpr

from modelcore.models.outer import halves

__all__ = ["MASKED", "CausalAttention", "causal_masks", "own_segment_masks", "segment_positions"]

MASKED = -1e9
"""Added to a score it hides it; finite, because a row of nothing but -inf would be NaN."""


@constexpr
def causal_masks(batch: int, seq: int, heads: int, kv_heads: int) -> tuple[Tensor, ...]:
    """Return for each chunk of queries what is added to its scores: 0 where it may attend, -1e9 elsewhere.

    Two chunks, where the length allows. Each mask is float32 [batch * kv_heads, heads // kv_heads * rows,
    keys], the scores' own shape: on CPU adding a smaller one by broadcasting costs three times as much. It is
    a constant of the graph, shared by all layers.
    """
    chunks = 2 if seq % 2 == 0 else 1
    rows, group = seq // chunks, heads // kv_heads
    masks = []
    for chunk in range(chunks):
        keys = (chunk + 1) * rows
        future = np.triu(np.full((rows, keys), MASKED, np.float32), k=chunk * rows + 1)
        masks.append(Tensor(np.tile(future, (batch * kv_heads, group, 1))))
    return tuple(masks)


def own_segment_masks(masks: tuple[Tensor, ...], segments: Tensor, heads: int) -> tuple[Tensor, ...]:
    """Return causal masks that also hide the other samples of a packed row (block-diagonal attention).

    Padding is a segment like any other: a token always sees itself.

    Args:
        masks: of `causal_masks`.
        segments: int32 [batch, seq], one number for each sample.
        heads: query heads of this rank.
    """
    others = ops.cast(segments.expand_dims(2) != segments.expand_dims(1), mindspore.float32) * MASKED
    rows = segments.shape[1] // len(masks)
    both: tuple[Tensor, ...] = ()
    for chunk in range(len(masks)):
        keys = (chunk + 1) * rows
        part = others[:, chunk * rows : keys, :keys].expand_dims(1)
        # Of the scores' own shape, as the causal ones; once a micro-batch, all layers share it.
        same_shape = ops.tile(part, (1, heads, 1, 1)).reshape(masks[chunk].shape)
        both += (masks[chunk] + same_shape,)
    return both


def segment_positions(segments: Tensor) -> Tensor:
    """Return each token's position in its own sample, from 0: int32 [batch, seq], as the segments."""
    same = ops.cast(segments.expand_dims(2) == segments.expand_dims(1), mindspore.float32)
    so_far = ops.reduce_sum(same * _not_after(segments.shape[1]), -1)
    return ops.cast(so_far, mindspore.int32) - 1


@constexpr
def _not_after(seq: int) -> Tensor:
    """Return float32 [seq, seq]: 1 where the column is not after the row."""
    return Tensor(np.tril(np.ones((seq, seq), np.float32)))


class CausalAttention(nn.Cell):
    """softmax(q k^T + mask) v over this rank's heads, in chunks of queries without their future.

    Args:
        heads: query heads of this rank.
        kv_heads: key and value heads of this rank, a divisor of heads.
        head_dim: width of a head.
    """

    def __init__(self, heads: int, kv_heads: int, head_dim: int) -> None:
        super().__init__()
        self.group, self.head_dim = heads // kv_heads, head_dim
        self.attend = _Attention()
        self.cut = ops.Slice()

    def construct(self, q: Tensor, k: Tensor, v: Tensor, masks: tuple[Tensor, ...]) -> Tensor:
        """Return [batch * heads, seq, head_dim].

        Args:
            q: [batch * heads, seq, head_dim]; q k^T is the score.
            k: [batch * kv_heads, seq, head_dim].
            v: as k.
            masks: of `causal_masks` or `own_segment_masks`, one for each chunk.
        """
        chunks, rows = len(masks), q.shape[1] // len(masks)
        queries = ops.Split(1, chunks)(q)
        parts: tuple[Tensor, ...] = ()
        for chunk in range(chunks):
            own = queries[chunk].reshape(-1, self.group * rows, self.head_dim)
            keys = (chunk + 1) * rows
            part = self.attend(own, self._first(k, keys), self._first(v, keys), masks[chunk])[0]
            parts += (part.reshape(-1, rows, self.head_dim),)
        return ops.concat(parts, 1)

    def _first(self, x: Tensor, count: int) -> Tensor:
        """Return x[:, :count], which on CPU takes ten times as long when written so."""
        if count == x.shape[1]:
            return x
        return self.cut(x, (0, 0, 0), (x.shape[0], count, self.head_dim))


class _Attention(nn.Cell):
    """softmax(q k^T + mask) v with its own gradient, which takes one pass over the scores instead of four."""

    def __init__(self) -> None:
        super().__init__()
        self.product = ops.BatchMatMul()
        self.product_with_transposed = ops.BatchMatMul(transpose_b=True)
        self.product_of_transposed = ops.BatchMatMul(transpose_a=True)
        self.total = ops.ReduceSum()

    def construct(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return (the mixed values [n, rows, head_dim], and for the gradient alone: float32 probabilities).

        Args:
            q: [n, rows, head_dim].
            k: [n, keys, head_dim].
            v: as k.
            mask: float32 [n, rows, keys].
        """
        scores = ops.cast(self.product_with_transposed(q, k), mindspore.float32) + mask
        probabilities = ops.softmax(scores, -1)
        return self.product(ops.cast(probabilities, v.dtype), v), probabilities

    def bprop(
        self,
        q: Tensor,
        k: Tensor,
        v: Tensor,
        mask: Tensor,
        out: tuple[Tensor, Tensor],
        dout: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the gradients; the mask has none.

        That of the scores is P (dP - D) with D = sum of dout out over a head (Dao et al. 2022, appendix B.2).
        D is subtracted within the product that makes dP = dout v^T, as two more columns.
        """
        mixed, probabilities, d = out[0], out[1], dout[0]
        both = ops.cast(d * mixed, mindspore.float32).reshape(-1, d.shape[2])
        high, low = halves(self.total(both, -1).reshape(d.shape[0], d.shape[1], 1))
        ones = ops.ones((v.shape[0], v.shape[1], 2), v.dtype)
        slope = self.product_with_transposed(
            ops.concat((d, -ops.cast(high, d.dtype), -ops.cast(low, d.dtype)), 2), ops.concat((v, ones), 2)
        )
        slope = ops.cast(probabilities * ops.cast(slope, mindspore.float32), q.dtype)
        of_values = self.product_of_transposed(ops.cast(probabilities, d.dtype), d)
        of_keys = self.product_of_transposed(slope, q)
        return self.product(slope, k), of_keys, of_values, ops.zeros_like(mask)
