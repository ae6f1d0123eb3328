"""Convert a whole MindSpore checkpoint back to Hugging Face's names and safetensors."""

from __future__ import annotations

from modelcore.config.checkpoint import Convert
from modelcore.store.store import Store
from tasks.convert import build_converted
from tasks.step import Step
from tasks.step_task import Outcome, step_task

__all__ = ["export"]


@step_task("export")
def export(store: Store, checkpoint: Step, config: Convert) -> Outcome:
    """Convert a whole MindSpore directory to a Hugging Face one."""
    return build_converted(store, "export", checkpoint, config, "hf")
