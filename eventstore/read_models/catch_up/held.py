"""The leases that the workers of one store hold, so that closing the store can give them back.

A worker records a lease inside the transaction that takes it. So closing the store, or cancelling
the worker while it takes the lease, finds every lease that may have been committed. Releasing a
lease that was rolled back has no effect, since the token differs.
"""

from __future__ import annotations

import os

from eventstore.errors import StoreClosed

__all__ = ["Held", "Lease"]

Lease = tuple[str, int, int]
"""Name, generation, token."""


class Held:
    """The leases that the workers of one store hold; used from many threads.

    It needs no lock: adding a lease checks afterwards whether the store was closed, and closing
    sets its flag before it reads the leases. So one of them sees the other.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._leases: dict[tuple[str, int], Lease] = {}
        self.closed: bool = False
        """True once the store is being closed and gives back its leases."""

    def add(self, lease: Lease) -> None:
        """Record a lease that is being taken.

        Raises:
            StoreClosed: nobody would give it back.
        """
        if self._process != os.getpid():  # a forked child: the leases are the parent's
            self._process, self._leases = os.getpid(), {}
        self._leases[lease[:2]] = lease
        if self.closed:
            raise StoreClosed

    def close(self) -> list[Lease]:
        """Refuse further leases; return those that may be held."""
        self.closed = True
        leases, self._leases = self._leases, {}
        return list(leases.values()) if self._process == os.getpid() else []
