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

    The other hosts of a cluster are taken to be like this one.

    Activations are not counted: the estimate of them is none of a least amount.

    Raises:
        MindrailError: they do not fit; the line has both numbers.
    """
    if directories.model is None or _ASCEND.exists():
        return
    job = replace(training_job(config), compute_bytes=4)  # a CPU keeps no 16-bit copy of the weights
    ranks = dry_run(read_model(directories.model), cut_of(config.parallel), job).ranks
    kept = [rank.memory.total - rank.memory.activations for rank in ranks]
    cluster = config.launch.cluster
    here = len(kept) if cluster is None else cluster.ranks_per_host
    needed = max(sum(kept[first : first + here]) for first in range(0, len(kept), here))
    memory = psutil.virtual_memory().total + psutil.swap_memory().total
    if needed > memory:
        where = "" if cluster is None else "of a host "
        raise MindrailError(
            f"the ranks {where}keep {format_bytes(needed)} of weights, gradients and optimizer states, "
            f"this machine has {format_bytes(memory)} of memory",
            where="parallel",
            fix="see mindrail layout for what each rank needs",
        )
