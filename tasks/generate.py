"""Ask a model every problem of a benchmark."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

from modelcore.config.schema import Pipeline
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.templates import template
from modelcore.launching.gang import run_program
from modelcore.progress import Progress
from modelcore.store.store import Store
from tasks.places import resolve
from tasks.step import Outcome, Step, build_step, step_task

__all__ = ["generate"]

_VERSION = 1
_HANG_TIMEOUT = 1800.0  # seconds without a token; compiling a large network takes minutes


@step_task("generate")
def generate(
    store: Store, checkpoint: Step, config: Pipeline, made: Step | None = None, label: str = "generate"
) -> Outcome:
    """Write one response a problem and sample, from a whole MindSpore checkpoint."""
    asked = config.generate
    benchmark = load_benchmark(resolve(asked.benchmark, made))
    form = template(asked.template)
    prompts = [{"task_id": problem.task_id, "prompt": form.prompt(problem)} for problem in benchmark.problems]
    return build_step(
        store,
        "generate",
        lambda directory, progress: _ask(directory, checkpoint, prompts, list(form.stops), config, progress),
        version=_VERSION,
        inputs={"checkpoint": checkpoint.digest, "benchmark": benchmark.digest},
        parameters={
            "prompts": hashlib.sha256(json.dumps([prompts, form.stops]).encode()).hexdigest(),
            **asked.model_dump(exclude={"benchmark", "template", "batch_size"}),
            "seed": config.seed,
        },
        label=label,
    )


def _ask(
    directory: Path,
    checkpoint: Step,
    prompts: list[dict[str, str]],
    stops: list[str],
    config: Pipeline,
    progress: Progress,
) -> None:
    logs = directory / "logs"
    logs.mkdir(exist_ok=True)
    (directory / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts))
    plan = {
        "checkpoint": str(checkpoint.path),
        "prompts": str(directory / "prompts.jsonl"),
        "output": str(directory / "responses.jsonl"),
        "stops": stops,
        "seed": config.seed,
        **config.generate.model_dump(exclude={"benchmark", "template"}),
    }
    (logs / "plan.json").write_text(json.dumps(plan, indent=1))
    run_program(
        [sys.executable, "-m", "modelcore.generation.program", str(logs / "plan.json")],
        log_dir=logs,
        hang_timeout=_HANG_TIMEOUT,
        progress=progress,
    )
