"""Train on real ranks, watched: a dead rank ends the job, a retry goes on from the last checkpoint.

A run with another layout is another artifact; `train.resume_from` brings the checkpoint of one over to the
other before the ranks start. Where it comes from is no part of the artifact's key: the job is the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

from modelcore.config.runs import Training
from modelcore.data.mindrecord.output import report_path, validation_path
from modelcore.data.report import PreprocessReport
from modelcore.errors import MindrailError
from modelcore.launching.gang import run_gang
from modelcore.progress import Progress
from modelcore.store.store import Store
from modelcore.training.plan import TrainPlan
from modelcore.training.resume_from import adopt
from modelcore.training.same_job import check_same_job
from tasks.layout import layout_of
from tasks.preprocess import ROWS, TRAIN
from tasks.progress import say
from tasks.step import Outcome, Step, build_step, step_task

__all__ = ["launch"]

_VERSION = 1
PLAN = "plan.json"
_NOT_IN_THE_KEY = {"checkpoint_every", "keep", "resume_from", "validate_every", "peak_tflops"}
_CHECKPOINTS = "checkpoints/*/step_*"


@step_task("launch")
def launch(store: Store, shards: Step, rows: Step, config: Training) -> Outcome:
    """Fine-tune the shards on the rows; the output is every rank's trained shard and the metrics."""
    return build_step(
        store,
        "launch",
        lambda directory, progress: _train(directory, shards, rows, config, progress),
        version=_VERSION,
        inputs={"shards": shards.digest, "rows": rows.digest},
        parameters={
            "train": config.train.model_dump(exclude=_NOT_IN_THE_KEY),
            **({"validate_every": config.validate_every} if config.validate_every else {}),
            "parallel": config.parallel.model_dump(exclude={"recompute"}),
            "seed": config.seed,
        },
    )


def _train(directory: Path, shards: Step, rows: Step, config: Training, progress: Progress) -> None:
    logs = directory / "logs"
    logs.mkdir(exist_ok=True)
    plan, file = _plan(directory, shards, rows, config), logs / PLAN
    plan.write(file)
    if config.train.resume_from is not None:
        _resume(Path(config.train.resume_from), plan, progress)
    else:
        _tell_of_the_same_job_elsewhere(plan)
    run_gang(
        [sys.executable, "-m", "modelcore.training.rank", str(file)],
        world_size=config.parallel.world_size,
        log_dir=logs,
        start_timeout=config.launch.start_timeout,
        hang_timeout=config.launch.hang_timeout,
        progress=progress,
    )


def _plan(directory: Path, shards: Step, rows: Step, config: Training) -> TrainPlan:
    cut = config.parallel
    return TrainPlan(
        model=str(shards.path),
        data=str(rows.path / ROWS / TRAIN),
        output=str(directory),
        layout=layout_of(cut),
        vocab_emb_dp=cut.vocab_emb_dp,
        offsets=tuple(cut.offset),
        shard_optimizer=cut.shard_optimizer,
        recompute=cut.recompute,
        seed=config.seed,
        validation=_validation(rows, config),
        **config.train.model_dump(exclude={"resume_from"}) | {"accumulate": config.micro_batches},
    )


def _validation(rows: Step, config: Training) -> str:
    """Return the file of the rows that were held back, "" where none are wanted.

    Raises:
        MindrailError: the share is so small that no row was held back.
    """
    if not config.preprocess.validation:
        return ""
    train = rows.path / ROWS / TRAIN
    if not PreprocessReport.read(report_path(train)).validation_rows:
        raise MindrailError(
            f"{config.preprocess.validation:g} of the samples is none of them",
            where="preprocess.validation",
            fix="give a larger share, or 0 for no validation",
        )
    return str(validation_path(train))


def _resume(source: Path, plan: TrainPlan, progress: Progress) -> None:
    """Bring another run's newest checkpoint over, and say what the run goes on from."""
    adopted = adopt(source, plan, progress=progress, log=lambda line: say(f"launch: {line}"))
    if adopted is None:
        say(f"launch: goes on from its own checkpoints, which are no older than those in {source}")
    else:
        came = f"{adopted.layout} → {plan.layout}"
        say(f"launch: goes on from step {adopted.step} of {adopted.checkpoint} ({came})")


def _tell_of_the_same_job_elsewhere(plan: TrainPlan) -> None:
    """Point out an interrupted run of the same job at another layout, which this run could go on from."""
    mine = Path(plan.output)
    if any(mine.glob(_CHECKPOINTS)):
        return
    for partial in sorted(mine.parent.glob("*.partial")):
        if partial != mine and any(partial.glob(_CHECKPOINTS)) and _is_same_job(partial, plan):
            say(
                f"launch: begins anew; to go on from where {partial} was interrupted: "
                f"--set train.resume_from={partial}"
            )


def _is_same_job(partial: Path, plan: TrainPlan) -> bool:
    try:
        other = TrainPlan.read(partial / "logs" / PLAN)
        check_same_job(other.as_plain(), plan, partial, new_layout=True)
    except MindrailError:
        return False
    return other.data == plan.data
