"""The models that have a name: one YAML each in configs/models.

A YAML says what a model's own config.json cannot: where the model is, its family, its prompt template and
what pads its rows. Numbers are config.json's; the published one is beside the YAML, so that a run can be
planned without a network.
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from pydantic import Field, field_validator

from modelcore.config.evaluation import TemplateName
from modelcore.config.reading import read_config
from modelcore.config.section import NonNegativeInt, Section
from modelcore.errors import MindrailError
from modelcore.models.families import FAMILIES

__all__ = [
    "MODELS",
    "ShippedModel",
    "address_of",
    "model_names",
    "model_of",
    "published_config",
    "published_model",
    "shipped_models",
    "shipped_name",
]

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")

MODELS = Path(__file__).parents[2] / "configs" / "models"


class ShippedModel(Section):
    """One model as it is published."""

    family: str = Field(description="model_type of its config.json")
    source: str = Field(pattern=r"^hf://[^/]+/[^/]+$", description="Where its weights and tokenizer are")
    template: TemplateName = Field(description="Prompt template it was trained for")
    pad_id: NonNegativeInt = Field(description="Token that fills rows up")

    @field_validator("family")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in FAMILIES:
            raise ValueError(f"not one of {', '.join(FAMILIES)}")
        return name


def model_names() -> list[str]:
    """Return the names of the shipped models, in order."""
    return sorted(path.stem for path in MODELS.glob("*.yaml"))


def shipped_models() -> dict[str, ShippedModel]:
    """Return every shipped model by its name.

    Raises:
        MindrailError: a YAML is wrong; the line names file and key.
    """
    return {path.stem: read_config(path, ShippedModel) for path in sorted(MODELS.glob("*.yaml"))}


def shipped_name(source: str) -> str | None:
    """Return the name of the shipped model that a source means by its name or address; None for another."""
    if source in model_names():
        return source
    return next((name for name, model in shipped_models().items() if model.source == source), None)


def published_config(name: str) -> Path:
    """Return the config.json of a shipped model as it was published, which is shipped with it."""
    return MODELS / f"{name}.json"


def address_of(source: str) -> str:
    """Return the address of a download's source: of a model's name, of a path; errors as of `model_of`."""
    shipped = model_of(source)
    if shipped is not None:
        return shipped.source
    return source if "://" in source else Path(source).expanduser().absolute().as_uri()


def model_of(source: str) -> ShippedModel | None:
    """Return the shipped model that a download's source names, None if the source is an address or a path.

    A name comes before a path; `./name` is a path.

    Raises:
        MindrailError: it is none of them; names the nearest model.
    """
    if "://" in source:
        return None
    names = model_names()
    if source in names:
        return read_config(MODELS / f"{source}.yaml", ShippedModel)
    if Path(source).expanduser().exists():
        return None
    near = difflib.get_close_matches(source, names, n=1)
    if _REPOSITORY.fullmatch(source):
        fix = f"did you mean hf://{source}?"
    elif near:
        fix = f"did you mean {near[0]}?"
    else:
        fix = "give hf://owner/name, https://…/, a path or a model's name"
    raise MindrailError("not a source: no model of that name, and no such path", where=source, fix=fix)


def published_model(source: str) -> ShippedModel | None:
    """Return the shipped model that a download's source names or is the address of, None for another."""
    name = shipped_name(source)
    return None if name is None else shipped_models()[name]
