"""Commands that move a checkpoint between distributed layouts: `shard`, `merge`, `reshard`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from flows.cli import as_json, command_line, emit
from modelcore.parallel.mesh import Layout
from modelcore.report.words import bytes_in_words
from modelcore.store.placing import place

if TYPE_CHECKING:
    from modelcore.models.resharding import ReshardReport
    from modelcore.progress import Progress

__all__ = ["merge", "reshard", "shard"]

Format = Literal["ckpt", "safetensors"]
Work = Callable[[Path, "Progress"], "ReshardReport"]

source_argument = click.argument("source", type=click.Path(path_type=Path))
destination_argument = click.argument("destination", type=click.Path(path_type=Path))
format_option = click.option(
    "--format", type=click.Choice(["ckpt", "safetensors"]), default="ckpt", show_default=True
)
weights_only = click.option("--weights-only", is_flag=True, help="Leave out the optimizer's states.")
newest = click.option(
    "--newest", is_flag=True, help="Where a rank has several checkpoints, take the last by epoch and step."
)


def layout_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that describe a layout, in MindFormers' words."""
    for option in (
        click.option("--vocab-emb-dp", is_flag=True, help="Keep embedding and head whole on every rank."),
        click.option("--ranks", help="Make only these ranks' files, e.g. 0-7 or 0,2."),
        click.option("--pipeline-stage", type=click.IntRange(1), default=1, show_default=True),
        click.option("--model-parallel", type=click.IntRange(1), default=1, show_default=True),
        click.option("--data-parallel", type=click.IntRange(1), default=1, show_default=True),
    ):
        command = option(command)
    return command


@command_line.command()
@source_argument
@destination_argument
@layout_options
@format_option
@weights_only
@as_json
def shard(
    source: Path,
    destination: Path,
    data_parallel: int,
    model_parallel: int,
    pipeline_stage: int,
    ranks: str | None,
    vocab_emb_dp: bool,
    format: Format,
    weights_only: bool,
    as_json: bool,
) -> None:
    """Cut the whole checkpoint SOURCE into one file a rank, with strategy files, in DESTINATION."""
    from modelcore.models.resharding import shard_checkpoint

    layout = Layout(data_parallel, model_parallel, pipeline_stage)
    asked: dict[str, Any] = {
        "ranks": rank_numbers(ranks),
        "vocab_emb_dp": vocab_emb_dp,
        "weights_only": weights_only,
    }
    _make(
        "shard",
        source,
        destination,
        lambda directory, progress: shard_checkpoint(
            source, directory, layout=layout, format=format, progress=progress, **asked
        ),
        {"layout": str(layout), "format": format, **asked},
        as_json,
    )


@command_line.command()
@source_argument
@destination_argument
@layout_options
@format_option
@weights_only
@newest
@as_json
def reshard(
    source: Path,
    destination: Path,
    data_parallel: int,
    model_parallel: int,
    pipeline_stage: int,
    ranks: str | None,
    vocab_emb_dp: bool,
    format: Format,
    weights_only: bool,
    newest: bool,
    as_json: bool,
) -> None:
    """Make the sharded checkpoint SOURCE one of another layout in DESTINATION."""
    from modelcore.models.resharding import reshard_checkpoint

    layout = Layout(data_parallel, model_parallel, pipeline_stage)
    asked: dict[str, Any] = {
        "ranks": rank_numbers(ranks),
        "vocab_emb_dp": vocab_emb_dp,
        "weights_only": weights_only,
    }
    _make(
        "reshard",
        source,
        destination,
        lambda directory, progress: reshard_checkpoint(
            source, directory, layout=layout, format=format, newest=newest, progress=progress, **asked
        ),
        {"layout": str(layout), "format": format, **asked},
        as_json,
    )


@command_line.command()
@source_argument
@destination_argument
@format_option
@weights_only
@newest
@as_json
def merge(
    source: Path, destination: Path, format: Format, weights_only: bool, newest: bool, as_json: bool
) -> None:
    """Join the sharded checkpoint SOURCE (rank_<r>/ directories, strategy/) into one in DESTINATION."""
    from modelcore.models.resharding import merge_checkpoint

    _make(
        "merge",
        source,
        destination,
        lambda directory, progress: merge_checkpoint(
            source, directory, format=format, weights_only=weights_only, newest=newest, progress=progress
        ),
        {"format": format, "weights_only": weights_only},
        as_json,
    )


def rank_numbers(text: str | None) -> list[int] | None:
    """Return the ranks in `0-3,7`, or None for all.

    Raises:
        click.BadParameter: it is not of that form.
    """
    if text is None:
        return None
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            raise click.BadParameter(f"{text!r} is not of the form 0-3,7", param_hint="--ranks")
        found += range(int(first), int(last or first) + 1)
    return found


def _make(
    name: str, source: Path, destination: Path, work: Work, asked: dict[str, Any], as_json: bool
) -> None:
    from tasks.show import shown_progress

    with shown_progress(name) as progress:
        report = place(
            destination,
            lambda directory: work(directory, progress),
            origin={"source": str(source.absolute()), **asked},
        )
    files = sorted(str(path.relative_to(destination)) for path in destination.rglob("*") if path.is_file())
    result = {"destination": str(destination), "files": files, "bytes": report.nbytes, "notes": report.notes}
    emit(result, as_json, _show)


def _show(result: dict[str, Any]) -> None:
    click.echo(f"{len(result['files'])} files, {bytes_in_words(result['bytes'])}: {result['destination']}")
    for note in result["notes"]:
        click.echo(f"note: {note}")
