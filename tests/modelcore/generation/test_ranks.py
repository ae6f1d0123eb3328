"""Two tensor-parallel ranks answer as one does, from a whole or a sharded checkpoint, and resume."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from modelcore.checkpoints.reshard import shard_checkpoint
from modelcore.errors import MindrailError, StepFailed
from modelcore.generation.plan import GenerationPlan
from modelcore.generation.program import generate
from modelcore.generation.slices import rank_tensors
from modelcore.launching.gang import run_gang
from modelcore.models.families import read_model
from modelcore.parallel.mesh import Layout
from modelcore.parallel.partition import Cut
from modelcore.weights.tensors import read
from tests.modelcore.generation.byte_checkpoint import write_checkpoint

PROMPTS = [f"def f{i}(" + "x, " * (7 * i % 11) for i in range(5)]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"), PROMPTS, layers=2, heads=4)


def plan(checkpoint: Path, directory: Path, *, ranks: int) -> GenerationPlan:
    prompts = directory / "prompts.jsonl"
    rows = [{"task_id": f"task/{i}", "prompt": text} for i, text in enumerate(PROMPTS)]
    prompts.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return GenerationPlan(
        checkpoint=str(checkpoint),
        prompts=str(prompts),
        output=str(directory / f"responses_{ranks}.jsonl"),
        max_new_tokens=24,
        batch_size=2,
        seed=5,
        model_parallel=ranks,
    )


_PROGRAM = ("-m", "modelcore.generation.program")
_DIES = """
import os, signal, sys
from modelcore.generation import engine, program
step, calls = engine.Engine.step, iter(range(1000))
def dying(self):
    if os.environ["RANK_ID"] == "1" and next(calls) == 30:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self)
engine.Engine.step = dying
sys.exit(program.main(sys.argv[1:]))
"""


def run_ranks(job: GenerationPlan, directory: Path, program: Sequence[str] = _PROGRAM) -> None:
    path = directory / "plan.json"
    path.write_text(job.model_dump_json())
    run_gang(
        [sys.executable, *program, str(path)],
        world_size=job.model_parallel,
        log_dir=directory / "logs",
        start_timeout=180,
    )


def test_slices_are_the_same_from_a_whole_and_from_a_sharded_checkpoint(
    checkpoint: Path, tmp_path: Path
) -> None:
    shards, model = tmp_path / "shards", read_model(checkpoint)
    shard_checkpoint(checkpoint, shards, Cut(Layout(model_parallel=2)))
    for rank in range(2):
        whole, cut = (rank_tensors(place, model, rank, 2) for place in (checkpoint, shards))
        assert set(whole) == set(cut)
        assert all((read(whole[name]) == read(cut[name])).all() for name in whole)


def test_heads_that_do_not_divide_are_refused_before_any_rank_starts(
    checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(MindrailError, match="num_key_value_heads"):
        generate(plan(checkpoint, tmp_path, ranks=4))


@pytest.mark.ranks
@pytest.mark.long
def test_two_ranks_write_what_one_writes_also_after_one_of_them_died(
    checkpoint: Path, tmp_path: Path
) -> None:
    generate(plan(checkpoint, tmp_path, ranks=1))
    job = plan(checkpoint, tmp_path, ranks=2)
    with pytest.raises(StepFailed, match=r"^rank 1 died \(killed by SIGKILL"):
        run_ranks(job, tmp_path, program=["-c", _DIES])
    assert not Path(job.output).exists()
    journal = tmp_path / "responses_2.jsonl.journal"
    assert len(journal.read_text().splitlines()) > 1  # what the job is, and a response or more
    run_ranks(job, tmp_path)
    assert not journal.exists()
    assert Path(job.output).read_bytes() == (tmp_path / "responses_1.jsonl").read_bytes()
