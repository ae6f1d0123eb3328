"""`mindrail config`: every key of every kind of YAML with its type, default and meaning."""

from __future__ import annotations

from pathlib import Path

import click

from flows.cli.command import as_json, command_line, emit
from flows.kinds import KINDS
from modelcore.config.describe import describe, describe_all
from modelcore.config.kinds import read_any
from modelcore.config.runs import RUNS, Run
from modelcore.demo.config import Demo, FirstPrograms

__all__ = ["config"]

_SCHEMAS: dict[str, type[Run]] = {**RUNS, "demo": Demo}
_DEMO = f"""## demo

The keys of a [pipeline](#pipeline), and what to generate as its inputs:

{describe(FirstPrograms, "first_programs.")}
"""


@command_line.command()
@click.argument("kind", metavar="[KIND | CONFIG]", required=False)
@as_json
def config(kind: str | None, as_json: bool) -> None:
    """Explain every key of the YAML of a KIND of run, or of all kinds: type, default and meaning.

    KIND is pipeline, finetune, pretrain, evaluate, predict or demo; a YAML file stands for its kind. With
    --json: the JSON schema, by kind.
    """
    wanted = _SCHEMAS if kind is None else _named(kind)
    text = _DEMO + describe_all(RUNS) if kind is None else "\n".join(map(describe, wanted.values()))
    schemas = {name: schema.model_json_schema() for name, schema in wanted.items()} if as_json else {}
    emit(schemas, as_json, lambda _: click.echo(text, nl=False))


def _named(kind: str) -> dict[str, type[Run]]:
    """Return the kind of that name, or that of the YAML file there."""
    if kind in _SCHEMAS:
        return {kind: _SCHEMAS[kind]}
    if not kind.endswith((".yaml", ".yml")):
        names = ", ".join(_SCHEMAS)
        raise click.BadParameter(f"{kind!r} is neither a YAML file nor one of {names}", param_hint="KIND")
    schema = type(read_any(Path(kind), "name", command="config", kinds=KINDS))
    return {name: one for name, one in _SCHEMAS.items() if one is schema}
