"""`mindrail import-config`: MindFormers' YAML of a run as ours."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

import click

from flows.cli.command import as_json, command_line, emit
from modelcore.config.data import InstructionFormat
from modelcore.errors import MindrailError

__all__ = ["import_config"]


@command_line.command(name="import-config")
@click.argument("source", metavar="RUN_YAML", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="File to write; printed otherwise.")
@click.option("--model", default="", help="The model's source, where RUN_YAML names none that is known.")
@click.option("--data", default="", help="Instructions or a .mindrecord, where RUN_YAML names none.")
@click.option(
    "--format",
    "row_format",
    default="",
    type=click.Choice(["", *get_args(InstructionFormat)]),
    help="Row format of the data; the model's own by default.",
)
@as_json
def import_config(
    source: Path, output: Path | None, model: str, data: str, row_format: str, as_json: bool
) -> None:
    """Turn MindFormers' RUN_YAML of a training into a YAML for `mindrail finetune`.

    What could not be carried over is listed with its reason, key by key.
    """
    if output is not None and output.exists():
        raise MindrailError("is there already", where=output, fix="give another name, or remove it")
    from tasks.import_config import import_config as imported_from

    imported = imported_from(source, model=model, data=data, format=row_format)
    if output is not None:
        output.write_text(imported.text, encoding="utf-8")
    result = {"yaml": imported.text, "left": [asdict(one) for one in imported.left]}
    emit(result, as_json, lambda result: _show(result, output))


def _show(result: dict[str, Any], output: Path | None) -> None:
    if output is None:
        click.echo(result["yaml"], nl=False)
    for one in result["left"]:
        click.echo(f"not carried over: {one['key']}: {one['value']}: {one['reason']}", err=True)
    if output is not None:
        click.echo(f"written: {output}; see what it will do: mindrail plan {output}", err=True)
