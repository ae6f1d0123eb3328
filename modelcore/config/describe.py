"""Every key of a configuration with its type, default and meaning, as a table in Markdown.

What `mindrail config` prints and docs/configuration.md holds. Nothing is told here that the schema
does not say.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = ["describe"]


def describe(schema: type[BaseModel]) -> str:
    """Return a Markdown table of the schema's keys, sections in their order."""
    rows = [
        f"| `{key}` | {kind} | {default} | {meaning} |" for key, kind, default, meaning in _keys(schema, "")
    ]
    return "\n".join(["| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows]) + "\n"


def _keys(schema: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str, str]]:
    for name, field in schema.model_fields.items():
        section = _section(field.annotation)
        if section is None:
            yield prefix + name, _kind(field.annotation), _default(field), field.description or ""
        else:
            yield f"{prefix}{name}", "section", "", _first_line(section)
            yield from _keys(section, f"{prefix}{name}.")


def _section(annotation: Any) -> type[BaseModel] | None:
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def _kind(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    names = {str: "text", int: "whole number", float: "number", bool: "true or false"}
    if annotation in names:
        return names[annotation]
    if get_origin(annotation) in (list, dict):
        return {list: "list", dict: "keys and values"}[get_origin(annotation)]
    choices = [_kind(kind) for kind in get_args(annotation) if kind is not type(None)]
    return choices[0] if choices else str(annotation)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "needed"
    value = field.get_default(call_default_factory=True, validated_data={})
    return "none" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _first_line(section: type[BaseModel]) -> str:
    return (section.__doc__ or "").strip().splitlines()[0]
