"""Predicting: a checkpoint continues texts or fills in gaps; nothing is scored."""

from __future__ import annotations

import tasks.predict
from flows.run_flow import run_flow
from modelcore.config.checkpoint import Convert
from modelcore.config.evaluation import Prediction
from modelcore.store.location import store_directory
from modelcore.store.store import Store
from tasks.checkpoints import find_checkpoint, whole_mindspore
from tasks.preflight import preflight
from tasks.preflight.prediction import check_prediction
from tasks.step import Step
from tasks.step_task import finished

__all__ = ["predict_prompts"]


@run_flow("predict-prompts", run_name="predict with {checkpoint}")
def predict_prompts(checkpoint: str, config: Prediction, store: str = "store") -> Step:
    """Let a checkpoint continue texts, or fill in gaps.

    Args:
        checkpoint: a directory, a model of `mindrail models`, hf://owner/name, or `newest`.
        config: the prompts, and how answers are generated.
        store: directory that holds every step's output.
    """
    preflight(config, store=store)
    artifacts = Store(store_directory(store))
    check_prediction(config, artifacts, checkpoint)
    source = whole_mindspore(artifacts, find_checkpoint(artifacts, checkpoint), Convert())
    return finished(tasks.predict.predict(artifacts, source, config))
