"""Products that keep 16 bits of a float32 factor where the processor rounds factors to bf16.

On CPU an outer product makes what a broadcast operand would stand for: two tensors of one shape are
multiplied in a third of the time that one of them takes when it has to be broadcast.
"""

from __future__ import annotations

import mindspore
from mindspore import Tensor, ops

__all__ = ["halves", "outer"]

SMALL = 1 << 16
"""Elements below which broadcasting is the quicker way, as in decoding."""

_product_of_transposed = ops.MatMul(transpose_a=True)


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
