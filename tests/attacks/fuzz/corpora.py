"""Inputs that `make fuzz` found to get an answer of a new kind, kept in corpora.jsonl for every later test.

    python -m tests.attacks.fuzz.corpora

adds those of .fuzz/ to the file: inputs of at most 2,000 bytes.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

from .readers import READERS, Reader

__all__ = ["kept", "workshop"]

LONGEST = 2000
_FILE = Path(__file__).with_name("corpora.jsonl")


def kept(reader: Reader) -> list[bytes]:
    """Return the inputs that are kept for a reader."""
    rows = map(json.loads, _FILE.read_text(encoding="ascii").splitlines())
    return [base64.b64decode(row["input"]) for row in rows if row["reader"] == reader.name]


def workshop(reader: Reader) -> Path:
    """Return the directory in which `make fuzz` works on a reader."""
    return Path(".fuzz") / "".join(c if c.isalnum() else "_" for c in reader.name)


def main() -> None:
    """Write the file again, with what is in it and what was found since."""
    rows = []
    for reader in READERS:
        found = {path.read_bytes() for path in workshop(reader).glob("corpus/*")}
        for data in sorted({*kept(reader), *found}, key=lambda data: (len(data), data)):
            if len(data) <= LONGEST:
                rows.append({"reader": reader.name, "input": base64.b64encode(data).decode("ascii")})
    _FILE.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="ascii")


if __name__ == "__main__":
    main()
