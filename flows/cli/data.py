"""`mindrail data`: conversations, report and decode, for looking at training data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import click

from flows.cli.command import as_json, command_line, emit
from modelcore.errors import escaped_lines

__all__ = ["data", "show_report"]

any_path = click.Path(path_type=Path)


@command_line.group()
def data() -> None:
    """Look at preprocessed data: what happened to it, and what its rows say."""


@data.command()
@click.argument("source", metavar="INPUT", type=any_path)
@click.argument("output", type=any_path)
@click.option("--skip-bad", is_flag=True, help="Leave out records that cannot be read, and count them.")
@as_json
def conversations(source: Path, output: Path, skip_bad: bool, as_json: bool) -> None:
    """Write the Alpaca records of INPUT as conversations (`from: human/gpt`), one JSON list in OUTPUT."""
    from modelcore.data.sources.conversations import convert_alpaca
    from tasks.progress import shown_progress

    with shown_progress("conversations") as progress:
        written, bad = convert_alpaca(source, output, skip_bad=skip_bad, progress=progress)
    emit({"output": str(output), "conversations": written, "bad": bad}, as_json, _show_conversations)


@data.command()
@click.argument("path", type=any_path)
@as_json
def report(path: Path, as_json: bool) -> None:
    """Print what happened to the records: PATH is an output of `preprocess`, or its FILE.report.json."""
    from modelcore.data.losses import loss_warning
    from modelcore.data.mindrecord.output import report_path
    from modelcore.data.report import PreprocessReport
    from tasks.log import warn

    found = path if path.suffix == ".json" else report_path(path)
    result = PreprocessReport.read(found)
    emit(json.loads(result.to_json()), as_json, show_report)
    if (warning := loss_warning(result)) is not None:
        warn(warning)


@data.command()
@click.argument("path", type=any_path)
@click.option("--tokenizer", type=any_path, help="The tokenizer's directory, or its vocabulary file.")
@click.option("--rows", type=click.IntRange(1), default=3, show_default=True)
@as_json
def decode(path: Path, tokenizer: Path | None, rows: int, as_json: bool) -> None:
    """Decode the first rows of the MindRecord PATH, masked and trained parts marked.

    Without a tokenizer, the rows are those that the report beside PATH holds decoded.
    """
    from modelcore.data.mindrecord.decode import decode_rows
    from modelcore.data.report import decoded_rows
    from modelcore.data.tokenizers import load_tokenizer

    decoded = decode_rows(path, load_tokenizer(tokenizer), rows) if tokenizer else decoded_rows(path, rows)
    emit({"rows": [[span._asdict() for span in row] for row in decoded]}, as_json, _show_rows)


def show_report(result: dict[str, Any]) -> None:
    """Print the counts and notes of a preprocessing report."""
    from modelcore.data.report import COUNTED

    for key in COUNTED:
        click.echo(f"{key.replace('_', ' '):<18}{result[key]:>12,}")
    click.echo(f"{'trained share':<18}{result['trained_share']:>12.1%}")
    for note in (*result["notes"], *result["messages"]):
        click.echo(f"note: {note}")
    if "output" in result:
        click.echo(f"rows: {result['output']}")
        click.echo(f"page: {result['page']}")


def _show_conversations(result: dict[str, Any]) -> None:
    left_out = f", {result['bad']} bad records left out" if result["bad"] else ""
    click.echo(f"{result['conversations']:,} conversations{left_out}: {result['output']}")


def _show_rows(result: dict[str, Any]) -> None:
    colours: dict[str, Literal["green", "bright_black"]] = {"trained": "green", "masked": "bright_black"}
    for number, row in enumerate(result["rows"]):
        click.echo(f"--- row {number}")
        for span in row:
            click.echo(f"[{span['kind']}, {span['tokens']} tokens]")
            if span["text"]:
                click.secho(escaped_lines(span["text"]), fg=colours.get(span["kind"]))
