"""The table ``tombstones``: purged threads, and their tombstones' versions in the store's stream.

This is the decision table of the category ``store``. It prevents a second use of the ids of purged
threads, and finds the tombstone when a purge is repeated.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from eventstore.core.events import StreamKey
from eventstore.errors import Refused
from eventstore.storage.interning import find_tenant
from eventstore.storage.statements import Insert
from eventstore.storage.transaction import Transaction

__all__ = ["Tombstones", "add_tombstones", "all_tombstones", "find_tombstone", "refuse_purged"]

_FIND: Final = "SELECT version FROM {tombstones} WHERE tenant = ? AND thread = ?"
_ALL: Final = "SELECT thread, version FROM {tombstones} WHERE tenant = ?"
_INSERT: Final = Insert("tombstones", ("tenant", "thread", "version"))


def find_tombstone(tx: Transaction, thread: StreamKey) -> int | None:
    """Return the version of a thread's tombstone in the store's stream; None if not purged."""
    tenant = find_tenant(tx, thread.tenant)
    row = None if tenant is None else tx.one(_FIND, (tenant, thread.id))
    return None if row is None else int(row[0])


def add_tombstones(tx: Transaction, rows: Iterable[tuple[int, bytes, int]]) -> None:
    """Write tenant, thread and version of each purge."""
    tx.write(_INSERT, list(rows))


def refuse_purged(tx: Transaction, thread: StreamKey) -> None:
    """Refuse to use the id of a purged thread again.

    Raises:
        Refused: ``"thread_purged"``.
    """
    if find_tombstone(tx, thread) is not None:
        raise Refused(
            "thread_purged",
            f"{thread.text} was purged, and the id of a purged thread cannot be used again",
            "Leave the id out, give a new UUID, or use a new idempotency key.",
        )


class Tombstones(NamedTuple):
    """A tenant's purged threads, with the versions of their tombstones."""

    tenant: int
    versions: dict[bytes, int]


def all_tombstones(tx: Transaction, tenant_name: str) -> Tombstones:
    """Return every row of a tenant."""
    tenant = find_tenant(tx, tenant_name) or 0
    rows = tx.all(_ALL, (tenant,))
    return Tombstones(tenant, {bytes(thread): version for thread, version in rows})
