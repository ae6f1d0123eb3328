"""What a section says of each of its keys, in one plain record: for the documentation and for the flags.

pydantic has it in annotations, metadata and defaults; here it is taken out of them. The types known are the
sections' own: text, numbers, booleans, choices, lists, mappings of texts, sections; each may be optional.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic.fields import FieldInfo

from modelcore.config.section import Flag, Section

__all__ = ["Bounds", "Key", "every_key", "keys_of"]


@dataclass(frozen=True)
class Bounds:
    """The range of a number; an open bound is not itself in the range."""

    lowest: float | None = None
    highest: float | None = None
    lowest_open: bool = False
    highest_open: bool = False

    def __str__(self) -> str:
        parts = []
        if self.lowest is not None:
            parts.append(f"{'>' if self.lowest_open else '≥'} {self.lowest:g}")
        if self.highest is not None:
            parts.append(f"{'<' if self.highest_open else '≤'} {self.highest:g}")
        return ", ".join(parts)


@dataclass(frozen=True)
class Key:
    """One key of a section.

    Attributes:
        name: as in the YAML; dotted where it is inside a section (`every_key`).
        description: what it means, with its unit.
        kind: `str`, `int`, `float`, `bool`, or the class of the section that it holds.
        container: `list` or `dict` if the key holds several values of that kind.
        choices: the values allowed; empty if they are not listed.
        bounds: the numbers allowed.
        required: whether there is no default.
        default: the value if it is not given.
        flag: its name on the command line.
    """

    name: str
    description: str
    kind: type
    container: type | None
    choices: tuple[str, ...]
    bounds: Bounds
    required: bool
    default: Any
    flag: str


def keys_of(section: type[Section]) -> list[Key]:
    """Return the keys of a section, required ones first, otherwise in the order of their definition."""
    found = [_key(name, info) for name, info in section.model_fields.items()]
    return sorted(found, key=lambda key: not key.required)


def every_key(section: type[Section], prefix: str = "") -> Iterator[tuple[str, Key]]:
    """Yield every key of a section and of the sections in it, with its dotted name."""
    for key in keys_of(section):
        yield prefix + key.name, key
        if issubclass(key.kind, Section):
            yield from every_key(key.kind, f"{prefix}{key.name}.")


@dataclass
class _Type:
    """What was found while an annotation is taken apart."""

    kind: type = NoneType
    container: type | None = None
    choices: tuple[str, ...] = ()
    metadata: list[Any] = field(default_factory=list)

    def read(self, annotation: Any) -> None:
        origin, arguments = get_origin(annotation), get_args(annotation)
        if origin is Annotated:
            self.add(arguments[1:])
            self.read(arguments[0])
        elif origin in (Union, UnionType):
            (inner,) = (argument for argument in arguments if argument is not NoneType)
            self.read(inner)
        elif origin in (list, dict):
            self.container = origin
            self.read(arguments[-1])
        elif origin is Literal:
            self.kind, self.choices = str, arguments
        else:
            self.kind = annotation

    def add(self, metadata: Iterable[Any]) -> None:
        for one in metadata:
            self.metadata += one.metadata if isinstance(one, FieldInfo) else [one]


def _key(name: str, info: FieldInfo) -> Key:
    found = _Type()
    found.add(info.metadata)
    found.read(info.annotation)
    flags = [one.name for one in found.metadata if isinstance(one, Flag)]
    return Key(
        name=name,
        description=info.description or "",
        kind=found.kind,
        container=found.container,
        choices=found.choices,
        bounds=_bounds(found.metadata),
        required=info.is_required(),
        default=None
        if info.is_required()
        else info.get_default(call_default_factory=True, validated_data={}),
        flag=flags[0] if flags else f"--{name.replace('_', '-')}",
    )


def _bounds(metadata: Iterable[Any]) -> Bounds:
    found: dict[str, Any] = {}
    for one in metadata:
        if isinstance(one, Ge):
            found |= {"lowest": one.ge}
        elif isinstance(one, Gt):
            found |= {"lowest": one.gt, "lowest_open": True}
        elif isinstance(one, Le):
            found |= {"highest": one.le}
        elif isinstance(one, Lt):
            found |= {"highest": one.lt, "highest_open": True}
    return Bounds(**found)
