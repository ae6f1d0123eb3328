"""What several test folders share: the measured data beside the repository, where it is there."""

from pathlib import Path

import pytest

from tests.paths import SHARED_DATA


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real tokenizers, data sets and measured rows; it is never part of the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{SHARED_DATA} is missing: this test compares with real data that is not committed")
    return SHARED_DATA
