"""Jobs on two hosts with real Ray: they end with an undisturbed run's bytes, or name host and cause."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelcore.cluster.records import Started
from modelcore.cluster.spread_job import GenerateJob, PreprocessJob, ScoreJob
from modelcore.config.evaluation import Score
from modelcore.config.training import Cluster as ClusterSection
from modelcore.data.preprocess import preprocess
from modelcore.evaluation.benchmarks import load_benchmark
from modelcore.evaluation.score import score
from modelcore.generation.plan import GenerationPlan
from modelcore.training.plan import TrainPlan
from tests.modelcore.cluster.conftest import Cluster, on_own_disk
from tests.modelcore.data.conftest import vocab_merges_dir
from tests.modelcore.generation.test_program import PROMPTS, checkpoint
from tests.modelcore.launching.survivors import wait_until

__all__ = ["checkpoint", "vocab_merges_dir"]

MakeJob = Callable[[str], TrainPlan]

pytestmark = pytest.mark.ranks

REPORT = """
import os, pathlib, sys, time
from modelcore.progress import FileProgress
FileProgress(pathlib.Path(os.environ["MINDRAIL_PROGRESS"]))(1, 2, "steps")
"""


@pytest.mark.parametrize("disk", ["own", pytest.param("shared", marks=pytest.mark.long)])
def test_a_killed_rank_ends_the_attempt_everywhere_and_the_next_one_finishes_the_job(
    cluster: Cluster, two_ranks: MakeJob, undisturbed: TrainPlan, helpers: Any, disk: str
) -> None:
    plan = two_ranks(f"rank_killed_{disk}")
    if disk == "own":
        plan = on_own_disk(cluster, plan)
    job = cluster.train(plan, lease=60)
    job.wait_for_step(12)
    assert cluster.second.kill("modelcore.training.rank")
    assert job.wait() == 0, job.said
    (failed,) = job.failed
    assert failed.failure is not None
    assert (failed.failure.kind, failed.failure.host) == ("signal", cluster.second.address)
    assert failed.failure.process == "rank 1" and "Epoch" in failed.failure.tail[-1]
    (resumed,) = job.resumed
    assert resumed.resumed_from >= 10 and resumed.lost == failed.done - resumed.resumed_from
    assert "host 10.77.0.2: rank 1 was killed by SIGKILL" in job.said
    assert (job.logs / "attempt_2" / "worker_1.log").stat().st_size > 0
    if disk == "own":
        seen = cluster.second.disk / Path(plan.output).parent.name
        assert sorted(path.name for path in (seen / "shards").glob("rank_*")) == ["rank_1"]
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed)


def test_input_that_a_rank_refuses_is_not_tried_again(cluster: Cluster, tmp_path: Path) -> None:
    refusing = REPORT + "print('rows.mindrecord: no rows', file=sys.stderr); sys.exit(2)"
    job = cluster.start(["-c", refusing], tmp_path, lease=60)
    assert job.wait() == 2
    assert job.said.splitlines()[-1] == "rows.mindrecord: no rows"
    assert len(job.failed) == 1


def test_a_program_that_fails_each_time_is_given_up_with_host_and_cause(
    cluster: Cluster, tmp_path: Path
) -> None:
    failing = REPORT + "if os.environ['RANK_ID'] == '1': raise ValueError('no such layer')\ntime.sleep(1000)"
    job = cluster.start(["-c", failing], tmp_path, retries=1, lease=60)
    assert job.wait() == 1
    assert len(job.failed) == 2
    last = job.said.splitlines()[-1]
    assert (
        last.startswith("host 10.77.0.2: rank 1 died (exit code 1)") and "ValueError: no such layer" in last
    )
    assert last.endswith("(exception, number 2 in this run; limit: launch.retries)")


def test_too_few_hosts_are_named(cluster: Cluster, tmp_path: Path) -> None:
    job = cluster.start(["-c", ""], tmp_path, hosts=3, spare_wait=2)
    assert job.wait() == 1
    assert "needs 3 hosts with 1 CPU each; 2 (10.77.0.1, 10.77.0.2) in the cluster for 2 s" in job.said
    assert job.events == []


def test_the_check_of_a_sound_cluster_finds_every_host_and_nothing_wrong(
    cluster: Cluster, tmp_path: Path
) -> None:
    config = {
        "store": str(tmp_path / "store"),
        "download": {"source": "codellama-7b"},
        "preprocess": {"input": "rows.json"},
        "parallel": {"data_parallel": 2},
        "launch": {"cluster": {"hosts": 2, "ranks_per_host": 1}},
        "train": {"steps": 1},
    }
    (tmp_path / "finetune.yaml").write_text(json.dumps(config))
    code, said = cluster.run(
        "cluster", "check", str(tmp_path / "finetune.yaml"), "--json", log=tmp_path / "log"
    )
    assert code == 0, said
    found = json.loads(said.splitlines()[-1])
    assert found["problems"] == []
    assert [host["address"] for host in found["hosts"]] == [cluster.first.address, cluster.second.address]
    assert found["hosts"][1]["bandwidth"] > 0 and abs(found["hosts"][1]["clock"]) < 5
    assert list((tmp_path / "store").iterdir()) == []


def answers(count: int, path: Path) -> Path:
    """Write answers to the first problems of HumanEval, every other one wrong."""
    problems = load_benchmark(f"humaneval:0-{count - 1}").problems
    rows = [
        {"task_id": p.task_id, "completion": "    return None\n" if index % 2 else p.canonical_solution}
        for index, p in enumerate(problems)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def score_job(samples: Path, count: int, destination: Path) -> ScoreJob:
    return ScoreJob(
        samples=str(samples),
        benchmark=f"humaneval:0-{count - 1}",
        destination=str(destination),
        template="base",
        options=Score(),
        cluster=ClusterSection(hosts=2),
    )


def results(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def test_answers_executed_on_hosts_are_scored_as_on_one(cluster: Cluster, tmp_path: Path) -> None:
    count, samples = 40, answers(40, tmp_path / "samples.jsonl")
    job = tmp_path / "job.json"
    job.write_text(score_job(samples, count, tmp_path / "spread").model_dump_json())
    command = [sys.executable, "-m", "modelcore.cluster.spread_program", "score", str(job)]
    assert cluster.first.popen(command, log=tmp_path / "log").wait(200) == 0, (tmp_path / "log").read_text()
    score(samples, f"humaneval:0-{count - 1}", tmp_path / "here", template="base")
    assert results(tmp_path / "spread") == results(tmp_path / "here")
    assert json.loads((tmp_path / "spread" / "score.json").read_text())["pass_at_k"]


@pytest.mark.long
def test_rows_made_on_hosts_are_those_of_one(
    cluster: Cluster, vocab_merges_dir: Path, tmp_path: Path
) -> None:
    records = [{"instruction": f"add {n}", "input": "", "output": f"return {n} " * 9} for n in range(3000)]
    (tmp_path / "records.json").write_text(json.dumps(records))
    choices: dict[str, Any] = {"format": "wizardcoder", "seq_length": 64, "validation": 0.1}
    choices["near_duplicates"] = "report"
    for name in ("spread", "here"):
        (tmp_path / name).mkdir()
    job = PreprocessJob(
        sources=[str(tmp_path / "records.json")],
        destination=str(tmp_path / "spread" / "rows.mindrecord"),
        tokenizer=str(vocab_merges_dir),
        choices=choices,
        cluster=ClusterSection(hosts=2),
    )
    (tmp_path / "job.json").write_text(job.model_dump_json())
    program = ["-m", "modelcore.cluster.spread_program", "preprocess", str(tmp_path / "job.json")]
    command = [sys.executable, *program]
    assert cluster.first.popen(command, log=tmp_path / "log").wait(200) == 0, (tmp_path / "log").read_text()
    here = tmp_path / "here" / "rows.mindrecord"
    preprocess(tmp_path / "records.json", here, tokenizer_dir=vocab_merges_dir, **choices)
    assert results(tmp_path / "spread") == results(tmp_path / "here")


@pytest.mark.long
def test_answers_generated_on_hosts_are_those_of_one(
    cluster: Cluster, checkpoint: Path, tmp_path: Path
) -> None:
    prompts = [{"task_id": f"t/{n}", "prompt": text} for n, text in enumerate(PROMPTS)]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in prompts))
    plans = {}
    for name in ("spread", "here"):
        plan = GenerationPlan(
            checkpoint=str(checkpoint),
            prompts=str(tmp_path / "prompts.jsonl"),
            output=str(tmp_path / f"{name}.jsonl"),
            seed=1,
            samples=2,
            temperature=0.8,
            max_new_tokens=12,
        )
        plans[name] = tmp_path / f"{name}.json"
        plans[name].write_text(plan.model_dump_json())
    job = GenerateJob(plan=str(plans["spread"]), environment={}, cluster=ClusterSection(hosts=2))
    (tmp_path / "job.json").write_text(job.model_dump_json())
    program = ["-m", "modelcore.generation.on_hosts", str(tmp_path / "job.json")]
    spread = cluster.first.popen([sys.executable, *program], log=tmp_path / "log")
    assert spread.wait(300) == 0, (tmp_path / "log").read_text()
    alone = [sys.executable, "-m", "modelcore.generation.program", str(plans["here"])]
    assert cluster.first.popen(alone, log=tmp_path / "log").wait(300) == 0, (tmp_path / "log").read_text()
    written = (tmp_path / "here.jsonl").read_bytes()
    assert (tmp_path / "spread.jsonl").read_bytes() == written and written.count(b"\n") == 2 * len(PROMPTS)
    assert not list(tmp_path.glob("*.shares"))


@pytest.mark.long
def test_what_a_lost_host_executed_is_executed_again(cluster: Cluster, tmp_path: Path) -> None:
    count, samples = 160, answers(160, tmp_path / "samples.jsonl")
    job = tmp_path / "job.json"
    job.write_text(score_job(samples, count, tmp_path / "spread").model_dump_json())
    command = [sys.executable, "-m", "modelcore.cluster.spread_program", "score", str(job)]
    running = cluster.first.popen(command, log=tmp_path / "log")
    wait_until(lambda: bool(cluster.second.pids("ray::_execute")), within_s=100)
    cluster.second.kill()
    code = running.wait(300)
    cluster.start_second()
    assert code == 0, (tmp_path / "log").read_text()
    score(samples, f"humaneval:0-{count - 1}", tmp_path / "here", template="base")
    assert results(tmp_path / "spread") == results(tmp_path / "here")


@pytest.mark.long
def test_a_host_that_does_not_come_back_ends_the_job_with_its_name(
    cluster: Cluster, two_ranks: MakeJob
) -> None:
    job = cluster.train(two_ranks("host_gone"), spare_wait=5)
    job.wait_for_step(12)
    cluster.second.kill()
    code = job.wait()
    cluster.start_second()
    assert code == 1
    assert "(host lost): host 10.77.0.2: " in job.said
    last = job.said.splitlines()[-1]
    assert last.startswith("launch.cluster.hosts: needs 2 hosts with 1 CPU each; ")
    # For Ray the host may be alive a while longer.
    assert "1 (10.77.0.1) in the cluster" in last or "of which 10.77.0.2 does not answer" in last


@pytest.mark.long
def test_a_spare_host_takes_the_place_of_a_lost_one(
    cluster: Cluster, two_ranks: MakeJob, undisturbed: TrainPlan, helpers: Any
) -> None:
    plan = two_ranks("spare")
    cluster.start_third()
    job = cluster.train(plan)
    job.wait_for_step(12)
    hosts = (cluster.first, cluster.second, cluster.third)
    used = [host for host in hosts if host.pids("modelcore.training.rank")]
    (spare,) = set(hosts) - set(used)
    lost = used[-1]  # not the first host, on which the driver and Ray's head run
    lost.kill()
    code = job.wait()
    cluster.third.kill()
    if lost is cluster.second:
        cluster.start_second()
    assert code == 0, job.said
    second_attempt = [event for event in job.events if isinstance(event, Started)][1]
    assert spare.address in second_attempt.hosts and lost.address not in second_attempt.hosts
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed)


@pytest.mark.long
def test_a_host_that_is_lost_when_the_weights_are_written_costs_no_more_than_the_last_steps(
    cluster: Cluster, two_ranks: MakeJob, undisturbed: TrainPlan, helpers: Any
) -> None:
    plan = two_ranks("lost_at_the_end")
    job = cluster.train(plan)
    wait_until((job.output / "rank_1" / "checkpoint_1.ckpt").exists, within_s=200)
    assert cluster.second.kill("modelcore.training.rank")
    assert job.wait() == 0, job.said
    assert [resumed.resumed_from for resumed in job.resumed] in ([35], [])  # or it had ended already
    assert helpers.result_bytes(plan) == helpers.result_bytes(undisturbed)
