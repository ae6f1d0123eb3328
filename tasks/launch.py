"""Train on supervised ranks: a dead rank ends the job, a retry resumes from the last checkpoint.

A run with another layout is another artifact; `train.resume_from` reshards the checkpoint of one for the
other before the ranks start. Where it comes from is no part of the artifact's key: the job is the same.
"""

from __future__ import annotations

import socket
import sys
from collections.abc import Mapping
from pathlib import Path

from modelcore.cluster.job import JobInput
from modelcore.cluster.launch import run_on_cluster
from modelcore.config.runs import Training
from modelcore.config.training import Cluster, Launch
from modelcore.data.mindrecord.output import report_path, validation_path
from modelcore.data.report import PreprocessReport
from modelcore.errors import MindrailError
from modelcore.launching.device_environment import trains_on_ascend
from modelcore.launching.gang import run_gang
from modelcore.progress import Progress
from modelcore.store.manifest import LOGS
from modelcore.store.store import Store
from modelcore.training.finished import finish, is_finished
from modelcore.training.plan import TrainPlan
from modelcore.training.resume_from import adopt
from modelcore.training.same_job import check_same_job
from tasks.cluster_status import ClusterStatus
from tasks.dashboard import LossCurve
from tasks.environment import exported, key_of_environment
from tasks.host_share import share_of_devices
from tasks.log import log, log_run
from tasks.preprocess import rows_file
from tasks.step import Step
from tasks.step_task import Outcome, build_step, step_task
from tasks.train_plan import plan_of

__all__ = ["inputs_of", "launch"]

_VERSION = 1
_PLAN = "plan.json"
_CHECKPOINTS = "checkpoints/*/step_*"


@step_task("launch")
def launch(store: Store, shards: Step, rows: Step, config: Training) -> Outcome:
    """Train the shards on the rows; the output is every rank's trained shard and the metrics."""
    options = config.launch
    ascend = trains_on_ascend(options)
    environment = exported("launch", options.environment_set, options.environment, ascend=ascend)
    return build_step(
        store,
        "launch",
        lambda directory, progress: _train(directory, shards, rows, config, environment, progress),
        version=_VERSION,
        inputs={"shards": shards.digest, "rows": rows.digest},
        parameters=config.key_parameters | key_of_environment(environment),
        recorded={"environment": environment},
    )


def _train(
    directory: Path,
    shards: Step,
    rows: Step,
    config: Training,
    environment: Mapping[str, str],
    progress: Progress,
) -> None:
    if is_finished(directory):  # and only its files were not counted yet
        finish(directory)
        return
    logs = directory / "logs"
    logs.mkdir(exist_ok=True)
    plan = plan_of(
        config,
        model=str(shards.path),
        data=str(rows_file(rows.path)),
        output=str(directory),
        validation=_validation_rows(rows, config),
    )
    plan.write(logs / _PLAN)
    if config.train.resume_from is not None:
        _resume(Path(config.train.resume_from), plan, progress)
    else:
        _log_same_job_elsewhere(plan)
    curve = LossCurve(directory / "metrics.jsonl")

    def report(done: float, total: float | None, unit: str, note: str = "") -> None:
        progress(done, total, unit, note)
        curve(done, total, unit, note)

    inputs = inputs_of(plan, logs / _PLAN)
    command = ["-m", "modelcore.training.rank", str(logs / _PLAN)]
    _run_ranks(command, logs, inputs, config, environment, report)
    finish(directory)


def inputs_of(plan: TrainPlan, plan_file: Path) -> list[JobInput]:
    """Return every file that the ranks of a training read."""
    model, rows = Path(plan.model), [Path(plan.data), *([Path(plan.validation)] if plan.validation else [])]
    shared = {path for path in model.rglob("*") if path.is_file() and not _is_of_rank(path, model)}
    shared |= {path for file in rows for path in file.parent.glob(f"{file.stem}*")}
    parts = [
        JobInput(path=str(path), rank=rank)
        for rank in range(plan.layout.world_size)
        for path in sorted((model / f"rank_{rank}").glob("*"))
    ]
    return [*(JobInput(path=str(path)) for path in (plan_file, *sorted(shared))), *parts]


