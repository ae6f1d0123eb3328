"""Commands that only train: `finetune` and `pretrain`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli import as_json, command_line, emit, store_option
from flows.running import overrides, plain_steps, serve_and_run, show_steps
from modelcore.config.schema import Finetune, Pretrain

if TYPE_CHECKING:
    from flows.road import TrainedRun

__all__ = ["finetune", "pretrain"]


@command_line.command()
@click.argument("config", type=click.Path(path_type=Path))
@overrides
@store_option
@as_json
def finetune(config: Path, changes: tuple[str, ...], store: Path | None, as_json: bool) -> None:
    """Fine-tune the model that CONFIG describes, and score nothing.

    CONFIG is a YAML file with the sections of `mindrail run` from download to train. Steps whose output is
    in the store already are not done again; an interrupted run goes on where it was.
    """

    def work(config: Finetune) -> TrainedRun:
        from flows.finetune import finetune

        return finetune(config)

    emit(_as_plain(serve_and_run(config, Finetune, changes, store, work)), as_json, _show)


@command_line.command()
@click.argument("config", type=click.Path(path_type=Path))
@overrides
@store_option
@as_json
def pretrain(config: Path, changes: tuple[str, ...], store: Path | None, as_json: bool) -> None:
    """Train the model that CONFIG describes on texts (preprocess.format wiki or text).

    As `finetune`; with `random_weights: true` the source is asked for config.json and tokenizer only.
    """

    def work(config: Pretrain) -> TrainedRun:
        from flows.pretrain import pretrain

        return pretrain(config)

    emit(_as_plain(serve_and_run(config, Pretrain, changes, store, work)), as_json, _show)


def _as_plain(run: TrainedRun) -> dict[str, Any]:
    return {
        "name": run.name,
        "steps": plain_steps(run.steps),
        "seconds": round(run.seconds, 1),
        "mindspore": str(run.mindspore),
        "hugging_face": str(run.hugging_face),
        "report": str(run.report),
    }


def _show(result: dict[str, Any]) -> None:
    console = show_steps(result["steps"])
    console.print(f"for MindSpore     {result['mindspore']}")
    console.print(f"for transformers  {result['hugging_face']}")
    console.print(f"report            {result['report']}")
    console.print(f"{result['seconds']:.0f} s in all")
