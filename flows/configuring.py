"""Commands that explain what a configuration may say: `config`, and the models known by name: `models`."""

from __future__ import annotations

from typing import Any

import click

from flows.cli import as_json, command_line, emit
from modelcore.config.describe import describe
from modelcore.config.models import shipped_models
from modelcore.config.schema import Pipeline

__all__ = ["config", "models"]


@command_line.command()
@as_json
def config(as_json: bool) -> None:
    """Explain every key of a run's YAML: type, default and meaning."""
    result: dict[str, Any] = Pipeline.model_json_schema() if as_json else {}
    emit(result, as_json, lambda _: click.echo(describe(Pipeline), nl=False))


@command_line.command()
@as_json
def models(as_json: bool) -> None:
    """List the models that a download can name, with what their own config.json does not say."""
    found = [{"name": name, **model.model_dump()} for name, model in shipped_models().items()]
    emit({"models": found}, as_json, _show_models)


def _show_models(result: dict[str, Any]) -> None:
    for row in result["models"]:
        click.echo(
            f"{row['name']:<32} {row['family']:<12} {row['template']:<19} "
            f"pad {row['pad_id']:<7} {row['source']}"
        )
