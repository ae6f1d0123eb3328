"""A training job from its first step or its last checkpoint to its final weights, as one rank does it."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import mindspore
from numpy.typing import NDArray

from modelcore.checkpoints.shards import rank_file
from modelcore.cluster.attempt import Attempt
from modelcore.errors import MindrailError, one_line
from modelcore.models.fill import fill
from modelcore.models.graph_cache import Sources, compiled_graphs
from modelcore.parallel.groups import create_groups
from modelcore.parallel.mesh import Mesh
from modelcore.progress import Progress
from modelcore.training.agreement import Agreement
from modelcore.training.checkpoint import Checkpoints, checkpoints_of
from modelcore.training.checkpoint_file import write_tensors
from modelcore.training.description import copy_description, describe_part
from modelcore.training.gradients import MicroBatch
from modelcore.training.graph_facts import facts_of_graphs
from modelcore.training.health import FAULTS, Health, LossScale, check_finite, not_finite
from modelcore.training.network import build_network
from modelcore.training.order import rows_of_step
from modelcore.training.peak_memory import peak_memory
from modelcore.training.plan import TrainPlan
from modelcore.training.reporting import Reporter
from modelcore.training.rows import micro_batches, read_rows
from modelcore.training.same_job import check_same_job
from modelcore.training.step import Step, StepResult
from modelcore.training.validation import Validation
from modelcore.weights.checkpoint import open_file

__all__ = ["Job"]


class Job:
    """One rank's side of a job.

    Args:
        plan: what to do.
        rank: who this is.
        progress: gets the steps done.
        sources: what the program's graphs are compiled from, as it was when the program began; without it
            they are not kept.
    """

    def __init__(
        self, plan: TrainPlan, rank: int, progress: Progress, sources: Sources | None = None
    ) -> None:
        mindspore.set_context(mode=mindspore.GRAPH_MODE)
        self.plan, self.rank = plan, rank
        mesh = Mesh(plan.layout)
        self.replica = mesh.coordinates(rank).data
        groups = create_groups(mesh, rank)
        self.agreement = Agreement(groups.world)
        self.agreement.barrier()
        progress(0, plan.steps, "steps", "reading")
        network = build_network(plan, groups)
        vocab_size = network.model.config.vocab_size
        self.rows = read_rows(Path(plan.data), vocab_size)
        self.step = Step(plan, network, groups)
        self._facts, self._sources = facts_of_graphs(plan, network.model, rank, self.rows), sources
        self.validation = Validation(plan, vocab_size, self.replica, self.step.evaluate, progress)
        self.flops = network.model.flops_per_token
        self._tell_what_is_whole()
        self.scale, self.health = LossScale(plan.precision == "fp16"), Health(vocab_size)
        self.output = Path(plan.output)
        self.saved = self.output / "checkpoints"
        self.attempt = Attempt.from_environment()
        self.checkpoints = Checkpoints(
            checkpoints_of(plan),
            rank,
            plan.keep,
            self.agreement.least,
            self._say,
            lambda directory: describe_part(
                Path(plan.model), directory, network.partition, rank, shard_optimizer=plan.shard_optimizer
            ),
            self.attempt,
        )
        self.progress = progress

    def run(self, until: int | None = None) -> None:
        """Train to the last step and leave the weights in the output directory.

        Args:
            until: stop after that many steps of the job and leave a checkpoint instead.

        Raises:
            MindrailError: an input is wrong, or the run is not healthy.
        """
        plan = self.plan
        start, last = self._begin(), min(until or plan.steps, plan.steps)
        reporter = Reporter(plan, self.rank, len(self.rows), start, self.progress, self.flops)
        for done in range(start, last):
            began = time.perf_counter()
            with self._compiling() if done == start else nullcontext():
                result = self.step.run(done, self._batches(done), self.scale.value)
            self._check(result, done - done % plan.checkpoint_every)
            seconds = time.perf_counter() - began
            pause = (done + 1) % plan.checkpoint_every == 0 or done + 1 == last
            reporter.step(
                result,
                self.scale.value,
                seconds,
                validation=self.validation.loss_after(done + 1),
                memory=self.agreement.everyones(peak_memory() >> 20) if pause else None,
            )
            if pause and done + 1 < plan.steps:
                reporter.sync()
                self.progress(done + 1, plan.steps, "steps", "saving")
                self.checkpoints.save(done + 1, self._tensors(done + 1), self._state())
        reporter.sync()
        if last == plan.steps:
            self._finish()
        self._leave()

    def _begin(self) -> int:
        """Load the newest checkpoint, or the model; return the steps done."""
        found = self.checkpoints.newest()
        weights = {p.name: p for p in self.step.parameters}
        if found is None:
            _refuse_other_layouts(self.saved, self.plan)
            source = rank_file(Path(self.plan.model), self.rank)
            if not source.is_file():
                raise MindrailError("is missing", where=source, fix="shard the model for this layout first")
            fill(weights, open_file(source), source)
            return 0
        step, state = found
        check_same_job(state["plan"], self.plan, self.output, new_layout=False)
        source = self.checkpoints.file(step)
        fill({**weights, **self.step.optimizer.states()}, open_file(source), source)
        self.scale.restore(state)
        self.step.updates, self.health.first_loss = state["updates"], state["first_loss"]
        self._say(f"resumed from the checkpoint of step {step}")
        return step

    def _compiling(self) -> AbstractContextManager[None]:
        """Return the context of the first step, in which its graphs are compiled or found in the cache."""
        return nullcontext() if self._sources is None else compiled_graphs(self._facts, self._sources)

    def _batches(self, step: int) -> list[MicroBatch]:
        plan = self.plan
        chosen = rows_of_step(plan.seed, step, plan.global_batch, len(self.rows))
        mine = chosen[self.replica * plan.rows_per_replica :][: plan.rows_per_replica]
        return micro_batches(self.rows, mine, plan.accumulate)

    def _check(self, result: StepResult, checkpoint: int) -> None:
        if not self.scale.seen(result.updated):
            raise not_finite(result.step, result.loss, result.global_norm, self._origin(result), checkpoint)
        if result.updated:
            self.health.check(result.step, result.loss, checkpoint)

    def _origin(self, result: StepResult) -> tuple[str, list[int]]:
        """Return what first was not finite in a step, and on which ranks; collective."""
        found = [(fault, self.agreement.ranks_where(fault in result.faulty)) for fault in FAULTS]
        return next(((fault, ranks) for fault, ranks in found if ranks), ("", []))

    def _tensors(self, done: int) -> dict[str, NDArray]:
        """Return weights and states after `done` steps, fit to be saved."""
        named = [*((p.name, p) for p in self.step.parameters), *self.step.optimizer.states().items()]
        tensors = {name: parameter.asnumpy() for name, parameter in named}
        before = done - 1
        check_finite(tensors, done, self.rank, before - before % self.plan.checkpoint_every)
        return tensors

    def _state(self) -> dict[str, Any]:
        """Return what a checkpoint needs beside tensors; which rows come next follows from the step."""
        return {
            **self.scale.state(),
            "updates": self.step.updates,
            "first_loss": self.health.first_loss,
            "plan": self.plan.as_plain(),
        }

    def _finish(self) -> None:
        """Write the weights; the checkpoints stay until every rank has ended well (see `finished`)."""
        self.progress(self.plan.steps, self.plan.steps, "steps", "saving")
        tensors = self._tensors(self.plan.steps)
        weights = {p.name: tensors[p.name] for p in self.step.parameters}
        self.attempt.check()
        write_tensors(rank_file(self.output, self.rank), weights)
        if self.rank == 0:
            copy_description(Path(self.plan.model), self.output)

    def _leave(self) -> None:
        """Return when every rank has come this far, or has left already.

        A rank that leaves can take with it the confirmation that another one still waits for in the same
        collective. Here that does no harm: whoever has left had entered, so this rank's work is complete, and
        a rank that died instead is its supervisor's matter.
        """
        try:
            self.agreement.barrier()
        except RuntimeError as error:
            self._say(f"the other ranks have left already: {one_line(str(error))[:200]}")

    def _tell_what_is_whole(self) -> None:
        if self.step.kept_whole:
            names = ", ".join(self.step.kept_whole)
            self._say(f"rows do not divide by data_parallel, optimizer states kept whole: {names}")

    def _say(self, line: str) -> None:
        print(f"[rank {self.rank}] {line}", flush=True)


def _refuse_other_layouts(saved: Path, plan: TrainPlan) -> None:
    others = sorted(path.name for path in saved.glob("dp*") if any(path.glob("step_*")))
    if others:
        raise MindrailError(
            f"its checkpoints are of {others[0].replace('_', ' ')}, the plan's layout is {plan.layout}",
            where=saved,
            fix="resume from this directory into another output directory, or go on with the old layout",
        )
