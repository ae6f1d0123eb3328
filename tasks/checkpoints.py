"""Which checkpoint is meant: a directory, a source elsewhere, or the newest when the run starts."""

from __future__ import annotations

from pathlib import Path

from modelcore.checkpoints.inspect_checkpoint import inspect_checkpoint
from modelcore.config.checkpoint import Download
from modelcore.config.runs import Evaluate
from modelcore.errors import MindrailError
from modelcore.store.manifest import Manifest
from modelcore.store.store import Store
from tasks.convert import convert
from tasks.download import download
from tasks.inputs import input_step
from tasks.step import Step
from tasks.step_task import finished

__all__ = ["find_checkpoint", "short_name", "whole_mindspore"]

_KEY = "checkpoints"
_NEWEST = "newest"
_TRAINED = "merge"  # the step whose artifacts are trained checkpoints, whole


def find_checkpoint(store: Store, name: str) -> Step:
    """Return the checkpoint that `name` means, downloaded if it is elsewhere.

    Args:
        store: whose newest trained checkpoint `newest` means.
        name: as `Evaluate.checkpoints` explains.

    Raises:
        MindrailError: there is nothing there.
    """
    kind, _, directory = name.partition(":")
    if name == _NEWEST:
        return input_step(store, str(_newest_trained(store)), key=_KEY)
    if kind == _NEWEST:
        return input_step(store, str(_newest_in(Path(directory))), key=_KEY)
    if "://" in name:
        return finished(download(store, Download(source=name)))
    return input_step(store, name, key=_KEY)


def whole_mindspore(store: Store, checkpoint: Step, config: Evaluate) -> Step:
    """Return the checkpoint with MindSpore's names, converted where it has others.

    Raises:
        MindrailError: it is sharded, or no checkpoint at all.
    """
    kind = inspect_checkpoint(checkpoint.path).kind
    if "sharded" in kind:
        raise MindrailError(f"is a {kind}", where=checkpoint.path, fix="join it first: mindrail merge")
    if kind.startswith("MindSpore"):
        return checkpoint
    return finished(convert(store, checkpoint, config.convert))


def short_name(checkpoint: Step) -> str:
    """Return an artifact's step and the first digits of its key, or the name of another directory."""
    manifest = Manifest.read(checkpoint.path)
    return checkpoint.path.name if manifest is None else f"{manifest.step} {manifest.key[:8]}"


def _newest_trained(store: Store) -> Path:
    trained = [artifact for artifact in store.artifacts() if artifact.manifest.step == _TRAINED]
    if not trained:
        fix = "train one (mindrail run), or name a checkpoint"
        raise MindrailError("no trained checkpoint in the store", where=store.root, fix=fix)
    return trained[-1].path


def _newest_in(directory: Path) -> Path:
    """Return the directory with the newest config.json: `directory` itself or one in it."""
    configs = [*directory.glob("config.json"), *directory.glob("*/config.json")]
    if not configs:
        fix = "give a directory of checkpoints"
        raise MindrailError("holds no checkpoint (config.json)", where=f"{_KEY}: {directory}", fix=fix)
    return max(configs, key=lambda path: path.stat().st_mtime_ns).parent
