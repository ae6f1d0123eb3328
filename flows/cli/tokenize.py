"""`mindrail tokenize`: what a tokenizer makes of a text."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit

__all__ = ["tokenize"]

any_path = click.Path(path_type=Path)


@command_line.command()
@click.argument("directory", type=any_path)
@click.option("--text", help="The text to encode.")
@click.option("--file", type=any_path, help="A UTF-8 file to encode.")
@as_json
def tokenize(directory: Path, text: str | None, file: Path | None, as_json: bool) -> None:
    """Encode a text with the tokenizer in DIRECTORY: ids, pieces, and whether it comes back the same.

    Its vocabulary file, tokenizer.model or tokenizer.json, may be given instead.
    """
    from modelcore.data.tokenizers.describe import read_text
    from modelcore.data.tokenizers.describe import tokenize as encode

    if (text is None) == (file is None):
        raise click.UsageError("give one of --text and --file")
    content = text if text is not None else read_text(file) if file is not None else ""
    emit(asdict(encode(directory, content)), as_json, _show_tokens)


def _show_tokens(result: dict[str, Any]) -> None:
    for number, piece in zip(result["ids"], result["pieces"], strict=True):
        click.echo(f"{number:>8}  {piece!r}")
    same = "the same text" if result["round_trip"] else f"another text: {result['decoded']!r}"
    click.echo(f"{len(result['ids'])} tokens; decoded again: {same}")
