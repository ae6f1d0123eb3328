"""The loss of rows held back from training: the mean over all of their tokens in the loss, at any layout.

The rows pass in batches of the training's shape, so that nothing is compiled for them alone. Where they do
not fill the last batch, rows without a token in the loss do; none of the file's is left out or counted twice.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from modelcore.errors import MindrailError
from modelcore.models.loss import IGNORED
from modelcore.progress import Progress
from modelcore.training.gradients import MicroBatch
from modelcore.training.plan import TrainPlan
from modelcore.training.rows import micro_batches, read_rows

__all__ = ["Evaluate", "Validation"]

Evaluate = Callable[[Sequence[MicroBatch]], tuple[float, int]]
"""`Step.evaluate`: the loss summed over the tokens of all ranks' micro-batches, and their number."""


class Validation:
    """One rank's side of the validation; every rank finds the same loss.

    Args:
        plan: the job; without a `validation` file there is never a loss.
        vocab_size: of the model.
        replica: this rank's place along the data axis.
        evaluate: judges micro-batches; collective.
        progress: gets how far it is.

    Raises:
        MindrailError: the file is not of this model's rows.
    """

    def __init__(
        self, plan: TrainPlan, vocab_size: int, replica: int, evaluate: Evaluate, progress: Progress
    ) -> None:
        self._plan, self._replica, self._evaluate, self._progress = plan, replica, evaluate, progress
        self._rows = read_rows(Path(plan.validation), vocab_size) if plan.validation else None

    def loss_after(self, step: int) -> float | None:
        """Return the loss with the weights as they are after `step` steps; None where none is due.

        Raises:
            MindrailError: it is not a number.
        """
        plan = self._plan
        every = plan.validate_every or plan.checkpoint_every
        if self._rows is None or (step % every and step != plan.steps):
            return None
        loss_sum, tokens, batches = 0.0, 0, math.ceil(len(self._rows) / plan.global_batch)
        for batch in range(batches):
            self._progress(step, plan.steps, "steps", f"validating, batch {batch + 1} of {batches}")
            loss, count = self._evaluate(self._batch(batch))
            loss_sum, tokens = loss_sum + loss, tokens + count
        if not tokens:
            raise MindrailError("no token of its rows is in the loss", where=plan.validation)
        if not math.isfinite(loss_sum):
            raise MindrailError(
                f"the validation loss is {loss_sum} after step {step}", fix="lower train.learning_rate"
            )
        return loss_sum / tokens

    def _batch(self, batch: int) -> list[MicroBatch]:
        """Return this replica's micro-batches of the global batch number `batch`."""
        assert self._rows is not None
        plan = self._plan
        first = batch * plan.global_batch + self._replica * plan.rows_per_replica
        wanted = np.arange(first, first + plan.rows_per_replica)
        parts = micro_batches(self._rows, np.minimum(wanted, len(self._rows) - 1), plan.accumulate)
        for part, numbers in zip(parts, np.split(wanted, plan.accumulate), strict=True):
            part[1][numbers >= len(self._rows)] = IGNORED
        return parts
