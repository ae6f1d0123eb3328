"""Which attempt at a job a process belongs to, and whether that attempt is still the current one.

A job that lost a host is started again, as the next attempt. Ranks of the earlier one may still run on a host
that is cut off; they must not write into the job's directory any more. So the number of the current attempt
is in a file beside the job's output, and a rank reads it before it saves anything. No Ray here: ranks import
this.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from modelcore.errors import StepFailed
from modelcore.store.durable import replace_contents

__all__ = ["Attempt"]

_NUMBER = "MINDRAIL_ATTEMPT"
_FILE = "MINDRAIL_ATTEMPT_FILE"


@dataclass(frozen=True)
class Attempt:
    """One attempt at a job.

    Attributes:
        number: from 1; 0 for ranks that no cluster started, whose supervisor is on the same host.
        file: holds the number of the current attempt; None where there is no cluster.
    """

    number: int = 0
    file: Path | None = None

    @classmethod
    def from_environment(cls) -> Attempt:
        """Return the attempt that this process was started for."""
        file = os.environ.get(_FILE)
        return cls(int(os.environ[_NUMBER]), Path(file)) if file else cls()

    def environment(self) -> Mapping[str, str]:
        """Return what `from_environment` reads."""
        return {_NUMBER: str(self.number), _FILE: str(self.file)}

    def begin(self) -> None:
        """Make this the current attempt: from now on no process of another one saves anything."""
        assert self.file is not None
        replace_contents(self.file, f"{self.number}\n".encode())

    def check(self) -> None:
        """Refuse to continue if another attempt has begun.

        Raises:
            StepFailed: it has, or the job's directory is gone.
        """
        if self.file is None:
            return
        try:
            current = self.file.read_text().strip()
        except FileNotFoundError:
            raise StepFailed("the job has ended: this rank saves nothing", where=self.file) from None
        if current != str(self.number):
            raise StepFailed(
                f"attempt {self.number} is over, attempt {current} runs: this rank saves nothing",
                where=self.file,
            )
