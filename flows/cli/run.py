"""`mindrail run`: the pipeline that a YAML describes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.command import as_json, command_line, emit, store_option
from modelcore.config.schema import Pipeline

if TYPE_CHECKING:
    from flows.pipeline import Run
from flows.cli.runs import overrides, plain_steps, serve_and_run, show_steps

__all__ = ["run", "run_pipeline"]


@command_line.command()
@click.argument("config", type=click.Path(path_type=Path))
@overrides
@store_option
@as_json
def run(config: Path, changes: tuple[str, ...], store: Path | None, as_json: bool) -> None:
    """Run the pipeline that CONFIG describes.

    Steps whose output is in the store already are not done again; an interrupted run goes on where
    it was. CONFIG is a YAML file; configs/demo/pipeline.yaml is a commented one.
    """
    run_pipeline(config, changes, store, as_json)


def run_pipeline(path: Path, changes: tuple[str, ...], store: Path | None, as_json: bool) -> None:
    """Run the pipeline of the YAML at `path` and print its result."""

    def work(config: Pipeline) -> Run:
        from flows.pipeline import pipeline

        return pipeline(config)

    emit(as_plain(serve_and_run(path, Pipeline, changes, store, work)), as_json, _show)


def as_plain(run: Run) -> dict[str, Any]:
    """Return a run as the JSON object that `--json` prints."""
    return {
        "name": run.name,
        "steps": plain_steps(run.steps),
        "pass_at_1": {"before": run.scores.before, "after": run.scores.after},
        "seconds": round(run.seconds, 1),
        "report": str(run.report),
    }


def _show(result: dict[str, Any]) -> None:
    console = show_steps(result["steps"])
    before, after = result["pass_at_1"]["before"], result["pass_at_1"]["after"]
    if before is not None:
        console.print(f"pass@1 before training  {before:.3f}")
    console.print(f"pass@1 after training   {after:.3f}")
    console.print(f"report                  {result['report']}")
    console.print(f"{result['seconds']:.0f} s in all")
