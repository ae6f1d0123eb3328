"""Draw random weights for a model that is trained from scratch."""

from __future__ import annotations

from modelcore.checkpoints.random_weights import write_random_weights
from modelcore.store.store import Store
from tasks.step import Step
from tasks.step_task import Outcome, build_step, step_task

__all__ = ["initialize"]

_VERSION = 2


@step_task("initialize")
def initialize(store: Store, description: Step, seed: int) -> Outcome:
    """Write a checkpoint with MindSpore's names for the config.json and tokenizer in `description`."""
    return build_step(
        store,
        "initialize",
        lambda directory, progress: write_random_weights(
            description.path, directory, seed=seed, progress=progress
        ),
        version=_VERSION,
        inputs={"description": description.digest},
        parameters={"seed": seed},
    )
