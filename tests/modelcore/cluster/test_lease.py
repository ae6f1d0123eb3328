from __future__ import annotations

import time

import pytest

from modelcore.cluster.lease import Lease, LeaseExpired


def test_a_lease_holds_as_long_as_it_is_renewed() -> None:
    lease = Lease(0.5)
    for _ in range(4):
        time.sleep(0.2)
        lease.renew()
    lease.check()


def test_a_lease_that_is_not_renewed_expires_and_says_for_how_long() -> None:
    lease = Lease(0.05)
    time.sleep(0.1)
    with pytest.raises(LeaseExpired, match=r"the driver was not heard for 0\.\d s \(lease: 0.05 s\)"):
        lease.check()


def test_no_renewal_brings_an_expired_lease_back() -> None:
    lease = Lease(0.05)
    time.sleep(0.1)
    lease.renew()
    assert lease.expired
