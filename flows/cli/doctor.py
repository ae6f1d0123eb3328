"""`mindrail doctor`: whether this machine can do the work, and how to mend what is wrong."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from flows.cli.command import as_json, command_line, emit, store_option
from flows.cli.configured_server import check_configured_server

__all__ = ["doctor"]


@command_line.command()
@store_option
@as_json
def doctor(store: Path | None, as_json: bool) -> None:
    """Look at versions, disk, processor, MindSpore, isolation, Prefect, Ray and devices; say how to mend.

    The exit code is 1 if something is wrong.
    """
    from tasks.doctor import Finding, examine

    found: list[Finding] = []
    for finding in examine(store or Path("store"), check_configured_server):
        found.append(finding)
        if not as_json:
            click.echo(f"{finding.state:<6} {finding.name:<15} {finding.detail}")
            if finding.fix:
                click.echo(f"{'':22} → {finding.fix}")
    healthy = all(finding.state != "wrong" for finding in found)
    result = {"healthy": healthy, "findings": [asdict(finding) for finding in found]}
    emit(result, as_json, lambda _: None)
    if not healthy:
        raise click.exceptions.Exit(1)
