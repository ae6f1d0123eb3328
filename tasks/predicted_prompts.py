"""What a prediction asks: the prompts of its configuration. No Prefect."""

from __future__ import annotations

from pathlib import Path

from modelcore.config.evaluation import Prediction
from modelcore.generation.plan import Prompt, read_prompts

__all__ = ["prompts_of"]


def prompts_of(config: Prediction) -> list[Prompt]:
    """Return what the model is asked.

    Raises:
        MindrailError: a line of the file is no prompt.
    """
    if config.prompts_file is not None:
        return read_prompts(Path(config.prompts_file), named=False)
    if config.prefix is not None:
        return [Prompt("1", config.prefix, config.suffix)]
    return [Prompt(str(number), text) for number, text in enumerate(config.prompts, 1)]
