"""Options and output that `shard`, `merge` and `reshard` share."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.command import as_json, emit
from flows.cli.section_options import option_of
from flows.cli.weights_output import build_checkpoint, is_weights_file, needed_files
from modelcore.config.checkpoint import Convert
from modelcore.parallel.mesh import MOST_RANKS, Layout
from modelcore.parallel.partition import Cut
from modelcore.units import format_bytes

if TYPE_CHECKING:
    from modelcore.checkpoints.reshard import ReshardReport

__all__ = ["files", "make_checkpoint", "model", "newest", "rank_numbers", "ranks"]

newest = click.option(
    "--newest", is_flag=True, help="Where a rank has several checkpoints, take the last by epoch and step."
)
model = click.option(
    "--model",
    type=click.Path(path_type=Path),
    help="Directory with config.json and tokenizer, where SOURCE has none.",
)
ranks = click.option("--ranks", help="Make only these ranks' files, e.g. 0-7 or 0,2.")


def files(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add what all three commands take: source, destination, format, whether without states."""
    for option in (
        as_json,
        click.option("--weights-only", is_flag=True, help="Leave out the optimizer's states."),
        option_of(Convert, "format"),
        click.argument("destination", type=click.Path(path_type=Path)),
        click.argument("source", type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


def rank_numbers(text: str | None) -> list[int] | None:
    """Return the ranks in `0-3,7`, or None for all.

    Raises:
        click.BadParameter: it is not of that form.
    """
    if text is None:
        return None
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch("([0-9]{1,5})(?:-([0-9]{1,5}))?", part)
        if match is None or len(found) > MOST_RANKS:
            raise click.BadParameter(f"{text!r} is not of the form 0-3,7", param_hint="--ranks")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return found


def make_checkpoint(
    name: str,
    work: Callable[..., ReshardReport],
    source: Path,
    destination: Path,
    options: dict[str, Any],
    as_json: bool,
) -> None:
    """Do `work` from `source` into `destination`, complete or not at all, and print its report."""
    from tasks.progress import shown_progress

    with shown_progress(name) as progress:
        report = build_checkpoint(
            destination,
            lambda directory: work(source, directory, progress=progress, **options),
            origin={"source": str(source.absolute()), **_plain(options)},
        )
    made = [destination] if is_weights_file(destination) else destination.rglob("*")
    home = destination.parent if is_weights_file(destination) else destination
    files = sorted(str(path.relative_to(home)) for path in made if path.is_file())
    described = options.get("description") or source
    notes = [*report.notes, *([needed_files(described)] if is_weights_file(destination) else [])]
    result = {"destination": str(destination), "files": files, "bytes": report.nbytes, "notes": notes}
    emit(result, as_json, _show)


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options as JSON values, those of a `Cut` one by one."""
    cut = options.get("cut")
    flat = {**options, **vars(cut)} if isinstance(cut, Cut) else options
    return {
        key: str(value) if isinstance(value, Layout | Path) else value
        for key, value in flat.items()
        if key != "cut"
    }


def _show(result: dict[str, Any]) -> None:
    click.echo(f"{len(result['files'])} files, {format_bytes(result['bytes'])}: {result['destination']}")
    for note in result["notes"]:
        click.echo(f"note: {note}")
