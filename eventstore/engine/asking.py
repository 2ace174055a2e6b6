"""Asking the store on behalf of one run: with patience, as long as its lease holds."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from eventstore import LeaseLost, NotFound, StoreBusy, StoreUnavailable
from eventstore.engine.courses import Claim, Clock, Course, Next
from eventstore.engine.requests import Request

__all__ = ["PASSING", "Asking", "Gone", "Lease"]

PASSING: Final = frozenset({"connection_lost", "disk_full", "io_error", "out_of_memory"})
"""Reasons for which a store is unavailable that may pass."""
_PAUSE_SECONDS: Final = (0.05, 1.0)
_BEATS_PER_LEASE: Final = 3


class Gone(Exception):
    """The run ended or went to somebody else."""


class Lease:
    """The time until which the run is ours."""

    def __init__(self, seconds: float, now: float) -> None:
        self.seconds = seconds
        self.renewed(now)

    def renewed(self, now: float) -> None:
        """Note that the lease begins anew."""
        self.beat_at: float = now + self.seconds / _BEATS_PER_LEASE
        self.ends_at: float = now + self.seconds


class Asking:
    """A run, its lease, and the things that arrived for it while it asked."""

    def __init__(self, claim: Claim, clock: Clock) -> None:
        self._run = claim.run
        self._clock = clock
        self._lease = Lease(claim.lease_seconds, clock.monotonic())
        self._early: deque[Any] = deque()
        """Arrived while the course waited for something else."""

    def _ask(self, request: Request) -> Course[Any]:
        """Perform a request; wait while the database is in trouble that may pass."""
        pause, most = _PAUSE_SECONDS
        while True:
            try:
                return (yield request)
            except StoreBusy:
                pass
            except StoreUnavailable as error:
                if error.reason not in PASSING:
                    raise
            except (LeaseLost, NotFound):
                raise Gone from None
            if self._clock.monotonic() > self._lease.ends_at:
                raise Gone
            yield from self._rest(pause)
            pause = min(2 * pause, most)

    def _rest(self, seconds: float) -> Course[None]:
        until = self._clock.monotonic() + seconds
        while (left := until - self._clock.monotonic()) > 0:
            arrived = yield Next(left)
            if arrived is not None:
                self._early.append(arrived)
