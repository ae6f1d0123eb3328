"""Hidden states as columns, [width, tokens], for generation; training keeps them as rows.

On CPU a product with the matrix first reads that matrix at the speed of memory for any few tokens, where the
product with the tokens first takes two to five times as long. And it gives each token the same bits however
many tokens are beside it, as the norms here do: an answer does not depend on what else is generated.

`to_columns` replaces a network's linear layers, norms and head. Layers of one input, as queries, keys and
values, become one product: each product costs a fixed time beside reading its matrix.
"""

from __future__ import annotations

from collections.abc import Sequence

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from modelcore.models.layers import Head, Linear, NamedCell, RowLinear
from modelcore.models.norms import LayerNorm, RMSNorm

__all__ = ["ColumnHead", "ColumnLinear", "columns", "to_columns"]

_column_means = ops.ReduceMean(keep_dims=True)


def to_columns(network: nn.Cell) -> None:
    """Let the linear layers, norms and head of `network` take and return columns; no gradient then.

    Args:
        network: with its weights. Where a cell's class says `JOINED`, the layers named there give way to one.
    """
    for _, cell in list(network.cells_and_names()):
        for name, parts in getattr(cell, "JOINED", {}).items():
            layers = [getattr(cell, part) for part in parts]
            for part in parts:
                delattr(cell, part)
            setattr(cell, name, ColumnLinear(*layers))
    for _, parent in list(network.cells_and_names()):
        for name, cell in list(parent.name_cells().items()):
            if type(cell) in _REPLACED:
                setattr(parent, name, _REPLACED[type(cell)](cell))


def columns(rows: Tensor) -> Tensor:
    """Return [m, n] of [n, m]: rows as columns, or the other way."""
    return ops.transpose(rows, (1, 0))


class ColumnLinear(NamedCell):
    """weight @ x + bias, of a `Linear` or `RowLinear`; of several, their results below each other."""

    def __init__(self, *linears: Linear) -> None:
        super().__init__()
        linear = linears[0]
        self.weight = _below_each_other([each.weight for each in linears])
        biases = [each.bias for each in linears if each.bias is not None]
        self.bias = _column(_below_each_other(biases)) if biases else None
        transposed = linear.weight_transposed
        self.product = ops.MatMul(transpose_a=transposed)
        self.product_of_rows = ops.MatMul(transpose_a=transposed, transpose_b=True)
        self.leave = linear.leave if isinstance(linear, RowLinear) else None

    def construct(self, x: Tensor) -> Tensor:
        """Return [outputs, tokens] for x [inputs, tokens]."""
        return self.finish(self.product(ops.cast(self.weight, x.dtype), x))

    def of_rows(self, x: Tensor) -> Tensor:
        """Return [outputs, tokens] for x [tokens, inputs]."""
        return self.finish(self.product_of_rows(ops.cast(self.weight, x.dtype), x))

    def finish(self, y: Tensor) -> Tensor:
        """Return the sum over a tensor-parallel group, where the inputs are cut, and add the bias."""
        if self.leave is not None:
            y = self.leave(y)
        if self.bias is not None:
            y = y + _outer(self.bias, ops.ones((1, y.shape[1]), mindspore.float32))
        return y


class ColumnHead(NamedCell):
    """Logits from columns."""

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.weight, self.product = head.weight, ops.MatMul()

    def construct(self, hidden: Tensor) -> Tensor:
        """Return float32 [vocabulary of this rank, n] for hidden [width, n]."""
        return ops.cast(self.product(ops.cast(self.weight, hidden.dtype), hidden), mindspore.float32)


class _ColumnRMSNorm(NamedCell):
    """An `RMSNorm`."""

    def __init__(self, norm: RMSNorm) -> None:
        super().__init__()
        self.weight, self.eps = _column(norm.weight), norm.norm.eps

    def construct(self, x: Tensor) -> Tensor:
        """Return x [width, tokens] normalised."""
        return x * _outer(self.weight, ops.rsqrt(_mean(x * x) + self.eps))


class _ColumnLayerNorm(NamedCell):
    """A `LayerNorm`."""

    def __init__(self, norm: LayerNorm) -> None:
        super().__init__()
        self.gamma, self.beta, self.eps = _column(norm.gamma), _column(norm.beta), norm.norm.eps

    def construct(self, x: Tensor) -> Tensor:
        """Return x [width, tokens] normalised."""
        centred = x - _outer(ops.ones_like(self.gamma), _mean(x))
        inverse = ops.rsqrt(_mean(centred * centred) + self.eps)
        return centred * _outer(self.gamma, inverse) + _outer(self.beta, ops.ones_like(inverse))


def _mean(x: Tensor) -> Tensor:
    """Return the mean of each column, [1, tokens].

    A product would be faster, but for a single token oneDNN takes another kernel, whose sums differ.
    """
    return _column_means(x, 0)


def _outer(column: Tensor, row: Tensor) -> Tensor:
    """Return float32 [width, tokens], column[i, 0] row[0, j]: broadcasting takes five times as long."""
    return ops.matmul(column, row)


def _column(vector: Parameter) -> Parameter:
    """Return float32 [width, 1]: reshaping it at every step would cost as much as a multiplication."""
    return Parameter(Tensor(vector.asnumpy().reshape(-1, 1)), name=vector.name, requires_grad=False)


def _below_each_other(parts: Sequence[Parameter]) -> Parameter:
    """Return the parts as one parameter, concatenated on axis 0; a single one as it is."""
    if len(parts) == 1:
        return parts[0]
    together = np.concatenate([part.asnumpy() for part in parts])
    return Parameter(Tensor(together), name=f"{parts[0].name}.joined", requires_grad=False)


_REPLACED = {
    Linear: ColumnLinear,
    RowLinear: ColumnLinear,
    Head: ColumnHead,
    RMSNorm: _ColumnRMSNorm,
    LayerNorm: _ColumnLayerNorm,
}
