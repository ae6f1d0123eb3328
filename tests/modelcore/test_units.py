from __future__ import annotations

import pytest

from modelcore.units import format_bytes, format_seconds, parse_bytes


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


def test_a_duration_has_the_units_that_fit() -> None:
    durations = [format_seconds(seconds) for seconds in (0.44, 45.2, 200, 7503)]
    assert durations == ["0.4 s", "45 s", "3 min 20 s", "2 h 5 min"]


@pytest.mark.parametrize(
    ("text", "size"), [("64GB", 64 * 10**9), ("64 GiB", 64 << 30), ("1.5g", 1_500_000_000), ("512", 512)]
)
def test_sizes_are_read_in_powers_of_1000_and_of_1024(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "64 potatoes", "0GB", "²GB", "9" * 5000])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="64GB or 64GiB"):
        parse_bytes(text)
