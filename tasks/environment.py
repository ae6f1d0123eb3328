"""The variables that a step exports to its processes: resolved, logged, and what of them its key has."""

from __future__ import annotations

from collections.abc import Mapping

from modelcore.config.environment import MindSporeSet, number_changing
from modelcore.launching.device_environment import exported_environment
from tasks.log import log

__all__ = ["exported", "key_of_environment"]


def exported(
    step: str, chosen: MindSporeSet | None, variables: Mapping[str, str], *, ascend: bool
) -> dict[str, str]:
    """Return the variables that a step's processes get, and log a set that is left out.

    Raises:
        MindrailError: as `exported_environment`.
    """
    if chosen is not None and not ascend:
        log(f"{step}: the variables of {chosen} are for Ascend, and there is none here: not exported")
    return exported_environment(chosen, variables, ascend=ascend)


def key_of_environment(exported: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the parameter of a step's key; none where no variable can change a number, as in older keys."""
    changing = number_changing(exported)
    return {"environment": changing} if changing else {}
