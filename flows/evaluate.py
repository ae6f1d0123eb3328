"""Scoring existing checkpoints: generate → extract → score for each, then one report over all.

A step runs again only if something it depends on has changed: another extractor does not generate again,
another limit does not extract again, another batch size runs nothing again.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from flows.run_flow import run_flow
from modelcore.config.runs import Evaluate
from modelcore.store.location import store_directory
from modelcore.store.store import Store
from tasks.checkpoints import find_checkpoint, short_name, whole_mindspore
from tasks.endpoint import endpoint
from tasks.evaluation_report import evaluation_report
from tasks.log import log
from tasks.planned_steps import step_names
from tasks.preflight import preflight
from tasks.scored import Scored, score_checkpoint
from tasks.step import Step
from tasks.step_recorder import StepRecorder
from tasks.templates import own_generation

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """The result of an evaluation: its steps in order, a score for every checkpoint, where the report is."""

    name: str
    steps: tuple[Step, ...]
    scores: tuple[Scored, ...]
    seconds: float
    report: Path


@run_flow("evaluate", run_name="{config.name}")
def evaluate(config: Evaluate) -> Evaluation:
    """Score one or more checkpoints on a benchmark, or the model of an endpoint.

    Args:
        config: which checkpoints, on which benchmark, and how to score them.
    """
    recorder, store = StepRecorder(step_names(config)), Store(store_directory(config.store))
    for note in preflight(config):
        log(f"note: {note}")
    if config.generate.endpoint is not None:
        checkpoints = wholes = [recorder.record(endpoint(store, config.generate))]
    else:
        checkpoints = [find_checkpoint(store, name) for name in config.checkpoints]
        wholes = [whole_mindspore(store, checkpoint, config.convert) for checkpoint in checkpoints]
    several = len(checkpoints) > 1
    scores = tuple(
        score_checkpoint(
            store,
            whole,
            own_generation(config.generate, store, whole.path),
            config.score,
            seed=config.seed,
            name=f"{config.name}: {short_name(checkpoint)}" if several else config.name,
            recorder=recorder,
            suffix=f" ({number})" if several else "",
        )
        for number, (checkpoint, whole) in enumerate(zip(checkpoints, wholes, strict=True), 1)
    )
    page = evaluation_report(store, config, scores, recorder)
    return Evaluation(config.name, recorder.steps, scores, recorder.seconds, page)
