"""`mindrail compare`: which problems one score won and lost against another."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from flows.cli.command import as_json, command_line, emit, store_option
from modelcore.errors import escaped_lines
from modelcore.store.store import Store

if TYPE_CHECKING:
    from modelcore.evaluation.report import ScoreReport

__all__ = ["compare"]

_DEFAULT_STORE = Path("store")


@command_line.command()
@click.argument("first")
@click.argument("second")
@store_option
@as_json
def compare(first: str, second: str, store: Path | None, as_json: bool) -> None:
    """Show which problems SECOND won and lost against FIRST, and whether that may be chance.

    Each is a score.json, a directory that holds one, or an id or name that `results` lists. The p-value
    is of McNemar's exact test.
    """
    from modelcore.evaluation.compare import compare as compared

    before, after = (_report(name, store or _DEFAULT_STORE) for name in (first, second))
    result = compared(before, after)
    templates = [report.conditions.template for report in (before, after)]
    names = [None if template is None else f"{template.name} v{template.version}" for template in templates]
    plain = {**asdict(result), "judgement": result.conclusion, "templates": names}
    emit(plain, as_json, _show_comparison)


def _report(name: str, store: Path) -> ScoreReport:
    from modelcore.evaluation.history import HISTORY, find_run
    from modelcore.evaluation.report import read_report

    path = Path(name)
    if not path.is_dir() and path.suffix != ".json":
        path = _on_this_machine(Path(find_run(store / HISTORY, name).report), store)
    return read_report(path / "score.json" if path.is_dir() else path)


def _on_this_machine(report: Path, store: Path) -> Path:
    """Return a report of the history here, where another host has written it: copied from the bucket."""
    if report.exists():
        return report
    key, artifacts = report.parent.name, Store(store)
    found = [artifact for artifact in artifacts.artifacts() if artifact.manifest.key == key]
    return artifacts.fetch(found[0]).path / report.name if found else report


def _show_comparison(result: dict[str, Any]) -> None:
    click.echo(f"won   {len(result['won']):>4}  {escaped_lines(', '.join(result['won']))}")
    click.echo(f"lost  {len(result['lost']):>4}  {escaped_lines(', '.join(result['lost']))}")
    click.echo(f"both solve {result['both']}, neither {result['neither']}")
    click.echo(f"p = {result['p_value']:.3g} (McNemar, exact): {result['judgement']}")
    if result["differences"]:
        click.echo(f"note: scored under different conditions: {', '.join(result['differences'])}")
    if "template" in result["differences"]:
        first, second = (name or "none" for name in result["templates"])
        click.echo(f"note: asked with template {first} and {second}: the difference is that of prompts, too")
