"""A checkpoint in the form that generates, for commands that load it themselves: `serve` and `chat`."""

from __future__ import annotations

from pathlib import Path

from modelcore.config.checkpoint import Convert, Download

__all__ = ["name_of", "ready_checkpoint"]


def name_of(checkpoint: str) -> str:
    """Return a short name: a shipped model's, or the last part of a path or address."""
    return checkpoint.rstrip("/").rpartition("/")[2] or checkpoint


def ready_checkpoint(checkpoint: str, store: str) -> Path:
    """Return the whole MindSpore directory of a checkpoint, downloaded and converted where needed.

    Args:
        checkpoint: a directory, a model of `mindrail models`, hf://owner/name, or `newest`.
        store: a directory or the address of a bucket.

    Raises:
        MindrailError: there is nothing there, or it is sharded.
    """
    from modelcore.store.location import store_directory
    from modelcore.store.store import Store
    from tasks.named_checkpoint import check_whole, named_checkpoint
    from tasks.preflight import preflight

    preflight(Convert(), store=store)
    root = store_directory(store)
    directory = named_checkpoint(Store(root), checkpoint)
    if directory is not None and check_whole(directory).startswith("MindSpore"):
        return directory
    from flows.cli.temporary_server import prefect_server

    with prefect_server(root.absolute() / ".prefect") as wait_until_up:
        from flows.steps import convert, download

        wait_until_up()
        if directory is None:
            directory = download(Download(source=checkpoint), store).path
        if check_whole(directory).startswith("MindSpore"):
            return directory
        return convert(str(directory), store=store).path
