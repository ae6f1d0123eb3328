"""RMSNorm and LayerNorm of rows, in float32, with their own gradients.

What every element is multiplied with is made as an outer product (`outer.py`), in both directions: the
gradients that are derived op by op, and LayerNorm's own kernel for it, take several times as long on CPU.
"""

from __future__ import annotations

import mindspore
from mindspore import Tensor, nn, ops

from modelcore.models.layers import NamedCell, zeros
from modelcore.models.outer import outer, sum_of_rows

__all__ = ["LayerNorm", "RMSNorm"]


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
    """RMSNorm of float32 with its own gradient."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.mean, self.ones = ops.ReduceMean(keep_dims=True), ops.OnesLike()
        self.product, self.product_of_transposed = ops.MatMul(), ops.MatMul(transpose_a=True)

    def construct(self, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return (x normalised and weighted, and for the gradient alone: 1 / root mean square).

        Args:
            x: [rows, width].
            weight: [width].
        """
        inverse = ops.rsqrt(self.mean(x * x, -1) + self.eps)
        return x * outer(inverse, weight), inverse

    def bprop(
        self,
        x: Tensor,
        weight: Tensor,
        out: tuple[Tensor, Tensor],
        dout: tuple[Tensor, Tensor],
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients.

        With r = 1 / root mean square and dy = dout: of x, dy weight r - x r^3 mean(dy weight x); of weight,
        the sum over rows of dy x r.
        """
        inverse, dy = out[1], dout[0]
        both = dy * x
        along = self.product(both, weight.expand_dims(1)) * inverse * inverse * inverse / x.shape[1]
        dx = dy * outer(inverse, weight) - x * outer(along, self.ones(weight))
        return dx, self.product_of_transposed(inverse, both).reshape(-1)


class LayerNorm(NamedCell):
    """(x - mean) / sqrt(variance + eps) * gamma + beta (Ba et al. 2016)."""

    def __init__(self, name: str, width: int, eps: float) -> None:
        super().__init__()
        self.gamma = zeros(f"{name}.gamma", width)
        self.beta = zeros(f"{name}.beta", width)
        self.norm = _LayerNorm(eps)

    def construct(self, x: Tensor) -> Tensor:
        """Return x [rows, width] normalised, in x's dtype."""
        return ops.cast(self.norm(ops.cast(x, mindspore.float32), self.gamma, self.beta)[0], x.dtype)


class _LayerNorm(nn.Cell):
    """LayerNorm of float32 with its own gradient."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.mean, self.ones = ops.ReduceMean(keep_dims=True), ops.OnesLike()
        self.product, self.product_of_transposed = ops.MatMul(), ops.MatMul(transpose_a=True)

    def construct(self, x: Tensor, gamma: Tensor, beta: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return (x normalised, and for the gradient alone: x - mean, 1 / deviation).

        Args:
            x: [rows, width].
            gamma: [width].
            beta: [width].
        """
        centred = x - outer(self.mean(x, -1), self.ones(gamma))
        inverse = ops.rsqrt(self.mean(centred * centred, -1) + self.eps)
        return ops.bias_add(centred * outer(inverse, gamma), beta), centred, inverse

    def bprop(
        self,
        x: Tensor,
        gamma: Tensor,
        beta: Tensor,
        out: tuple[Tensor, Tensor, Tensor],
        dout: tuple[Tensor, Tensor, Tensor],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the gradients.

        With r = 1 / deviation, z = x - mean and dy = dout: of x, r dy gamma - z r^3 mean(dy gamma z) -
        r mean(dy gamma); of gamma, the sum over rows of dy z r; of beta, that of dy.
        """
        centred, inverse, dy = out[1], out[2], dout[0]
        both, column = dy * centred, gamma.expand_dims(1)
        width, ones = x.shape[1], self.ones(gamma)
        along = self.product(both, column) * inverse * inverse * inverse / width
        level = self.product(dy, column) * inverse / width
        dx = dy * outer(inverse, gamma) - centred * outer(along, ones) - outer(level, ones)
        return dx, self.product_of_transposed(inverse, both).reshape(-1), sum_of_rows(dy)
