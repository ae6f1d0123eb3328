"""Generate the demo's inputs: training programs, a benchmark and a random model to start from."""

from __future__ import annotations

from modelcore.demo.config import FirstPrograms
from modelcore.demo.write import write_first_programs
from modelcore.store.store import Store
from tasks.step_task import Outcome, build_step, step_task

__all__ = ["first_programs"]

_VERSION = 1


@step_task("first-programs")
def first_programs(store: Store, config: FirstPrograms) -> Outcome:
    """Write `checkpoint/`, `train.json` and `benchmark.jsonl`."""
    return build_step(
        store,
        "first-programs",
        lambda directory, progress: write_first_programs(directory, config, progress=progress),
        version=_VERSION,
        inputs={},
        parameters=config.model_dump(),
    )
