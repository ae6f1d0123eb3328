"""`mindrail runs`: the runs of a store, finished and interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit, store_option
from modelcore.errors import MindrailError
from modelcore.store.garbage import PIN
from modelcore.store.json_file import read_json_object
from modelcore.store.shared_records import RUNS, fetch_runs
from modelcore.units import format_seconds

__all__ = ["runs"]

_STORE = Path("store")


@command_line.command()
@click.option("--pin", metavar="RUN", help="Keep what this run needs from `mindrail store gc`.")
@click.option("--unpin", metavar="RUN", help="Let it go again.")
@store_option
@as_json
def runs(pin: str | None, unpin: str | None, store: Path | None, as_json: bool) -> None:
    """List the store's runs, oldest first: score, duration and report; then the steps that were interrupted.

    A running step is among the interrupted ones, too.
    """
    root = (store or _STORE).absolute()
    fetch_runs(root)
    for run, is_pinned in ((pin, True), (unpin, False)):
        if run is not None:
            _set_pin(root, run, pinned=is_pinned)
    interrupted = sorted(str(path) for path in root.glob("*/*.partial"))
    emit({"runs": list(_finished(root)), "interrupted": interrupted}, as_json, _show)


def _set_pin(root: Path, name: str, *, pinned: bool) -> None:
    found = [path for path in (root / RUNS).glob("*") if path.name.startswith(name) and path.is_dir()]
    if len(found) != 1:
        what = "no such run" if not found else f"{len(found)} runs begin with it"
        raise MindrailError(what, where=name, fix="see mindrail runs")
    if pinned:
        (found[0] / PIN).touch()
    else:
        (found[0] / PIN).unlink(missing_ok=True)


def _finished(root: Path) -> Iterator[dict[str, Any]]:
    for path in sorted((root / RUNS).glob("*/run.json")):
        try:
            record = read_json_object(path)
            yield {
                "run": path.parent.name,
                "name": record["config"]["name"],
                "created": record["created"],
                "seconds": record.get("seconds"),
                "score": _score(record),
                "pinned": (path.parent / PIN).exists(),
                "report": str(path.parent / "report.html"),
            }
        except (MindrailError, ValueError, LookupError, TypeError, AttributeError):
            yield {"run": path.parent.name, "error": f"{path} cannot be read"}


def _score(record: dict[str, Any]) -> str:
    """Return the run's result in a few words."""
    if "pass_at_1" in record:
        before, after = record["pass_at_1"].get("before"), record["pass_at_1"]["after"]
        return f"pass@1 {after:.3f}" + ("" if before is None else f" ({before:.3f} before)")
    if "training" in record:
        return ", ".join(f"{name} {value}" for name, value in record["training"].items())
    scores = [one["pass_at_k"].get("1", [None])[0] for one in record["results"]]
    return ", ".join("" if score is None else f"pass@1 {score:.3f}" for score in scores)


def _show(result: dict[str, Any]) -> None:
    for one in result["runs"]:
        if "error" in one:
            click.echo(f"{one['run']}  {one['error']}")
            continue
        took = "" if one["seconds"] is None else f"  {format_seconds(one['seconds'])}"
        click.echo(f"{one['run']}  {one['score']}{took}{'  pinned' if one['pinned'] else ''}")
        click.echo(f"  {one['report']}")
    for path in result["interrupted"]:
        click.echo(f"interrupted or running: {path}")
    if not result["runs"]:
        click.echo("no finished runs")
