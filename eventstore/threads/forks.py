"""List the threads that were forked from a thread.

A caller that needs a lasting answer locks the head of the thread: making a fork locks it, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from eventstore.storage.transaction import Transaction

__all__ = ["direct_forks", "forks_below"]

_FORKS: Final = (
    "SELECT created_position, thread FROM {threads} WHERE fork_thread = ? AND +tenant = ?"
)
_BELOW: Final = (
    "WITH RECURSIVE below (created, thread) AS ("
    "SELECT created_position, thread FROM {threads} WHERE fork_thread = ? AND +tenant = ?"
    " UNION ALL SELECT t.created_position, t.thread"
    " FROM below b JOIN {threads} t ON t.fork_thread = b.thread WHERE +t.tenant = ?)"
    " SELECT created, thread FROM below"
)
"""SQLite would rather go through all of a tenant's threads: for the order, so they are sorted here,
or since few threads may be of that tenant, so a plus hides that condition."""


def direct_forks(tx: Transaction, tenant: int, thread_id: bytes) -> list[bytes]:
    """Return the threads forked from a thread, deleted ones too, in the order of their creation."""
    return _sorted(tx.all(_FORKS, (thread_id, tenant)))


def forks_below(tx: Transaction, tenant: int, thread_id: bytes) -> list[bytes]:
    """Return the forks of a thread, their forks and so on, in the order of their creation."""
    return _sorted(tx.all(_BELOW, (thread_id, tenant, tenant)))


def _sorted(rows: Iterable[tuple[int, bytes]]) -> list[bytes]:
    return [bytes(thread) for _, thread in sorted(rows)]
