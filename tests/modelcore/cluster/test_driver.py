"""The exit code with which a driver says whether another one may do better."""

from __future__ import annotations

import pytest

pytest.importorskip("ray", reason="Ray is not installed (pip install mindrail[cluster])")

from ray.exceptions import AuthenticationError

from modelcore.cluster import driver
from modelcore.cluster.job import BUG, CLUSTER_LOST, ClusterJob


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (AuthenticationError("RPC error: WrongClusterID: Perhaps the client is accessing GCS"), CLUSTER_LOST),
        (AuthenticationError("RPC error: InvalidAuthToken"), BUG),
        (ValueError("WrongClusterID"), BUG),
    ],
)
def test_a_driver_whose_head_was_started_anew_is_no_bug(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: int
) -> None:
    def read(path: object) -> None:
        raise error

    monkeypatch.setattr(ClusterJob, "read", read)
    assert driver.main(["job.json"]) == code
