"""`mindrail run`: the pipeline that a YAML describes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.command import as_json, command_line, emit, store_option
from flows.cli.runs import overrides, plain_steps, read_run, run_on_server, show_steps
from modelcore.config.runs import Pipeline

if TYPE_CHECKING:
    from flows.pipeline import Run

__all__ = ["emit_run", "run"]


@command_line.command()
@click.argument("config", type=click.Path(path_type=Path))
@overrides
@store_option
@as_json
def run(config: Path, changes: tuple[str, ...], store: Path | None, as_json: bool) -> None:
    """Run the pipeline that CONFIG describes.

    Steps whose output is in the store already are not done again; an interrupted run resumes where
    it was. CONFIG is a YAML file; `mindrail config` explains its keys.
    """
    from tasks.preflight import preflight

    def load() -> Callable[[Pipeline], Run]:
        from flows.pipeline import pipeline

        return pipeline

    pipeline_run = read_run(config, Pipeline, changes, store, command="run")
    preflight(pipeline_run)
    emit_run(run_on_server(pipeline_run, load), as_json=as_json)


def emit_run(run: Run, *, as_json: bool) -> None:
    """Print the result of a pipeline run."""
    emit(_as_plain(run), as_json, _show)


def _as_plain(run: Run) -> dict[str, Any]:
    """Return a run as the JSON object that `--json` prints."""
    return {
        "name": run.name,
        "steps": plain_steps(run.steps),
        "pass_at_1": {"before": run.scores.before, "after": run.scores.after},
        "templates": {"before": run.scores.template_before, "after": run.scores.template},
        "seconds": round(run.seconds, 1),
        "report": str(run.report),
    }


def _show(result: dict[str, Any]) -> None:
    console = show_steps(result["steps"])
    before, after = result["pass_at_1"]["before"], result["pass_at_1"]["after"]
    templates = result["templates"]
    if before is not None:
        asked = "" if templates["before"] == templates["after"] else f"  (template {templates['before']})"
        console.print(f"pass@1 before training  {before:.3f}{asked}")
    console.print(f"pass@1 after training   {after:.3f}  (template {templates['after']})")
    console.print(f"report                  {result['report']}")
    console.print(f"{result['seconds']:.0f} s in all")
