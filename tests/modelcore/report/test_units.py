from __future__ import annotations

import pytest

from modelcore.report.units import format_bytes


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (3449, "3.4 kB"),
        (9999, "10.0 kB"),
        (10_000, "10 kB"),
        (999_000, "999 kB"),
        (1_500_000, "1.5 MB"),
        (2_000_000_000, "2.0 GB"),
        (13_400_000_000, "13 GB"),
        (5_000_000_000_000, "5000 GB"),
    ],
)
def test_a_size_has_the_unit_that_keeps_it_short(number: float, text: str) -> None:
    assert format_bytes(number) == text
