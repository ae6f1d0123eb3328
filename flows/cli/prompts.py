"""`mindrail prompts`: a benchmark's prompts as JSON lines, for another engine to answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit
from flows.cli.section_options import option_of
from modelcore.config.evaluation import Generate
from modelcore.errors import MindrailError

__all__ = ["prompts"]

any_path = click.Path(path_type=Path)


@command_line.command()
@option_of(Generate, "benchmark")
@option_of(Generate, "template", default="base", show_default=True)
@click.option(
    "--tokenizer",
    type=any_path,
    help="The tokenizer's directory or vocabulary file: whether BOS leads.",
)
@click.option("--ids", is_flag=True, help="Add the token ids of each prompt; needs --tokenizer.")
@click.option("--output", type=any_path, help="File to write; stdout if not given.")
@as_json
def prompts(
    benchmark: str, template: str, tokenizer: Path | None, ids: bool, output: Path | None, as_json: bool
) -> None:
    """Write the prompts of a benchmark as JSON lines, for another engine to answer.

    A line holds task_id, entry_point, the prompt exactly as it is sent here, the template and its version,
    and the stops; with --tokenizer also whether a BOS token goes before it. Add each answer to its line under
    `response`, and `mindrail score` reads the file.
    """
    from modelcore.evaluation.benchmarks import load_benchmark
    from modelcore.evaluation.templates import template as template_named
    from modelcore.generation.prompts import prompt_rows
    from modelcore.store.durable import replace_contents

    if ids and tokenizer is None:
        raise click.UsageError("--ids needs --tokenizer")
    if output is not None and output.exists():
        raise MindrailError("there is something here already", where=output, fix="choose another file")
    rows = list(prompt_rows(load_benchmark(benchmark), template_named(template), tokenizer, ids=ids))
    if output is not None:
        replace_contents(output, "".join(row.to_json() + "\n" for row in rows).encode("ascii"))
        result: dict[str, Any] = {"output": str(output), "prompts": len(rows)}
        emit(result, as_json, lambda _: click.echo(f"{len(rows)} prompts: {output}"))
    else:
        plain = {"prompts": [json.loads(row.to_json()) for row in rows]}
        emit(plain, as_json, lambda _: click.echo("\n".join(row.to_json() for row in rows)))
