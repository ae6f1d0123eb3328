"""`mindrail pretrain`: the pipeline without scoring, on texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from flows.cli.command import as_json, command_line, emit, store_option
from flows.cli.runs import overrides, read_run, run_on_server
from flows.cli.training_result import as_plain, show
from modelcore.config.runs import Pretrain

if TYPE_CHECKING:
    from flows.train import TrainedRun

__all__ = ["pretrain"]


@command_line.command()
@click.argument("config", type=click.Path(path_type=Path))
@overrides
@store_option
@as_json
def pretrain(config: Path, changes: tuple[str, ...], store: Path | None, as_json: bool) -> None:
    """Train the model that CONFIG describes on texts (preprocess.format wiki or text).

    As `finetune`; with `random_weights: true` the source is asked for config.json and tokenizer only.
    """

    from tasks.preflight import preflight

    def load() -> Callable[[Pretrain], TrainedRun]:
        from flows.pretrain import pretrain

        return pretrain

    run = read_run(config, Pretrain, changes, store, command="pretrain")
    preflight(run)
    emit(as_plain(run_on_server(run, load)), as_json, show)
