"""`train.precision: auto` becomes a precision, by the processor of the machine that the run is started on.

No Prefect here: the command line checks before it starts a server.
"""

from __future__ import annotations

from typing import TypeVar

from modelcore.config.runs import Training
from modelcore.launching.device_environment import trains_on_ascend
from modelcore.launching.processor import fastest_precision, processor_units
from tasks.log import log

__all__ = ["log_precision", "with_precision"]

Config = TypeVar("Config", bound=Training)


def with_precision(config: Config) -> Config:
    """Return a run whose precision is chosen, where it says auto."""
    if config.train.precision != "auto":
        return config
    chosen, _ = _chosen(config)
    return config.model_copy(update={"train": config.train.model_copy(update={"precision": chosen})})


def log_precision(config: Training) -> None:
    """Log which precision auto is here, and why; nothing of a run that names one."""
    if config.train.precision == "auto":
        chosen, reason = _chosen(config)
        log(f"train.precision: auto is {chosen}, because {reason}")


def _chosen(config: Training) -> tuple[str, str]:
    if trains_on_ascend(config.launch):
        return "bf16", "the ranks compute on Ascend devices"  # from Atlas A2 on; older ones need fp16
    return fastest_precision(processor_units())
