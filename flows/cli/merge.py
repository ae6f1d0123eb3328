"""`mindrail merge`: a sharded checkpoint to a whole one."""

from __future__ import annotations

from pathlib import Path

import click
from click.core import ParameterSource

from flows.cli.command import command_line
from flows.cli.layout_options import files, make_checkpoint, model, newest
from flows.cli.section_options import option_of
from flows.cli.weights_output import chosen_format
from modelcore.config.checkpoint import Convert, Dtype, FileFormat

__all__ = ["merge"]


@command_line.command()
@newest
@model
@option_of(Convert, "dtype")
@files
def merge(
    source: Path,
    destination: Path,
    format: FileFormat,
    dtype: Dtype,
    weights_only: bool,
    newest: bool,
    model: Path | None,
    as_json: bool,
) -> None:
    """Join the sharded checkpoint SOURCE (rank_<r>/ directories, strategy/) into one in DESTINATION.

    DESTINATION is a directory, which gets config.json and tokenizer, too, or a file FILE.ckpt or
    FILE.safetensors: the weights alone.
    """
    from modelcore.checkpoints.reshard import merge_checkpoint

    explicit = click.get_current_context().get_parameter_source("format") is ParameterSource.COMMANDLINE
    format = chosen_format(destination, format, explicit=explicit)
    options = {
        "format": format,
        "dtype": dtype,
        "weights_only": weights_only,
        "newest": newest,
        "description": model,
    }
    make_checkpoint("merge", merge_checkpoint, source, destination, options, as_json)
