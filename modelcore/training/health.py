"""When a run must stop or may continue: loss scale, losses that are not finite, losses that explode."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelcore.errors import MindrailError

__all__ = ["FAULTS", "Health", "LossScale", "check_finite", "not_finite"]

_WINDOW = 1000


class LossScale:
    """The factor that keeps fp16 gradients from vanishing.

    It is halved at an overflow and doubled after 1000 good steps (Micikevicius et al. 2018).
    Without fp16 it is 1 and stays.
    """

    def __init__(self, dynamic: bool) -> None:
        self.value = 65536.0 if dynamic else 1.0
        self._dynamic = dynamic
        self._good_steps = 0

    def seen(self, finite: bool) -> bool:
        """Take note of a step; return False if its overflow cannot be helped by a smaller scale."""
        if finite:
            self._good_steps += 1
            if self._dynamic and self._good_steps == _WINDOW:
                self.value, self._good_steps = self.value * 2, 0
            return True
        self.value, self._good_steps = self.value / 2, 0
        return self._dynamic and self.value >= 1

    def state(self) -> dict[str, float]:
        """Return what a checkpoint keeps."""
        return {"loss_scale": self.value, "good_steps": self._good_steps}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`."""
        self.value, self._good_steps = state["loss_scale"], state["good_steps"]


class Health:
    """Stops a run whose loss is twice that of guessing blindly, and was not at its beginning.

    Args:
        vocab_size: guessing blindly costs its logarithm.
    """

    def __init__(self, vocab_size: int) -> None:
        self.first_loss: float | None = None
        self._worst = 2 * math.log(vocab_size)

    def check(self, step: int, loss: float, checkpoint: int) -> None:
        """Take note of a step's loss.

        Raises:
            MindrailError: it has exploded.
        """
        if self.first_loss is None:
            self.first_loss = loss
        if loss > max(self._worst, 2 * self.first_loss):
            raise MindrailError(
                f"the loss has exploded: {loss:.4g} at step {step}, {self.first_loss:.4g} at the first",
                fix=_advice(checkpoint),
            )


FAULTS = ("weights", "loss", "gradient")
"""What may be not finite on a rank: each spoils the ones after it, on other ranks too."""


def not_finite(
    step: int, loss: float, norm: float, origin: tuple[str, list[int]], checkpoint: int
) -> MindrailError:
    """Return the error of a step whose loss or gradient is not a number.

    Args:
        step: from 1.
        loss: of the global batch.
        norm: of the global gradient.
        origin: which of `FAULTS` came first, and on which ranks; these may be none.
        checkpoint: the step of the last one, 0 if there is none.
    """
    what = "the gradient" if math.isfinite(loss) else "the loss"
    found = norm if math.isfinite(loss) else loss
    fault, ranks = origin
    whose = f" on rank {', '.join(map(str, ranks))}" if ranks else ""
    if ranks and fault == "weights":
        whose += ", whose weights are not finite"
    return MindrailError(f"{what} is {found} at step {step}{whose}", fix=_advice(checkpoint))


def check_finite(tensors: Mapping[str, NDArray], step: int, rank: int, checkpoint: int) -> None:
    """Refuse weights and states that must not be saved.

    Raises:
        MindrailError: one of them is not finite; it is named.
    """
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise MindrailError(
                f"{name} is not finite after step {step} on rank {rank}, so it is not saved",
                fix=_advice(checkpoint),
            )


def _advice(checkpoint: int) -> str:
    """Return what to do after such a stop."""
    kept = f"the checkpoint of step {checkpoint} is kept" if checkpoint else "there is no checkpoint yet"
    return f"{kept}; lower learning_rate or lengthen warmup_steps"
