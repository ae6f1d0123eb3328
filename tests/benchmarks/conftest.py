"""Every table names the machine that it was measured on."""

from __future__ import annotations

import pytest

from tests.benchmarks.machine import machine


@pytest.fixture(autouse=True, scope="module")
def named_machine() -> None:
    """Print the machine before the tables of a file."""
    print(f"\n{machine()}")
