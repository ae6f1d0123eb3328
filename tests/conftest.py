"""What several test folders share: the measured data beside the repository, where it is there."""

from pathlib import Path

import pytest
from hypothesis import settings

from tests.paths import SHARED_DATA

# How long an example takes depends on what else the machine does.
settings.register_profile("mindrail", deadline=None)
settings.load_profile("mindrail")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real tokenizers, data sets and measured rows; it is never part of the repository."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"{SHARED_DATA} is missing: this test compares with real data that is not committed")
    return SHARED_DATA
