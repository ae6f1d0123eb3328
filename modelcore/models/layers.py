"""The cells with parameters that all families use: linear layers, embedding, head.

Every cell works on one rank's slice of a tensor-parallel model (a whole model is the group of one) and on
rows: hidden states are [batch * seq, hidden]. Weights are cast to the dtype of what they meet. Parameters
are float32 zeros, to be loaded; for generation, the matrices may be kept in 16 bits (`matrices_in`).

Not here: norms (`norms.py`), attention (`attention.py`), the loss (`loss.py`), the KV cache (`cache.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

from modelcore.models.outer import sum_of_rows
from modelcore.parallel.collectives import FromTensorParallel, TensorGroup

__all__ = ["Embedding", "Head", "Linear", "NamedCell", "RowLinear", "matrices_in", "matrix", "zeros"]

_matrix_type: ContextVar[mindspore.Type] = ContextVar("_matrix_type", default=mindspore.float32)


class NamedCell(nn.Cell):
    """A cell whose parameters keep the names they were created with when it becomes part of another cell.

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


@contextmanager
def matrices_in(dtype: mindspore.Type) -> Iterator[None]:
    """Let the matrices of networks built in the block be of `dtype`.

    They are cast to the activations' type when they are used. Embeddings, norms and biases stay float32: on
    CPU, MindSpore has no gather of bfloat16.
    """
    token = _matrix_type.set(dtype)
    try:
        yield
    finally:
        _matrix_type.reset(token)


def matrix(name: str, rows: int, columns: int) -> Parameter:
    """Return a matrix of zeros of the type that `matrices_in` set, to be loaded."""
    dtype = mindspore.dtype_to_nptype(_matrix_type.get())
    return Parameter(Tensor(np.zeros((rows, columns), dtype)), name=name)


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
        self.weight = matrix(f"{name}.weight", *shape)
        self.bias = zeros(f"{name}.bias", outputs) if bias else None
        self.add_bias = _AddBias()
        self.weight_transposed = stored_transposed
        self.product = ops.MatMul(transpose_b=not stored_transposed)

    def construct(self, x: Tensor) -> Tensor:
        """Return [rows, outputs] for x [rows, inputs]."""
        y = self.product(x, ops.cast(self.weight, x.dtype))
        if self.bias is not None:
            y = self.add_bias(y, self.bias)
        return y


class _AddBias(nn.Cell):
    """x + bias, with its own gradient: that of MindSpore's kernel takes twenty times as long on CPU."""

    def construct(self, x: Tensor, bias: Tensor) -> Tensor:
        """Return [rows, outputs] for x of the same shape and float32 bias [outputs]."""
        return ops.bias_add(x, ops.cast(bias, x.dtype))

    def bprop(self, x: Tensor, bias: Tensor, out: Tensor, dout: Tensor) -> tuple[Tensor, Tensor]:
        """Return the gradients, that of the bias in float32."""
        return dout, sum_of_rows(dout)


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
            y = self.add_bias(y, self.bias)
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
