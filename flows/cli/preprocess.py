"""`mindrail preprocess`: instructions or texts to MindRecord rows, with a report."""

from __future__ import annotations

import json
from pathlib import Path

import click

from flows.cli.command import as_json, command_line, emit
from flows.cli.data import show_report
from flows.cli.section_options import section_options
from modelcore.data.options import Options

__all__ = ["preprocess"]

any_path = click.Path(path_type=Path)


@command_line.command()
@click.argument("sources", metavar="INPUT...", nargs=-1, required=True)
@click.option(
    "--tokenizer",
    type=any_path,
    required=True,
    help="The tokenizer's directory, or its vocabulary file.",
)
@click.option("--output", type=any_path, required=True, help="FILE.mindrecord to make.")
@section_options(Options, "options", leave_out=("literal_specials",), key="preprocess")
@click.option("--workers", type=click.IntRange(1), help="Processes; chosen by the input's size if not given.")
@as_json
def preprocess(
    sources: tuple[str, ...],
    tokenizer: Path,
    output: Path,
    options: Options,
    workers: int | None,
    as_json: bool,
) -> None:
    """Turn INPUT into MindRecord rows of seq_length + 1 tokens, with a report of what happened to it.

    INPUT is a JSON list or JSON lines (Alpaca, conversations, texts; .gz too) or wikitext: files,
    directories or patterns ('data/*.json'), read in that order and only read. FILE.mindrecord, its index
    FILE.mindrecord.db and FILE.report.json appear together or not at all; FILE.report.html shows the report.
    Nothing that exists is replaced.
    """
    from modelcore.data.losses import loss_warning
    from modelcore.data.mindrecord.output import page_path
    from modelcore.data.page import write_page
    from modelcore.data.preprocess import preprocess as write_rows
    from modelcore.data.sources.files import named_files
    from tasks.log import warn
    from tasks.progress import shown_progress

    files = named_files(sources)
    with shown_progress("preprocess") as progress:
        report = write_rows(
            files,
            output,
            tokenizer_dir=tokenizer,
            workers=workers,
            progress=progress,
            **options.model_dump(),
        )
    write_page(output, report)
    if (warning := loss_warning(report)) is not None:
        warn(warning)
    result = {"output": str(output), "page": str(page_path(output)), **json.loads(report.to_json())}
    emit(result, as_json, show_report)
