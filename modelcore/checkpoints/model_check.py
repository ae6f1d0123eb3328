"""Whether a model is implemented here, from its config.json alone, before its weights are downloaded."""

from __future__ import annotations

from pathlib import Path

from modelcore.errors import MindrailError
from modelcore.models.families import read_model
from modelcore.models.model import Model
from modelcore.models.shipped import ShippedModel

__all__ = ["check_model"]


def check_model(directory: Path, shipped: ShippedModel | None = None) -> Model:
    """Read the config.json in `directory` and compare it with what is shipped about the model.

    Raises:
        MindrailError: the model is not implemented here, or is not the one that `shipped` describes.
    """
    model = read_model(directory)
    if shipped is not None and model.family.name != shipped.family:
        raise MindrailError(
            f"model_type is {model.family.name}, the model of that name is {shipped.family}",
            where=directory / "config.json",
            fix="check the source",
        )
    if shipped is not None and shipped.pad_id >= model.config.vocab_size:
        raise MindrailError(
            f"vocab_size {model.config.vocab_size} has no row for its padding, {shipped.pad_id}",
            where=directory / "config.json",
            fix="check the source",
        )
    return model
