"""What several test folders share: the measured data beside the repository, and how tests are spread."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.paths import SHARED_DATA

# How long an example takes depends on what else the machine does.
settings.register_profile("mindrail", deadline=None)
settings.load_profile("mindrail")

os.environ["MINDRAIL_CACHE"] = "off"  # tests compile what they test, and leave nothing in a home
os.environ["MINDRAIL_LOCKS"] = "off"  # jobs of tests that run side by side do not wait for each other

if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers and the ranks they start already take every core; MindSpore reads this when it is imported.
    os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let workers begin with the files that take longest; `--dist loadfile` hands files out in this order."""
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return
    turns: dict[Path, int] = {}
    for item in items:
        turns[item.path] = min(_turn(item), turns.get(item.path, 3))
    items.sort(key=lambda item: turns[item.path])


def _turn(item: pytest.Item) -> int:
    """Return 0 for what runs the demo that others wait for, then ranks, then the server, then the rest."""
    if item.path.name == "test_demo.py":
        return 0
    if item.get_closest_marker("server"):
        return 2
    return 1 if item.get_closest_marker("ranks") else 3


def pytest_collection_finish() -> None:
    """Keep what collection imported out of every later garbage collection; MindSpore runs one per compile."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def shared_tmp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A temporary directory that all workers of this run see; a FileLock must guard what is made there."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real tokenizers, data sets and measured rows; it is never part of the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip("../shared/data is not here: this test compares with real data that is not committed")
    return SHARED_DATA
