"""Checks where a model comes from: the name or address, and what is at a local one. Asks no server."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from modelcore.checkpoints.model_check import check_model
from modelcore.config.checkpoint import Download
from modelcore.errors import MindrailError
from modelcore.models.shipped import address_of, model_of
from modelcore.store.checkpoint_index import is_plain_name
from modelcore.store.hub import cached_snapshot
from modelcore.store.model_files import WEIGHT_SUFFIXES
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
        address = address_of(config.source)
        path = local_path(address)
        if path is None:
            _check_address(address, config)
            return None
        if path.is_file():
            return None
        if not path.is_dir():
            raise MindrailError("there is no such file or directory", where=path, fix="check the path")
        check_model(path, model_of(config.source))
        if weights and not any(file.suffix in WEIGHT_SUFFIXES for file in path.iterdir()):
            raise MindrailError("holds no weights", where=path, fix=f"a file *{', *'.join(WEIGHT_SUFFIXES)}")
        return path


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
