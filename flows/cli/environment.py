"""`mindrail environment`: the model cards' sets of environment variables, listed or as `export` lines."""

from __future__ import annotations

import shlex
from typing import Any, cast, get_args

import click

from flows.cli.command import as_json, command_line, emit
from modelcore.config.environment import ENVIRONMENT_SETS, SetName

__all__ = ["environment"]


@command_line.command()
@click.argument("name", metavar="[SET]", type=click.Choice(get_args(SetName)), required=False)
@as_json
def environment(name: str | None, as_json: bool) -> None:
    """List the model cards' sets of environment variables, or print one for a shell.

    For runs of mindrail, name a set in the YAML: launch.environment_set, generate.environment_set. For
    another engine: eval "$(mindrail environment mindie-atb)".
    """
    if name is None:
        rows = [_plain(each) for each in ENVIRONMENT_SETS]
        emit({"sets": rows}, as_json, _show_list)
    else:
        emit(_plain(cast(SetName, name)), as_json, _show_exports)


def _plain(name: SetName) -> dict[str, Any]:
    found = ENVIRONMENT_SETS[name]
    return {
        "name": name,
        "card": found.card,
        "use": found.use,
        "engine": found.engine,
        "variables": dict(found.variables),
        "unset": list(found.unset),
    }


def _show_list(result: dict[str, Any]) -> None:
    for row in result["sets"]:
        click.echo(f"{row['name']:<22}{row['card']}: {row['use']}")


def _show_exports(result: dict[str, Any]) -> None:
    for variable in result["unset"]:
        click.echo(f"unset {variable}")
    for variable, value in result["variables"].items():
        click.echo(f"export {variable}={shlex.quote(value)}")
