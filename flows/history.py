"""The command that tells two scored runs apart: `compare`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from flows.cli import as_json, command_line, emit

__all__ = ["compare"]


@command_line.command()
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@as_json
def compare(first: Path, second: Path, as_json: bool) -> None:
    """Tell which problems SECOND won and lost against FIRST, and whether that may be chance.

    Both are score.json files, or directories that hold one. The p-value is of McNemar's exact test.
    """
    from modelcore.evaluation.compare import compare as compared
    from modelcore.evaluation.report import read_report

    before, after = (read_report(path / "score.json" if path.is_dir() else path) for path in (first, second))
    emit(asdict(compared(before, after)), as_json, _show)


def _show(result: dict[str, Any]) -> None:
    click.echo(f"won   {len(result['won']):>4}  {', '.join(result['won'])}")
    click.echo(f"lost  {len(result['lost']):>4}  {', '.join(result['lost'])}")
    click.echo(f"both solve {result['both']}, neither {result['neither']}")
    click.echo(f"p = {result['p_value']:.3f} (McNemar, exact): {_judged(result['p_value'])}")
    if result["differences"]:
        click.echo(f"note: scored under different conditions: {', '.join(result['differences'])}")


def _judged(p_value: float) -> str:
    return "unlikely to be chance" if p_value < 0.05 else "may well be chance"
