"""Ask a model every problem of a benchmark."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from modelcore.config.evaluation import Generate
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.templates import template
from modelcore.launching.gang import run_program
from modelcore.progress import Progress
from modelcore.store.store import Store
from tasks.step import Outcome, Step, build_step, step_task

__all__ = ["RESPONSES", "generate"]

RESPONSES = "responses.jsonl"
"""The file of an artifact that holds what the model wrote."""

_VERSION = 1
_HANG_TIMEOUT = 1800.0  # seconds without a token; compiling a large network takes minutes


@step_task("generate")
def generate(
    store: Store,
    checkpoint: Step,
    config: Generate,
    seed: int,
    label: str = "generate",
) -> Outcome:
    """Write one response a problem and sample, from a whole MindSpore checkpoint.

    What a response depends on is the text of its prompt and the stops: another extractor generates
    nothing again.

    Args:
        store: where artifacts lie.
        checkpoint: what answers.
        config: benchmark, template and decoding.
        seed: of sampled answers.
        label: the name to show.
    """
    benchmark = load_benchmark(config.benchmark)
    form = template(config.template)
    prompts = [{"task_id": problem.task_id, "prompt": form.prompt(problem)} for problem in benchmark.problems]
    return build_step(
        store,
        "generate",
        lambda directory, progress: _ask(
            directory, checkpoint, prompts, _plan(config, seed, form.stops), progress
        ),
        version=_VERSION,
        inputs={"checkpoint": checkpoint.digest, "benchmark": benchmark.digest},
        parameters={
            "prompts": hashlib.sha256(json.dumps([prompts, form.stops]).encode()).hexdigest(),
            **config.model_dump(exclude={"benchmark", "template", "batch_size"}),
            "seed": seed,
        },
        label=label,
    )


def _plan(config: Generate, seed: int, stops: tuple[str, ...]) -> dict[str, Any]:
    """Return what `GenerationPlan` asks for, but for paths."""
    decoding = config.model_dump(exclude={"benchmark", "template"})
    return {"stops": list(stops), "seed": seed, **decoding}


def _ask(
    directory: Path,
    checkpoint: Step,
    prompts: list[dict[str, str]],
    asked: dict[str, Any],
    progress: Progress,
) -> None:
    logs = directory / "logs"
    logs.mkdir(exist_ok=True)
    (directory / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts))
    plan = {
        "checkpoint": str(checkpoint.path),
        "prompts": str(directory / "prompts.jsonl"),
        "output": str(directory / RESPONSES),
        **asked,
    }
    (logs / "plan.json").write_text(json.dumps(plan, indent=1))
    run_program(
        [sys.executable, "-m", "modelcore.generation.program", str(logs / "plan.json")],
        log_dir=logs,
        hang_timeout=_HANG_TIMEOUT,
        progress=progress,
    )
