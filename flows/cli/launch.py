"""`mindrail launch --print`: each host's command, for a job that is started by hand on several hosts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from flows.cli.command import as_json, command_line, emit
from flows.kinds import KINDS
from modelcore.config.kinds import read_any
from modelcore.config.runs import Training
from modelcore.errors import MindrailError
from modelcore.launching.by_hand import msrun_lines, rank_table_lines
from modelcore.launching.device_environment import exported_environment
from modelcore.launching.rank_table_file import read_rank_table

__all__ = ["launch"]

_path = click.Path(path_type=Path)


@command_line.command()
@click.argument("config", type=_path)
@click.option(
    "--print", "is_print", is_flag=True, required=True, help="Print the commands; nothing is started."
)
@click.option("--shards", type=_path, required=True, help="Directory of the shards, as each host sees it.")
@click.option("--rows", type=_path, required=True, help="MindRecord file of the rows, or its directory.")
@click.option("--output", type=_path, required=True, help="Directory to fill; gets logs/plan.json now.")
@click.option(
    "--host", "hosts", multiple=True, metavar="ADDRESS", help="A host, in rank order: started with msrun."
)
@click.option("--rank-table", type=_path, help="Start each rank with this rank table instead of msrun.")
@click.option(
    "--port", type=click.IntRange(1024, 65535), default=8118, show_default=True, help="msrun's port."
)
@click.option("--set", "changes", multiple=True, metavar="KEY=VALUE", help="Change one key.")
@as_json
def launch(
    config: Path,
    is_print: bool,
    shards: Path,
    rows: Path,
    output: Path,
    hosts: tuple[str, ...],
    rank_table: Path | None,
    port: int,
    changes: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print what to run on each host to train CONFIG's job by hand, and write the plan that its ranks read.

    The shards are those of CONFIG's layout (mindrail shard), the rows those of its preprocess section. The
    environment set that CONFIG names is exported. `launch.cluster` needs none of this: mindrail finetune.
    """
    run = read_any(config, "launch", command="launch", kinds=KINDS, changes=changes)
    assert isinstance(run, Training)  # the kinds with that section
    if bool(hosts) == (rank_table is not None):
        raise MindrailError("give either --host for each host, or --rank-table", where="launch")
    options = run.launch
    environment = exported_environment(options.environment_set, options.environment, ascend=True)
    logs = output.absolute() / "logs"
    arguments = ["-m", "modelcore.training.rank", str(logs / "plan.json")]
    if rank_table is not None:
        table = read_rank_table(rank_table)
        _check_ranks(table.world_size, run, str(rank_table))
        path = rank_table.absolute()
        lines = rank_table_lines(arguments, table=table, path=path, log_dir=logs, environment=environment)
    else:
        world_size = run.parallel.world_size
        if world_size % len(hosts):
            raise MindrailError(f"{world_size} ranks do not divide by {len(hosts)} hosts", where="--host")
        per_host = world_size // len(hosts)
        lines = msrun_lines(
            arguments, hosts=hosts, ranks_per_host=per_host, log_dir=logs, port=port, environment=environment
        )
    _write_plan(run, shards.absolute(), rows.absolute(), output.absolute())
    emit({"plan": str(logs / "plan.json"), "hosts": lines}, as_json, _show)


def _check_ranks(found: int, run: Training, where: str) -> None:
    if found != run.parallel.world_size:
        raise MindrailError(f"{found} ranks, but parallel gives {run.parallel.world_size}", where=where)


def _write_plan(run: Training, shards: Path, rows: Path, output: Path) -> None:
    from modelcore.data.mindrecord.file import MindRecordReader
    from modelcore.data.mindrecord.output import validation_path
    from tasks.preprocess import rows_file
    from tasks.train_plan import plan_of

    if run.train.precision == "auto":
        raise MindrailError(
            "auto follows one machine's processor; the hosts may have others",
            where="train.precision",
            fix="name bf16, fp16 or fp32",
        )
    data = rows_file(rows)
    for needed in (shards / "config.json", data):
        if not needed.exists():
            raise MindrailError("no such file", where=needed, fix="shard and preprocess first")
    counted = run.with_rows(len(MindRecordReader(data))) if run.train.epochs else run
    validation = str(validation_path(data)) if run.preprocess.validation else ""
    (output / "logs").mkdir(parents=True, exist_ok=True)
    plan = plan_of(counted, model=str(shards), data=str(data), output=str(output), validation=validation)
    plan.write(output / "logs" / "plan.json")


def _show(result: dict[str, Any]) -> None:
    for host, lines in result["hosts"].items():
        click.echo(f"# on {host}")
        for line in lines:
            click.echo(line)
        click.echo()
