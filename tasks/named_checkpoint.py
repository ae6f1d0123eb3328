"""Which directory on this machine is meant by a checkpoint's name: a path, or the newest. No Prefect here."""

from __future__ import annotations

from pathlib import Path

from modelcore.checkpoints.inspect_checkpoint import inspect_checkpoint
from modelcore.errors import MindrailError
from modelcore.store.store import Store

__all__ = ["check_whole", "named_checkpoint"]

_NEWEST = "newest"
_TRAINED = "merge"  # the step whose artifacts are trained checkpoints, whole


def named_checkpoint(store: Store, name: str) -> Path | None:
    """Return the directory of a checkpoint, None if it is elsewhere and has to be downloaded.

    Args:
        store: whose newest trained checkpoint `newest` means.
        name: as `Evaluate.checkpoints` explains.

    Raises:
        MindrailError: there is nothing there.
    """
    kind, _, directory = name.partition(":")
    if name == _NEWEST:
        return _newest_trained(store)
    if kind == _NEWEST:
        return _newest_in(Path(directory))
    if "://" in name:
        return None
    path = Path(name)
    if not path.exists():
        raise MindrailError("there is no such file or directory", where=path, fix="check the path")
    return path


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
    return trained[-1].path


def _newest_in(directory: Path) -> Path:
    """Return the directory with the newest config.json: `directory` itself or one in it."""
    configs = [*directory.glob("config.json"), *directory.glob("*/config.json")]
    if not configs:
        fix = "give a directory of checkpoints"
        raise MindrailError("holds no checkpoint (config.json)", where=directory, fix=fix)
    return max(configs, key=lambda path: path.stat().st_mtime_ns).parent
