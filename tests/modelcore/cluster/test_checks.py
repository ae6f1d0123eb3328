"""What would keep a run from working is one line with the host's address."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelcore.config.training import Cluster

pytest.importorskip("ray", reason="Ray is not installed (pip install mindrail[cluster])")

from modelcore.cluster.checks import Checked, find_problems
from modelcore.cluster.probe import HostReport

TWO = Cluster(hosts=2, ranks_per_host=1)
GOOD = HostReport("node", {"Python": "3.11.4", "mindspore": "2.10.0"}, 8, 0, 10**9, "token")


def problems(second: Checked, cluster: Cluster = TWO) -> list[str]:
    return list(find_problems([Checked("10.0.0.1", True, GOOD), second], cluster, "token", needed=5 * 10**8))


def test_a_host_with_its_own_disk_is_a_problem_only_where_all_must_share_one() -> None:
    apart = Checked("10.0.0.2", True, replace(GOOD, token=None))
    assert problems(apart) == []
    (line,) = problems(apart, TWO.model_copy(update={"shared": "required"}))
    assert line.endswith("does not see the store as the driver does; it must be on a shared disk")


def test_hosts_that_agree_have_no_problem() -> None:
    assert problems(Checked("10.0.0.2", True, GOOD, clock=-3)) == []


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (
            Checked("10.0.0.2", True, replace(GOOD, versions={"Python": "3.11.4", "mindspore": "2.7.0"})),
            ["10.0.0.2: mindspore 2.7.0, but 2.10.0 on 10.0.0.1"],
        ),
        (
            Checked("10.0.0.2", True, replace(GOOD, versions={**GOOD.versions, "CANN": "8.0"})),
            ["10.0.0.2: CANN 8.0, but none on 10.0.0.1"],
        ),
        (
            Checked("10.0.0.2", True, GOOD, clock=3600.2),
            ["10.0.0.2: its clock is 3600 s ahead of the driver's"],
        ),
        (
            Checked("10.0.0.2", True, GOOD, unreachable={"10.0.0.1": "No route to host"}),
            ["10.0.0.2: does not reach 10.0.0.1: No route to host"],
        ),
        (
            Checked("10.0.0.2", True, GOOD, refused="Read-only file system"),
            ["10.0.0.2: what it writes into the store does not reach the driver: Read-only file system"],
        ),
        (
            Checked("10.0.0.2", True, replace(GOOD, free=10**8)),
            ["10.0.0.2: 100 MB are free in the store, the run writes 500 MB"],
        ),
        (
            Checked("10.0.0.2", True),
            ["2 hosts are needed, 1 have the resources and answer", "10.0.0.2: no answer within 60 s"],
        ),
        (Checked("10.0.0.2", False, GOOD), ["2 hosts are needed, 1 have the resources and answer"]),
    ],
)
def test_what_is_wrong_with_a_host_is_named(second: Checked, said: list[str]) -> None:
    assert problems(second) == said
