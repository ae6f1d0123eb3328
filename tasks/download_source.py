"""Which addresses a `download` section means: a model's directory, or weights and what describes them.

No Prefect here, and nothing is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from modelcore.checkpoints.local_source import local_source
from modelcore.config.checkpoint import Download
from modelcore.errors import MindrailError
from modelcore.models.shipped import ShippedModel, address_of, model_of
from modelcore.store.download import is_file_address
from tasks.inputs import local_path

__all__ = ["DownloadSource", "download_source"]


@dataclass(frozen=True)
class DownloadSource:
    """Where a checkpoint's parts come from.

    Attributes:
        model: address of config.json and tokenizer, and of the weights unless they are elsewhere; "" if a
            file is all there is.
        file: address of one file of weights, "" if there is none.
        shards: directory of a sharded checkpoint, which is joined where it is.
        shipped: the shipped model that `model` is, if it is one.
    """

    model: str
    file: str = ""
    shards: Path | None = None
    shipped: ShippedModel | None = None


def download_source(config: Download) -> DownloadSource:
    """Return where the parts of a checkpoint are.

    Raises:
        MindrailError: there is no such model, file or directory, or nothing says which model its weights are.
    """
    address = address_of(config.source)
    path = local_path(address)
    if path is None:
        if config.model is None or not is_file_address(address):
            return DownloadSource(address, shipped=model_of(config.source))
        return DownloadSource(address_of(config.model), file=address, shipped=model_of(config.model))
    found = local_source(path)
    if found.weights is None and found.shards is None:
        return DownloadSource(address)
    file = "" if found.weights is None else found.weights.absolute().as_uri()
    if config.model is not None:
        return DownloadSource(address_of(config.model), file, found.shards, model_of(config.model))
    if found.description is None:
        raise MindrailError(
            "has no config.json beside it, which says what model the weights are of",
            where=path,
            fix="copy config.json and the tokenizer there, or name the model: download.model",
        )
    return DownloadSource(found.description.absolute().as_uri(), file, found.shards)
