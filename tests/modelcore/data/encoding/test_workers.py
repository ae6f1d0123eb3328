"""Worker processes return chunks in order, work in any thread, and are never left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from modelcore.data.encoding.chunks import chunked
from modelcore.data.encoding.examine import Examiner, Plan
from modelcore.data.encoding.samples import Sample
from modelcore.data.encoding.workers import examine_all
from modelcore.data.options import Options
from modelcore.data.preprocess import preprocess
from modelcore.data.sources.records import Dialogue, Exchange
from modelcore.errors import MindrailError, StepFailed
from tests.paths import ROOT


def samples(count: int) -> list[Sample]:
    return [Sample(i, Dialogue("", [Exchange(f"question {i}", f"answer {i}")])) for i in range(1, count + 1)]


def workers_of(process: psutil.Process) -> list[psutil.Process]:
    return [
        child
        for child in process.children()
        if "modelcore.data.encoding.workers" in " ".join(child.cmdline())
    ]


@pytest.fixture
def plan(vocab_merges_dir: Path) -> Plan:
    return Plan(Options(format="wizardcoder", seq_length=64), vocab_merges_dir)


def test_chunks_come_back_in_order(plan: Plan) -> None:
    examiner = Examiner(plan)
    found = list(examine_all(chunked(samples(4000)), plan, examiner, 3))
    assert [number for chunk, _ in found for number in chunk.numbers] == list(range(1, 4001))
    for chunk, examined in found:
        assert examined.encoded.ids.tolist() == examiner(chunk.contents).encoded.ids.tolist()
    assert workers_of(psutil.Process()) == []


def test_workers_may_be_started_from_any_thread(plan: Plan) -> None:
    counts: list[int] = []

    def work() -> None:
        counts.append(
            sum(
                len(chunk.samples) for chunk, _ in examine_all(chunked(samples(900)), plan, Examiner(plan), 2)
            )
        )

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counts == [900, 900]


def test_no_worker_is_left_when_the_reader_fails(plan: Plan) -> None:
    def failing():
        yield from samples(2000)
        raise MindrailError("record 2001 is bad")

    with pytest.raises(MindrailError, match="record 2001"):
        list(examine_all(chunked(failing()), plan, Examiner(plan), 2))
    assert workers_of(psutil.Process()) == []


def test_a_worker_that_dies_fails_the_step(plan: Plan) -> None:
    results = examine_all(chunked(samples(9000)), plan, Examiner(plan), 2)
    next(results)
    for worker in workers_of(psutil.Process()):
        worker.kill()
    with pytest.raises(StepFailed, match="a preprocessing worker died"):
        list(results)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel kills orphans on Linux only")
def test_a_killed_parent_leaves_no_worker_and_no_output(tmp_path: Path, vocab_merges_dir: Path) -> None:
    source = tmp_path / "s.jsonl"
    record = json.dumps({"instruction": "add " * 50, "output": "loop " * 50})
    source.write_text(f"{record}\n" * 60_000)
    program = (
        "import sys; from pathlib import Path; from modelcore.data.preprocess import preprocess\n"
        "preprocess(Path(sys.argv[1]), Path(sys.argv[2]), format='wizardcoder', "
        "tokenizer_dir=Path(sys.argv[3]), seq_length=256, workers=2)"
    )
    out = tmp_path / "rows.mindrecord"
    command = [sys.executable, "-c", program, str(source), str(out), str(vocab_merges_dir)]
    process = subprocess.Popen(command, cwd=ROOT)
    parent = psutil.Process(process.pid)
    deadline = time.monotonic() + 60
    while len(workers := workers_of(parent)) < 2 and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert len(workers) == 2
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == [] and not out.exists()
    # What the killed run left is out of the way of the next.
    small = tmp_path / "small.jsonl"
    small.write_text(record)
    preprocess(small, out, format="wizardcoder", tokenizer_dir=vocab_merges_dir, seq_length=256)
    assert out.is_file()
