"""All model families, and the model that a config.json describes.

No network is built and no weight is read here; MindSpore is not imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelcore.errors import MindrailError
from modelcore.models.family import Family, NativeFormat
from modelcore.models.gpt_bigcode.family import GPT_BIGCODE
from modelcore.models.llama.family import LLAMA
from modelcore.models.model import Model
from modelcore.models.qwen2.family import QWEN2
from modelcore.store.json_file import read_json_object

__all__ = ["FAMILIES", "NativeFiles", "model_from_config", "native_files", "read_config_json", "read_model"]

FAMILIES: Mapping[str, Family[Any]] = {family.name: family for family in (LLAMA, GPT_BIGCODE, QWEN2)}
"""Every family by its model_type."""

# Every layer's parameters are listed by name: a config must not make that list endless.
_MOST_LAYERS = 10_000


def read_model(directory: Path) -> Model:
    """Return the model that `directory`/config.json describes, or a publisher's own files without one.

    Raises:
        MindrailError: there is neither, it is not JSON, or describes a model that is not implemented here.
    """
    return model_from_config(read_config_json(directory), directory / "config.json")


def model_from_config(raw: Mapping[str, Any], where: object) -> Model:
    """Return the model that a parsed config.json describes; `where` is its path, for errors."""
    kind = raw.get("model_type")
    family = FAMILIES.get(kind) if isinstance(kind, str) else None
    if family is None:
        known = ", ".join(FAMILIES)
        raise MindrailError(f"model_type is {kind!r}: not implemented, only {known}", where=where)
    config = family.read_config(raw, where)
    if config.num_layers > _MOST_LAYERS:
        raise MindrailError(f"a model of {config.num_layers} layers", where=where, fix="correct the number")
    return Model(family, config)


def read_config_json(directory: Path) -> dict[str, Any]:
    """Return the parsed `directory`/config.json; of a publisher's files without one, what it would be.

    Raises:
        MindrailError: it is missing or not a JSON object.
    """
    path = directory / "config.json"
    if path.is_file():
        return read_json_object(path)
    if found := native_files(directory):
        return found.format.config(found.files)
    raise MindrailError(
        "no config.json here",
        where=directory,
        fix="put the model's Hugging Face config.json beside its weights",
    )


@dataclass(frozen=True)
class NativeFiles:
    """Weight files in a publisher's own format, in order."""

    format: NativeFormat[Any]
    files: Sequence[Path]


def native_files(directory: Path) -> NativeFiles | None:
    """Return the weights in a directory that are in a publisher's own format; None without any.

    Raises:
        MindrailError: one of the files is missing.
    """
    for family in FAMILIES.values():
        if family.native is not None and (files := family.native.files(directory)):
            return NativeFiles(family.native, files)
    return None
