"""Click options made from a configuration section: a flag's name, type, bounds, choices, default and help.

What a flag says is what the YAML's key says; a command declares only the flags that no section has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from flows.kinds import KINDS
from modelcore.config.keys import Bounds, Key, keys_of
from modelcore.config.kinds import read_any
from modelcore.config.reading import parse
from modelcore.config.section import Section

__all__ = ["option_of", "section_options"]

Command = Callable[..., Any]

_CONFIG = "config_file"  # the parameter of --config, which no section has


def section_options(
    section: type[Section], parameter: str, *, leave_out: Collection[str] = (), key: str = ""
) -> Callable[[Command], Command]:
    """Add a flag for each key of a section; the command gets the section itself, checked.

    Args:
        section: whose keys become flags.
        parameter: the command's parameter that takes the section.
        leave_out: keys that get no flag and keep their defaults.
        key: name of that section in a run's YAML. Where it is given, `--config` takes the section from a
            YAML, and a flag changes one key of it.

    Example:
        >>> @command_line.command()
        ... @section_options(Convert, "config")
        ... def convert(config: Convert) -> None: ...
    """
    keys = [key for key in keys_of(section) if key.name not in leave_out]

    def decorate(command: Command) -> Command:
        @wraps(command)
        def with_section(**arguments: Any) -> Any:
            config = arguments.pop(_CONFIG, None)
            flags = {one.name: arguments.pop(one.name) for one in keys}
            values = {name: value for name, value in flags.items() if value is not None}
            if config is not None:
                values = _of_yaml(config, key, section) | _typed(values)
            return command(**arguments, **{parameter: parse(values, section)})

        decorated: Command = with_section
        for one in reversed(keys):
            decorated = _option(one)(decorated)
        return _config_option(key)(decorated) if key else decorated

    return decorate


def _config_option(key: str) -> Callable[[Command], Command]:
    return click.option(
        "--config",
        _CONFIG,
        type=click.Path(path_type=Path),
        help=f"YAML of a run: its `{key}` is taken, and the flags given here change it.",
    )


def _of_yaml(path: Path, key: str, section: type[Section]) -> dict[str, Any]:
    """Return what the YAML of any kind of run says under `key`, of what the section knows."""
    command = click.get_current_context().info_name or ""
    run = read_any(path, key, command=command, kinds=KINDS)
    plain: dict[str, Any] = getattr(run, key).model_dump(mode="json", exclude_unset=True)
    return {name: value for name, value in plain.items() if name in section.model_fields}


def _typed(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values that were typed; the others are the flags' defaults."""
    source = click.get_current_context().get_parameter_source
    return {name: value for name, value in values.items() if source(name) is not ParameterSource.DEFAULT}


def option_of(section: type[Section], name: str, **changes: Any) -> Callable[[Command], Command]:
    """Return the flag of one key, for a command that does not take the whole section.

    Args:
        section: the key's.
        name: the key.
        **changes: arguments of `click.option` that differ here, e.g. `default=None` where the flag only
            overrides what a YAML says.
    """
    (key,) = (key for key in keys_of(section) if key.name == name)
    return _option(key, **changes)


def _option(key: Key, **changes: Any) -> Callable[[Command], Command]:
    arguments: dict[str, Any] = {"type": _type(key), "help": f"{key.description}.", "required": key.required}
    if key.kind is bool:
        arguments |= {"is_flag": True, "type": None}
    elif key.container is list and key.kind is str:
        arguments["multiple"] = True
    if not (key.default is None or key.default is False or key.default == []):
        arguments |= {"default": key.default, "show_default": True}
    return click.option(key.flag, key.name, **arguments | changes)


def _type(key: Key) -> click.ParamType[Any]:
    if key.choices:
        return click.Choice(key.choices)
    if key.container is list and key.kind is int:
        return _Numbers()
    return _number(key.kind, key.bounds) if key.kind in (int, float) else click.STRING


def _number(kind: type, bounds: Bounds) -> click.ParamType[Any]:
    limits: dict[str, Any] = {
        "min": bounds.lowest,
        "max": bounds.highest,
        "min_open": bounds.lowest_open,
        "max_open": bounds.highest_open,
    }
    return click.IntRange(**limits) if kind is int else click.FloatRange(**limits)


class _Numbers(click.ParamType[list[int]]):
    """Whole numbers with commas between them: `0,0,1,-1`."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> list[int]:
        if isinstance(value, list):
            return value
        parts = [part.strip() for part in value.split(",")]
        if not all(re.fullmatch("-?[0-9]{1,18}", part) for part in parts):
            self.fail(f"{value!r} is not of the form 0,0,1,-1", param, ctx)
        return [int(part) for part in parts]
