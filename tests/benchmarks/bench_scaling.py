"""A training step on two ranks of one thread each beside one rank of two threads, at the same global batch.

A rank's communication is measured alone: right after its steps, the sums that one step needs (of the same
sizes, in one graph, nothing else going on) are timed, and divided by the step's time. What a step spends
waiting for the other rank is not in it. One run a layout and round, in turn; each takes its ranks' median.
`python -m tests.benchmarks.bench_scaling [rounds] [model]` or
`python -m pytest -m benchmark -s tests/benchmarks/bench_scaling.py`.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from modelcore.checkpoints.reshard import shard_checkpoint
from modelcore.launching.gang import run_gang
from modelcore.parallel.mesh import Layout, Mesh
from modelcore.parallel.partition import Cut
from modelcore.training.plan import TrainPlan
from tests.benchmarks.bench_train import BATCH, CORES, MODELS, SEQUENCE, prepare, some_batches
from tests.paths import ROOT

STEPS, SUMS = 6, 6
LAYOUTS = {
    "one rank": Layout(),
    "dp2": Layout(data_parallel=2),
    "tp2": Layout(model_parallel=2),
}
Seconds = tuple[float, float]
"""Of a step and of its communication alone."""


def rank_program(plan_file: Path) -> None:
    """Take steps as one rank, then time what they communicate; write both medians beside the plan."""
    plan, rank = TrainPlan.read(plan_file), int(os.environ.get("RANK_ID", "0"))
    import mindspore

    if plan.layout.world_size > 1:
        from mindspore.communication import init

        init()
    from modelcore.checkpoints.shards import rank_file
    from modelcore.models.fill import fill
    from modelcore.parallel.groups import create_groups
    from modelcore.training.network import build_network
    from modelcore.training.step import Step
    from modelcore.weights.checkpoint import open_file

    mindspore.set_context(mode=mindspore.GRAPH_MODE)
    groups = create_groups(Mesh(plan.layout), rank)
    taker = Step(plan, build_network(plan, groups), groups)
    file = rank_file(Path(plan.model), rank)
    fill({p.name: p for p in taker.parameters}, open_file(file), file)
    mine = slice(groups.data.index * plan.batch_size, (groups.data.index + 1) * plan.batch_size)
    batches = [(rows[mine, :-1].copy(), rows[mine, 1:].copy()) for rows in some_batches()]
    seconds = []
    for number in range(STEPS + 1):
        start = time.perf_counter()
        taker.run(number, [batches[number % len(batches)]], 1.0)
        seconds.append(time.perf_counter() - start)
    found = statistics.median(seconds[1:]), communication(plan, groups, [p.size for p in taker.parameters])
    plan_file.with_suffix(f".{rank}").write_text(json.dumps(found))


def communication(plan: TrainPlan, groups, sizes: list[int]) -> float:
    """Return the seconds that the sums of one step take alone."""
    import numpy as np
    from mindspore import Tensor, nn

    from modelcore.parallel.collectives import GroupSum
    from modelcore.training.reduction import BUCKET_BYTES, buckets

    if plan.layout.world_size == 1:
        return 0.0
    if groups.data.size > 1:
        runs = buckets([4 * size for size in sizes], BUCKET_BYTES)
        lengths = [sum(sizes[i] for i in run) for run in runs]
    else:
        raw = json.loads((Path(plan.model) / "config.json").read_text())
        tokens = plan.batch_size * SEQUENCE
        # Each layer enters and leaves the group twice, embedding and head once; the loss takes four numbers.
        lengths = [tokens * raw["hidden_size"]] * (4 * raw["num_hidden_layers"] + 2) + [tokens] * 4

    class Sums(nn.Cell):
        def __init__(self) -> None:
            super().__init__()
            self.sum = GroupSum(groups.data if groups.data.size > 1 else groups.tensor)

        def construct(self, *tensors: Tensor) -> tuple[Tensor, ...]:
            summed: tuple[Tensor, ...] = ()
            for tensor in tensors:
                summed += (self.sum(tensor),)
            return summed

    sums, tensors = Sums(), [Tensor(np.ones(length, np.float32)) for length in lengths]
    seconds = []
    for _ in range(SUMS + 1):
        start = time.perf_counter()
        for tensor in sums(*tensors):
            tensor.asnumpy()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def measure(directory: Path, layout: Layout) -> Seconds:
    """Run one layout's ranks once; return the slower rank's step and sums."""
    plan_file = directory / "plan.json"
    TrainPlan(
        model=str(directory / f"shards {layout}"),
        data="",
        output="",
        seed=1,
        steps=10**6,
        batch_size=BATCH // layout.data_parallel,
        layout=layout,
        learning_rate=1e-4,
    ).write(plan_file)
    run_gang(
        [sys.executable, "-m", "tests.benchmarks.bench_scaling", "--rank", str(plan_file)],
        world_size=layout.world_size,
        log_dir=directory / "logs",
        start_timeout=600,
        environment={"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(CORES // layout.world_size)},
    )
    ranks = [json.loads(plan_file.with_suffix(f".{i}").read_text()) for i in range(layout.world_size)]
    return max(rank[0] for rank in ranks), max(rank[1] for rank in ranks)


def compare(name: str, directory: Path, rounds: int) -> None:
    """Print one model's table."""
    parameters = prepare(MODELS[name], directory)
    for layout in LAYOUTS.values():
        shard_checkpoint(directory / "whole", directory / f"shards {layout}", Cut(layout))
    found: dict[str, list[Seconds]] = {of: [] for of in LAYOUTS}
    for _ in range(rounds):
        for of, layout in LAYOUTS.items():
            found[of].append(measure(directory, layout))
    print(f"\n{name}, {parameters / 1e6:.1f} M parameters, {BATCH} rows of {SEQUENCE} tokens, {CORES} cores")
    print(f"{'':10}{'ms a step':>10}{'tokens/s':>10}{'of one rank':>13}{'sums alone, ms':>16}{'share':>8}")
    alone = statistics.median(step for step, _ in found["one rank"])
    for of, seconds in found.items():
        step, sums = (statistics.median(column) for column in zip(*seconds, strict=True))
        print(
            f"{of:10}{step * 1000:10.0f}{BATCH * SEQUENCE / step:10.0f}{alone / step:12.2f}x"
            f"{sums * 1000:16.0f}{sums / step:8.0%}"
        )


def main(rounds: int = 3, only: str = "llama") -> None:
    """Print the tables."""
    for name in MODELS:
        if only in name and name.startswith("llama"):
            with tempfile.TemporaryDirectory() as directory:
                compare(name, Path(directory), rounds)


@pytest.mark.benchmark
def test_print_the_tables() -> None:
    main()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rank"]:
        rank_program(Path(sys.argv[2]))
    else:
        arguments: list[Any] = [*map(int, sys.argv[1:2]), *sys.argv[2:3]]
        main(*arguments)