def _is_of_rank(path: Path, model: Path) -> bool:
    first = path.relative_to(model).parts[0]
    return first.startswith("rank_") or first == LOGS


def _run_ranks(
    arguments: list[str],
    logs: Path,
    inputs: list[JobInput],
    config: Training,
    environment: Mapping[str, str],
    progress: Progress,
) -> None:
    """Run Python with `arguments` as the job's ranks, on this host or on those of a cluster."""
    options = config.launch
    if options.cluster is None:
        ranks = config.parallel.world_size
        with share_of_devices("launch", ranks) as devices:
            log_run(f"launch: {ranks} ranks start on {socket.gethostname()}")
            run_gang(
                [sys.executable, *arguments],
                world_size=ranks,
                log_dir=logs,
                environment={**devices, **environment},
                start_timeout=options.start_timeout,
                hang_timeout=options.hang_timeout,
                hang_steps=options.hang_steps,
                progress=progress,
            )
    else:
        _run_on_cluster(arguments, options.cluster, logs, inputs, options, environment, progress)


def _run_on_cluster(
    arguments: list[str],
    cluster: Cluster,
    logs: Path,
    inputs: list[JobInput],
    options: Launch,
    environment: Mapping[str, str],
    progress: Progress,
) -> None:
    status = ClusterStatus(logs, cluster.ranks_per_host)

    def report(done: float, total: float | None, unit: str, note: str = "") -> None:
        progress(done, total, unit, note)
        status(done, total, unit, note)

    try:
        run_on_cluster(
            arguments,
            cluster,
            log_dir=logs,
            inputs=inputs,
            output=logs.parent,
            environment=environment,
            start_timeout=options.start_timeout,
            hang_timeout=options.hang_timeout,
            hang_steps=options.hang_steps,
            retries=options.retries,
            progress=report,
            log=lambda line: log(f"launch: {line}"),
        )
    finally:
        status.finish()


def _validation_rows(rows: Step, config: Training) -> str:
    """Return the file of the rows held back for validation, "" if none are to be held back.

    Raises:
        MindrailError: the share is so small that no row was held back.
    """
    if not config.preprocess.validation:
        return ""
    train = rows_file(rows.path)
    if not PreprocessReport.read(report_path(train)).validation_rows:
        raise MindrailError(
            f"{config.preprocess.validation:g} of the samples is none of them",
            where="preprocess.validation",
            fix="give a larger share, or 0 for no validation",
        )
    return str(validation_path(train))


def _resume(source: Path, plan: TrainPlan, progress: Progress) -> None:
    """Take over another run's newest checkpoint, and log what the run resumes from."""
    adopted = adopt(source, plan, progress=progress, log=lambda line: log(f"launch: {line}"))
    if adopted is None:
        log(f"launch: resumes from its own checkpoints, which are no older than those in {source}")
    else:
        layouts = f"{adopted.layout} → {plan.layout}"
        log(f"launch: resumes from step {adopted.step} of {adopted.checkpoint} ({layouts})")


def _log_same_job_elsewhere(plan: TrainPlan) -> None:
    """Log an interrupted run of the same job at another layout, which this run could resume from."""
    output = Path(plan.output)
    if any(output.glob(_CHECKPOINTS)):
        return
    for partial in sorted(output.parent.glob("*.partial")):
        if partial != output and any(partial.glob(_CHECKPOINTS)) and _is_same_job(partial, plan):
            log(
                f"launch: starts from the beginning; to resume where {partial} was interrupted: "
                f"--set train.resume_from={partial}"
            )


def _is_same_job(partial: Path, plan: TrainPlan) -> bool:
    try:
        other = TrainPlan.read(partial / "logs" / _PLAN)
        check_same_job(other.as_plain(), plan, partial, new_layout=True)
    except MindrailError:
        return False
    return other.data == plan.data
