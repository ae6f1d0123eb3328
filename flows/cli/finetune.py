"""`mindrail finetune`: the pipeline without scoring, on instructions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.command import as_json, command_line, emit, store_option
from flows.cli.runs import overrides, read_run, run_on_server
from flows.cli.training_result import as_plain, show
from modelcore.config.runs import Finetune

if TYPE_CHECKING:
    from flows.train import TrainedRun

__all__ = ["finetune"]


@command_line.command()
@click.argument("config", type=click.Path(path_type=Path))
@overrides
@store_option
@as_json
def finetune(config: Path, changes: tuple[str, ...], store: Path | None, as_json: bool) -> None:
    """Fine-tune the model that CONFIG describes, and score nothing.

    CONFIG is a YAML file with the sections of `mindrail run` from download to train; what says how to score
    (baseline, generate, score) may be there and is left out. Steps whose output is in the store already are
    not done again; an interrupted run resumes where it was.
    """

    from tasks.preflight import preflight

    def load() -> Callable[[Finetune], TrainedRun]:
        from flows.finetune import finetune

        return finetune

    run = read_run(config, Finetune, changes, store, command="finetune")
    preflight(run)
    emit(as_plain(run_on_server(run, load)), as_json, show)
