"""A job small enough to be run for real: a llama of 20,000 parameters and rows with a pattern to learn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# One thread a process: results do not depend on who else uses the machine, and small sizes are faster so.
os.environ["OMP_NUM_THREADS"] = "1"

from mindspore import Tensor

from modelcore.checkpoints.reshard import shard_checkpoint
from modelcore.data.encoding.encode import Encoded
from modelcore.data.encoding.rows import Packer, Rows
from modelcore.data.mindrecord.file import MindRecordWriter
from modelcore.launching.gang import run_gang
from modelcore.models.families import model_from_config
from modelcore.parallel.groups import Groups
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut
from modelcore.progress import Progress, silent
from modelcore.training.checkpoint_file import write_tensors
from modelcore.training.network import RankNetwork
from modelcore.training.plan import TrainPlan
from modelcore.training.step import Step
from tests.families import SMALL

VOCABULARY, SEQUENCE = SMALL["llama"]["vocab_size"], 16
ONE = Layout()

MakePlan = Callable[..., TrainPlan]


def write_rows(path: Path, count: int = 50) -> None:
    """Write rows that count up in steps of 1 to 5, their first three tokens masked."""
    draw = np.random.default_rng(1)
    start, stride = draw.integers(0, VOCABULARY, (count, 1)), draw.integers(1, 6, (count, 1))
    ids = ((start + stride * np.arange(SEQUENCE + 1)) % VOCABULARY).astype(np.int32)
    labels = ids.copy()
    labels[:, :3] = -100
    with MindRecordWriter(path, ("input_ids", "labels")) as writer:
        writer.write(Rows(ids, labels))


def write_packed_rows(path: Path, count: int = 120) -> None:
    """Write samples of 2 to 9 tokens that count up in steps of 1 to 5, packed."""
    draw, packer = np.random.default_rng(2), Packer(SEQUENCE + 1, pad_id=0)
    with MindRecordWriter(path, packer.columns) as writer:
        for _ in range(count):
            start, stride, length = draw.integers((0, 1, 2), (VOCABULARY, 6, 10))
            ids = ((start + stride * np.arange(length)) % VOCABULARY).astype(np.int32)
            writer.write(packer.add(Encoded(ids, np.ones(length, bool), np.array([length]))))
        writer.write(packer.finish())


def write_model(directory: Path, raw: dict) -> None:
    """Write a whole checkpoint with MindSpore's names and random weights."""
    directory.mkdir()
    (directory / "config.json").write_text(json.dumps(raw))
    draw = np.random.default_rng(0)
    weights = {}
    for name, shape in model_from_config(raw, directory).config.parameter_shapes().items():
        noise = draw.standard_normal(shape).astype(np.float32) * np.float32(0.1)
        scales = name.endswith(("norm.weight", "norm_out.weight", "gamma"))
        weights[name] = noise + np.float32(1) if scales else noise
    write_tensors(directory / "model.ckpt", weights)


@pytest.fixture(scope="module")
def shared_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.mindrecord"
    write_rows(path)
    return path


@pytest.fixture(scope="module")
def packed_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("packed") / "rows.mindrecord"
    write_packed_rows(path)
    return path


@pytest.fixture(scope="module")
def make_plan(tmp_path_factory: pytest.TempPathFactory, shared_rows: Path) -> MakePlan:
    """Make a job: `make_plan("name", layout, family=..., **plan)` shards the model and returns the plan."""

    tmp_path = tmp_path_factory.mktemp("jobs")

    def make(name: str, layout: Layout = ONE, **given: Any) -> TrainPlan:
        return build_plan(tmp_path, shared_rows, name, layout, **given)

    return make


def build_plan(
    directory: Path, rows: Path, name: str, layout: Layout, *, family: dict = SMALL["llama"], **given: Any
) -> TrainPlan:
    """Shard a model in a directory and return the plan of a job there."""
    whole, shards = directory / f"{family['model_type']}", directory / f"{name}_shards"
    if not whole.exists():
        write_model(whole, family)
    shard_checkpoint(whole, shards, Cut(layout))
    plan = TrainPlan(
        model=str(shards),
        data=str(rows),
        output=str(directory / name),
        seed=1,
        steps=20,
        batch_size=8 // layout.data_parallel,
        layout=layout,
        learning_rate=1e-2,
        warmup_steps=3,
        weight_decay=0.1,
        checkpoint_every=5,
    )
    return plan.model_copy(update=given)


_compiled: dict[tuple[object, ...], Step] = {}


@pytest.fixture(scope="module", autouse=True)
def compiled_steps() -> Iterator[None]:
    """Let a job in this process use the step that an earlier job compiled for an equal network.

    Compiling takes seconds, the steps themselves milliseconds. A used step forgets what it has done; a job
    gives it its weights, as it does to a new one. Jobs in processes of their own compile for themselves.
    """

    def step(plan: TrainPlan, network: RankNetwork, groups: Groups) -> Step:
        options = (plan.layout, plan.precision, plan.recompute, plan.vocab_emb_dp, plan.beta1, plan.beta2)
        key = (network.model.config, *options, plan.shard_optimizer)
        if key not in _compiled:
            _compiled[key] = Step(plan, network, groups)
        used = _compiled[key]
        used.plan, used.updates = plan, 0
        for state in used.optimizer.states().values():
            state.set_data(Tensor(np.zeros(state.shape, np.float32)))
        return used

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("modelcore.training.job.Step", step)
        yield


class Helpers:
    """What tests do with a plan."""

    @staticmethod
    def family(name: str) -> dict:
        """Return the config.json of a small model."""
        return SMALL[name]

    @staticmethod
    def run_ranks(plan: TrainPlan, progress: Progress = silent, until: int | None = None) -> None:
        """Run every rank of a job as a process of its own, `until` a step if not to the last."""
        Path(plan.output).mkdir(exist_ok=True)
        path = Path(plan.output).parent / f"{Path(plan.output).name}.json"
        plan.write(path)
        run_gang(
            [sys.executable, "-m", "modelcore.training.rank", str(path), *([str(until)] if until else [])],
            world_size=plan.layout.world_size,
            log_dir=Path(plan.output) / "logs",
            progress=progress,
        )

    @staticmethod
    def kill_ranks_at(plan: TrainPlan, step: int) -> None:
        """Run the job's ranks and end them all when rank 0 has told of `step`."""

        class Enough(Exception):
            pass

        def watch(done: float, total: float | None, unit: str, note: str = "") -> None:
            if done >= step:
                raise Enough

        with pytest.raises(Enough):
            Helpers.run_ranks(plan, watch)

    @staticmethod
    def start_alone(plan: TrainPlan) -> subprocess.Popen:
        """Start the only rank of a job as a process of its own."""
        path = Path(f"{plan.output}.json")
        plan.write(path)
        command = [sys.executable, "-m", "modelcore.training.rank", str(path)]
        return subprocess.Popen(
            command, env=os.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    @staticmethod
    def metrics(plan: TrainPlan) -> list[dict]:
        lines = (Path(plan.output) / "metrics.jsonl").read_text().splitlines()
        return [json.loads(line) for line in lines]

    @staticmethod
    def result_bytes(plan: TrainPlan) -> dict[str, bytes]:
        """Return every file of a finished job but its logs and its checkpoints, by name."""
        root = Path(plan.output)
        files = (file for file in root.rglob("*") if file.is_file())
        return {
            str(file.relative_to(root)): file.read_bytes()
            for file in files
            if not {root / "logs", root / "checkpoints"} & {*file.parents}
        }


@pytest.fixture(scope="module")
def helpers() -> type[Helpers]:
    return Helpers
