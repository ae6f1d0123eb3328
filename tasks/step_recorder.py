"""The steps of one run, recorded as they end: for its report and its result."""

from __future__ import annotations

import time

from tasks.step import Step
from tasks.step_task import Outcome, finished

__all__ = ["StepRecorder"]


class StepRecorder:
    """The steps that have ended, in order, and the time since the recorder was created."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._steps: list[Step] = []

    def record(self, outcome: Outcome) -> Step:
        """Add the step that a task ended with, built or cached, and return it."""
        step = finished(outcome)
        self._steps.append(step)
        return step

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps so far."""
        return tuple(self._steps)

    @property
    def seconds(self) -> float:
        """Duration of the run so far."""
        return time.monotonic() - self._started
