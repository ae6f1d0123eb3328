"""Checks that this machine's memory holds what its ranks keep at least. Says nothing of an accelerator's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psutil

from modelcore.checkpoints.layout import dry_run
from modelcore.config.runs import Training
from modelcore.errors import MindrailError
from modelcore.models.families import read_model
from modelcore.units import format_bytes
from tasks.layout import cut_of, training_job
from tasks.preflight.directories import Directories

__all__ = ["check_host_memory"]

_ASCEND = Path("/dev/davinci_manager")


def check_host_memory(config: Training, directories: Directories) -> None:
    """Check, where ranks compute on the CPU, that weights, gradients and optimizer states fit in memory.

    Activations are not counted: the estimate of them is none of a least amount.

    Raises:
        MindrailError: they do not fit; the line has both numbers.
    """
    if directories.model is None or _ASCEND.exists():
        return
    job = replace(training_job(config), compute_bytes=4)  # a CPU keeps no 16-bit copy of the weights
    ranks = dry_run(read_model(directories.model), cut_of(config.parallel), job).ranks
    needed = sum(rank.memory.total - rank.memory.activations for rank in ranks)
    memory = psutil.virtual_memory().total + psutil.swap_memory().total
    if needed > memory:
        raise MindrailError(
            f"the ranks keep {format_bytes(needed)} of weights, gradients and optimizer states, "
            f"this machine has {format_bytes(memory)} of memory",
            where="parallel",
            fix="see mindrail layout for what each rank needs",
        )
