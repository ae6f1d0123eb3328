"""A section's JSON schema as Prefect's form shows it best: keys by name, the most used first, none empty."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

__all__ = ["as_form"]

_NULL = {"type": "null"}


def as_form(schema: dict[str, Any], section: type[BaseModel], first: Mapping[str, tuple[str, ...]]) -> None:
    """Change a section's schema in place; what it accepts stays the same.

    Args:
        schema: the section's, as pydantic writes it.
        section: whose schema it is.
        first: the keys that a person turns first, by the section's name.
    """
    properties = schema.get("properties", {})
    for name, info in section.model_fields.items():
        shown = properties[name]
        shown["title"] = name  # as in the YAML, the documentation and error messages
        _leave_out_null(shown)
        if info.default_factory is not None and "default" not in shown:
            default = to_jsonable_python(info.get_default(call_default_factory=True, validated_data={}))
            if not isinstance(default, dict):
                shown["default"] = default
        if "$ref" in shown:
            shown.setdefault("description", _summary(info.annotation))
    order = dict.fromkeys((*_of(section, first), *schema.get("required", ()), *properties))
    schema["properties"] = {name: properties[name] for name in order}


def _of(section: type[BaseModel], first: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    named = next((first[kind.__name__] for kind in section.__mro__ if kind.__name__ in first), ())
    return tuple(name for name in named if name in section.model_fields)


def _leave_out_null(shown: dict[str, Any]) -> None:
    """Let an optional key be of its type alone: the form leaves out what is empty."""
    kinds = shown.get("anyOf", [])
    if _NULL not in kinds:
        return
    others = [kind for kind in kinds if kind != _NULL]
    if len(others) == 1 and "$ref" not in others[0]:
        del shown["anyOf"]
        shown.update({key: value for key, value in others[0].items() if key not in shown})
        if "enum" in shown:  # of other types, Prefect takes null where there is no default
            shown["enum"] = [*shown["enum"], None]
        if shown.get("default", ...) is None:
            del shown["default"]


def _summary(section: Any) -> str:
    return (getattr(section, "__doc__", "") or "").strip().partition("\n")[0]
