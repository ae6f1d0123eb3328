"""Where a command writes weights: into a directory, or as the one file FILE.ckpt or FILE.safetensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import click

from modelcore.config.checkpoint import FileFormat
from modelcore.store.atomic_output import atomic_directory, atomic_file

__all__ = ["build_checkpoint", "chosen_format", "is_weights_file", "needed_files"]

Result = TypeVar("Result")

_FORMATS: Mapping[str, FileFormat] = {".ckpt": "ckpt", ".safetensors": "safetensors"}


def is_weights_file(destination: Path) -> bool:
    """Whether a destination's name is that of a file of weights."""
    return destination.suffix in _FORMATS


def chosen_format(destination: Path, format: FileFormat, *, explicit: bool) -> FileFormat:
    """Return the format to write: that of the destination's name, if it is a file's.

    Args:
        destination: what the user named.
        format: what --format says.
        explicit: whether --format was given.

    Raises:
        click.UsageError: the two differ.
    """
    named = _FORMATS.get(destination.suffix, format)
    if explicit and named != format:
        raise click.UsageError(f"--format {format}, but {destination.name} is {named}: leave out --format")
    return named


def build_checkpoint(
    destination: Path, build: Callable[[Path], Result], *, origin: Mapping[str, Any]
) -> Result:
    """Build a directory of weights, config.json and tokenizer, or the weights' file alone.

    Args:
        destination: of either.
        build: fills a directory, the weights in one file `model.<format>` if a file is wanted.
        origin: whatever the output depends on.

    Raises:
        MindrailError: there is something at the destination, or it cannot be written.
    """
    if is_weights_file(destination):
        return atomic_file(destination, f"model{destination.suffix}", build, origin=origin)
    return atomic_directory(destination, build, origin=origin)


def needed_files(home: Path) -> str:
    """Return what a user of a file of weights should know: where the files are that belong to it."""
    return (
        f"one file of weights, as MindFormers' convert_weight.py writes; config.json and tokenizer stay in "
        f"{home}: copy them beside it, or name their directory with --model"
    )
