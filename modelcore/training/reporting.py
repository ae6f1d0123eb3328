"""One rank's account of a running job: its log, its progress and, on rank 0, the metrics."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelcore.progress import Progress
from modelcore.training.metrics import loss_line, metrics_journal
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
        progress: gets the steps done.
        flops: floating-point operations of a token in a row of the given length.
    """

    def __init__(
        self,
        plan: TrainPlan,
        rank: int,
        rows: int,
        start: int,
        progress: Progress,
        flops: Callable[[int], int],
    ) -> None:
        self._plan, self._progress, self._flops = plan, progress, flops
        self._held_out = ""
        self._per_epoch = max(1, rows // plan.global_batch)
        output = Path(plan.output)
        self._metrics = metrics_journal(output / "metrics.jsonl", start) if rank == 0 else None
        self._timings = metrics_journal(output / "logs" / "timings.jsonl", start) if rank == 0 else None
        progress(start, plan.steps, "steps", "compiling")

    def step(
        self,
        result: StepResult,
        loss_scale: float,
        seconds: float,
        *,
        validation: float | None = None,
        memory: list[int] | None = None,
    ) -> None:
        """Report a step.

        Args:
            result: of the step.
            loss_scale: it was done with.
            seconds: it took.
            validation: the validation loss after it, if there is one.
            memory: the most MiB that each rank has held until now, if they were asked.
        """
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
        if validation is not None:
            print(f"validation loss: {validation:.4f} after step {result.step}", flush=True)
            self._held_out = f", validation {validation:.4f}"
        timing = self._timing(result, seconds)
        if memory is not None:
            timing["peak_memory_mib"] = memory
        self._write(result, validation, timing)
        note = f"loss {result.loss:.4f}, {timing['tokens_per_second']:,.0f} tokens/s"
        self._progress(
            result.step, plan.steps, "steps", note + _in_percent(timing.get("mfu")) + self._held_out
        )

    def sync(self) -> None:
        """Make sure that the metrics survive whatever comes next."""
        if self._metrics is not None:
            self._metrics.sync()

    def _timing(self, result: StepResult, seconds: float) -> dict[str, Any]:
        plan, speed = self._plan, result.positions / seconds
        timing = {"step": result.step, "seconds": seconds, "tokens_per_second": speed}
        if plan.peak_tflops:
            done = speed * self._flops(result.positions // plan.global_batch)
            timing["mfu"] = done / (plan.peak_tflops * 1e12 * plan.layout.world_size)
        return timing

    def _write(self, result: StepResult, validation: float | None, timing: dict[str, Any]) -> None:
        if self._metrics is None or self._timings is None:
            return
        held_out = {} if validation is None else {"validation_loss": validation}
        self._metrics.append(
            {
                "step": result.step,
                "loss": result.loss,
                "lr": result.rate,
                "global_norm": result.global_norm,
                "tokens": result.tokens,
                **held_out,
            }
        )
        self._timings.append(timing)


def _in_percent(mfu: float | None) -> str:
    return "" if mfu is None else f", MFU {100 * mfu:.1f} %"
