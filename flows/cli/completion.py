"""`mindrail completion`: what makes a shell complete mindrail's commands and options."""

from __future__ import annotations

import click

from flows.cli.command import command_line

__all__ = ["completion"]


@command_line.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion of a SHELL. For bash: add `eval "$(mindrail completion bash)"` to ~/.bashrc."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None  # click has these three
    script = kind(command_line, {}, "mindrail", "_MINDRAIL_COMPLETE")
    click.echo(script.source_template % script.source_vars())
