"""`mindrail config`: every key of every kind of YAML with its type, default and meaning."""

from __future__ import annotations

import click

from flows.cli.command import as_json, command_line, emit
from modelcore.config.describe import describe, describe_all
from modelcore.config.runs import RUNS

__all__ = ["config"]


@command_line.command()
@click.argument("kind", type=click.Choice(list(RUNS)), required=False)
@as_json
def config(kind: str | None, as_json: bool) -> None:
    """Explain every key of the YAML of a KIND of run, or of all kinds: type, default and meaning.

    With --json: the JSON schema, by kind.
    """
    wanted = RUNS if kind is None else {kind: RUNS[kind]}
    text = describe_all(RUNS) if kind is None else describe(RUNS[kind])
    schemas = {name: schema.model_json_schema() for name, schema in wanted.items()} if as_json else {}
    emit(schemas, as_json, lambda _: click.echo(text, nl=False))
