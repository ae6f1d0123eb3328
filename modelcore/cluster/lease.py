"""The right of one side to believe in the other, for a few seconds at a time."""

from __future__ import annotations

import threading
import time

from modelcore.errors import StepFailed

__all__ = ["Lease", "LeaseExpired"]


class LeaseExpired(StepFailed):
    """The other side has not been heard for longer than the lease."""


class Lease:
    """Counts from the last renewal; once it has expired, no renewal brings it back.

    A process that was stopped and continues finds its lease expired, even if renewals have queued up
    meanwhile. Clocks of hosts are not compared.

    Args:
        seconds: how long it lasts from now and from each renewal.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._renewed = time.monotonic()
        self._expired = False

    def renew(self) -> None:
        """Count from now."""
        with self._lock:
            if not self._has_expired():
                self._renewed = time.monotonic()

    @property
    def expired(self) -> bool:
        """Whether it was not renewed in time."""
        with self._lock:
            return self._has_expired()

    @property
    def age(self) -> float:
        """Seconds since the last renewal."""
        return time.monotonic() - self._renewed

    def check(self) -> None:
        """Return if the lease holds.

        Raises:
            LeaseExpired: it does not.
        """
        if self.expired:
            raise LeaseExpired(f"the driver was not heard for {self.age:.1f} s (lease: {self._seconds:g} s)")

    def _has_expired(self) -> bool:
        self._expired = self._expired or self.age > self._seconds
        return self._expired
