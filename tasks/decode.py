"""Decode the first rows of preprocessed data to text. Nothing of it is in the store."""

from __future__ import annotations

from pathlib import Path

from modelcore.data.mindrecord.decode import Span, decode_rows
from modelcore.data.report import decoded_rows
from modelcore.data.tokenizers import load_tokenizer
from tasks.dashboard import show_markdown
from tasks.preprocess import rows_file
from tasks.step_task import step_task

__all__ = ["decode"]


@step_task("decode")
def decode(rows: Path, tokenizer: Path | None, count: int) -> list[list[Span]]:
    """Decode the first rows and show them on the dashboard, masked and trained parts marked.

    Args:
        rows: an artifact of `preprocess`, or its MindRecord file.
        tokenizer: directory with the tokenizer files; without it, the rows that the report holds decoded.
        count: how many rows.
    """
    path = rows_file(rows)
    decoded = (
        decoded_rows(path, count)
        if tokenizer is None
        else decode_rows(path, load_tokenizer(tokenizer), count)
    )
    show_markdown(
        "rows", "\n\n---\n\n".join(_as_markdown(row) for row in decoded), f"The first {len(decoded)} rows"
    )
    return decoded


def _as_markdown(row: list[Span]) -> str:
    parts = []
    for span in row:
        text = "\n".join(f"    {line}" for line in span.text.split("\n"))
        parts.append(f"{span.kind}, {span.tokens} tokens\n\n{text}")
    return "\n\n".join(parts)
