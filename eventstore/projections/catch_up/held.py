"""The leases that the workers of one store hold, so that closing the store can give them back.

A worker writes down a lease inside the transaction that takes it. So whoever closes the store, or
cancels the worker while it takes, finds every lease that may have been committed; what was rolled
back after all is given back in vain, since the token is another.
"""

from __future__ import annotations

import os

from eventstore.errors import StoreClosed

__all__ = ["Held", "Lease"]

Lease = tuple[str, int, int]
"""Name, generation, token."""


class Held:
    """What the workers of one store hold; used from many threads.

    No lock: whoever adds looks afterwards whether it was closed, whoever closes says so before it
    looks what was added. So one of them sees the other.
    """

    def __init__(self) -> None:
        self._process = os.getpid()
        self._leases: dict[tuple[str, int], Lease] = {}
        self.closed = False
        """The store is being closed, and gives back what is held."""

    def add(self, lease: Lease) -> None:
        """Write down a lease that is being taken.

        Raises:
            StoreClosed: nobody would give it back.
        """
        if self._process != os.getpid():  # a forked child: what is held is the parent's
            self._process, self._leases = os.getpid(), {}
        self._leases[lease[:2]] = lease
        if self.closed:
            raise StoreClosed

    def close(self) -> list[Lease]:
        """Let nothing be taken any more; return what may be held."""
        self.closed = True
        leases, self._leases = self._leases, {}
        return list(leases.values()) if self._process == os.getpid() else []
