"""Commands on training data: `preprocess`, `data conversations`, `data report`, `data decode`, `tokenize`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click

from flows.cli import as_json, command_line, emit

__all__ = ["data", "preprocess", "tokenize"]

FORMATS = ("wizardcoder", "llama", "codellama-instruct", "deepseek", "wiki", "text")
any_path = click.Path(path_type=Path)


@command_line.command()
@click.argument("source", metavar="INPUT", type=any_path)
@click.option("--format", type=click.Choice(FORMATS), required=True, help="Row format.")
@click.option("--tokenizer", type=any_path, required=True, help="Directory with the model's tokenizer files.")
@click.option("--seq-length", type=click.IntRange(1), default=512, show_default=True)
@click.option("--output", type=any_path, required=True, help="FILE.mindrecord to make.")
@click.option("--compat", type=click.Choice(["model", "mindformers"]), default="model", show_default=True)
@click.option("--strict", is_flag=True, help="Fail if anything is truncated, dropped or wholly masked.")
@click.option("--skip-bad", is_flag=True, help="Leave out records that cannot be read, and count them.")
@click.option("--pack", is_flag=True, help="Put several samples into a row; training keeps them apart.")
@click.option(
    "--validation",
    type=click.FloatRange(0, 1, max_open=True),
    default=0.0,
    show_default=True,
    help="Share to hold back, chosen by a hash of the content.",
)
@click.option(
    "--rows-per-file", type=click.IntRange(0), default=0, help="Spread the rows over FILE_0, FILE_1, …"
)
@click.option("--drop-duplicates", is_flag=True, help="Keep only the first of samples with equal content.")
@click.option(
    "--near-duplicates", type=click.Choice(["ignore", "report", "drop"]), default="ignore", show_default=True
)
@click.option(
    "--near-threshold",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.8,
    show_default=True,
    help="Share of word shingles that makes two samples nearly equal.",
)
@click.option(
    "--against",
    "benchmarks",
    type=any_path,
    multiple=True,
    help="A benchmark file the data must not contain.",
)
@click.option(
    "--contaminated", type=click.Choice(["report", "drop", "fail"]), default="report", show_default=True
)
@click.option(
    "--ngram",
    type=click.IntRange(3),
    default=13,
    show_default=True,
    help="Words in a row that count as shared text.",
)
@click.option("--workers", type=click.IntRange(1), help="Processes; chosen by the input's size if not given.")
@as_json
def preprocess(
    source: Path,
    tokenizer: Path,
    output: Path,
    as_json: bool,
    **choices: Any,
) -> None:
    """Turn INPUT into MindRecord rows of seq_length + 1 tokens, with a report of what happened to it.

    INPUT is a JSON list or JSON lines (Alpaca, conversations, texts; .gz too) or wikitext. It is only
    read. FILE.mindrecord, its index FILE.mindrecord.db and FILE.report.json appear together or not at
    all; FILE.report.html shows the report. Nothing that exists is replaced.
    """
    from modelcore.data.output import page_path
    from modelcore.data.page import write_page
    from modelcore.data.preprocess import preprocess as write_rows
    from tasks.show import shown_progress

    if not source.is_file():
        raise click.BadParameter(f"{source}: there is no such file", param_hint="INPUT")
    with shown_progress("preprocess") as progress:
        report = write_rows(source, output, tokenizer_dir=tokenizer, progress=progress, **choices)
    write_page(output, report)
    result = {"output": str(output), "page": str(page_path(output)), **json.loads(report.to_json())}
    emit(result, as_json, _show_report)


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
    from modelcore.data.conversations import convert_alpaca
    from tasks.show import shown_progress

    with shown_progress("conversations") as progress:
        written, bad = convert_alpaca(source, output, skip_bad=skip_bad, progress=progress)
    emit({"output": str(output), "conversations": written, "bad": bad}, as_json, _show_conversations)


@data.command()
@click.argument("path", type=any_path)
@as_json
def report(path: Path, as_json: bool) -> None:
    """Print what happened to the records: PATH is what `preprocess` made, or its FILE.report.json."""
    from modelcore.data.output import report_path
    from modelcore.data.report import PreprocessReport

    found = path if path.suffix == ".json" else report_path(path)
    emit(json.loads(PreprocessReport.read(found).to_json()), as_json, _show_report)


@data.command()
@click.argument("path", type=any_path)
@click.option("--tokenizer", type=any_path, help="Directory with the tokenizer files.")
@click.option("--rows", type=click.IntRange(1), default=3, show_default=True)
@as_json
def decode(path: Path, tokenizer: Path | None, rows: int, as_json: bool) -> None:
    """Decode the first rows of the MindRecord PATH, masked and trained parts told apart.

    Without a tokenizer, the rows are those that the report beside PATH holds decoded.
    """
    from modelcore.data.decode import decode_rows
    from modelcore.data.report import decoded_rows
    from modelcore.data.tokenizers import load_tokenizer

    decoded = decode_rows(path, load_tokenizer(tokenizer), rows) if tokenizer else decoded_rows(path, rows)
    emit({"rows": [[span._asdict() for span in row] for row in decoded]}, as_json, _show_rows)


@command_line.command()
@click.argument("directory", type=any_path)
@click.option("--text", help="The text to encode.")
@click.option("--file", type=any_path, help="A UTF-8 file to encode.")
@as_json
def tokenize(directory: Path, text: str | None, file: Path | None, as_json: bool) -> None:
    """Encode a text with the tokenizer in DIRECTORY: ids, pieces, and whether it comes back the same."""
    from modelcore.data.tokenizers.describe import read_text
    from modelcore.data.tokenizers.describe import tokenize as encode

    if (text is None) == (file is None):
        raise click.UsageError("give one of --text and --file")
    given = text if text is not None else read_text(file) if file is not None else ""
    emit(asdict(encode(directory, given)), as_json, _show_tokens)


def _show_report(result: dict[str, Any]) -> None:
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
                click.secho(span["text"], fg=colours.get(span["kind"]))


def _show_tokens(result: dict[str, Any]) -> None:
    for number, piece in zip(result["ids"], result["pieces"], strict=True):
        click.echo(f"{number:>8}  {piece!r}")
    same = "the same text" if result["round_trip"] else f"another text: {result['decoded']!r}"
    click.echo(f"{len(result['ids'])} tokens; decoded again: {same}")
