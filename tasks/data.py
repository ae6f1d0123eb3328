"""Look at rows, and write Alpaca records out as conversations."""

from __future__ import annotations

from pathlib import Path

from modelcore.data.mindrecord.decode import Span, decode_rows
from modelcore.data.mindrecord.output import report_path
from modelcore.data.report import PreprocessReport, decoded_rows
from modelcore.data.sources.conversations import convert_alpaca
from modelcore.data.tokenizers import load_tokenizer
from modelcore.progress import Progress
from modelcore.store.store import Store
from tasks.dashboard import show_markdown, show_table
from tasks.preprocess import ROWS, TRAIN
from tasks.step import Outcome, Step, build_step, step_task

__all__ = ["CONVERSATIONS", "conversations", "decode", "look"]

_VERSION = 1
CONVERSATIONS = "conversations.json"


@step_task("conversations")
def conversations(store: Store, source: Step, skip_bad: bool) -> Outcome:
    """Write the Alpaca records of a file as conversations, one JSON list."""

    def build(directory: Path, progress: Progress) -> None:
        (directory / CONVERSATIONS).unlink(missing_ok=True)  # of an attempt that died
        convert_alpaca(source.path, directory / CONVERSATIONS, skip_bad=skip_bad, progress=progress)

    return build_step(
        store,
        "conversations",
        build,
        version=_VERSION,
        inputs={"data": source.digest},
        parameters={"skip_bad": skip_bad},
    )


@step_task("data-report")
def look(rows: Path) -> PreprocessReport:
    """Read what happened to the records, and show it on the dashboard."""
    report = PreprocessReport.read(report_path(_file(rows)))
    counts = [{"what": key.replace("_", " "), "count": count} for key, count in report.counts.items()]
    show_table("data-report", counts, f"What became of the records ({report.format} rows)")
    return report


@step_task("decode")
def decode(rows: Path, tokenizer: Path | None, count: int) -> list[list[Span]]:
    """Decode the first rows and show them on the dashboard, what is learnt told apart."""
    path = _file(rows)
    found = (
        decoded_rows(path, count)
        if tokenizer is None
        else decode_rows(path, load_tokenizer(tokenizer), count)
    )
    show_markdown("rows", "\n\n---\n\n".join(_as_markdown(row) for row in found))
    return found


def _file(rows: Path) -> Path:
    """Return the MindRecord file: the one named, or the one an artifact of `preprocess` holds."""
    return rows / ROWS / TRAIN if rows.is_dir() else rows


def _as_markdown(row: list[Span]) -> str:
    parts = []
    for span in row:
        text = "\n".join(f"    {line}" for line in span.text.split("\n"))
        parts.append(f"{span.kind}, {span.tokens} tokens\n\n{text}")
    return "\n\n".join(parts)
