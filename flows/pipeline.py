"""The whole road as one flow: a Hugging Face checkpoint goes in, a fine-tuned one and its pass@1 come out.

What trains is `flows.train`; then, for the checkpoint before and after training: generate → extract → score;
then the report.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from prefect import flow

from flows.train import train
from modelcore.config.schema import Pipeline
from modelcore.store.store import Store
from tasks.preflight import preflight
from tasks.report import Scores, report
from tasks.scored import Scored, score_checkpoint
from tasks.step import Outcome, Step, finished

__all__ = ["Run", "pipeline"]


@dataclass(frozen=True)
class Run:
    """What a pipeline run made: its steps in order, the scores, and where the report is."""

    name: str
    steps: tuple[Step, ...]
    scores: Scores
    seconds: float
    report: Path


@flow(name="pipeline", flow_run_name="{config.name}", persist_result=False, validate_parameters=True)
def pipeline(config: Pipeline) -> Run:
    """Take a code LLM from a Hugging Face checkpoint to a pass@k.

    Args:
        config: what to download, how to train it and how to score it; one section a step.
    """
    started = time.monotonic()
    store = Store(Path(config.store))
    preflight(config)
    steps: list[Step] = []

    def done(outcome: Outcome) -> Step:
        steps.append(finished(outcome))
        return steps[-1]

    def scored(checkpoint: Step, when: str) -> Scored:
        return score_checkpoint(
            *(store, checkpoint, config.generate, config.score),
            seed=config.seed,
            name=f"{config.name}{when}",
            done=done,
            made=trained.made,
            suffix=when,
        )

    trained = train(store, config, done)
    before = scored(trained.start, " (before)") if config.baseline else None
    after = scored(trained.merged, "")
    page = report(store, config, tuple(steps), after, before, time.monotonic() - started)
    scores = Scores(after.pass_at_1, None if before is None else before.pass_at_1)
    return Run(config.name, tuple(steps), scores, time.monotonic() - started, page)
