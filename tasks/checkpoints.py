"""The checkpoints of an evaluation as finished steps: found, downloaded or converted where needed."""

from __future__ import annotations

from modelcore.config.checkpoint import Convert, Download
from modelcore.store.manifest import Manifest
from modelcore.store.store import Store
from tasks.convert import convert
from tasks.download import download
from tasks.inputs import input_step
from tasks.named_checkpoint import check_whole, named_checkpoint
from tasks.step import Step
from tasks.step_task import finished

__all__ = ["find_checkpoint", "short_name", "whole_mindspore"]


def find_checkpoint(store: Store, name: str) -> Step:
    """Return the checkpoint that `name` means, downloaded if it is elsewhere.

    Args:
        store: whose newest trained checkpoint `newest` means.
        name: as `Evaluate.checkpoints` explains.

    Raises:
        MindrailError: there is nothing there.
    """
    directory = named_checkpoint(store, name)
    if directory is None:
        return finished(download(store, Download(source=name)))
    return input_step(store, str(directory), key="checkpoints")


def whole_mindspore(store: Store, checkpoint: Step, config: Convert) -> Step:
    """Return the checkpoint with MindSpore's names, converted where it has others.

    Raises:
        MindrailError: it is sharded, or no checkpoint at all.
    """
    if check_whole(checkpoint.path).startswith("MindSpore"):
        return checkpoint
    return finished(convert(store, checkpoint, config))


def short_name(checkpoint: Step) -> str:
    """Return an artifact's step and the first digits of its key, or the name of another directory."""
    manifest = Manifest.read(checkpoint.path)
    return checkpoint.path.name if manifest is None else f"{manifest.step} {manifest.key[:8]}"
