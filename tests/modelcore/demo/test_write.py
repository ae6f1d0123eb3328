"""The one call: the files it leaves, what its report promises, and that a seed decides every byte."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path

from tokenizers import Tokenizer

from modelcore.demo.config import FirstPrograms, SmallLlama
from modelcore.demo.leaks import Known, Leaks, count_leaks
from modelcore.demo.write import write_first_programs

FILES = {"train.json", "benchmark.jsonl", "first_programs.json", "checkpoint"}


SMALLEST = SmallLlama(
    hidden_size=8, num_layers=1, num_heads=2, num_kv_heads=1, intermediate_size=8, max_positions=64
)


def digests(directory: Path) -> dict[str, str]:
    files = (path for path in directory.rglob("*") if path.is_file())
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def write_small(directory: Path, seed: int) -> dict[str, str]:
    config = FirstPrograms(programs=60, problems=4, seed=seed, model=SMALLEST, vocab_size=300)
    write_first_programs(directory, config)
    return digests(directory)


def test_it_writes_rows_benchmark_checkpoint_and_report(written):
    assert {path.name for path in written.directory.iterdir()} == FILES
    assert (len(written.rows), len(written.problems)) == (400, 64)
    assert [problem["task_id"] for problem in written.problems] == [f"FirstPrograms/{i}" for i in range(64)]


def test_the_report_is_written_as_returned_and_counts_no_leak(written):
    assert json.loads((written.directory / "first_programs.json").read_text()) == asdict(written.report)
    assert written.report.leaks == Leaks(0, 0, 0) == count_leaks(Known(written.rows), written.problems)
    assert Counter(written.report.kinds.values()) == written.report.problems_by_kind


def test_the_report_bounds_rows_and_answers_in_tokens(written):
    tokenizer = Tokenizer.from_file(str(written.directory / "checkpoint" / "tokenizer.json"))
    answers = [len(tokenizer.encode(row["output"]).ids) + 1 for row in written.rows]
    assert max(answers) <= written.report.longest_answer < written.report.longest_row


def test_the_same_seed_gives_the_same_bytes_and_another_seed_other_ones(tmp_path):
    first = write_small(tmp_path / "a", 1)
    assert write_small(tmp_path / "b", 1) == first
    other = write_small(tmp_path / "c", 2)
    assert all(
        other[name] != first[name] for name in ("train.json", "benchmark.jsonl", "checkpoint/SHA256SUMS")
    )


def test_progress_ends_with_all_of_the_work(tmp_path):
    seen: list[tuple[float, float | None]] = []
    config = FirstPrograms(programs=20, problems=2, seed=1, model=SMALLEST, vocab_size=280)
    write_first_programs(
        tmp_path,
        config,
        progress=lambda done, total, unit, note="": seen.append((done, total)),
    )
    assert seen[0][0] == 0 and seen[-1][0] == seen[-1][1]
