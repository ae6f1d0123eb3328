"""`kill -9` in the middle of any step: nothing survives, and the next run ends as an undisturbed one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.flows.reduced_demo import Demo, demo_command, rerun_demo, run_demo
from tests.paths import ROOT

pytestmark = [pytest.mark.ranks, pytest.mark.server, pytest.mark.timeout(900)]

STEPS = [
    "first-programs",
    "download",
    "convert",
    "preprocess",
    "shard",
    "launch",
    "merge",
    "export",
    "generate",
    "score",
]
TRIES = 5
SOON = 0.0005  # seconds between two looks; a fast step lasts a few milliseconds


def test_killed_while_training_and_generating_it_ends_with_the_digests_of_an_undisturbed_run(
    demo: Demo, untrained_store: Path
):
    store = untrained_store
    shutil.rmtree(store / "generate")
    kill_in("launch", store, "train.checkpoint_every=1", when="checkpoints/*/step_*4")
    assert survivors(store) == []
    kill_in("generate", store)
    assert survivors(store) == []
    again = rerun_demo(store)
    assert again.digests == demo.digests
    assert again.result["pass_at_1"] == demo.result["pass_at_1"]
    (trained,) = (Path(step["path"]) for step in again.result["steps"] if step["name"] == "launch")
    assert "resumed from the checkpoint of step" in (trained / "logs" / "worker_0.log").read_text()


@pytest.mark.long
def test_killed_in_every_step_it_ends_with_the_digests_of_an_undisturbed_run(demo: Demo, tmp_path: Path):
    store = tmp_path / "store"
    for step in STEPS:
        kill_in(step, store)
        assert survivors(store) == []
    again = rerun_demo(store)
    assert again.digests == demo.digests
    assert again.result["pass_at_1"] == demo.result["pass_at_1"]


@pytest.mark.long
def test_a_lost_rank_is_named_and_the_job_resumes_from_its_last_checkpoint(demo: Demo, untrained_store: Path):
    store = untrained_store
    with start(store, "launch.retry_delay=0", "train.checkpoint_every=1") as run:
        wait_for(store / "launch", "logs/progress_1.json", run)
        (rank,) = (process for process in ranks(store) if process.environ().get("RANK_ID") == "1")
        wait_for(store / "launch", "checkpoints/*/step_*4", run)
        rank.kill()
        stdout, stderr = run.communicate(timeout=300)
    assert "launch: attempt 1 failed: rank 1 died (killed by SIGKILL" in stderr.decode()
    assert run.returncode == 0, stderr.decode()
    digests = {step["name"]: step["digest"] for step in json.loads(stdout)["steps"]}
    assert digests == demo.digests


@pytest.mark.long
def test_a_killed_run_resumes_at_another_layout_with_resume_from(tmp_path: Path, server: None):
    store = tmp_path / "store"
    exact = ("train.precision=fp32", "train.checkpoint_every=1", "baseline=false")
    kill_in("launch", store, *exact, when="checkpoints/*/step_*4")
    (killed,) = (store / "launch").glob("*.partial")
    other = (*exact, "parallel={data_parallel: 1, pipeline_stage: 2, micro_batch_num: 2}")
    with start(store, *other, f"train.resume_from={killed}") as run:
        _, stderr = run.communicate(timeout=300)
    assert run.returncode == 0, stderr.decode()
    assert "launch: resumes from step" in stderr.decode() and "(dp2 mp1 pp1 → dp1 mp1 pp2)" in stderr.decode()
    undisturbed = run_demo(tmp_path / "undisturbed", *exact)
    (trained,) = (path for path in (store / "launch").glob("*/metrics.jsonl") if killed != path.parent)
    assert losses(trained) == pytest.approx(losses(undisturbed.path("launch") / "metrics.jsonl"), rel=1e-5)


def losses(metrics: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in metrics.read_text().splitlines()]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_and_leaves_no_process(how: signal.Signals, untrained_store: Path):
    store = untrained_store
    with start(store) as run:
        wait_for(store / "launch", "logs/worker_0.log", run)
        run.send_signal(how)
        _, stderr = run.communicate(timeout=300)
    assert run.returncode == 130
    assert stderr.decode().splitlines()[-1].startswith("mindrail: interrupted")
    assert survivors(store) == []


def kill_in(step: str, store: Path, *changes: str, when: str = "*") -> None:
    """Run the demo and kill all of its process group while `step` is at work.

    A step of a few milliseconds may be over before the signal arrives; then it is undone and tried again.
    """
    for _ in range(TRIES):
        with start(store, *changes) as run:
            partial = wait_for(store / step, when, run)
            os.killpg(run.pid, signal.SIGKILL)
            run.wait()
        if partial.exists():
            return
        shutil.rmtree(partial.with_suffix(""))
    raise AssertionError(f"{step} was never caught at work")


def ranks(store: Path) -> list[psutil.Process]:
    """Return the training processes that work in this store."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        line = process.info["cmdline"] or []
        if (
            "modelcore.training.rank" in line
            and any(str(store) in part for part in line)
            and "--" not in line
        ):
            found.append(process)
    return found


def start(store: Path, *changes: str) -> subprocess.Popen[bytes]:
    pipe = subprocess.PIPE
    return subprocess.Popen(
        demo_command(store, *changes), cwd=ROOT, stdout=pipe, stderr=pipe, start_new_session=True
    )


def wait_for(step: Path, when: str, run: subprocess.Popen[bytes]) -> Path:
    """Wait until the step's partial directory holds a file of the name `when`, and return the directory."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        if run.poll() is not None:
            _, stderr = run.communicate()
            raise AssertionError(f"the run ended before {step.name}: {stderr.decode()}")
        for partial in step.glob("*.partial"):
            if any(partial.glob(when)):
                return partial
        time.sleep(SOON)
    raise AssertionError(f"{step.name} was not reached")


def survivors(store: Path) -> list[str]:
    """Return the command lines of processes that still work in this store, 30 s after the kill at most."""
    deadline = time.monotonic() + 30
    while found := [line for line in command_lines() if str(store) in line]:
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    return found


def command_lines() -> list[str]:
    lines = []
    for process in psutil.process_iter(["cmdline", "environ", "cwd"]):
        texts = [*(process.info["cmdline"] or []), *(process.info["environ"] or {}).values()]
        lines.append(" ".join([*texts, process.info["cwd"] or ""]))
    return lines
