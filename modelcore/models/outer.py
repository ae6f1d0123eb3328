"""Products in place of what MindSpore's CPU kernels are slow at: broadcasting, and sums over rows.

Two tensors of one shape are multiplied in a third of the time that one of them takes when it has to be
broadcast; an outer product makes what the broadcast one stands for. Where the processor rounds the factors
of products to bf16, 16 bits of them are kept.
"""

from __future__ import annotations

import mindspore
from mindspore import Tensor, ops

__all__ = ["halves", "outer", "sum_of_rows"]

SMALL = 1 << 16
"""Elements below which broadcasting is faster, as in decoding."""

_product, _product_of_transposed, _ones = ops.MatMul(), ops.MatMul(transpose_a=True), ops.Ones()


def halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return two numbers for each of float32 x whose sum is x, the first of them exact in bf16.

    A product that rounds its factors to bf16 then takes them for x to 16 bits instead of 8.
    """
    high = ops.cast(ops.cast(x, mindspore.bfloat16), mindspore.float32)
    return high, x - high


def outer(column: Tensor, row: Tensor) -> Tensor:
    """Return float32 [n, m], column[i] row[j], to 16 bits even where products round to bf16.

    Args:
        column: float32, of n elements.
        row: float32, of m elements.
    """
    if column.size * row.size < SMALL:
        return column.reshape(-1, 1) * row.reshape(1, -1)
    (high, low), (row_high, row_low) = halves(column.reshape(1, -1)), halves(row.reshape(1, -1))
    columns, rows = ops.concat((high, low, high, low)), ops.concat((row_high, row_high, row_low, row_low))
    return _product_of_transposed(columns, rows)


def sum_of_rows(x: Tensor) -> Tensor:
    """Return float32 [width] of x [rows, width], to 8 bits of each element where products round to bf16."""
    return _product(_ones((1, x.shape[0]), mindspore.float32), ops.cast(x, mindspore.float32)).reshape(-1)
