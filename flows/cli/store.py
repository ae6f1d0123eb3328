"""Commands that look at the store: `store list` and `store verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit, store_option
from modelcore.errors import StepFailed
from modelcore.store.store import Artifact, Store

__all__ = ["store"]


@command_line.group()
def store() -> None:
    """Look at the artifacts: what is there, and whether it is sound."""


@store.command(name="list")
@store_option
@as_json
def list_artifacts(store: Path | None, as_json: bool) -> None:
    """List every artifact: step, key, size, digest and when it was built."""
    found = [_row(artifact) for artifact in Store(store or Path("store")).artifacts()]
    emit({"artifacts": found}, as_json, _show)


@store.command()
@store_option
@as_json
def verify(store: Path | None, as_json: bool) -> None:
    """Read every file of every artifact and compare its sha256 with the manifest."""
    place = Store(store or Path("store"))
    artifacts = place.artifacts()
    damages = [line for artifact in artifacts for line in place.damages(artifact)]
    if damages:
        others = f"; {len(damages) - 1} more" if len(damages) > 1 else ""
        raise StepFailed(damages[0] + others, fix="run the flow again: it rebuilds what is damaged")
    emit(
        {"artifacts": len(artifacts), "damaged": 0}, as_json, lambda _: click.echo(f"{len(artifacts)} sound")
    )


def _row(artifact: Artifact) -> dict[str, Any]:
    manifest = artifact.manifest
    return {
        "step": manifest.step,
        "key": manifest.key,
        "bytes": manifest.size,
        "digest": manifest.digest,
        "created": manifest.created,
        "path": str(artifact.path),
    }


def _show(result: dict[str, Any]) -> None:
    for row in result["artifacts"]:
        click.echo(
            f"{row['created']}  {row['step']:<15} {row['key']}  {row['bytes']:>13,} B  {row['digest'][:12]}"
        )
