"""Convert weights from Hugging Face's names and files to MindSpore's."""

from __future__ import annotations

from typing import Literal

from modelcore.checkpoints.convert import conversion_warnings, convert_checkpoint
from modelcore.config.checkpoint import Convert
from modelcore.store.store import Store
from tasks.log import log
from tasks.step import Step
from tasks.step_task import Outcome, build_step, finished, step_task

__all__ = ["build_converted", "convert"]

_VERSION = 2


@step_task("convert")
def convert(store: Store, checkpoint: Step, config: Convert) -> Outcome:
    """Convert a Hugging Face directory to MindSpore, with MindFormers' names."""
    return build_converted(store, "convert", checkpoint, config, "mindspore")


def build_converted(
    store: Store, name: str, checkpoint: Step, config: Convert, to: Literal["mindspore", "hf"]
) -> Outcome:
    """Build or find a checkpoint converted in either direction, and log the conversion's warnings."""
    outcome = build_step(
        store,
        name,
        lambda directory, progress: convert_checkpoint(
            checkpoint.path, directory, to=to, **config.model_dump(), progress=progress
        ),
        version=_VERSION,
        inputs={"checkpoint": checkpoint.digest},
        parameters=config.model_dump() | {"to": to},
        recorded={"source": str(checkpoint.path)},
    )
    for warning in conversion_warnings(finished(outcome).path):
        log(f"{name}: note: {warning}")
    return outcome
