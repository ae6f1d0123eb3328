"""Execute every completion, isolated, and count the problems solved."""

from __future__ import annotations

import os
from pathlib import Path

from modelcore.cluster.spread_job import ScoreJob, run_spread
from modelcore.config.evaluation import Generate, Score
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.score import SCORER_VERSION, limits_of
from modelcore.evaluation.score import score as execute
from modelcore.evaluation.templates import template
from modelcore.progress import Progress
from modelcore.store.manifest import LOGS
from modelcore.store.store import Store
from tasks.extract import SAMPLES
from tasks.host_share import share_of_cores
from tasks.step import Step
from tasks.step_task import Outcome, build_step, step_task

__all__ = ["score"]


@step_task("score", run_name="{label}", retries=2, delays=(5.0, 30.0))
def score(store: Store, samples: Step, generation: Generate, config: Score, label: str = "score") -> Outcome:
    """Execute and score the samples.

    Args:
        store: holds the artifacts.
        samples: the artifact of `extract`.
        generation: how they were generated: names the benchmark, and the template to record with the score.
        config: limits, isolation and k.
        label: the name to show.
    """
    benchmark = load_benchmark(generation.benchmark)
    form = template(generation.template_name)

    def build(directory: Path, progress: Progress) -> None:
        if config.cluster is not None:
            job = ScoreJob(
                samples=str(samples.path / SAMPLES),
                benchmark=generation.benchmark,
                destination=str(directory),
                template=form.name,
                options=config,
                cluster=config.cluster,
            )
            run_spread("score", job, directory / LOGS, progress)
            return
        with share_of_cores(label, config.workers or len(os.sched_getaffinity(0))):
            execute(
                samples.path / SAMPLES,
                benchmark,
                directory,
                template=form.name,
                k=tuple(config.k),
                workers=config.workers,
                limits=limits_of(config),
                require_isolation=config.require_isolation,
                progress=progress,
            )

    return build_step(
        store,
        "score",
        build,
        version=SCORER_VERSION,
        inputs={"samples": samples.digest, "benchmark": benchmark.digest},
        parameters={
            "template": [form.name, form.version],
            **config.model_dump(exclude={"workers", "cluster"}),
        },
        label=label,
    )
