"""Pretraining alone: texts and a checkpoint, or only its config.json, go in; a trained model comes out."""

from __future__ import annotations

from flows.run_flow import run_flow
from flows.train import TrainedRun, run_training
from modelcore.config.runs import Pretrain

__all__ = ["pretrain"]


@run_flow("pretrain", run_name="{config.name}")
def pretrain(config: Pretrain) -> TrainedRun:
    """Train a code LLM on texts, from random weights or further from a checkpoint.

    Args:
        config: the model's source and how to train it; one section per step.
    """
    return run_training(config, random_weights=config.random_weights)
