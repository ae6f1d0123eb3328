"""What a run would do: its steps and which of them are in the store, its memory, its time, what is wrong.

Nothing is built, fetched or written. No Prefect here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from modelcore.config.data import Preprocess
from modelcore.config.evaluation import Generate
from modelcore.config.runs import Evaluate, Predict, Run, Training
from modelcore.demo.config import Demo
from modelcore.demo.described_model import described_model
from modelcore.errors import MindrailError
from modelcore.models.families import read_model
from modelcore.parallel.memory import RankMemory
from tasks.layout import described_source, dry_run_of, process_need
from tasks.planned_steps import PlannedStep, planned_steps
from tasks.preflight import Problems, every_problem
from tasks.preflight.source import check_source

__all__ = ["Plan", "StageNeed", "plan_run"]


@dataclass(frozen=True)
class StageNeed:
    """What each rank of a pipeline stage needs.

    Attributes:
        stage: its number.
        ranks: of the stage.
        memory: of the fullest on its device, in bytes by use.
        process: the most bytes that its process holds where it trains on a CPU; None if it does not train.
    """

    stage: int
    ranks: tuple[int, ...]
    memory: RankMemory
    process: int | None = None


@dataclass(frozen=True)
class Plan:
    """A run before it is started.

    Attributes:
        name: the run's.
        steps: in order.
        parameters: elements of the model; None if it is not known.
        stages: what ranks need; empty for runs without ranks.
        problems: what keeps it from working.
        hosts: that the ranks are spread over.
    """

    name: str
    steps: tuple[PlannedStep, ...]
    parameters: int | None = None
    stages: tuple[StageNeed, ...] = ()
    problems: Problems = field(default_factory=Problems)
    hosts: int = 1

    @property
    def ranks(self) -> int:
        """Number of devices."""
        return sum(len(stage.ranks) for stage in self.stages)

    @property
    def bytes_to_write(self) -> int:
        """Bytes that the steps that are to do will have on the disk, as far as they are known."""
        return sum(step.bytes or 0 for step in self.steps if step.state != "cached")


def plan_run(config: Run, model: Path | None = None) -> Plan:
    """Return what a run would do.

    Args:
        config: the run.
        model: directory with the model's config.json, where its source is neither here nor shipped.
    """
    with _described(config, model) as (described, unknown):
        local = _local_source(config)
        generated = (Preprocess, Generate) if isinstance(config, Demo) else ()
        problems = every_problem(config, model=local, described=described, leave_out=generated)
        if unknown:
            problems.notes.append(unknown)
        parameters, stages = _needs(config, described, problems)
        steps = tuple(planned_steps(config, described))
        return Plan(config.name, steps, parameters, stages, problems, _hosts(config))


def _hosts(config: Run) -> int:
    cluster = config.launch.cluster if isinstance(config, Training) else None
    return 1 if cluster is None else cluster.hosts


def _needs(
    config: Run, described: Path | None, problems: Problems
) -> tuple[int | None, tuple[StageNeed, ...]]:
    if described is None or not isinstance(config, Training | Predict):
        return None, ()
    try:
        model = read_model(described)
        found = dry_run_of(config, model)
    except MindrailError as error:
        if not problems.configuration:
            problems.configuration.append(str(error))
        return None, ()
    stages = []
    for stage in sorted({rank.at.stage for rank in found.ranks}):
        same = [rank for rank in found.ranks if rank.at.stage == stage]
        fullest = max((rank.memory for rank in same), key=lambda memory: memory.total)
        process = process_need(config, model, same[0].rank) if isinstance(config, Training) else None
        stages.append(StageNeed(stage, tuple(rank.rank for rank in same), fullest, process))
    return found.parameters, tuple(stages)


@contextmanager
def _described(config: Run, model: Path | None) -> Iterator[tuple[Path | None, str]]:
    """Yield a directory with the model's config.json, or None and why there is none."""
    if model is not None:
        yield model, ""
    elif isinstance(config, Demo):
        with described_model(config.first_programs) as directory:
            yield directory, ""
    elif not isinstance(config, Training | Predict):
        yield None, ""
    elif (local := _local_source(config)) is not None:
        yield local, ""
    else:
        with ExitStack() as stack:
            try:
                directory, unknown = stack.enter_context(described_source(config)), ""
            except MindrailError as error:
                directory, unknown = None, f"memory and disk are unknown: {error}"
            yield directory, unknown


def _local_source(config: Run) -> Path | None:
    """Return the directory of a source on this machine; None if it is elsewhere, missing or generated."""
    if isinstance(config, Demo | Evaluate) or not isinstance(config, Training | Predict):
        return None
    try:
        return check_source(config.download, weights=False)
    except MindrailError:
        return None
