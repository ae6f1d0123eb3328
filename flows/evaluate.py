"""Scoring checkpoints that are there: generate → extract → score for each, then one report over all.

A step is done again only if something it depends on has changed: another extractor generates nothing, another
limit extracts nothing, another batch size does nothing at all.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from prefect import flow

from modelcore.config.schema import Evaluate
from modelcore.store.store import Store
from tasks.checkpoints import find_checkpoint, short_name, whole_mindspore
from tasks.evaluation_report import evaluation_report
from tasks.preflight import check_questions
from tasks.scored import Scored, score_checkpoint
from tasks.step import Outcome, Step, finished

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found: its steps in order, a score for every checkpoint, and where the report is."""

    name: str
    steps: tuple[Step, ...]
    scores: tuple[Scored, ...]
    seconds: float
    report: Path


@flow(name="evaluate", flow_run_name="{config.name}", persist_result=False, validate_parameters=True)
def evaluate(config: Evaluate) -> Evaluation:
    """Score one or more checkpoints on a benchmark.

    Args:
        config: which checkpoints, what to ask them and how to score the answers.
    """
    started = time.monotonic()
    store = Store(Path(config.store))
    check_questions(config.generate)
    steps: list[Step] = []

    def done(outcome: Outcome) -> Step:
        steps.append(finished(outcome))
        return steps[-1]

    found = [find_checkpoint(store, place) for place in config.checkpoints]
    scores = tuple(
        score_checkpoint(
            store,
            whole_mindspore(store, checkpoint, config),
            config.generate,
            config.score,
            seed=config.seed,
            name=config.name if len(found) == 1 else f"{config.name}: {short_name(checkpoint)}",
            done=done,
            suffix="" if len(found) == 1 else f" ({number})",
        )
        for number, checkpoint in enumerate(found, 1)
    )
    page = evaluation_report(store, config, scores, tuple(steps))
    return Evaluation(config.name, tuple(steps), scores, time.monotonic() - started, page)
