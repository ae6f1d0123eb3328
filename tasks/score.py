"""Execute every answer, isolated, and count the problems solved."""

from __future__ import annotations

from modelcore.config.schema import Pipeline
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.execution.limits import MIB, Limits
from modelcore.evaluation.score import SCORER_VERSION
from modelcore.evaluation.score import score as execute
from modelcore.evaluation.templates import template
from modelcore.store.store import Store
from tasks.places import resolve
from tasks.step import Outcome, Step, build_step, step_task

__all__ = ["score"]


@step_task("score")
def score(
    store: Store, responses: Step, config: Pipeline, made: Step | None = None, label: str = "score"
) -> Outcome:
    """Extract, execute and score the responses."""
    benchmark = load_benchmark(resolve(config.generate.benchmark, made))
    form = template(config.generate.template)
    asked = config.score
    limits = Limits(seconds=asked.timeout, memory=asked.memory_mb * MIB)
    return build_step(
        store,
        "score",
        lambda directory, progress: execute(
            responses.path / "responses.jsonl",
            benchmark,
            directory,
            template=form.name,
            k=tuple(asked.k),
            workers=asked.workers,
            limits=limits,
            require_isolation=asked.require_isolation,
            progress=progress,
        ),
        version=SCORER_VERSION,
        inputs={"responses": responses.digest, "benchmark": benchmark.digest},
        parameters={
            "template": [form.name, form.version],
            **asked.model_dump(exclude={"workers"}),
        },
        label=label,
    )
