"""`mindrail convert`: a checkpoint between Hugging Face's and MindSpore's names and files."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click
from click.core import ParameterSource

from flows.cli.command import as_json, command_line, emit
from flows.cli.section_options import section_options
from flows.cli.weights_output import build_checkpoint, chosen_format, is_weights_file, needed_files
from modelcore.config.checkpoint import Convert
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
@click.option(
    "--model",
    type=any_path,
    help="Directory with config.json and tokenizer, where SOURCE has none.",
)
@as_json
def convert(
    source: Path,
    destination: Path,
    to: Literal["mindspore", "hf"],
    config: Convert,
    model: Path | None,
    as_json: bool,
) -> None:
    """Convert the checkpoint SOURCE into DESTINATION: a directory, or a file FILE.ckpt or FILE.safetensors.

    SOURCE is a directory with config.json and weights (safetensors, PyTorch .bin, Meta's .pth, MindSpore
    .ckpt), or the weights file in one. Its names may be those to write already: PyTorch's .bin becomes
    safetensors with --to hf. Every tensor is used once and written once, or nothing is. A directory gets
    config.json and tokenizer, too; a file is the weights alone.
    """
    explicit = click.get_current_context().get_parameter_source("format") is ParameterSource.COMMANDLINE
    format = chosen_format(destination, config.format, explicit=explicit)
    if to == "hf" and format == "ckpt" and (explicit or destination.suffix):
        wrong = f"not {destination.name}" if destination.suffix == ".ckpt" else "leave out --format ckpt"
        raise click.UsageError(f"--to hf writes safetensors: {wrong}")
    check_versions()
    from modelcore.checkpoints.convert import convert_checkpoint
    from tasks.progress import shown_progress

    options = {**config.model_dump(), "format": format, "to": to}
    one_file = is_weights_file(destination)
    with shown_progress("convert") as progress:
        report = build_checkpoint(
            destination,
            lambda directory: convert_checkpoint(
                source, directory, **options, description=model, one_file=one_file, progress=progress
            ),
            origin={"source": str(source.absolute()), "model": str(model), **options},
        )
    home = model or (source if source.is_dir() else source.parent)
    notes = (*report.warnings, *([needed_files(home)] if one_file else []))
    result = {"destination": str(destination), **asdict(report), "warnings": notes}
    emit(result, as_json, lambda _: _show(result, destination))


def _show(result: dict[str, Any], destination: Path) -> None:
    paths = [destination] if destination.is_file() else [*destination.iterdir()]
    size = sum(path.stat().st_size for path in paths)
    click.echo(f"{len(result['tensors'])} tensors, {format_bytes(size)}: {destination}")
    for note in result["warnings"]:
        click.echo(f"note: {note}")
