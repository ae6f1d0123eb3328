"""Checks that a run can resume from the checkpoint it names: it is there, and of the same job."""

from __future__ import annotations

from pathlib import Path

from modelcore.config.runs import Training
from modelcore.errors import MindrailError
from modelcore.training.resume_from import newest_state
from modelcore.training.same_job import check_same_job
from tasks.preflight.directories import Directories
from tasks.preflight.errors import key_named
from tasks.train_plan import plan_of

__all__ = ["check_resume"]


def check_resume(config: Training, directories: Directories) -> None:
    """Check `train.resume_from`. The tensors are read, and their digests compared, when the run resumes.

    Raises:
        MindrailError: there is no checkpoint there, or it is of another job.
    """
    if config.train.resume_from is None:
        return
    with key_named("train.resume_from"):
        source = Path(config.train.resume_from)
        if not source.is_dir():
            raise MindrailError("there is no such directory", where=source, fix="check the path")
        checkpoint, state = newest_state(source)
        steps = config.train.steps or state["plan"]["steps"]  # of epochs, only the rows say how many
        check_same_job(state["plan"], plan_of(config, steps=steps), checkpoint, new_layout=True)
