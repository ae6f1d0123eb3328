"""`mindrail init`: a commented YAML for your model, data and devices."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import get_args

import click

from flows.cli.command import as_json, command_line, emit
from modelcore.config.data import InstructionFormat
from modelcore.errors import MindrailError

__all__ = ["init"]


@command_line.command()
@click.argument("file", type=click.Path(path_type=Path), default=Path("finetune.yaml"))
@click.option("--model", help="A name of `mindrail models`, hf://owner/name, or a directory.")
@click.option("--data", help="File of instructions: Alpaca records or conversations, JSON or JSON lines.")
@click.option(
    "--format", "row_format", type=click.Choice(get_args(InstructionFormat)), help="Row format; the model's."
)
@click.option("--devices", type=click.IntRange(1, 4096), help="Ranks to train on, one per device.")
@click.option("--device-memory", metavar="SIZE", help="Memory of each, e.g. 64GB; the layout then fits it.")
@click.option("--benchmark", help="humaneval, mbpp or a file: score before and after training.")
@click.option("--steps", type=click.IntRange(1), default=1000, show_default=True, help="Optimizer steps.")
@as_json
def init(
    file: Path,
    model: str | None,
    data: str | None,
    row_format: str | None,
    devices: int | None,
    device_memory: str | None,
    benchmark: str | None,
    steps: int,
    as_json: bool,
) -> None:
    """Write FILE (finetune.yaml if not given), a run that fine-tunes a model on your data.

    What is not given as an option is asked for on a terminal. The layout is the least divided one that fits
    the devices. `mindrail plan FILE` then says what the run will do.
    """
    if file.exists():
        raise MindrailError("is there already", where=file, fix="give another name, or remove it")
    from tasks.new_config import Answers, new_config
    from tasks.new_config import row_format as format_of

    model = model or _ask("--model", "Model (a name of `mindrail models`, an address or a directory)")
    data = data or _ask("--data", "File of instructions")
    devices = devices or int(_ask("--devices", "Devices to train on", "1"))
    if device_memory is None:
        device_memory = _ask("--device-memory", "Memory of each device, e.g. 64GB", "")
    if benchmark is None:
        benchmark = _ask("--benchmark", "Benchmark to score on, e.g. humaneval", "")
    answers = Answers(model, data, row_format or format_of(model), devices, device_memory, benchmark, steps)
    text = new_config(answers)
    file.write_text(text, encoding="utf-8")
    emit({"written": str(file)}, as_json, _show)


def _show(result: dict[str, str]) -> None:
    click.echo(f"written: {result['written']}; see what it will do: mindrail plan {result['written']}")


def _ask(option: str, question: str, default: str | None = None) -> str:
    """Ask on a terminal; elsewhere take the default, or name the option."""
    if sys.stdin.isatty():
        answer: str = click.prompt(question, default=default, show_default=bool(default))
        return answer
    if default is None:
        raise click.UsageError(f"{option} is needed where nobody can be asked")
    return default
