"""Which commands a YAML is for: what kind of run it describes, and what a command of another kind leaves out.

A kind of run is its schema. A YAML is of every kind whose schema accepts it. A command reads YAMLs of its own
kind and of those kinds that have all it needs; every other one is refused with the commands it is for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from modelcore.config.reading import parse, read_changed, read_yaml
from modelcore.config.runs import Evaluate, Finetune, Pipeline, Predict, Pretrain, Run
from modelcore.errors import MindrailError

__all__ = ["KINDS", "Kind", "Reading", "read_any", "read_run"]

Schema = TypeVar("Schema", bound=Run)
Result = TypeVar("Result")


@dataclass(frozen=True)
class Kind:
    """A kind of run.

    Attributes:
        schema: its keys.
        commands: the commands of `mindrail` that its YAML is for.
        reads: other kinds whose YAML has all that a run of this kind needs; the sections that it has no use
            for are left out.
    """

    schema: type[Run]
    commands: tuple[str, ...]
    reads: tuple[type[Run], ...] = ()


KINDS = (
    Kind(Pipeline, ("run", "finetune")),
    Kind(Pretrain, ("pretrain",), reads=(Pipeline,)),
    Kind(Finetune, ("finetune",), reads=(Pipeline,)),
    Kind(Evaluate, ("evaluate",), reads=(Pipeline,)),
    Kind(Predict, ("layout", "shard")),
)


@dataclass(frozen=True)
class Reading(Generic[Schema]):
    """A run as it was read, and the keys of its YAML that were left out because it has no use for them."""

    run: Schema
    left_out: tuple[str, ...] = ()


def read_run(
    path: Path,
    schema: type[Schema],
    *,
    command: str,
    kinds: Sequence[Kind] = KINDS,
    changes: Iterable[str] = (),
) -> Reading[Schema]:
    """Read a YAML for a command that does runs of one kind.

    Args:
        path: the YAML.
        schema: the kind of run.
        command: the command's name, for the error.
        kinds: all kinds of run.
        changes: `key.key=value` on top.

    Raises:
        MindrailError: the YAML is for other commands, which are named, or a key is wrong.
    """
    others = next((kind.reads for kind in kinds if kind.schema is schema), ())

    def read(raw: Mapping[str, Any], kind: type[Run]) -> Reading[Schema]:
        return _narrowed(parse(raw, kind, where=path), schema, path)

    return _first(path, (schema, *others), read, command, kinds, changes)


def read_any(
    path: Path, section: str, *, command: str, kinds: Sequence[Kind] = KINDS, changes: Iterable[str] = ()
) -> Run:
    """Read a YAML for a command that needs one section of it: a run of whatever kind has that section.

    Args:
        path: the YAML.
        section: the key of the section.
        command: the command's name, for the error.
        kinds: all kinds of run; of those that accept the YAML, the first is taken.
        changes: `key.key=value` on top.

    Raises:
        MindrailError: as `read_run`.
    """
    having = [kind.schema for kind in kinds if section in kind.schema.model_fields]

    def read(raw: Mapping[str, Any], kind: type[Run]) -> Run:
        return parse(raw, kind, where=path)

    return _first(path, having, read, command, kinds, changes)


def _first(
    path: Path,
    schemas: Sequence[type[Run]],
    read: Callable[[Mapping[str, Any], type[Run]], Result],
    command: str,
    kinds: Sequence[Kind],
    changes: Iterable[str],
) -> Result:
    """Read a YAML as the first of some kinds that accepts it."""
    raw = read_changed(path, changes)
    for schema in schemas:
        with suppress(MindrailError):
            return read(raw, schema)
    try:
        return read(raw, min(schemas, key=lambda schema: _strange_keys(raw, schema)))
    except MindrailError as error:
        sentence = _meant_for(path, schemas, read, command, kinds, error)
        raise (MindrailError(sentence) if sentence else error) from None


def _meant_for(
    path: Path,
    schemas: Sequence[type[Run]],
    read: Callable[[Mapping[str, Any], type[Run]], object],
    command: str,
    kinds: Iterable[Kind],
    error: MindrailError,
) -> str:
    """Return which commands a YAML is for that this one does not read; "" if it is wrong for all of them.

    That is to be seen in the file alone: what was changed on top may be the mistake.
    """
    raw = read_yaml(path)
    if any(_accepts(read, raw, schema) for schema in schemas):
        return ""
    fitting = [kind for kind in kinds if _accepts(parse, raw, kind.schema)]
    plainest = [kind for kind in fitting if not any(_adds_to(kind.schema, other.schema) for other in fitting)]
    commands = dict.fromkeys(name for kind in plainest for name in kind.commands)
    if not commands:
        return ""
    meant = " or ".join(f"`mindrail {name}`" for name in commands)
    unknown = set(raw) - {key for schema in schemas for key in schema.model_fields}
    reason = "" if unknown else f": {str(error).removeprefix(f'{path}: ')}"
    return f"{path} is for {meant}, not `mindrail {command}`{reason}"


def _narrowed(run: Run, schema: type[Schema], path: Path) -> Reading[Schema]:
    """Return a run as one of another kind, without the keys that this kind lacks."""
    if isinstance(run, schema):
        return Reading(run)
    kept = [name for name in schema.model_fields if name in run.model_fields_set]
    left_out = tuple(name for name in type(run).model_fields if name in run.model_fields_set - {*kept})
    plain = run.model_dump(mode="json", include=set(kept), exclude_unset=True)
    return Reading(parse(plain, schema, where=path), left_out)


def _adds_to(schema: type[Run], other: type[Run]) -> bool:
    return schema is not other and issubclass(schema, other)


def _strange_keys(raw: Mapping[str, Any], schema: type[Run]) -> int:
    """Return how many keys the schema does not know or misses."""
    required = {name for name, field in schema.model_fields.items() if field.is_required()}
    return len(set(raw) - set(schema.model_fields)) + len(required - set(raw))


def _accepts(
    read: Callable[[Mapping[str, Any], type[Run]], object], raw: Mapping[str, Any], schema: type[Run]
) -> bool:
    """Return whether a YAML is of a kind; one that has nothing but what every run has is of none."""
    if not set(raw) - set(Run.model_fields):
        return False
    with suppress(MindrailError):
        read(raw, schema)
        return True
    return False
