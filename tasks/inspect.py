"""Steps that only inspect: what a path is, how a tokenizer encodes a text. Nothing of them is in the store.

The result is returned, and shown as a table on the run's page.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from modelcore.checkpoints.inspect import inspect_path
from modelcore.data.tokenizers import tokenize as encode
from modelcore.errors import one_line
from tasks.dashboard import show_table
from tasks.step_task import step_task

__all__ = ["inspect", "tokenize"]

_MOST_ROWS = 500  # on a dashboard's page


@step_task("inspect")
def inspect(path: str) -> dict[str, Any]:
    """Describe what is at `path`: in words, its table, totals and notes; as JSON, for the dashboard."""
    description = inspect_path(Path(path))
    totals = (f"{key}: {value}" for key, value in description.totals.items())
    rows = [{key: one_line(str(value)) for key, value in row.items()} for row in description.brief]
    show_table("inspection", rows[:_MOST_ROWS], "\n".join([description.what, *totals, *description.notes]))
    return asdict(description)


@step_task("tokenize")
def tokenize(tokenizer: str, text: str) -> dict[str, Any]:
    """Encode a text with the tokenizer of a directory: ids, pieces, and whether decoding restores it."""
    encoded = encode(Path(tokenizer), text)
    rows = [{"id": number, "piece": piece} for number, piece in zip(encoded.ids, encoded.pieces, strict=True)]
    same = "the same text" if encoded.round_trip else "another text"
    show_table("tokens", rows[:_MOST_ROWS], f"{len(rows)} tokens; decoded again: {same}")
    return asdict(encoded)
