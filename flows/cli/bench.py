"""Commands that measure this machine: `bench generate`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit
from flows.cli.section_options import option_of
from modelcore.boundary.json_text import BadJson, parse_json
from modelcore.config.evaluation import Decoding
from modelcore.errors import MindrailError
from modelcore.units import format_bytes

__all__ = ["bench"]

_PAIRS = "[[2048,2048],[1024,1024],[512,512],[256,256]]"
_HANG_TIMEOUT = 7200.0  # seconds; one pair reports nothing until it is measured


@command_line.group()
def bench() -> None:
    """Measure how fast this machine is with a model."""


@bench.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--pairs", default=_PAIRS, show_default=True, help="JSON: lengths of prompt and of answer.")
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Prompts side by side.")
@option_of(Decoding, "precision")
@click.option(
    "--output", type=click.Path(path_type=Path), help="Directory for speed.json and speed.svg, a plot."
)
@as_json
def generate(
    checkpoint: Path, pairs: str, batch: int, precision: str, output: Path | None, as_json: bool
) -> None:
    """Measure how fast CHECKPOINT generates: first token, each further token, tokens per second, memory.

    CHECKPOINT is a whole MindSpore directory. Prompts are random tokens; each pair is measured in a process
    of its own, after compiling, with one token per step and no guesses. Takes the time it says.
    """
    from modelcore.checkpoints.inspect_checkpoint import inspect_checkpoint
    from modelcore.generation.benchmark import check_lengths

    lengths = _lengths(pairs)
    if output is not None and output.exists():
        raise MindrailError("there is something here already", where=output, fix="choose another directory")
    kind = inspect_checkpoint(checkpoint).kind
    if not kind.startswith("MindSpore") or "sharded" in kind:
        raise MindrailError(f"is a {kind}", where=checkpoint, fix="give a whole MindSpore checkpoint")
    check_lengths(checkpoint, lengths)
    rows = [_measured(checkpoint, prompt, new, batch, precision) for prompt, new in lengths]
    result: dict[str, Any] = {"checkpoint": str(checkpoint), "precision": precision, "pairs": rows}
    if output is not None:
        _write(output, result)
    emit(result, as_json, _show)


def _lengths(pairs: str) -> list[tuple[int, int]]:
    try:
        parsed = parse_json(pairs)
    except BadJson as error:
        raise click.BadParameter(f"not JSON ({error})", param_hint="--pairs") from error
    good = isinstance(parsed, list) and all(
        isinstance(pair, list) and len(pair) == 2 and all(type(length) is int for length in pair)
        for pair in parsed
    )
    if not good or not parsed:
        raise click.BadParameter("not a list of pairs of lengths, as [[512,64]]", param_hint="--pairs")
    return [(prompt, new) for prompt, new in parsed]


def _measured(checkpoint: Path, prompt: int, new: int, batch: int, precision: str) -> dict[str, Any]:
    from modelcore.launching.gang import run_program

    click.echo(f"prompt {prompt}, new {new}, batch {batch} …", err=True)
    with tempfile.TemporaryDirectory() as directory:
        output = Path(directory) / "speed.json"
        arguments = [str(checkpoint), str(prompt), str(new), str(batch), precision, str(output)]
        run_program(
            [sys.executable, "-m", "modelcore.generation.benchmark", *arguments],
            log_dir=Path(directory),
            hang_timeout=_HANG_TIMEOUT,
        )
        row: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
        return row


def _write(output: Path, result: dict[str, Any]) -> None:
    from modelcore.report.plots import line_plot
    from modelcore.store.atomic_output import atomic_directory

    rows = sorted(result["pairs"], key=lambda row: row["prompt"])
    lengths = [row["prompt"] for row in rows]
    series = {
        "first token": (lengths, [1e3 * row["first_token_seconds"] for row in rows]),
        "each further token": (lengths, [1e3 * row["per_token_seconds"] for row in rows]),
    }
    plot = line_plot(series, x_label="tokens of the prompt", y_label="ms")

    def build(directory: Path) -> None:
        (directory / "speed.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        (directory / "speed.svg").write_text(plot, encoding="utf-8")

    atomic_directory(output, build, origin=result)


def _show(result: dict[str, Any]) -> None:
    columns = ("prompt", "new", "batch", "first token", "per token", "tokens/s", "memory")
    lines = [columns, *map(_cells, result["pairs"])]
    for line in lines:
        click.echo("".join(f"{cell:>13}" for cell in line))


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(row["prompt"]),
        str(row["new"]),
        str(row["batch"]),
        f"{1e3 * row['first_token_seconds']:.1f} ms",
        f"{1e3 * row['per_token_seconds']:.2f} ms",
        f"{row['tokens_per_second']:.1f}",
        format_bytes(row["peak_bytes"]),
    )
