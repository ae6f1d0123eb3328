"""Commands on checkpoints: `download` and `convert`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click

from flows.cli import as_json, command_line, emit
from modelcore.report.words import bytes_in_words
from modelcore.store.manifest import file_sha256
from modelcore.store.placing import place
from modelcore.versions import check_versions

__all__ = ["convert", "download"]

any_path = click.Path(path_type=Path)


@command_line.command()
@click.argument("source")
@click.argument("destination", type=any_path)
@click.option("--revision", help="Branch, tag or commit on the hub.")
@click.option("--endpoint", envvar="HF_ENDPOINT", help="A mirror of the hub; HF_ENDPOINT otherwise.")
@click.option("--token", envvar="HF_TOKEN", help="The hub's token; HF_TOKEN otherwise.")
@click.option("--offline", is_flag=True, help="Use what is on this machine already.")
@as_json
def download(
    source: str,
    destination: Path,
    revision: str | None,
    endpoint: str | None,
    token: str | None,
    offline: bool,
    as_json: bool,
) -> None:
    """Fetch a checkpoint from SOURCE into DESTINATION.

    SOURCE is a model of `mindrail models`, hf://owner/name, https://…/ or file:///a/directory, or the
    address of one file. Digests are checked where the source gives them; a model that is not implemented is
    refused before its weights are fetched; an interrupted download goes on where it was.
    """
    from modelcore.config.models import address_of, model_of
    from modelcore.models.shipped import check_model
    from modelcore.store.download import download as fetch
    from modelcore.store.patience import patiently
    from tasks.show import say_wait, shown_progress

    shipped = model_of(source)
    source = address_of(source)
    with shown_progress("download") as progress:
        files = place(
            destination,
            lambda directory: patiently(
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
                say_wait,
            ),
            origin={"source": source, "revision": revision, "endpoint": endpoint},
        )
    names = sorted(path.name for path in files)
    size = sum((destination / name).stat().st_size for name in names)
    result = {"destination": str(destination), "files": names, "bytes": size}
    emit(result, as_json, lambda _: click.echo(f"{len(names)} files, {bytes_in_words(size)}: {destination}"))


@command_line.command()
@click.argument("source", type=any_path)
@click.argument("destination", type=any_path)
@click.option(
    "--to", type=click.Choice(["mindspore", "hf"]), required=True, help="Names and layout to write."
)
@click.option(
    "--format",
    type=click.Choice(["ckpt", "safetensors"]),
    help="Of MindSpore's file: ckpt if not given. Hugging Face's is safetensors.",
)
@click.option(
    "--dtype", type=click.Choice(["keep", "fp16", "bf16", "fp32"]), default="keep", show_default=True
)
@click.option("--verify", is_flag=True, help="Read both sides back and compare every tensor.")
@as_json
def convert(
    source: Path,
    destination: Path,
    to: Literal["mindspore", "hf"],
    format: Literal["ckpt", "safetensors"] | None,
    dtype: Literal["keep", "fp16", "bf16", "fp32"],
    verify: bool,
    as_json: bool,
) -> None:
    """Convert the checkpoint SOURCE into the directory DESTINATION.

    SOURCE is a directory with config.json and weights (safetensors, PyTorch .bin, Meta's .pth, MindSpore
    .ckpt), or the weights file in one. Every tensor is used once and written once, or nothing is.
    """
    if (to, format) == ("hf", "ckpt"):
        raise click.UsageError("--to hf writes safetensors: leave out --format ckpt")
    format = format or "ckpt"
    check_versions()
    from modelcore.models.conversion import convert_checkpoint
    from tasks.show import shown_progress

    with shown_progress("convert") as progress:
        report = place(
            destination,
            lambda directory: convert_checkpoint(
                source, directory, to=to, format=format, dtype=dtype, verify=verify, progress=progress
            ),
            origin={"source": str(source.absolute()), "to": to, "format": format, "dtype": dtype},
        )
    emit({"destination": str(destination), **asdict(report)}, as_json, lambda _: _show(report, destination))


def _show(report: Any, destination: Path) -> None:
    size = sum(path.stat().st_size for path in destination.iterdir())
    click.echo(f"{len(report.tensors)} tensors, {bytes_in_words(size)}: {destination}")
    for warning in report.warnings:
        click.echo(f"note: {warning}")


def digest_of(path: Path) -> str:
    """Return what tells one state of an input from another: a file's sha256, a directory's path."""
    return file_sha256(path) if path.is_file() else str(path.absolute())
