"""The whole road as one flow: a Hugging Face checkpoint goes in, a fine-tuned one and its pass@1 come out.

first programs (demo only) → download → convert → preprocess → shard → launch → merge → export
and, for the checkpoint before and after training: generate → extract → score; then the report.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from prefect import flow

from modelcore.config.schema import Convert, Pipeline
from modelcore.store.store import Store
from tasks.convert import convert, export
from tasks.download import download
from tasks.first_programs import first_programs
from tasks.launch import launch
from tasks.layout import check_layout
from tasks.merge import merge
from tasks.preflight import preflight
from tasks.preprocess import preprocess
from tasks.report import Scores, report
from tasks.scored import Scored, score_checkpoint
from tasks.shard import shard
from tasks.show import say
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
            made=made,
            suffix=when,
        )

    made = done(first_programs(store, config.first_programs)) if config.first_programs else None
    checkpoint = done(download(store, config.download, made, config.parallel))
    for note in check_layout(checkpoint.path, config.parallel).notes:
        say(f"note: {note}")
    start = done(convert(store, checkpoint, config.convert))
    rows = done(preprocess(store, checkpoint, config.preprocess, made))
    shards = done(shard(store, start, config.parallel))
    retrying = launch.with_options(
        retries=config.launch.retries, retry_delay_seconds=config.launch.retry_delay
    )
    trained = done(retrying(store, shards, rows, config))
    merged = done(merge(store, trained))
    done(export(store, merged, Convert(format="safetensors")))
    before = scored(start, " (before)") if config.baseline else None
    after = scored(merged, "")
    page = report(store, config, tuple(steps), after, before, time.monotonic() - started)
    scores = Scores(after.pass_at_1, None if before is None else before.pass_at_1)
    return Run(config.name, tuple(steps), scores, time.monotonic() - started, page)
