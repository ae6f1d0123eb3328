"""Converts Alpaca records into conversations, the JSON that MindFormers' and FastChat's tools read.

One conversation per record: the Alpaca prompt from "human", the answer from "gpt", ids "1", "2", … in order.
The bytes are those of MindFormers' converter; one record is in memory at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from modelcore.data.encoding.prompts import alpaca_prompt
from modelcore.data.sources.json_records import raise_bad, read_records
from modelcore.data.sources.records import Instruction, read_instruction
from modelcore.errors import MindrailError
from modelcore.progress import Progress, silent
from modelcore.store.atomic_output import atomic_files
from modelcore.store.disk import disk_errors

__all__ = ["convert_alpaca"]


def convert_alpaca(
    source: Path, destination: Path, *, skip_bad: bool = False, progress: Progress = silent
) -> tuple[int, int]:
    """Write the conversations of a file of Alpaca records as one JSON list.

    Args:
        source: a JSON list or JSON lines, plain or gzipped.
        destination: the file to write; it appears when it is complete.
        skip_bad: skip invalid records instead of failing at the first.
        progress: called with the number of records done.

    Returns:
        The number of conversations written, and of invalid records skipped.

    Raises:
        MindrailError: the source is unusable or has no usable record, or `destination` exists or cannot be
            written.
        StepFailed: the disk is full.
    """
    bad: list[MindrailError] = []
    written = 0
    with (
        atomic_files(destination, belongs=lambda name: name == destination.name) as path,
        disk_errors(destination),
        path.open("w", encoding="utf-8", newline="\n") as file,
    ):
        for record in _instructions(source, bad if skip_bad else None):
            written += 1
            file.write((",\n" if written > 1 else "[\n") + _conversation(written, record))
            progress(written, None, "records")
        file.write("\n]")
        if not written:
            raise MindrailError("no usable record", where=source)
    return written, len(bad)


def _instructions(source: Path, bad: list[MindrailError] | None) -> Iterator[Instruction]:
    on_bad = raise_bad if bad is None else bad.append
    for record in read_records(source, on_bad=on_bad):
        try:
            instruction = read_instruction(record, source)
        except MindrailError as error:
            on_bad(error)
            continue
        yield instruction


def _conversation(number: int, record: Instruction) -> str:
    turns = [("human", alpaca_prompt(record.instruction, record.input)), ("gpt", record.output)]
    conversation = [{"from": who, "value": value} for who, value in turns]
    text = json.dumps({"id": str(number), "conversations": conversation}, ensure_ascii=False, indent=2)
    return "\n".join(f"  {line}" for line in text.split("\n"))
