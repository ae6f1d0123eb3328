"""Reading YAML into a schema, with `--set a.b=c` on top; every error names its file and key.

What YAML is here is in `modelcore.boundary.yaml_text`; what the keys mean is in `runs.py` and the modules
of its sections.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from modelcore.boundary.files import read_utf8
from modelcore.boundary.yaml_text import DEEPEST, LARGEST_YAML, BadYaml, parse_yaml
from modelcore.config.mindformers import explain_name
from modelcore.errors import MindrailError

__all__ = ["parse", "read_changed", "read_config", "read_yaml"]

Schema = TypeVar("Schema", bound=BaseModel)


def read_config(path: Path, schema: type[Schema], overrides: Iterable[str] = ()) -> Schema:
    """Read the YAML at `path`, apply `key.key=value` overrides and check all of it.

    Raises:
        MindrailError: naming the file and the key, with the nearest known key for an unknown one.
    """
    return parse(read_changed(path, overrides), schema, where=path)


def read_changed(path: Path, overrides: Iterable[str] = ()) -> dict[str, Any]:
    """Return the mapping in a YAML file with `key.key=value` overrides applied; as `read_yaml`."""
    raw = read_yaml(path)
    for override in overrides:
        _apply(raw, override)
    return raw


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the mapping in a YAML file.

    Raises:
        MindrailError: the file is missing, is not UTF-8 text, is not YAML or not a mapping.
    """
    if not path.exists():
        raise _missing(path)
    try:
        raw = parse_yaml(read_utf8(path, LARGEST_YAML))
    except BadYaml as error:
        line = f":{error.line}" if error.line else ""
        raise MindrailError(f"not valid YAML: {error}", where=f"{path}{line}") from error
    if not isinstance(raw, dict):
        raise MindrailError(f"holds {type(raw).__name__}, not keys and values", where=path)
    return raw


def parse(raw: Mapping[str, Any], schema: type[Schema], *, where: object = "") -> Schema:
    """Return a mapping of plain values as a section.

    Args:
        raw: the section's keys; a path is taken as its text.
        schema: the section.
        where: a file or command that the error names before the key.

    Raises:
        MindrailError: naming the first key that is wrong, and the others.
    """
    try:
        return schema.model_validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        raise _explain(error.errors(), schema, where) from error


def _apply(raw: dict[str, Any], override: str) -> None:
    """Set one dotted key to a YAML value: `train.learning_rate=1e-4`."""
    dotted, equals, text = override.partition("=")
    *parents, last = dotted.strip().split(".")
    if not equals or not all([*parents, last]):
        raise MindrailError("not of the form key.key=value", where=f"--set {override}")
    if len(parents) >= DEEPEST:
        raise MindrailError(f"{len(parents) + 1} keys deep; at most {DEEPEST}", where=f"--set {override}")
    node = raw
    for name in parents:
        if node.get(name) is None:
            node[name] = {}
        node = node[name]
        if not isinstance(node, dict):
            raise MindrailError(f"{name} is a value and has no keys below it", where=f"--set {override}")
    try:
        node[last] = parse_yaml(text)
    except BadYaml as error:
        raise MindrailError(f"the value is not valid YAML: {error}", where=f"--set {override}") from error


def _missing(path: Path) -> MindrailError:
    folder = path.parent
    names = [other.name for other in folder.glob("*.y*ml")] if folder.is_dir() else []
    near = difflib.get_close_matches(path.name, names, n=1)
    fix = f"did you mean {folder / near[0]}?" if near else "check the path"
    return MindrailError("there is no such file", where=path, fix=fix)


def _explain(errors: list[ErrorDetails], schema: type[BaseModel], where: object) -> MindrailError:
    """Explain the first error, and name the keys of the others."""
    first, *others = sorted(errors, key=lambda error: _of_mindformers(error) is None)  # it explains the rest
    location = tuple(part for part in first["loc"])
    key = ".".join(str(part) for part in location)
    what, fix = _in_words(first, location, schema)
    if others:
        also = ", ".join(sorted({".".join(map(str, error["loc"])) or "the whole file" for error in others}))
        fix = f"{fix}; also wrong: {also}" if fix else f"also wrong: {also}"
    return MindrailError(what, where=": ".join(filter(None, (str(where), key))), fix=fix)


def _in_words(
    error: ErrorDetails, location: tuple[int | str, ...], schema: type[BaseModel]
) -> tuple[str, str]:
    explained = _of_mindformers(error)
    if explained is not None:
        return explained
    if error["type"] == "extra_forbidden":
        known = _keys_at(schema, location[:-1])
        near = difflib.get_close_matches(str(location[-1]), known, n=1, cutoff=0.5)
        return "unknown key", f"did you mean {near[0]}?" if near else f"known keys: {', '.join(known)}"
    if error["type"] == "missing":
        return "this key is required", "add it"
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    message = message[:1].lower() + message[1:]
    if isinstance(error.get("input"), (str, int, float, bool, type(None))) and error["type"] != "value_error":
        return f"{message}, not {json.dumps(error['input'])}", ""
    return message, ""


def _of_mindformers(error: ErrorDetails) -> tuple[str, str] | None:
    """Return what is wrong and what to do, if the error is a key that MindFormers has."""
    if error["type"] != "extra_forbidden":
        return None
    return explain_name(".".join(map(str, error["loc"])), error.get("input"))


def _keys_at(schema: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Return the keys that the schema knows at a place inside it."""
    for part in location:
        field = schema.model_fields.get(str(part))
        inner = field.annotation if field else None
        choices = [inner, *getattr(inner, "__args__", ())]
        models = [kind for kind in choices if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not models:
            return []
        schema = models[0]
    return list(schema.model_fields)
