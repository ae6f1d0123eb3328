"""Fine-tuning alone: a Hugging Face checkpoint and instructions go in, the tuned checkpoint comes out."""

from __future__ import annotations

from flows.run_flow import run_flow
from flows.train import TrainedRun, run_training
from modelcore.config.runs import Finetune

__all__ = ["finetune"]


@run_flow("finetune", run_name="{config.name}")
def finetune(config: Finetune) -> TrainedRun:
    """Fine-tune a code LLM on instructions; nothing is generated or scored.

    Args:
        config: what to download and how to train it; one section per step.
    """
    return run_training(config)
