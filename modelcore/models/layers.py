"""The cells both families are made of: linear, embedding, head, norms, causal attention.

Every cell works on one rank's slice of a tensor-parallel model (a whole model is the group of one) and on
rows: hidden states are [batch * seq, hidden]. Weights are cast to the dtype of what they meet; norms and
softmax are float32. Parameters are float32 zeros, to be loaded.

Not here: the loss (`loss.py`), the KV cache (`cache.py`).
"""

from __future__ import annotations

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn, ops
from mindspore.ops.primitive import constexpr

from modelcore.parallel.collectives import FromTensorParallel, TensorGroup

__all__ = [
    "MASKED",
    "CausalAttention",
    "Embedding",
    "Head",
    "LayerNorm",
    "Linear",
    "NamedCell",
    "RMSNorm",
    "RowLinear",
    "causal_masks",
    "own_segment_masks",
    "places",
    "zeros",
]

MASKED = -1e9
"""Added to a score it hides it; finite, because a row of nothing but -inf would be NaN."""


class NamedCell(nn.Cell):
    """A cell whose parameters keep the names they were made with, whatever cell it is put into.

    MindSpore prefixes parameter names with the attributes they are reached by; checkpoint names must not
    depend on who wraps a network.
    """

    def __init__(self) -> None:
        super().__init__(auto_prefix=False)

    def update_parameters_name(self, prefix: str = "", recurse: bool = True) -> None:
        """Keep the names."""


def zeros(name: str, *shape: int) -> Parameter:
    """Return a float32 parameter of zeros, to be loaded."""
    return Parameter(Tensor(np.zeros(shape, np.float32)), name=name)


class Linear(NamedCell):
    """x @ weight.T + bias.

    Args:
        name: of the parameters, without ".weight".
        inputs: width of x on this rank.
        outputs: width of the result on this rank.
        bias: whether there is one.
        stored_transposed: the weight is stored [inputs, outputs].
    """

    def __init__(
        self, name: str, inputs: int, outputs: int, *, bias: bool = False, stored_transposed: bool = False
    ) -> None:
        super().__init__()
        shape = (inputs, outputs) if stored_transposed else (outputs, inputs)
        self.weight = zeros(f"{name}.weight", *shape)
        self.bias = zeros(f"{name}.bias", outputs) if bias else None
        self.product = ops.MatMul(transpose_b=not stored_transposed)

    def construct(self, x: Tensor) -> Tensor:
        """Return [rows, outputs] for x [rows, inputs]."""
        y = self.product(x, ops.cast(self.weight, x.dtype))
        if self.bias is not None:
            y = ops.bias_add(y, ops.cast(self.bias, x.dtype))
        return y


class RowLinear(Linear):
    """A linear layer whose inputs are spread over a group: its ranks' products are added, then the bias.

    Args:
        name: as of `Linear`, and so `inputs`, `outputs`, `bias`, `stored_transposed`.
        group: the ranks that hold the other inputs.
    """

    def __init__(
        self,
        name: str,
        inputs: int,
        outputs: int,
        group: TensorGroup,
        *,
        bias: bool = False,
        stored_transposed: bool = False,
    ) -> None:
        super().__init__(name, inputs, outputs, bias=bias, stored_transposed=stored_transposed)
        self.leave = FromTensorParallel(group)

    def construct(self, x: Tensor) -> Tensor:
        """Return [rows, outputs] for x [rows, inputs of this rank]."""
        y = self.leave(self.product(x, ops.cast(self.weight, x.dtype)))
        if self.bias is not None:
            y = ops.bias_add(y, ops.cast(self.bias, x.dtype))
        return y


class Embedding(NamedCell):
    """Rows of a table; of a table cut by rows, this rank's rows, the others' added by the group.

    Args:
        name: of the parameter.
        rows: of the whole table.
        width: of a row.
        group: the ranks among which the rows are cut; a group of one keeps the table whole.
    """

    def __init__(self, name: str, rows: int, width: int, group: TensorGroup) -> None:
        super().__init__()
        self.rows = rows // group.size
        self.start = group.index * self.rows
        self.whole = group.size == 1
        self.table = zeros(name, self.rows, width)
        self.leave = FromTensorParallel(group)

    def construct(self, ids: Tensor) -> Tensor:
        """Return [n, width] for int ids [n]."""
        if self.whole:
            return ops.gather(self.table, ids, 0)
        local = ids - self.start
        mine = ops.logical_and(local >= 0, local < self.rows)
        rows = ops.gather(self.table, local * ops.cast(mine, local.dtype), 0)
        return self.leave(rows * ops.cast(mine, rows.dtype).expand_dims(1))


class Head(NamedCell):
    """Logits from hidden states; the weight may be an embedding's table."""

    def __init__(self, weight: Parameter) -> None:
        super().__init__()
        self.weight = weight
        self.product = ops.MatMul(transpose_b=True)

    def construct(self, hidden: Tensor) -> Tensor:
        """Return float32 [n, vocabulary of this rank] for hidden [n, width]."""
        return ops.cast(self.product(hidden, ops.cast(self.weight, hidden.dtype)), mindspore.float32)


