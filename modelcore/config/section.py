"""What all sections of a configuration share: strict reading, bounded types, names of flags.

A section is at once the YAML's, the options that modelcore takes, the form on Prefect's dashboard and the
flags of a command: a default, a bound, a choice or a rule stands here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from modelcore.config.form import as_form

__all__ = [
    "Flag",
    "Name",
    "NonNegativeFloat",
    "NonNegativeInt",
    "Paths",
    "PositiveFloat",
    "PositiveInt",
    "Seconds",
    "Section",
    "Share",
    "ShareBelowOne",
    "suggest",
]

PositiveInt = Annotated[int, Field(ge=1)]
NonNegativeInt = Annotated[int, Field(ge=0)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
ShareBelowOne = Annotated[float, Field(ge=0, lt=1, allow_inf_nan=False)]


def _seconds(value: Any) -> Any:
    """Return "10min", "2 h" or "30s" as seconds; anything else as it is."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?) ?(s|min|h)", value) if isinstance(value, str) else None
    return float(match[1]) * {"s": 1, "min": 60, "h": 3600}[match[2]] if match else value


Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False), BeforeValidator(_seconds)]
"""A time: a number of seconds, or a text such as 10min."""
Name = Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class Flag:
    """The name of a key's flag, where it is not the key's own: `Annotated[list[str], Flag("--against")]`."""

    name: str


def suggest(choices: Sequence[str], title: str, free: str) -> WithJsonSchema:
    """Let a form offer known texts as a drop-down where another text may be given, too.

    Prefect's form shows the alternatives of an `anyOf` as buttons with their titles. A value is shown in the
    first alternative of its type, so the one that accepts every text comes first.

    Args:
        choices: the known texts.
        title: what they are.
        free: what another text is.
    """
    offered = {"type": "string", "enum": list(choices), "title": title}
    return WithJsonSchema({"anyOf": [{"type": "string", "title": free}, offered]})


_FIRST = {
    "Training": ("name", "download", "preprocess", "train", "parallel", "generate"),
    "Download": ("source",),
    "Preprocess": ("input", "format", "seq_length"),
    "Train": ("steps", "epochs", "batch_size", "learning_rate"),
    "Parallel": ("data_parallel", "model_parallel", "pipeline_stage"),
    "Generate": ("benchmark", "template", "max_new_tokens"),
    "Score": ("k", "timeout"),
}
"""The keys that a form shows first, by the section's class or a class it extends."""


def _as_form(schema: dict[str, Any], section: type[BaseModel]) -> None:
    as_form(schema, section, _FIRST)


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Paths = Annotated[
    list[str],
    BeforeValidator(_as_list),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "title": "one"},
                {"type": "array", "items": {"type": "string"}, "title": "several"},
            ]
        }
    ),
]
"""Paths, or patterns of them; one needs no list around it."""


class Section(BaseModel):
    """Keys with their types, bounds and defaults; an unknown key or a wrong type is an error."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, json_schema_extra=_as_form)
