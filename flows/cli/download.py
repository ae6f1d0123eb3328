"""`mindrail download`: a checkpoint from a hub, a web server or a directory."""

from __future__ import annotations

from pathlib import Path

import click

from flows.cli.command import as_json, command_line, emit
from flows.cli.data_download import download_data
from flows.cli.section_options import option_of
from modelcore.config.checkpoint import Download
from modelcore.store.atomic_output import atomic_directory
from modelcore.store.data_sets import data_set
from modelcore.units import format_bytes

__all__ = ["download"]

any_path = click.Path(path_type=Path)


@command_line.command()
@click.argument("source")
@click.argument("destination", type=any_path)
@option_of(Download, "revision")
@option_of(Download, "endpoint", envvar="HF_ENDPOINT", show_envvar=True)
@click.option("--token", envvar="HF_TOKEN", show_envvar=True, help="The hub's token.")
@option_of(Download, "offline")
@click.option("--sha256", help="Digest that a data file must have.")
@as_json
def download(
    source: str,
    destination: Path,
    revision: str | None,
    endpoint: str | None,
    token: str | None,
    offline: bool,
    sha256: str | None,
    as_json: bool,
) -> None:
    """Fetch a checkpoint or training data from SOURCE into DESTINATION.

    SOURCE is a model of `mindrail models`, hf://owner/name, https://…/, a path or file:///a/directory, or
    the address of one file. Digests are checked where the source gives them; a model that is not implemented
    is refused before its weights are fetched; an interrupted download resumes.

    Or it is a data set (wikitext-2, code-alpaca-20k, code-alpaca-2k, humaneval, mbpp), or the https://
    address of a data file. Then DESTINATION is a directory, or a file with the data file's suffix. An archive
    is unpacked. The digest is printed, and whether it was known before.
    """
    data = data_set(source)
    if data is not None:
        download_data(data, destination, sha256=sha256, token=token, as_json=as_json)
        return
    if sha256 is not None:
        raise click.UsageError("--sha256 is for a data file; a model's digests come from its hub")
    from modelcore.checkpoints.model_check import check_model
    from modelcore.models.shipped import address_of, model_of
    from modelcore.store.download import download as fetch
    from modelcore.store.retry_after import with_retry_after
    from tasks.log import log_wait
    from tasks.progress import shown_progress

    shipped = model_of(source)
    source = address_of(source)
    with shown_progress("download") as progress:
        files = atomic_directory(
            destination,
            lambda directory: with_retry_after(
                lambda: fetch(
                    source,
                    directory,
                    token=token,
                    endpoint=endpoint,
                    revision=revision,
                    offline=offline,
                    check=lambda place: check_model(place, shipped),
                    progress=progress,
                ),
                log_wait,
            ),
            origin={"source": source, "revision": revision, "endpoint": endpoint},
        )
    names = sorted(path.name for path in files)
    size = sum((destination / name).stat().st_size for name in names)
    result = {"destination": str(destination), "files": names, "bytes": size}
    emit(result, as_json, lambda _: click.echo(f"{len(names)} files, {format_bytes(size)}: {destination}"))
