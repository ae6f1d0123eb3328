"""Every reader takes or refuses a changed input by one line; `make fuzz` tries more, for longer."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from modelcore.errors import LONGEST_LINE, MindrailError

from .corpora import kept
from .mutate import mutated
from .readers import READERS, Reader

CHEAP = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_a_sound_input_is_read(reader: Reader, tmp_path: Path) -> None:
    if reader.name in ("score.json", "completion's answer"):
        pytest.skip("its seeds are there to be changed")
    reader.read(reader.seeds()[0], tmp_path)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
def test_an_input_that_was_found_before_is_read_or_refused_by_a_line(reader: Reader, tmp_path: Path) -> None:
    for data in kept(reader):
        assert_read_or_refused(reader, data, tmp_path)


@pytest.mark.parametrize("reader", READERS, ids=lambda reader: reader.name)
@CHEAP
@given(st.integers(0, 1 << 32))
def test_a_changed_input_is_read_or_refused_by_a_line(reader: Reader, tmp_path: Path, seed: int) -> None:
    assert_read_or_refused(reader, mutated(reader.seeds(), random.Random(seed)), tmp_path)


def assert_read_or_refused(reader: Reader, data: bytes, tmp_path: Path) -> None:
    try:
        reader.read(data, tmp_path)
    except MindrailError as error:
        assert len(str(error)) <= LONGEST_LINE and str(error).isprintable()
    except reader.refusals:
        pass
