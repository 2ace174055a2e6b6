"""The table ``retired_keys``: data keys that must seal nothing any more, by owner and generation.

An erasure retires the keys of its subject before it looks for content, and destroys them when all
of it is gone. From the commit that retires them on, no process can write with them, also one that
has them in memory: every append of a store with encryption reads this table in its transaction.

On SQLite that transaction has the file's write lock. On PostgreSQL reading takes a lock on the
table that retiring has to wait for, so each append has either committed before the key is retired,
and the erasure finds what it wrote, or it sees that the key is retired. An application's own
transaction at REPEATABLE READ may not see it, so it also locks the row of ``store``, which retiring
writes: that fails where a key was retired since the transaction's snapshot.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from eventstore.core.events import StreamKey
from eventstore.storage.among import among, in_few
from eventstore.storage.interning import find_tenant, intern_tenant
from eventstore.storage.transaction import CoreTransaction, Transaction, only_row

__all__ = ["retire", "retired_among"]

_FIND: Final = "SELECT kind, owner, generation FROM {retired_keys} WHERE tenant = ? AND owner"
_LOCKED: Final = " FOR SHARE"
_PATIENCE: Final = "SET LOCAL lock_timeout = '1s'"
"""Appends wait behind whoever waits for the table. So an application's transaction that stays open
is not waited for: the erasure is refused as busy, and can be tried again."""
_ALONE: Final = "LOCK TABLE {retired_keys} IN EXCLUSIVE MODE"
_LEVEL: Final = "SELECT current_setting('transaction_isolation')"
_GUARD: Final = "SELECT id FROM {store} FOR SHARE"
_MARK: Final = "UPDATE {store} SET id = id"
_RETIRE: Final = (
    "INSERT INTO {retired_keys} AS r (tenant, kind, owner, generation) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (tenant, kind, owner) DO UPDATE SET generation ="
    " CASE WHEN excluded.generation > r.generation"
    " THEN excluded.generation ELSE r.generation END"
)


def retired_among(
    tx: Transaction, tenant_name: str, owners: Sequence[StreamKey]
) -> Iterator[tuple[StreamKey, int]]:
    """Yield those of a tenant's owners whose keys were retired, up to which generation."""
    tenant = find_tenant(tx, tenant_name) or 0  # asked in any case, for the lock
    locked = "" if tx.ordering.single_writer else _LOCKED
    if locked and isinstance(tx, CoreTransaction) and only_row(tx, _LEVEL)[0] != "read committed":
        tx.one(_GUARD)
    wanted = {(owner.category, owner.id): owner for owner in owners}
    for few in in_few([owner.id for owner in owners]):
        asked, names = among(few)
        for kind, owner, generation in tx.all(f"{_FIND} {asked}{locked}", (tenant, *names)):
            if (kind, bytes(owner)) in wanted:
                yield wanted[kind, bytes(owner)], generation


def retire(tx: Transaction, owners: Sequence[tuple[StreamKey, int]]) -> None:
    """Retire the keys of owners up to a generation; later ones stay."""
    if not tx.ordering.single_writer:
        tx.run(_PATIENCE)
        tx.run(_ALONE)
        tx.run(_MARK)
    for owner, generation in owners:
        tenant = intern_tenant(tx, owner.tenant)
        tx.run(_RETIRE, (tenant, owner.category, owner.id, generation))
