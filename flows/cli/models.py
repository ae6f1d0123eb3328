"""`mindrail models`: the models that a download can name."""

from __future__ import annotations

from typing import Any

import click

from flows.cli.command import as_json, command_line, emit

__all__ = ["models"]


@command_line.command()
@as_json
def models(as_json: bool) -> None:
    """List the models that a download can name, with what their own config.json does not say."""
    from modelcore.models.shipped import shipped_models

    found = [{"name": name, **model.model_dump()} for name, model in shipped_models().items()]
    emit({"models": found}, as_json, _show_models)


def _show_models(result: dict[str, Any]) -> None:
    for row in result["models"]:
        click.echo(
            f"{row['name']:<32} {row['family']:<12} {row['template']:<19} "
            f"pad {row['pad_id']:<7} {row['source']}"
        )
