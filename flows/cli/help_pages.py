"""The help of every command as one page of Markdown: the site's reference."""

from __future__ import annotations

from collections.abc import Iterator

import click

from flows.cli.main import command_line

__all__ = ["help_pages"]

_WIDTH = 100


def help_pages() -> str:
    """Return a page with a section for each command, in alphabetical order, and one for each of a group's."""
    intro = "Every command and its options, as `--help` prints them."
    return "\n\n".join(["# Commands", intro, *_sections(command_line, "mindrail", None)]) + "\n"


def _sections(group: click.Group, name: str, parent: click.Context | None) -> Iterator[str]:
    context = _context(group, name, parent)
    for key, command in sorted(group.commands.items()):
        title = f"{name} {key}"
        if isinstance(command, click.Group):
            yield from _sections(command, title, context)
        else:
            text = command.get_help(_context(command, key, context))
            yield f"## {title.removeprefix('mindrail ')}\n\n```text\n{text}\n```"


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    settings = {**command.context_settings, "terminal_width": _WIDTH, "max_content_width": _WIDTH}
    return click.Context(command, info_name=name.rpartition(" ")[2], parent=parent, **settings)
