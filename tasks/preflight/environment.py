"""Checks the variables that a step will export to its processes on this machine."""

from __future__ import annotations

from modelcore.config.evaluation import Generate
from modelcore.config.training import Launch
from modelcore.launching.device_environment import exported_environment, has_ascend, trains_on_ascend
from tasks.preflight.directories import Directories
from tasks.preflight.errors import key_named

__all__ = ["check_environment"]


def check_environment(config: Launch | Generate, _: Directories) -> None:
    """Check that nothing is set that a set of variables needs unset.

    Raises:
        MindrailError: it is.
    """
    if isinstance(config, Launch):
        key, ascend = "launch", trains_on_ascend(config)
    else:
        key, ascend = "generate", has_ascend()
    with key_named(key):
        exported_environment(config.environment_set, config.environment, ascend=ascend)
