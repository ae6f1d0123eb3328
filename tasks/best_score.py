"""Reports a score that beats all earlier ones of its benchmark as an event of Prefect's server.

`mindrail notify` makes the server send a message for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from modelcore.evaluation.history import Run
from tasks.log import log
from tasks.reporter import current_reporter

__all__ = ["BEST_SCORE", "report_best_score"]

BEST_SCORE = "mindrail.score.best"
"""The event's name."""


def report_best_score(run: Run, earlier: Sequence[Run]) -> None:
    """Log and report a new score if it is above those of all earlier runs, of which there is one at least.

    Args:
        run: the new line of the history.
        earlier: the lines before it of the same benchmark.
    """
    scores = [one.pass_at_k["1"][0] for one in earlier if "1" in one.pass_at_k]
    if "1" not in run.pass_at_k or not scores or run.pass_at_k["1"][0] <= max(scores):
        return
    value, low, high = run.pass_at_k["1"]
    text = (
        f"{run.name}: pass@1 {value:.3f} ({low:.3f} to {high:.3f}) on {run.benchmark}, "
        f"{max(scores):.3f} before"
    )
    log(f"best score so far: {text}")
    reporter = current_reporter()
    if reporter is not None:
        payload = {"benchmark": run.benchmark, "score": value, "text": text, "id": run.id}
        reporter.add_event(BEST_SCORE, f"mindrail.score.{run.id}", payload)
