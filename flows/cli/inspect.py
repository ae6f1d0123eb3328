"""The command that says what a path is: `inspect`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit
from modelcore.errors import one_line
from modelcore.units import format_bytes

__all__ = ["inspect"]


@command_line.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--all", "every", is_flag=True, help="A line for every tensor, not one for all layers.")
@as_json
def inspect(path: Path, every: bool, as_json: bool) -> None:
    """Say what PATH is: a table of what is in it, totals, and what is wrong with it.

    PATH is a checkpoint or one file of it (Hugging Face's, PyTorch's, Meta's, MindSpore's, whole or in
    rank_<r>/), a strategy file or a directory of them, a MindRecord, a tokenizer, a config.json, or an
    artifact of the store. Only headers are read.
    """
    from modelcore.checkpoints.inspect import inspect_path

    found = inspect_path(path)
    result = {"path": str(path), **asdict(found)}
    del result["brief"]
    rows = found.rows if every else found.brief
    emit(result, as_json, lambda result: _show(result, rows))


def _show(result: dict[str, Any], rows: Sequence[dict[str, Any]]) -> None:
    click.echo(one_line(f"{result['path']}: {result['what']}") + "\n")
    if rows:
        click.echo("\n".join(_table(rows)) + "\n")
    for key, value in result["totals"].items():
        click.echo(f"{key:<19} {in_words(key, value)}")
    for note in result["notes"]:
        click.echo(f"note: {one_line(note)}")


def _table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the table's lines: numbers to the right, nothing cut off."""
    lines = [list(rows[0]), *([in_words(key, value) for key, value in row.items()] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    right = [isinstance(value, int) for value in rows[0].values()]
    for line in lines:
        cells = zip(line, widths, right, strict=True)
        yield "  ".join(f"{cell:{'>' if number else '<'}{width}}" for cell, width, number in cells).rstrip()


def in_words(key: str, value: Any) -> str:
    """Return a cell or a total as a person reads it."""
    if value is None:
        return "none"
    if key in ("size", "bytes"):
        return format_bytes(value)
    if key == "elements":
        return f"{value:,}"
    if isinstance(value, (tuple, list)):
        return one_line(" × ".join(map(str, value))) or "scalar"
    if isinstance(value, dict):
        return ", ".join(one_line(f"{name} {one}") for name, one in value.items())
    return one_line(str(value))
