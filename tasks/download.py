"""Fetch a Hugging Face checkpoint into the store, every file checked against its sha256 where known."""

from __future__ import annotations

from pathlib import Path

from modelcore.checkpoints.model_check import check_model
from modelcore.config.models import address_of, model_of
from modelcore.config.schema import Download, Parallel
from modelcore.store.download import download as fetch
from modelcore.store.manifest import file_sha256
from modelcore.store.retry_after import patiently
from modelcore.store.store import Store
from tasks.inputs import local_directory, resolve, tree_digest
from tasks.layout import check_layout
from tasks.progress import say_wait
from tasks.step import Outcome, Step, build_step, step_task

__all__ = ["download"]

_VERSION = 1


@step_task("download", retries=3, delays=(2.0, 10.0, 30.0))
def download(
    store: Store,
    config: Download,
    made: Step | None = None,
    parallel: Parallel | None = None,
    *,
    weights: bool = True,
) -> Outcome:
    """Fetch config.json, weights and tokenizer files.

    Args:
        store: where artifacts lie.
        config: the source and what to check.
        made: the demo's artifact, where the source names it.
        parallel: a layout that the model must divide by; checked before its weights are fetched.
        weights: whether the weights are wanted.
    """
    shipped = model_of(config.source)
    address = address_of(config.source)
    source = resolve(address, made)

    def check(directory: Path) -> None:
        check_model(directory, shipped)
        if parallel is not None:
            check_layout(directory, parallel)

    return build_step(
        store,
        "download",
        lambda directory, progress: patiently(
            lambda: fetch(
                source,
                directory,
                sha256=config.sha256,
                token=_token(config.token_secret),
                endpoint=config.endpoint,
                revision=config.revision,
                offline=config.offline,
                check=check,
                weights=weights,
                progress=progress,
            ),
            say_wait,
        ),
        version=_VERSION,
        inputs=_origin(source, made),
        parameters={
            "source": address,
            "revision": config.revision,
            "sha256": config.sha256,
            **({} if weights else {"weights": False}),
        },
    )


def _origin(source: str, made: Step | None) -> dict[str, str]:
    """Return what tells one state of the source from another; a remote one is told by its address."""
    if made is not None:
        return {"first-programs": made.digest}
    if source.startswith("file://") and (file := Path(source.removeprefix("file://"))).is_file():
        return {"file": file_sha256(file)}
    directory = local_directory(source, key="download.source")
    return {} if directory is None else {"directory": tree_digest(directory)}


def _token(secret: str | None) -> str | None:
    if secret is None:
        return None
    from prefect.blocks.system import Secret

    block = Secret.load(secret)
    assert isinstance(block, Secret)
    return str(block.get())
