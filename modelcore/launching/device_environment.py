"""The variables that a run exports to its processes on this machine's devices.

The model cards' sets are for Ascend, and are left out where there is none. Nothing is started here.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from modelcore.config.environment import ENVIRONMENT_SETS, MindSporeSet
from modelcore.config.training import Launch
from modelcore.errors import MindrailError

__all__ = ["exported_environment", "has_ascend", "trains_on_ascend"]


_RAYS_ASCEND = "NPU"


def has_ascend(devices: Path = Path("/dev")) -> bool:
    """Return whether the Ascend driver shows a device here, as its nodes /dev/davinci0, 1, …"""
    return any(devices.glob("davinci[0-9]*"))


def trains_on_ascend(config: Launch) -> bool:
    """Return whether the ranks get Ascend devices, of this host or (Ray's `NPU`) of a cluster's hosts."""
    return has_ascend() or (config.cluster is not None and _RAYS_ASCEND in config.cluster.resources)


def exported_environment(
    chosen: MindSporeSet | None, variables: Mapping[str, str], *, ascend: bool
) -> dict[str, str]:
    """Return the variables to export: those of the set on Ascend, and over them the user's own.

    Raises:
        MindrailError: a variable is set, here or in the shell, that must not be set beside the set.
    """
    if chosen is None or not ascend:
        return dict(variables)
    found = ENVIRONMENT_SETS[chosen]
    for name in found.unset:
        if name in os.environ or name in variables:
            raise MindrailError(
                f"{name} is set, and must not be beside the set {chosen}",
                where="environment_set",
                fix=f"unset {name}",
            )
    return {**found.variables, **variables}
