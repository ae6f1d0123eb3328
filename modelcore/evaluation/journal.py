"""The verdicts reached so far, in a file that survives a crash: scoring goes on at the next sample.

One JSON line a verdict, in the order in which they were reached; a torn last line is dropped. The first
line names what was being scored; a journal of something else is begun anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType

from modelcore.sandbox.verdicts import Outcome

__all__ = ["Journal"]


class Journal:
    """A context manager over the journal file.

    Args:
        path: of the file; its directory exists.
        fingerprint: of everything a verdict depends on.
    """

    def __init__(self, path: Path, fingerprint: str) -> None:
        self.outcomes: dict[int, Outcome] = {}
        lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
        kept = self._load(lines, fingerprint)
        header = json.dumps({"fingerprint": fingerprint}).encode()
        path.write_bytes(b"".join(line + b"\n" for line in (header, *kept)))
        self._file = path.open("a", encoding="ascii")

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def add(self, sample: int, outcome: Outcome) -> None:
        """Note the outcome of one sample."""
        self.outcomes[sample] = outcome
        self._file.write(json.dumps([sample, outcome.verdict, outcome.reason]) + "\n")
        self._file.flush()

    def _load(self, lines: list[bytes], fingerprint: str) -> list[bytes]:
        if not lines or lines[0] != json.dumps({"fingerprint": fingerprint}).encode():
            return []
        for line in lines[1:]:
            sample, verdict, reason = json.loads(line)
            self.outcomes[sample] = Outcome(verdict, reason)
        return lines[1:]
