"""Parses YAML that someone else wrote: YAML 1.2's core schema, without tags, with limits on all that grows.

`1e-4` is a number; `yes`, `on`, dates, `0o7` and `0x1F` are texts; a repeated key is an error, keys are
texts. An alias may repeat what an anchor names, up to 300 values in all. The text is checked as a stream of
events, before any value is made of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

__all__ = ["DEEPEST", "LARGEST_YAML", "BadYaml", "parse_yaml"]

LARGEST_YAML = 128 << 10
"""Characters."""

DEEPEST = 50
MOST_VALUES = 10_000
MOST_ALIASED = 300
MOST_DIGITS = 20

_PREFIX = "tag:yaml.org,2002:"
_SCALARS = {
    "bool": (re.compile(r"true|True|false|False"), "tTfF"),
    "int": (re.compile(r"[-+]?[0-9]+"), "-+0123456789"),
    "float": (
        re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf)|\.(nan|NaN)"),
        "-+0123456789.",
    ),
    "null": (re.compile(r"~|null|Null|NULL|"), "~nN\0"),
    "merge": (re.compile(r"<<"), "<"),
}


class BadYaml(ValueError):
    """This text is not YAML within the limits.

    Args:
        problem: what is wrong, in a few words.
        line: counted from 1; 0 if unknown.
    """

    def __init__(self, problem: object, line: int = 0) -> None:
        super().__init__(str(problem))
        self.line = line


def parse_yaml(text: str) -> Any:
    """Return the value of a YAML document: mappings with keys of text, lists, texts, numbers, booleans, None.

    Raises:
        BadYaml: it is not YAML, or beyond a limit.
    """
    if len(text) > LARGEST_YAML:
        raise BadYaml(f"{len(text)} characters; at most {LARGEST_YAML} are read")
    try:
        _check_events(text)
        return yaml.load(text, Loader=_CoreLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise BadYaml(error.problem or error, mark.line + 1 if mark else 0) from error
    except yaml.YAMLError as error:
        raise BadYaml(error) from error
    except BadYaml:
        raise
    except ValueError as error:  # PyYAML lets an escape such as "\U00110000" through to chr()
        raise BadYaml(error) from error


@dataclass
class _Anchors:
    """How many values each anchor stands for; one that is still open (None) would contain itself."""

    sizes: dict[str, int | None] = field(default_factory=dict)
    aliased: int = 0

    def repeated(self, event: yaml.AliasEvent) -> int:
        """Return the values that an alias repeats."""
        size = self.sizes.get(event.anchor or "", 1)
        if size is None:
            raise _bad(event, f"&{event.anchor} contains itself")
        self.aliased += size
        if self.aliased > MOST_ALIASED:
            raise _bad(event, f"aliases repeat more than {MOST_ALIASED} values")
        return size


def _check_events(text: str) -> None:
    """Refuse tags, depth, aliases that repeat too much or themselves."""
    anchors = _Anchors()
    open_nodes: list[tuple[str | None, int]] = []  # (anchor, values inside) of each node around this one
    for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        if number > MOST_VALUES:
            raise _bad(event, f"more than {MOST_VALUES} values")
        size = 0
        if isinstance(event, yaml.AliasEvent):
            size = anchors.repeated(event)
        elif isinstance(event, yaml.ScalarEvent):
            _refuse_tag(event)
            _refuse_text(event)
            size = 1
            if event.anchor is not None:
                anchors.sizes[event.anchor] = 1
        elif isinstance(event, yaml.CollectionStartEvent):
            _refuse_tag(event)
            if len(open_nodes) == DEEPEST:
                raise _bad(event, f"nested deeper than {DEEPEST}")
            open_nodes.append((event.anchor, 1))
            if event.anchor is not None:
                anchors.sizes[event.anchor] = None
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, size = open_nodes.pop()
            if anchor is not None:
                anchors.sizes[anchor] = size
        if size and open_nodes:
            anchor, inside = open_nodes[-1]
            open_nodes[-1] = (anchor, inside + size)


def _refuse_tag(event: Any) -> None:
    if event.tag is not None:
        raise _bad(event, f"the tag {event.tag.replace(_PREFIX, '!!')} is not read: write the value alone")


def _refuse_text(event: Any) -> None:
    """Refuse what is no text: half a character, and the null character, which no path may have."""
    if "\0" in event.value:
        raise _bad(event, "a null character")
    try:
        event.value.encode()
    except UnicodeEncodeError as error:
        raise _bad(event, "half a surrogate pair, which is no character") from error


def _bad(event: yaml.Event, problem: str) -> BadYaml:
    mark = event.start_mark
    return BadYaml(problem, mark.line + 1 if mark else 0)


class _CoreLoader(yaml.SafeLoader):
    """PyYAML's safe loader with YAML 1.2's scalars and with keys that are different texts."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  PyYAML's own attribute

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Build a mapping whose keys are all different texts."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag not in (f"{_PREFIX}str", f"{_PREFIX}merge"):
                shown = key.value if isinstance(key, yaml.ScalarNode) else "a list or mapping"
                raise _problem(
                    key, f"the key {shown} is not text" + ": put it in quotes" * (shown == key.value)
                )
            if key.value in seen:
                raise _problem(key, f"the key {key.value!r} is there twice")
            seen.add(key.value)
        return super().construct_mapping(node, deep)

    def whole(self, node: yaml.ScalarNode) -> int:
        """Return a whole number; leading zeros do not make it octal."""
        if len(node.value) > MOST_DIGITS:
            raise _problem(node, f"a number of {len(node.value)} digits")
        return int(node.value)

    def real(self, node: yaml.ScalarNode) -> float:
        """Return a number that may be `.inf` or `.nan`."""
        if node.value.lower().endswith(("inf", "nan")):
            return float(node.value.replace(".", ""))
        number = float(node.value)
        if math.isinf(number):
            raise _problem(node, f"{node.value} is beyond the range of numbers")
        return number


def _problem(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


def _resolvers() -> Iterator[tuple[str, list[tuple[str, re.Pattern[str]]]]]:
    firsts = {first for _, letters in _SCALARS.values() for first in letters}
    for first in sorted(firsts):
        kinds = [(kind, pattern) for kind, (pattern, letters) in _SCALARS.items() if first in letters]
        yield (
            "" if first == "\0" else first,
            [(_PREFIX + kind, re.compile(f"(?:{pattern.pattern})\\Z")) for kind, pattern in kinds],
        )


_CoreLoader.yaml_implicit_resolvers = dict(_resolvers())
_CoreLoader.add_constructor(f"{_PREFIX}int", _CoreLoader.whole)
_CoreLoader.add_constructor(f"{_PREFIX}float", _CoreLoader.real)
