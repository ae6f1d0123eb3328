"""Which names of runs stay: those that a person gave."""

from __future__ import annotations

import pytest

from flows.run_flow import _GENERATED_NAME


@pytest.mark.parametrize("name", ["crimson-otter", "zeta291-lazon", "mu7-mintaka", "phi2-minara-y"])
def test_a_name_that_prefect_made_up_is_replaced(name: str) -> None:
    assert _GENERATED_NAME.fullmatch(name)


@pytest.mark.parametrize("name", ["My own name", "nightly", "run2-qwen", "tune-7b-v2", "Crimson-Otter"])
def test_a_name_that_a_person_typed_stays(name: str) -> None:
    assert not _GENERATED_NAME.fullmatch(name)
