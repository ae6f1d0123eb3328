"""`mindrail store`: what is in the store, where it comes from, whether it is sound, and what may go."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit, store_option
from modelcore.errors import MindrailError, StepFailed
from modelcore.store.atomic_output import atomic_directory
from modelcore.store.garbage import find_garbage, remove
from modelcore.store.lineage import ancestors
from modelcore.store.manifest import MANIFEST
from modelcore.store.store import Artifact, Store
from modelcore.units import format_bytes, format_seconds

__all__ = ["store"]

_STORE = Path("store")
_SHORTEST = 4  # digits of a key


@command_line.group()
def store() -> None:
    """Look at the artifacts: what is there, where it comes from, whether it is sound; remove the unneeded.

    ARTIFACT is `step/key` or the key; its first digits are enough where they name one artifact.
    """


@store.command(name="ls")
@click.option("--step", help="Only artifacts of this step.")
@store_option
@as_json
def ls(step: str | None, store: Path | None, as_json: bool) -> None:
    """List every artifact: age, step, key, size and digest, oldest first."""
    every = Store(store or _STORE).artifacts()
    found = [_row(artifact) for artifact in every if step in (None, artifact.manifest.step)]
    emit({"artifacts": found, "bytes": sum(row["bytes"] for row in found)}, as_json, _show_list)


@store.command(name="list", hidden=True)
@click.pass_context
@store_option
@as_json
def list_artifacts(context: click.Context, store: Path | None, as_json: bool) -> None:
    """List every artifact, as `ls`."""
    context.invoke(ls, step=None, store=store, as_json=as_json)


@store.command()
@click.argument("artifact")
@store_option
@as_json
def show(artifact: str, store: Path | None, as_json: bool) -> None:
    """Show an artifact's manifest: parameters, inputs, files, how long it took and where it was built."""
    found = _artifact(Store(store or _STORE), artifact)
    emit({"path": str(found.path), **asdict(found.manifest)}, as_json, _show_manifest)


@store.command()
@click.argument("artifact")
@store_option
@as_json
def lineage(artifact: str, store: Path | None, as_json: bool) -> None:
    """Show what an artifact was built from, down to the first inputs, as a tree."""
    place = Store(store or _STORE)
    found = _artifact(place, artifact)
    by_digest = {one.digest: one for one in ancestors(place, found.manifest)}
    emit(_tree(found, by_digest), as_json, lambda tree: click.echo("\n".join(_branches(tree, ""))))


@store.command()
@click.argument("artifact")
@store_option
@as_json
def path(artifact: str, store: Path | None, as_json: bool) -> None:
    """Print an artifact's directory, for other commands."""
    place = Store(store or _STORE)
    found = place.fetch(_artifact(place, artifact)).path
    emit({"path": str(found)}, as_json, lambda result: click.echo(result["path"]))


@store.command()
@click.argument("artifact")
@click.argument("destination", type=click.Path(path_type=Path))
@store_option
@as_json
def export(artifact: str, destination: Path, store: Path | None, as_json: bool) -> None:
    """Copy an artifact's files to DESTINATION, complete or not at all; logs and manifest stay behind."""
    place = Store(store or _STORE)
    found = place.fetch(_artifact(place, artifact))

    def copy(directory: Path) -> None:
        for entry in found.manifest.files:
            target = directory / entry.path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found.path / entry.path, target)

    atomic_directory(destination, copy, origin={"artifact": found.digest})
    manifest = found.manifest
    result = {"destination": str(destination), "files": len(manifest.files), "bytes": manifest.size}
    emit(result, as_json, _show_export)


def _show_export(result: dict[str, Any]) -> None:
    click.echo(f"{result['files']} files, {format_bytes(result['bytes'])}: {result['destination']}")


