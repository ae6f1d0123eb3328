"""`mindrail convert`: a checkpoint between Hugging Face's and MindSpore's names and files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click
from click.core import ParameterSource

from flows.cli.command import as_json, command_line, emit
from flows.cli.section_options import section_options
from modelcore.config.checkpoint import Convert
from modelcore.store.atomic_output import atomic_directory
from modelcore.units import format_bytes
from modelcore.versions import check_versions

__all__ = ["convert"]

any_path = click.Path(path_type=Path)


@command_line.command()
@click.argument("source", type=any_path)
@click.argument("destination", type=any_path)
@click.option(
    "--to", type=click.Choice(["mindspore", "hf"]), required=True, help="Names and layout to write."
)
@section_options(Convert, "config")
@as_json
def convert(
    source: Path, destination: Path, to: Literal["mindspore", "hf"], config: Convert, as_json: bool
) -> None:
    """Convert the checkpoint SOURCE into the directory DESTINATION.

    SOURCE is a directory with config.json and weights (safetensors, PyTorch .bin, Meta's .pth, MindSpore
    .ckpt), or the weights file in one. Every tensor is used once and written once, or nothing is.
    """
    explicit = click.get_current_context().get_parameter_source("format") is ParameterSource.COMMANDLINE
    if to == "hf" and config.format == "ckpt" and explicit:
        raise click.UsageError("--to hf writes safetensors: leave out --format ckpt")
    check_versions()
    from modelcore.checkpoints.convert import convert_checkpoint
    from tasks.progress import shown_progress

    with shown_progress("convert") as progress:
        report = atomic_directory(
            destination,
            lambda directory: convert_checkpoint(
                source, directory, to=to, **config.model_dump(), progress=progress
            ),
            origin={
                "source": str(source.absolute()),
                "to": to,
                "format": config.format,
                "dtype": config.dtype,
            },
        )
    emit({"destination": str(destination), **asdict(report)}, as_json, lambda _: _show(report, destination))


def _show(report: Any, destination: Path) -> None:
    size = sum(path.stat().st_size for path in destination.iterdir())
    click.echo(f"{len(report.tensors)} tensors, {format_bytes(size)}: {destination}")
    for warning in report.warnings:
        click.echo(f"note: {warning}")
