"""The command that scores checkpoints: `evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.command import as_json, command_line, emit, store_option
from flows.cli.runs import read_run
from flows.cli.section_options import option_of
from modelcore.config.evaluation import Generate
from modelcore.config.runs import Evaluate
from modelcore.store.location import store_directory
from modelcore.versions import check_versions

if TYPE_CHECKING:
    from flows.evaluate import Evaluation

__all__ = ["evaluate"]

DEFAULT = Path(__file__).parents[2] / "configs" / "evaluate.yaml"


@command_line.command()
@click.argument("checkpoints", nargs=-1)
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=DEFAULT,
    help=(
        "YAML of the evaluation; configs/evaluate.yaml if not given. Of a pipeline's YAML, `generate` and "
        "`score` are used, on the newest trained checkpoint of the store."
    ),
)
@option_of(Generate, "benchmark", required=False)
@option_of(Generate, "template", default=None, show_default=False)
@option_of(Generate, "endpoint")
@click.option(
    "--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one key, e.g. score.timeout=5."
)
@store_option
@as_json
def evaluate(
    checkpoints: tuple[str, ...],
    config: Path,
    benchmark: str | None,
    template: str | None,
    endpoint: str | None,
    changes: tuple[str, ...],
    store: Path | None,
    as_json: bool,
) -> None:
    """Ask CHECKPOINTS every problem of a benchmark, execute the answers, and report pass@k.

    A checkpoint is a directory (MindSpore's or Hugging Face's), a model of `mindrail models`,
    hf://owner/name, `newest` (trained checkpoint of the store) or `newest:DIRECTORY`; without any, those
    of the configuration are meant. With --endpoint a server's model answers instead. Each is asked with its
    own template, unless --template or --config names one: that of the rows it was trained on here, or the
    one that a model of `mindrail models` was published with, or else base. What was done before is not done
    again. Scores gather in the store's history: see `results`.
    """
    values = {
        "checkpoints": list(checkpoints) or (None if endpoint is None else []),
        "generate.endpoint": endpoint,
        "generate.benchmark": benchmark,
        "generate.template": template,
        "store": None if store is None else str(store),
    }
    overrides = [f"{key}={json.dumps(value)}" for key, value in values.items() if value is not None]
    run = read_run(config, Evaluate, [*overrides, *changes], command="evaluate")
    check_versions()
    from flows.cli.temporary_server import prefect_server
    from tasks.preflight import preflight

    preflight(run)
    with prefect_server(store_directory(run.store).absolute() / ".prefect") as wait_until_up:
        from flows.evaluate import evaluate as evaluate_flow

        wait_until_up()
        finished = evaluate_flow(run)
    emit(_as_plain(finished), as_json, _show)


def _as_plain(evaluation: Evaluation) -> dict[str, Any]:
    steps = [
        {"name": step.name, "seconds": round(step.seconds, 2), "cached": step.cached, "path": str(step.path)}
        for step in evaluation.steps
    ]
    scores = [
        {
            "id": scored.run.id,
            "checkpoint": scored.run.checkpoint,
            "benchmark": scored.run.benchmark,
            "pass_at_k": {k: list(values) for k, values in scored.run.pass_at_k.items()},
            "conditions": dict(scored.run.conditions),
        }
        for scored in evaluation.scores
    ]
    return {
        "name": evaluation.name,
        "steps": steps,
        "scores": scores,
        "seconds": round(evaluation.seconds, 1),
        "report": str(evaluation.report),
    }


def _show(result: dict[str, Any]) -> None:
    for scored in result["scores"]:
        click.echo(f"{scored['id']}  {scored['benchmark']}  {scored['checkpoint']}")
        for k, (value, low, high) in scored["pass_at_k"].items():
            click.echo(f"  pass@{k:<3} {value:.4f}   95 %: {low:.3f} to {high:.3f}")
    click.echo(f"report: {result['report']}")
