"""What feed-forward layers put between their products, each with its own gradient.

Both are x times a sigmoid-like share of x; the share is kept for the gradient, and nothing is computed twice.
On CPU the kernels of MindSpore for GELU and its gradient run on one core and take twenty times as long.
"""

from __future__ import annotations

import math

import mindspore
from mindspore import Tensor, nn, ops
from mindspore.ops.operations._grad_ops import SigmoidGrad

__all__ = ["GELU", "SiLUGate", "TanhGELU"]


class SiLUGate(nn.Cell):
    """silu(a) b with its own gradient: silu(a) = a s with s = sigmoid(a), which is kept."""

    def __init__(self) -> None:
        super().__init__()
        self.sigmoid, self.sigmoid_slope = ops.Sigmoid(), SigmoidGrad()

    def construct(self, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
        """Return (silu(a) b, and for the gradient alone: sigmoid(a))."""
        s = self.sigmoid(a)
        return a * s * b, s

    def bprop(
        self, a: Tensor, b: Tensor, out: tuple[Tensor, Tensor], dout: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Return the gradients; that of silu is s + a s (1 - s)."""
        s, dy = out[1], dout[0]
        return dy * b * (s + self.sigmoid_slope(s, a)), dy * (a * s)


class TanhGELU(nn.Cell):
    """x sigmoid(2 u) with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x (1 + tanh u) / 2.

    The approximation of Hendrycks and Gimpel 2016.
    """

    def __init__(self) -> None:
        super().__init__()
        self.sigmoid, self.sigmoid_slope = ops.Sigmoid(), SigmoidGrad()
        self.first = 2 * math.sqrt(2 / math.pi)
        self.third = 0.044715 * self.first

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return (the result, and for the gradient alone: the sigmoid), both in x's dtype."""
        wide = ops.cast(x, mindspore.float32)  # the square of a float16 overflows at 256
        share = ops.cast(self.sigmoid(wide * (self.third * (wide * wide) + self.first)), x.dtype)
        return x * share, share

    def bprop(self, x: Tensor, out: tuple[Tensor, Tensor], dout: tuple[Tensor, Tensor]) -> tuple[Tensor]:
        """Return the gradient: s + x s (1 - s) 2 u', with 2 u' = first + 3 third x^2."""
        wide, share = ops.cast(x, mindspore.float32), ops.cast(out[1], mindspore.float32)
        slope = 3 * self.third * (wide * wide) + self.first
        return (dout[0] * ops.cast(share + self.sigmoid_slope(share, wide) * slope, x.dtype),)


class GELU(nn.Cell):
    """x P(X <= x) for a standard normal X (Hendrycks and Gimpel 2016)."""

    def construct(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return (the result, and for the gradient alone: the probability), both in x's dtype."""
        wide = ops.cast(x, mindspore.float32)
        share = ops.cast(0.5 * ops.erf(wide * math.sqrt(0.5)) + 0.5, x.dtype)
        return x * share, share

    def bprop(self, x: Tensor, out: tuple[Tensor, Tensor], dout: tuple[Tensor, Tensor]) -> tuple[Tensor]:
        """Return the gradient: the probability + x density(x)."""
        wide = ops.cast(x, mindspore.float32)
        density = ops.exp(-0.5 * (wide * wide)) * (1 / math.sqrt(2 * math.pi))
        return (dout[0] * (out[1] + ops.cast(wide * density, x.dtype)),)
