"""Which directory a checkpoint's name means: a path, the newest, or none before a download. No Prefect."""

from __future__ import annotations

import difflib
from pathlib import Path

from modelcore.checkpoints.inspect_checkpoint import inspect_checkpoint
from modelcore.errors import MindrailError
from modelcore.models.shipped import model_names
from modelcore.store.store import Store

__all__ = ["check_whole", "named_checkpoint"]

_NEWEST = "newest"
_TRAINED = "merge"  # the step whose artifacts are trained checkpoints, whole


def named_checkpoint(store: Store, name: str) -> Path | None:
    """Return the directory of a checkpoint, None if it is elsewhere and has to be downloaded.

    Args:
        store: whose newest trained checkpoint `newest` means.
        name: as `Evaluate.checkpoints` explains. A path that exists comes before a model of the same name.

    Raises:
        MindrailError: there is nothing there, and no shipped model of that name.
    """
    kind, _, directory = name.partition(":")
    if name == _NEWEST:
        return _newest_trained(store)
    if kind == _NEWEST:
        return _newest_in(Path(directory))
    if "://" in name:
        return None
    path = Path(name)
    if path.exists():
        return path
    if name in model_names():
        return None
    near = difflib.get_close_matches(name, model_names(), n=1)
    fix = f"did you mean {near[0]}?" if near else "check the path, or see: mindrail models"
    raise MindrailError("there is no such file or directory, and no model of that name", where=name, fix=fix)


def check_whole(directory: Path) -> str:
    """Return what kind of checkpoint a directory holds, in the words of `inspect_checkpoint`.

    Raises:
        MindrailError: it is sharded, or no checkpoint at all.
    """
    kind = inspect_checkpoint(directory).kind
    if "sharded" in kind:
        raise MindrailError(f"is a {kind}", where=directory, fix="join it first: mindrail merge")
    return kind


def _newest_trained(store: Store) -> Path:
    trained = [artifact for artifact in store.artifacts() if artifact.manifest.step == _TRAINED]
    if not trained:
        fix = "train one (mindrail run), or name a checkpoint"
        raise MindrailError("no trained checkpoint in the store", where=store.root, fix=fix)
    return store.fetch(trained[-1]).path


def _newest_in(directory: Path) -> Path:
    """Return the directory with the newest config.json: `directory` itself or one in it."""
    configs = [*directory.glob("config.json"), *directory.glob("*/config.json")]
    if not configs:
        fix = "give a directory of checkpoints"
        raise MindrailError("holds no checkpoint (config.json)", where=directory, fix=fix)
    return max(configs, key=lambda path: path.stat().st_mtime_ns).parent