@store.command()
@click.option(
    "--unused-for",
    default=30.0,
    show_default=True,
    metavar="DAYS",
    type=click.FloatRange(0),
    help="Keep what was built or found more recently.",
)
@click.option("--yes", is_flag=True, help="Remove without asking.")
@store_option
@as_json
def gc(unused_for: float, yes: bool, store: Path | None, as_json: bool) -> None:
    """Remove artifacts that nothing needs, after showing them.

    Pinned runs (`mindrail runs --pin`), the newest run of each name and the newest trained checkpoints keep
    what they were built from. Artifacts used lately, and directories in which a run works, stay. With --json,
    nothing is removed unless --yes is given.
    """
    found = find_garbage(Store(store or _STORE), unused_days=unused_for)
    if not as_json:
        for one in found:
            click.echo(f"{one.path}  {format_bytes(one.size)}, unused for {one.days:.0f} days")
        click.echo(f"{len(found)} directories, {format_bytes(sum(one.size for one in found))}")
    agreed = yes or (bool(found) and not as_json and click.confirm("remove them?"))
    gone = [one for one in found if remove(one)] if agreed else []
    result = {"found": [_plain(one) for one in found], "removed": [str(one.path) for one in gone]}
    emit(result, as_json, lambda _: click.echo(f"removed {len(gone)}") if agreed else None)


@store.command()
@store_option
@as_json
def verify(store: Path | None, as_json: bool) -> None:
    """Read every file of every artifact and compare its sha256 with the manifest."""
    place = Store(store or _STORE)
    artifacts = place.artifacts()
    damages = [line for artifact in artifacts for line in place.damages(artifact)]
    if damages:
        others = f"; {len(damages) - 1} more" if len(damages) > 1 else ""
        raise StepFailed(damages[0] + others, fix="run the flow again: it rebuilds what is damaged")
    emit(
        {"artifacts": len(artifacts), "damaged": 0}, as_json, lambda _: click.echo(f"{len(artifacts)} sound")
    )


def _artifact(store: Store, name: str) -> Artifact:
    """Return the artifact that a name means.

    Raises:
        MindrailError: there is none, or there are several.
    """
    step, _, key = name.rstrip("/").rpartition("/")
    step = Path(step).name
    found = [
        one
        for one in store.artifacts()
        if one.manifest.key.startswith(key) and step in ("", one.manifest.step)
    ]
    if len(key) < _SHORTEST or not found:
        raise MindrailError("no such artifact", where=f"{store.root}: {name}", fix="see mindrail store ls")
    if len(found) > 1:
        names = ", ".join(f"{one.manifest.step}/{one.manifest.key}" for one in found[:4])
        raise MindrailError(f"{len(found)} artifacts ({names})", where=name, fix="give more digits")
    return found[0]


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


def _plain(garbage: Any) -> dict[str, Any]:
    return {"path": str(garbage.path), "bytes": garbage.size, "days": round(garbage.days, 1)}


def _tree(artifact: Artifact, by_digest: dict[str, Artifact]) -> dict[str, Any]:
    inputs = [
        {
            "name": name,
            "digest": digest,
            **(_tree(by_digest[digest], by_digest) if digest in by_digest else {}),
        }
        for name, digest in artifact.manifest.inputs.items()
    ]
    return {**_row(artifact), "inputs": inputs}


def _branches(tree: dict[str, Any], indent: str) -> Iterator[str]:
    role = f"{tree['name']}: " if "name" in tree else ""
    here = (
        f"{tree['step']}/{tree['key']}  {format_bytes(tree['bytes'])}"
        if "key" in tree
        else "not in this store"
    )
    yield f"{indent}{role}{here}  {tree['digest'][:12]}"
    for child in tree.get("inputs", ()):
        yield from _branches(child, indent + "  ")


def _show_list(result: dict[str, Any]) -> None:
    now = datetime.now(timezone.utc)
    for row in result["artifacts"]:
        age = format_seconds((now - datetime.fromisoformat(row["created"])).total_seconds())
        click.echo(
            f"{row['created']}  {age:>13} ago  {row['step']:<15} {row['key']}  "
            f"{format_bytes(row['bytes']):>7}  {row['digest'][:12]}"
        )
    click.echo(f"{len(result['artifacts'])} artifacts, {format_bytes(result['bytes'])}")


def _show_manifest(result: dict[str, Any]) -> None:
    import yaml

    files = {one["path"]: format_bytes(one["size"]) for one in result["files"]}
    shown = {**result, "files": files, MANIFEST: f"{result['path']}/{MANIFEST}"}
    click.echo(yaml.safe_dump(shown, sort_keys=False, allow_unicode=True), nl=False)
