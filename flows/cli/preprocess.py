"""`mindrail preprocess`: instructions or texts to MindRecord rows, with a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit
from flows.cli.data import show_report

__all__ = ["preprocess"]

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
    from modelcore.data.mindrecord.output import page_path
    from modelcore.data.page import write_page
    from modelcore.data.preprocess import preprocess as write_rows
    from tasks.progress import shown_progress

    if not source.is_file():
        raise click.BadParameter(f"{source}: there is no such file", param_hint="INPUT")
    with shown_progress("preprocess") as progress:
        report = write_rows(source, output, tokenizer_dir=tokenizer, progress=progress, **choices)
    write_page(output, report)
    result = {"output": str(output), "page": str(page_path(output)), **json.loads(report.to_json())}
    emit(result, as_json, show_report)