class RMSNorm(NamedCell):
    """x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich 2019)."""

    def __init__(self, name: str, width: int, eps: float) -> None:
        super().__init__()
        self.weight = zeros(f"{name}.weight", width)
        self.norm = _RMSNorm(eps)

    def construct(self, x: Tensor) -> Tensor:
        """Return x [rows, width] normalised, in x's dtype."""
        return ops.cast(self.norm(ops.cast(x, mindspore.float32), self.weight)[0], x.dtype)


class _RMSNorm(nn.Cell):
    """RMSNorm of float32 with its own gradient, which costs less than the one derived op by op."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.mean, self.total = ops.ReduceMean(keep_dims=True), ops.ReduceSum()

    def construct(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (x normalised and weighted, and for the gradient alone: x / root mean square, 1 / that)."""
        inverse = ops.rsqrt(self.mean(x * x, -1) + self.eps)
        normal = x * inverse
        return normal * weight, normal, inverse

    def bprop(
        self,
        x: Tensor,
        weight: Tensor,
        out: tuple[Tensor, Tensor, Tensor],
        dout: tuple[Tensor, Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients; of x: inverse (g - n mean(g n)) with n = x * inverse, g = dout * weight."""
        normal, inverse, dy = out[1], out[2], dout[0]
        inner = dy * weight
        dx = inverse * (inner - normal * self.mean(inner * normal, -1))
        return dx, self.total(dy * normal, 0)


class LayerNorm(NamedCell):
    """(x - mean) / sqrt(variance + eps) * gamma + beta (Ba et al. 2016)."""

    def __init__(self, name: str, width: int, eps: float) -> None:
        super().__init__()
        self.gamma = zeros(f"{name}.gamma", width)
        self.beta = zeros(f"{name}.beta", width)
        self.norm = ops.LayerNorm(begin_norm_axis=1, begin_params_axis=1, epsilon=eps)

    def construct(self, x: Tensor) -> Tensor:
        """Return x [rows, width] normalised, in x's dtype."""
        return ops.cast(self.norm(ops.cast(x, mindspore.float32), self.gamma, self.beta)[0], x.dtype)


@constexpr
def causal_masks(batch: int, seq: int, heads: int, kv_heads: int) -> tuple[Tensor, ...]:
    """Return for each chunk of queries what is added to its scores: 0 where it may look, -1e9 where not.

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
        segments: int32 [batch, seq], one number a sample.
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


def places(segments: Tensor) -> Tensor:
    """Return each token's place in its own sample, from 0: int32 [batch, seq], as the segments."""
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
        self.kv_heads, self.group, self.head_dim = kv_heads, heads // kv_heads, head_dim
        self.scores = ops.BatchMatMul(transpose_b=True)
        self.mix = ops.BatchMatMul()
        self.cut = ops.Slice()

    def construct(self, q: Tensor, k: Tensor, v: Tensor, masks: tuple[Tensor, ...]) -> Tensor:
        """Return [batch, seq, heads * head_dim].

        Args:
            q: [batch, seq, heads, head_dim], already divided by sqrt(head_dim).
            k: [batch, seq, kv_heads, head_dim].
            v: as k.
            masks: of `causal_masks` or `own_segment_masks`, one a chunk.
        """
        batch, seq = q.shape[0], q.shape[1]
        q = ops.transpose(q, (0, 2, 1, 3)).reshape(-1, seq, self.head_dim)
        k = ops.transpose(k, (0, 2, 1, 3)).reshape(-1, seq, self.head_dim)
        v = ops.transpose(v, (0, 2, 1, 3)).reshape(-1, seq, self.head_dim)
        rows = seq // len(masks)
        parts: tuple[Tensor, ...] = ()
        for chunk in range(len(masks)):
            keys = (chunk + 1) * rows
            queries = self._part(q, chunk * rows, rows).reshape(-1, self.group * rows, self.head_dim)
            part = self._attend(queries, self._part(k, 0, keys), self._part(v, 0, keys), masks[chunk])
            parts += (part.reshape(batch, self.kv_heads, self.group, rows, self.head_dim),)
        mixed = parts[0] if len(parts) == 1 else ops.concat(parts, 3)
        return ops.transpose(mixed, (0, 3, 1, 2, 4)).reshape(batch, seq, -1)

    def _part(self, x: Tensor, start: int, count: int) -> Tensor:
        """Return x[:, start : start + count], which on CPU takes ten times as long when written so."""
        if count == x.shape[1]:
            return x
        return self.cut(x, (0, start, 0), (x.shape[0], count, self.head_dim))

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
        scores = ops.cast(self.scores(q, k), mindspore.float32) + mask
        return self.mix(ops.cast(ops.softmax(scores, -1), v.dtype), v)
