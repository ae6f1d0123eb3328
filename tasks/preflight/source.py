"""Checks where a model comes from: the name or address, and what is at a local one. Asks no server."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from modelcore.checkpoints.model_check import check_model
from modelcore.checkpoints.shards import find_shards
from modelcore.config.checkpoint import Download
from modelcore.errors import MindrailError
from modelcore.models.shipped import address_of
from modelcore.store.checkpoint_index import is_plain_name
from modelcore.store.hub import cached_snapshot
from modelcore.store.model_files import WEIGHT_SUFFIXES
from tasks.download_source import download_source
from tasks.inputs import local_path
from tasks.preflight.errors import key_named

__all__ = ["check_source"]

_HUB = re.compile(r"hf://(?P<name>[^/@]+/[^/@]+)(@(?P<revision>[^/@]+))?")


def check_source(config: Download, *, weights: bool = True) -> Path | None:
    """Return the directory of a source on this machine, None of one elsewhere or of a single file.

    Args:
        config: the source.
        weights: whether its weights will be needed.

    Raises:
        MindrailError: there is no such model or directory, the model is not implemented or has no weights, or
            the address is of no known form.
    """
    with key_named("download.sha256"):
        for name in config.sha256:
            if not is_plain_name(name):
                raise MindrailError("not a file's name", where=name)
    with key_named("download.source"):
        if local_path(address_of(config.source)) is None:
            _check_address(address_of(config.source), config)
    if config.model is not None:
        with key_named("download.model"):
            _check_description(config, address_of(config.model))
    with key_named("download.source"):
        source = download_source(config)
        path = local_path(source.model)
        if path is None or path.is_file():
            return None
        check_model(path, source.shipped)
        if source.shards is not None:
            find_shards(source.shards, other=path, newest=config.newest)
        elif weights and not source.file and not _has_weights(path):
            raise MindrailError("holds no weights", where=path, fix=f"a file *{', *'.join(WEIGHT_SUFFIXES)}")
        return path


def _check_description(config: Download, address: str) -> None:
    path = local_path(address)
    if path is None:
        _check_address(address, config)
    elif not path.is_dir():
        raise MindrailError("there is no such directory", where=path, fix="check the path")


def _has_weights(directory: Path) -> bool:
    return any(file.suffix in WEIGHT_SUFFIXES for file in directory.iterdir())


def _check_address(address: str, config: Download) -> None:
    parts = urlsplit(address)
    if parts.scheme in ("http", "https") and parts.netloc:
        if config.offline:
            raise MindrailError("a web address, but download.offline is true", where=address)
    elif parts.scheme == "hf" and (match := _HUB.fullmatch(address)):
        if config.offline:
            cached_snapshot(match["name"], revision=match["revision"] or config.revision)
    else:
        raise MindrailError(
            "not a source", where=address, fix="give hf://owner/name, https://…/ or file:///directory"
        )
