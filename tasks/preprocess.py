"""Turn instruction data into MindRecord rows with the model's own tokenizer."""

from __future__ import annotations

from modelcore.config.schema import Preprocess
from modelcore.data.preprocess import preprocess as write_rows
from modelcore.store.store import Store
from tasks.places import local_file, resolve, tokenizer_digest
from tasks.step import Outcome, Step, build_step, step_task

__all__ = ["preprocess"]

_VERSION = 1


@step_task("preprocess")
def preprocess(store: Store, checkpoint: Step, config: Preprocess, made: Step | None = None) -> Outcome:
    """Write rows and a report of what was truncated, masked or left out.

    Args:
        store: where artifacts lie.
        checkpoint: the directory with the tokenizer.
        config: input, row format and length.
        made: the demo's artifact, where the input names it.
    """
    source, digest = local_file(resolve(config.input, made), key="preprocess.input")
    return build_step(
        store,
        "preprocess",
        lambda directory, progress: write_rows(
            source,
            directory,
            format=config.format,
            tokenizer_dir=checkpoint.path,
            seq_length=config.seq_length,
            compat=config.compat,
            strict=config.strict,
            skip_bad=config.skip_bad,
            progress=progress,
        ),
        version=_VERSION,
        inputs={"data": digest, "tokenizer": tokenizer_digest(checkpoint)},
        parameters=config.model_dump(exclude={"input"}),
    )
