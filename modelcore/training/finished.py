"""The end of a job: recorded, and its checkpoints removed, by whoever started its ranks.

A rank cannot do that: it never knows whether the others get as far, and when one is lost after its weights
are written, the job is done again from the last checkpoint. So ranks leave their checkpoints, and the caller
calls `finish` once it has heard of the successful end of all. No MindSpore here.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from modelcore.store.durable import replace_contents
from modelcore.store.manifest import LOGS

__all__ = ["finish", "is_finished"]

_MARKER = "finished"


def finish(output: Path) -> None:
    """Record that every rank of the job has ended well, then remove the job's checkpoints.

    Done again, it completes a removal that was interrupted.

    Args:
        output: the job's directory, which holds the weights.
    """
    replace_contents(output / LOGS / _MARKER, b"")
    if (checkpoints := output / "checkpoints").is_dir():
        shutil.rmtree(checkpoints)


def is_finished(output: Path) -> bool:
    """Return whether the job in this directory was finished, and its weights are complete."""
    return (output / LOGS / _MARKER).is_file()
