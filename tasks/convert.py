"""Convert weights between Hugging Face's and MindSpore's formats and names."""

from __future__ import annotations

from typing import Literal

from modelcore.checkpoints.convert import conversion_warnings, convert_checkpoint
from modelcore.config.checkpoint import Convert
from modelcore.store.store import Store
from tasks.progress import say
from tasks.step import Outcome, Step, build_step, finished, step_task

__all__ = ["convert", "export"]

_VERSION = 1


@step_task("convert")
def convert(store: Store, checkpoint: Step, config: Convert) -> Outcome:
    """Convert a Hugging Face directory to MindSpore, with MindFormers' names."""
    return _converted(store, "convert", checkpoint, config, "mindspore")


@step_task("export")
def export(store: Store, checkpoint: Step, config: Convert) -> Outcome:
    """Convert a whole MindSpore directory back to Hugging Face safetensors."""
    return _converted(store, "export", checkpoint, config, "hf")


def _converted(
    store: Store, name: str, checkpoint: Step, config: Convert, to: Literal["mindspore", "hf"]
) -> Outcome:
    outcome = build_step(
        store,
        name,
        lambda directory, progress: convert_checkpoint(
            checkpoint.path, directory, to=to, **config.model_dump(), progress=progress
        ),
        version=_VERSION,
        inputs={"checkpoint": checkpoint.digest},
        parameters=config.model_dump() | {"to": to},
    )
    for warning in conversion_warnings(finished(outcome).path):
        say(f"{name}: note: {warning}")
    return outcome
