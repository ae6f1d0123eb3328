"""The command that lets a checkpoint continue texts or fill in gaps: `predict`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit, store_option
from flows.cli.section_options import section_options
from modelcore.config.evaluation import Decoding, Prediction
from modelcore.config.reading import parse
from modelcore.errors import MindrailError
from modelcore.versions import check_versions

__all__ = ["predict"]


@command_line.command()
@click.argument("checkpoint")
@click.option("--prompt", "prompts", multiple=True, help="Text to continue; may be given several times.")
@click.option(
    "--prompts",
    "prompts_file",
    type=click.Path(path_type=Path),
    help='JSON lines with "prompt", or "prefix" and "suffix"; "task_id" names a line.',
)
@click.option("--prefix", help="Text before a gap that the model fills in; needs --suffix.")
@click.option("--suffix", help="Text after the gap.")
@click.option("--stop", "stops", multiple=True, help="Text before which an answer ends; may be repeated.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="Seed of sampled answers.")
@click.option("--output", type=click.Path(path_type=Path), help="File to write; stdout if not given.")
@section_options(Decoding, "decoding", key="generate")
@store_option
@as_json
def predict(
    checkpoint: str,
    prompts: tuple[str, ...],
    prompts_file: Path | None,
    prefix: str | None,
    suffix: str | None,
    stops: tuple[str, ...],
    seed: int,
    output: Path | None,
    decoding: Decoding,
    store: Path | None,
    as_json: bool,
) -> None:
    """Let CHECKPOINT continue texts, or fill in the gap between a prefix and a suffix.

    CHECKPOINT is a directory (MindSpore's or Hugging Face's), a model of `mindrail models`, hf://owner/name
    or `newest`. The model reads the text unchanged; a line of the output holds prompt and completion
    apart, the number of tokens, why it ended (eos, stop or length) and the seconds it took. Gaps need a
    model trained to fill them in: CodeLlama 7B and 13B, DeepSeek-Coder, StarCoder. A killed command
    resumes at the next unanswered prompt.
    """
    if output is not None and output.exists():
        raise MindrailError("there is something here already", where=output, fix="choose another file")
    values: dict[str, Any] = {
        **decoding.model_dump(),
        "prompts": list(prompts),
        "prompts_file": None if prompts_file is None else str(prompts_file.absolute()),
        "prefix": prefix,
        "suffix": suffix,
        "stops": list(stops),
        "seed": seed,
    }
    config = parse(values, Prediction)
    root = Path("store") if store is None else store
    check_versions()
    from flows.cli.temporary_server import prefect_server
    from modelcore.store.store import Store
    from tasks.preflight import preflight
    from tasks.preflight.prediction import check_prediction

    preflight(config, store=str(root))
    check_prediction(config, Store(root), checkpoint)
    with prefect_server(root.absolute() / ".prefect") as wait_until_up:
        from flows.predict_prompts import predict_prompts
        from tasks.predict import PREDICTIONS

        wait_until_up()
        written = predict_prompts(checkpoint, config, str(root)).path / PREDICTIONS
    _emit(written, output, as_json=as_json)


def _emit(written: Path, output: Path | None, *, as_json: bool) -> None:
    from modelcore.store.durable import replace_contents

    contents = written.read_bytes()
    lines = contents.decode().splitlines()
    if output is not None:
        replace_contents(output, contents)
        result: dict[str, Any] = {"output": str(output), "predictions": len(lines)}
        emit(result, as_json, lambda _: click.echo(f"{len(lines)} predictions: {output}"))
    else:
        rows = {"predictions": [json.loads(line) for line in lines]}
        emit(rows, as_json, lambda _: click.echo("\n".join(lines)))
