"""What `mindrail download` does with training data and benchmarks: a published data set, or anyone's file."""

from __future__ import annotations

from pathlib import Path

import click

from flows.cli.command import emit
from modelcore.errors import MindrailError
from modelcore.store.atomic_output import atomic_directory, atomic_file
from modelcore.store.data_sets import DataSet, FetchedData, fetch_data
from modelcore.units import format_bytes

__all__ = ["download_data"]

_SUMS = "SHA256SUMS"


def download_data(
    data: DataSet, destination: Path, *, sha256: str | None, token: str | None, as_json: bool
) -> None:
    """Fetch a data set into a directory, or one file of it to a file's path; print its digest."""
    from modelcore.store.retry_after import with_retry_after
    from tasks.log import log_wait
    from tasks.progress import shown_progress

    one_file = bool(destination.suffix) and not destination.is_dir()
    origin = {"source": data.address, "sha256": sha256}
    with shown_progress("download") as progress:

        def build(directory: Path) -> FetchedData:
            fetched = with_retry_after(
                lambda: fetch_data(data, directory, sha256=sha256, token=token, progress=progress), log_wait
            )
            if one_file:
                _choose(fetched, directory, destination)
            else:
                (directory / _SUMS).write_text(f"{fetched.sha256}  {data.name}\n")
            return fetched

        if one_file:
            fetched = atomic_file(destination, destination.name, build, origin=origin)
            files = [destination]
        else:
            fetched = atomic_directory(destination, build, origin=origin)
            files = [destination / path.name for path in fetched.files]
    result = {
        "destination": str(destination),
        "files": [path.name for path in files],
        "bytes": sum(path.stat().st_size for path in files),
        "sha256": fetched.sha256,
        "checked": fetched.checked,
    }
    emit(result, as_json, _show)


def _choose(fetched: FetchedData, directory: Path, destination: Path) -> None:
    """Give the file that is wanted the destination's name: the only one, or that of this name."""
    named = [path for path in fetched.files if path.name == destination.name]
    chosen = fetched.files[0] if len(fetched.files) == 1 else named[0] if named else None
    if chosen is None:
        names = ", ".join(path.name for path in fetched.files)
        raise MindrailError(f"is none of {names}", where=destination, fix="name a directory, or one of them")
    if chosen.suffix != destination.suffix:
        raise MindrailError(f"would be {chosen.name}", where=destination, fix=f"end it in {chosen.suffix}")
    chosen.rename(directory / destination.name)


def _show(result: dict[str, object]) -> None:
    size = result["bytes"]
    assert isinstance(size, int)
    click.echo(f"{result['destination']}: {format_bytes(size)}, sha256 {result['sha256']}")
    if not result["checked"]:
        click.echo("note: no digest of it was known: nothing was compared; next time: --sha256 with this one")
