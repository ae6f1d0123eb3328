"""Fetch a Hugging Face checkpoint into the store, every file checked against its sha256 where known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelcore.checkpoints.model_check import check_model
from modelcore.config.checkpoint import Download
from modelcore.config.runs import Training
from modelcore.errors import MindrailError
from modelcore.progress import Progress
from modelcore.store.download import download as fetch
from modelcore.store.retry_after import with_retry_after
from modelcore.store.store import Store
from tasks.download_source import DownloadSource, download_source
from tasks.inputs import local_path, model_digest
from tasks.log import log_wait
from tasks.preflight import preflight
from tasks.secret import secret_value
from tasks.step_task import Outcome, build_step, step_task

__all__ = ["download"]

_VERSION = 1


@step_task("download", retries=3, delays=(2.0, 10.0, 30.0))
def download(store: Store, config: Download, run: Training | None = None, *, weights: bool = True) -> Outcome:
    """Fetch config.json, weights and tokenizer files.

    Args:
        store: holds the artifacts.
        config: the source and what to check.
        run: what the model is for; whether it will do is checked before its weights are fetched.
        weights: whether the weights are wanted.
    """
    source = download_source(config)

    def check(directory: Path) -> None:
        check_model(directory, source.shipped)
        if run is not None:
            preflight(run, model=directory)

    return build_step(
        store,
        "download",
        lambda directory, progress: with_retry_after(
            lambda: _fetch(source, config, directory, weights, check, progress), log_wait
        ),
        version=_VERSION,
        **_key(store, source, config, weights=weights),
        recorded={"source": config.source},
    )


def _fetch(
    source: DownloadSource,
    config: Download,
    directory: Path,
    weights: bool,
    check: Callable[[Path], object],
    progress: Progress,
) -> None:
    """Fetch the model, and the weights from where they are."""

    def get(address: str, *, weights: bool, revision: str | None) -> None:
        fetch(
            address,
            directory,
            sha256=config.sha256,
            token=secret_value(config.token_secret, key="download.token_secret"),
            endpoint=config.endpoint,
            revision=revision,
            offline=config.offline,
            check=check,
            weights=weights,
            progress=progress,
        )

    apart = bool(source.file) or source.shards is not None
    get(source.model, weights=weights and not apart, revision=None if apart else config.revision)
    if source.file and weights:
        get(source.file, weights=True, revision=None)


def _key(store: Store, source: DownloadSource, config: Download, *, weights: bool) -> dict[str, Any]:
    """Return what the artifact's key is made of: a remote source's address, a local one's contents."""
    apart = bool(source.file) or source.shards is not None
    name, inputs = _origin(store, source.model, weights=weights and not apart)
    parameters: dict[str, Any] = {"source": name, "revision": config.revision, "sha256": config.sha256}
    if source.file and weights:
        parameters["file"], of_file = _origin(store, source.file, weights=True)
        inputs |= {f"weights_{kind}": digest for kind, digest in of_file.items()}
    elif apart or not weights:
        parameters["weights"] = False
    return {"inputs": inputs, "parameters": parameters}


def _origin(store: Store, address: str, *, weights: bool) -> tuple[str, dict[str, str]]:
    """Return what stands for a source in the key: a remote one's address, a local one's contents.

    Raises:
        MindrailError: there is nothing at a local address.
    """
    path = local_path(address)
    if path is None:
        return address, {}
    if path.is_file():
        return path.name, {"file": store.digests.sha256(path)}
    if not path.is_dir():
        raise MindrailError(
            "there is no such file or directory", where=f"download.source: {path}", fix="check the path"
        )
    return "directory", {"directory": model_digest(store, path, weights=weights)}
