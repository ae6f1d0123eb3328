"""`mindrail config`: every key of a YAML with its type, default and meaning."""

from __future__ import annotations

from typing import Any

import click

from flows.cli.command import as_json, command_line, emit
from modelcore.config.describe import describe
from modelcore.config.schema import Pipeline

__all__ = ["config"]


@command_line.command()
@as_json
def config(as_json: bool) -> None:
    """Explain every key of a run's YAML: type, default and meaning."""
    result: dict[str, Any] = Pipeline.model_json_schema() if as_json else {}
    emit(result, as_json, lambda _: click.echo(describe(Pipeline), nl=False))
