"""Every key of a configuration with its type, default and meaning, as tables in Markdown.

What `mindrail config` prints and docs/configuration.md holds, all of it from the sections themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from modelcore.config.keys import Key, every_key, keys_of
from modelcore.config.section import Section

__all__ = ["describe", "describe_all"]

_HEAD = ["| key | type | default | meaning |", "| --- | --- | --- | --- |"]
_NAMES = {str: "text", int: "integer", float: "number", bool: "true or false"}


def describe(schema: type[Section], prefix: str = "") -> str:
    """Return a table of all keys of one kind of run, or of one section of it that `prefix` names.

    Those inside sections are included.
    """
    return _table((name, key, "section") for name, key in every_key(schema, prefix))


def describe_all(runs: Mapping[str, type[Section]]) -> str:
    """Return the keys of every kind of run: its own in a table each, then each section once.

    Args:
        runs: the kinds by name; a section that has one name in two of them is the same in both.
    """
    sections = {
        path: key.kind for schema in runs.values() for path, key in every_key(schema) if _is_section(key)
    }
    parts = [
        *(_part(name, "", schema) for name, schema in runs.items()),
        *(_part(path.rpartition(".")[2], f"{path}.", section) for path, section in sections.items()),
    ]
    return "\n".join(parts)


def _part(name: str, prefix: str, schema: type[Section]) -> str:
    rows = ((prefix + key.name, key, f"[section](#{key.name})") for key in keys_of(schema))
    return f"## {name}\n\n{_first_line(schema)}\n\n{_table(rows)}"


def _table(rows: Iterable[tuple[str, Key, str]]) -> str:
    lines = [
        f"| `{name}` | {link if _is_section(key) else _type(key)} | {_default(key)} | {_meaning(key)} |"
        for name, key, link in rows
    ]
    return "\n".join([*_HEAD, *lines]) + "\n"


def _is_section(key: Key) -> bool:
    return issubclass(key.kind, Section)


def _type(key: Key) -> str:
    if key.choices:
        return ", ".join(f"`{choice}`" for choice in key.choices)
    bounds = str(key.bounds)
    name = _NAMES[key.kind] + (f" {bounds}" if bounds else "")
    if key.container is dict:
        return f"keys with a {name} each"
    return f"list ({name})" if key.container is list else name


def _default(key: Key) -> str:
    if key.required:
        return "required"
    if isinstance(key.default, Section):
        return ", ".join(f"`{name}: {getattr(key.default, name)}`" for name in key.default.model_fields_set)
    return "none" if key.default is None else f"`{_plain(key.default)}`"


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _meaning(key: Key) -> str:
    return _first_line(key.kind) if _is_section(key) else key.description


def _first_line(section: type) -> str:
    return (section.__doc__ or "").strip().splitlines()[0]
