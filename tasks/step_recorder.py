"""The steps of one run, recorded as they end: for its report, its result and “step 6 of 14” while it runs."""

from __future__ import annotations

import time
from collections.abc import Sequence

from tasks.dashboard import RunProgress
from tasks.step import Step
from tasks.step_task import Outcome, finished

__all__ = ["StepRecorder"]


class StepRecorder:
    """The steps that have ended, in order, and the time since the recorder was created.

    Args:
        names: of all steps that the run will do, in order.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._started = time.monotonic()
        self._steps: list[Step] = []
        self._progress = RunProgress(names)

    def record(self, outcome: Outcome) -> Step:
        """Add the step that a task ended with, built or cached, and return it."""
        step = finished(outcome)
        self._steps.append(step)
        self._progress.advance()
        return step

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps so far."""
        return tuple(self._steps)

    @property
    def seconds(self) -> float:
        """Duration of the run so far."""
        return time.monotonic() - self._started
