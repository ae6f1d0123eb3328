"""Whether a model can be worked with here, seen from its config.json, before its weights are fetched."""

from __future__ import annotations

from pathlib import Path

from modelcore.config.models import Model
from modelcore.errors import MindrailError
from modelcore.models.families import Family, load_model_config

__all__ = ["check_model"]


def check_model(directory: Path, shipped: Model | None = None) -> Family:
    """Read the config.json in `directory` and compare it with what is shipped about the model.

    Raises:
        MindrailError: the model is not implemented here, or is not the one that `shipped` describes.
    """
    family = load_model_config(directory)
    if shipped is not None and family.name != shipped.family:
        raise MindrailError(
            f"model_type is {family.name}, the model of that name is {shipped.family}",
            where=directory / "config.json",
            fix="check the source",
        )
    if shipped is not None and shipped.pad_id >= family.config.vocab_size:
        raise MindrailError(
            f"vocab_size {family.config.vocab_size} has no row for its padding, {shipped.pad_id}",
            where=directory / "config.json",
            fix="check the source",
        )
    return family
