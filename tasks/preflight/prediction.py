"""Checks a prediction before anything is loaded: the checkpoint is there, and its prompts fit the model."""

from __future__ import annotations

from modelcore.config.checkpoint import Download
from modelcore.config.evaluation import Prediction
from modelcore.data.tokenizers import load_tokenizer
from modelcore.data.tokenizers.bos import begins_with_bos
from modelcore.generation.plan import Prompt
from modelcore.generation.prompt_ids import check_prompt, cut_prompt, encode_all
from modelcore.models.families import read_model
from modelcore.store.store import Store
from tasks.named_checkpoint import check_whole, named_checkpoint
from tasks.predicted_prompts import prompts_of
from tasks.preflight.source import check_source

__all__ = ["check_prediction"]


def check_prediction(config: Prediction, store: Store, checkpoint: str) -> None:
    """Check a prediction.

    Args:
        config: the prompts, and how answers are generated.
        store: whose newest trained checkpoint `newest` means.
        checkpoint: as of `Evaluate.checkpoints`.

    Raises:
        MindrailError: the checkpoint is missing, sharded or without a tokenizer, a line of the file is no
            prompt, or a prompt does not fit the model.
    """
    prompts = prompts_of(config)
    directory = named_checkpoint(store, checkpoint)
    if directory is None:
        directory = check_source(Download(source=checkpoint))
    else:
        check_whole(directory)
    if directory is None:
        return
    model, tokenizer = read_model(directory), load_tokenizer(directory)
    bos = begins_with_bos(directory)
    for prompt, encoded in zip(prompts, encode_all(tokenizer, prompts, bos=bos), strict=True):
        ids, _ = cut_prompt(encoded, model, config, bos=bos)
        check_prompt(ids, model, where=_where(config, prompt))


def _where(config: Prediction, prompt: Prompt) -> str:
    return f"{config.prompts_file or 'prompt'}: {prompt.task_id}"
