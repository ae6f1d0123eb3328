"""The whole pipeline as one flow: from a Hugging Face checkpoint to a fine-tuned one and its pass@1.

`flows.train` trains; then, for the checkpoint before and after training: generate → extract → score; then
the report. Before training the model may be asked with another template than after: see `tasks.templates`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.run_flow import run_flow
from flows.train import train
from modelcore.config.evaluation import Generate
from modelcore.config.runs import Pipeline
from modelcore.store.location import store_directory
from modelcore.store.store import Store
from tasks.planned_steps import step_names
from tasks.precision import log_precision, with_precision
from tasks.preflight import preflight
from tasks.report import Scores, report, scores_of
from tasks.scored import Scored, score_checkpoint
from tasks.step import Step
from tasks.step_recorder import StepRecorder
from tasks.templates import baseline_generation

__all__ = ["Run", "pipeline", "run_pipeline"]


@dataclass(frozen=True)
class Run:
    """The result of a pipeline run: its steps in order, the scores, and where the report is."""

    name: str
    steps: tuple[Step, ...]
    scores: Scores
    seconds: float
    report: Path


@run_flow("pipeline", run_name="{config.name}")
def pipeline(config: Pipeline) -> Run:
    """Take a code LLM from a Hugging Face checkpoint to a pass@k.

    Args:
        config: what to download, how to train it and how to score it; one section per step.
    """
    return run_pipeline(config, StepRecorder(step_names(config)))


def run_pipeline(config: Pipeline, recorder: StepRecorder) -> Run:
    """Do the steps of the pipeline within a flow; `recorder` may hold steps that came before."""
    store = Store(store_directory(config.store))
    preflight(config)
    log_precision(config)
    config = with_precision(config)
    training = train(store, config, recorder)

    def score(checkpoint: Step, generation: Generate, suffix: str) -> Scored:
        return score_checkpoint(
            store,
            checkpoint,
            generation,
            config.score,
            seed=config.seed,
            name=f"{config.name}{suffix}",
            recorder=recorder,
            suffix=suffix,
        )

    before = score(training.start, baseline_generation(config), " (before)") if config.baseline else None
    after = score(training.merge, config.generate, "")
    page = report(store, config, training, after, before, recorder)
    return Run(config.name, recorder.steps, scores_of(after, before), recorder.seconds, page)
