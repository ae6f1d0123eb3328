"""One rank's account of a running job: its log, its progress and, on rank 0, the metrics."""

from __future__ import annotations

import math
from pathlib import Path

from modelcore.progress import Progress
from modelcore.training.metrics import JsonLines, loss_line, peak_memory, time_left
from modelcore.training.plan import TrainPlan
from modelcore.training.step import StepResult

__all__ = ["Reporter"]


class Reporter:
    """Tells each step to whoever listens.

    Args:
        plan: the job.
        rank: this one; rank 0 writes the files.
        rows: of the data set, to count epochs.
        start: steps done before.
        progress: told the steps done.
    """

    def __init__(self, plan: TrainPlan, rank: int, rows: int, start: int, progress: Progress) -> None:
        self._plan, self._progress = plan, progress
        self._per_epoch = max(1, rows // plan.global_batch)
        output = Path(plan.output)
        self._metrics = JsonLines(output / "metrics.jsonl", start) if rank == 0 else None
        self._timings = JsonLines(output / "logs" / "timings.jsonl", start) if rank == 0 else None
        progress(start, plan.steps, "steps", "compiling")

    def step(self, result: StepResult, loss_scale: float, seconds: float) -> None:
        """Tell a step that took `seconds`."""
        plan, done = self._plan, result.step - 1
        print(
            loss_line(
                epoch=(done // self._per_epoch + 1, math.ceil(plan.steps / self._per_epoch)),
                step=(done % self._per_epoch + 1, self._per_epoch),
                loss=result.loss,
                milliseconds=seconds * 1000,
                rate=result.rate,
                overflow=not result.updated,
                loss_scale=loss_scale,
                global_norm=result.global_norm,
            ),
            flush=True,
        )
        speed = result.positions / seconds
        self._write(result, seconds, speed)
        left = time_left(plan.steps - result.step, seconds)
        self._progress(
            result.step,
            plan.steps,
            "steps",
            f"loss {result.loss:.4f}, {speed:,.0f} tokens/s, {left} left",
        )

    def sync(self) -> None:
        """Make sure that the metrics survive whatever comes next."""
        if self._metrics is not None:
            self._metrics.sync()

    def _write(self, result: StepResult, seconds: float, speed: float) -> None:
        if self._metrics is None or self._timings is None:
            return
        self._metrics.write(
            {
                "step": result.step,
                "loss": result.loss,
                "lr": result.rate,
                "global_norm": result.global_norm,
                "tokens": result.tokens,
            }
        )
        self._timings.write(
            {
                "step": result.step,
                "seconds": seconds,
                "tokens_per_second": speed,
                "host_peak_bytes": peak_memory(),
            }
        )
