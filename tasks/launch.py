"""Train on real ranks, watched: a dead rank ends the job, a retry goes on from the last checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path

from modelcore.config.schema import Pipeline
from modelcore.launching.gang import run_gang
from modelcore.progress import Progress
from modelcore.store.store import Store
from modelcore.training.plan import TrainPlan
from tasks.layout import layout_of
from tasks.preprocess import ROWS, TRAIN
from tasks.step import Outcome, Step, build_step, step_task

__all__ = ["launch"]

_VERSION = 1


@step_task("launch")
def launch(store: Store, shards: Step, rows: Step, config: Pipeline) -> Outcome:
    """Fine-tune the shards on the rows; the output is every rank's trained shard and the metrics."""
    return build_step(
        store,
        "launch",
        lambda directory, progress: _train(directory, shards, rows, config, progress),
        version=_VERSION,
        inputs={"shards": shards.digest, "rows": rows.digest},
        parameters={
            "train": config.train.model_dump(exclude={"checkpoint_every", "keep"}),
            "parallel": config.parallel.model_dump(exclude={"recompute"}),
            "seed": config.seed,
        },
    )


def _train(directory: Path, shards: Step, rows: Step, config: Pipeline, progress: Progress) -> None:
    logs = directory / "logs"
    logs.mkdir(exist_ok=True)
    plan = logs / "plan.json"
    cut = config.parallel
    TrainPlan(
        model=str(shards.path),
        data=str(rows.path / ROWS / TRAIN),
        output=str(directory),
        layout=layout_of(cut),
        vocab_emb_dp=cut.vocab_emb_dp,
        offsets=tuple(cut.offset),
        shard_optimizer=cut.shard_optimizer,
        recompute=cut.recompute,
        seed=config.seed,
        **config.train.model_dump() | {"accumulate": config.micro_batches},
    ).write(plan)
    run_gang(
        [sys.executable, "-m", "modelcore.training.rank", str(plan)],
        world_size=cut.world_size,
        log_dir=logs,
        start_timeout=config.launch.start_timeout,
        hang_timeout=config.launch.hang_timeout,
        progress=progress,
    )
