"""AdamW with the norm clipping's factor folded in: fp32 states, decoupled decay, bias correction.

The numbers are those of Loshchilov & Hutter 2019 as torch.optim.AdamW computes them:

    m = b1 m + (1 - b1) g,   v = b2 v + (1 - b2) g²
    p = p - lr decay p - lr (m / (1 - b1ᵗ)) / (sqrt(v / (1 - b2ᵗ)) + eps)

MindSpore has one fused kernel for the uncorrected form, p -= lr' (m / (sqrt(v) + eps') + decay' p), on CPU
and Ascend; `corrected` gives the lr', eps' and decay' that make it the form above.

Not here: the sums over ranks (`modelcore.training.reduction`), the schedule.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import mindspore
import numpy as np
from mindspore import Parameter, Tensor, nn, ops

__all__ = ["STATES", "AdamW", "Corrected", "corrected", "decays"]

STATES = FIRST_MOMENT, SECOND_MOMENT = "adam_m", "adam_v"


@dataclass(frozen=True)
class Corrected:
    """What the fused kernel is given so that it computes bias-corrected AdamW."""

    rate: float
    epsilon: float
    decay: float


def corrected(step: int, rate: float, beta1: float, beta2: float, epsilon: float, decay: float) -> Corrected:
    """Return the fused kernel's arguments for `step` (from 0).

    With c1 = 1 - b1ᵗ and c2 = 1 - b2ᵗ: lr' = lr sqrt(c2) / c1, eps' = eps sqrt(c2), decay' = decay lr / lr'.
    """
    first = 1 - beta1 ** (step + 1)
    second = math.sqrt(1 - beta2 ** (step + 1))
    return Corrected(rate * second / first, epsilon * second, decay * first / second)


def decays(name: str, shape: Sequence[int]) -> bool:
    """Say whether a parameter is decayed: matrices are, norms and biases (one axis) are not."""
    return len(shape) > 1


class AdamW(nn.Cell):
    """One step over all parameters, in place.

    Args:
        parameters: what is trained; fp32.
        beta1: decay of the gradients' mean.
        beta2: decay of the gradients' mean square.
        names: what the states are named after, where not the parameters themselves.
    """

    def __init__(
        self,
        parameters: Sequence[Parameter],
        beta1: float,
        beta2: float,
        names: Sequence[str] | None = None,
    ) -> None:
        super().__init__(auto_prefix=False)
        self.trained = mindspore.ParameterTuple(parameters)
        called = [p.name for p in parameters] if names is None else names
        self.first = _moments(FIRST_MOMENT, parameters, called)
        self.second = _moments(SECOND_MOMENT, parameters, called)
        self.count = len(self.trained)
        self.decayed = tuple(decays(p.name, p.shape) for p in parameters)
        self.beta1, self.beta2 = beta1, beta2
        self.update = ops.AdamWeightDecay()

    def states(self) -> Mapping[str, Parameter]:
        """Return the moments by name: adam_m.<parameter> and adam_v.<parameter>."""
        return {p.name: p for p in (*self.first, *self.second)}

    def construct(
        self, scale: Tensor, rate: Tensor, epsilon: Tensor, decay: Tensor, *gradients: Tensor
    ) -> Tensor:
        """Take one step.

        Args:
            scale: fp32 scalar every gradient is multiplied with first.
            rate: fp32 scalar, see `corrected`.
            epsilon: fp32 scalar, see `corrected`.
            decay: fp32 scalar, see `corrected`; 0 is used for what does not decay.
            gradients: in the parameters' order; a tuple would be taken for a constant and compiled in.
        """
        for i in range(self.count):
            own_decay = decay if self.decayed[i] else decay * 0
            self.update(
                self.trained[i],
                self.first[i],
                self.second[i],
                rate,
                self.beta1,
                self.beta2,
                epsilon,
                own_decay,
                gradients[i] * scale,
            )
        return rate


def _moments(kind: str, parameters: Sequence[Parameter], names: Sequence[str]) -> mindspore.ParameterTuple:
    return mindspore.ParameterTuple(
        Parameter(Tensor(np.zeros(p.shape, np.float32)), name=f"{kind}.{name}")
        for p, name in zip(parameters, names, strict=True)
    )
