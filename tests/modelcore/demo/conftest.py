"""One small set of first programs, written once for all tests here."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelcore.demo.config import FirstPrograms, SmallLlama
from modelcore.demo.write import FirstProgramsReport, write_first_programs

TINY = SmallLlama(
    hidden_size=16, num_layers=2, num_heads=2, num_kv_heads=1, intermediate_size=24, max_positions=192
)


@dataclass(frozen=True)
class Written:
    directory: Path
    report: FirstProgramsReport
    rows: list[dict[str, str]]
    problems: list[dict[str, str]]


def write(directory: Path, *, seed: int = 3) -> FirstProgramsReport:
    config = FirstPrograms(programs=400, problems=64, seed=seed, model=TINY, vocab_size=600)
    return write_first_programs(directory, config)


@pytest.fixture(scope="package")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    directory = tmp_path_factory.mktemp("first_programs")
    report = write(directory)
    rows = json.loads((directory / "train.json").read_text())
    problems = [json.loads(line) for line in (directory / "benchmark.jsonl").read_text().splitlines()]
    return Written(directory, report, rows, problems)
