"""Alpaca records written out as conversations, the JSON that MindFormers' and FastChat's tools read.

One record a conversation: the Alpaca prompt from "human", the answer from "gpt", ids "1", "2", … in order.
Byte for byte what MindFormers' converter writes, a record at a time.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from modelcore.data.prompts import alpaca_prompt
from modelcore.data.records import read_instruction
from modelcore.data.sources import BadRecord, raise_bad, read_records
from modelcore.errors import MindrailError
from modelcore.progress import Progress, silent

__all__ = ["convert_alpaca"]


def convert_alpaca(
    source: Path, destination: Path, *, on_bad: BadRecord = raise_bad, progress: Progress = silent
) -> int:
    """Write the conversations of a file of Alpaca records as one JSON list.

    Args:
        source: a JSON list or JSON lines, plain or gzipped.
        destination: the file to write; it appears when complete.
        on_bad: called for a record that cannot be used; if it returns, the record is left out.
        progress: told the records done.

    Returns:
        How many conversations were written.

    Raises:
        MindrailError: the source is unusable or `destination` exists; or whatever `on_bad` raises.
    """
    if destination.exists():
        raise MindrailError("exists already", where=destination, fix="remove it or choose another name")
    written = 0
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=f".{destination.name}.") as scratch:
        path = Path(scratch) / destination.name
        with path.open("w", encoding="utf-8", newline="\n") as file:
            for record in read_records(source, on_bad=on_bad):
                try:
                    instruction, context, output = read_instruction(record, source)
                except MindrailError as error:
                    on_bad(error)
                    continue
                written += 1
                turns = [("human", alpaca_prompt(instruction, context)), ("gpt", output)]
                conversation = [{"from": who, "value": value} for who, value in turns]
                text = json.dumps(
                    {"id": str(written), "conversations": conversation}, ensure_ascii=False, indent=2
                )
                file.write((",\n" if written > 1 else "[\n") + _indented(text))
                progress(written, None, "records")
            file.write("\n]" if written else "[]")
        path.replace(destination)
    return written


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.split("\n"))
