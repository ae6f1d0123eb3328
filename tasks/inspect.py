"""Steps that only look: what a path is, what a tokenizer makes of a text. Nothing of them is in the store.

What they find is returned, and shown as a table on the run's page.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from modelcore.checkpoints.inspect import inspect_path
from modelcore.data.tokenizers import tokenize as encode
from modelcore.errors import one_line
from tasks.dashboard import show_table
from tasks.step import step_task

__all__ = ["inspect", "tokenize"]

_MOST_ROWS = 500  # on a dashboard's page


@step_task("inspect")
def inspect(path: str) -> dict[str, Any]:
    """Say what is at `path`: in words, its table, totals and notes."""
    found = inspect_path(Path(path))
    told = "\n".join([found.what, *(f"{key}: {value}" for key, value in found.totals.items()), *found.notes])
    rows = [{key: one_line(str(value)) for key, value in row.items()} for row in found.brief]
    show_table("inspection", rows[:_MOST_ROWS], told)
    return asdict(found)


@step_task("tokenize")
def tokenize(tokenizer: str, text: str) -> dict[str, Any]:
    """Encode a text with the tokenizer of a directory: ids, pieces, and whether it comes back the same."""
    made = encode(Path(tokenizer), text)
    rows = [{"id": number, "piece": piece} for number, piece in zip(made.ids, made.pieces, strict=True)]
    same = "the same text" if made.round_trip else "another text"
    show_table("tokens", rows[:_MOST_ROWS], f"{len(rows)} tokens; decoded again: {same}")
    return asdict(made)
