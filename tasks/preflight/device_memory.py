"""Checks that each rank fits its device, where the configuration says what a device has."""

from __future__ import annotations

from modelcore.config.runs import Training
from modelcore.errors import MindrailError
from modelcore.models.families import read_model
from modelcore.units import format_bytes
from tasks.layout import changes_that_fit, dry_run_of
from tasks.preflight.directories import Directories

__all__ = ["check_device_memory"]


def check_device_memory(config: Training, directories: Directories) -> None:
    """Check every rank's memory, as `mindrail layout` shows it, against `launch.device_memory`.

    Raises:
        MindrailError: a rank needs more; the line names the fullest, and a change that would make it fit.
    """
    capacity = config.launch.device_bytes
    if directories.model is None or capacity is None:
        return
    model = read_model(directories.model)
    fullest = max(dry_run_of(config, model).ranks, key=lambda rank: rank.memory.total)
    if fullest.memory.total > capacity:
        changes = changes_that_fit(config, model, capacity)
        raise MindrailError(
            f"rank {fullest.rank} needs {format_bytes(fullest.memory.total)} (weights, gradients, states, "
            f"estimated activations), its device has {format_bytes(capacity)}",
            where="launch.device_memory",
            fix=f"set {changes[0]}" if changes else "use more ranks: no layout of as many fits",
        )
