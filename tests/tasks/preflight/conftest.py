"""A small local model and runs on it; nothing in them is wrong until a test makes it so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.local_runs import Runs, write_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def runs(tmp_path: Path, model: Path) -> Runs:
    return Runs(tmp_path, model)
