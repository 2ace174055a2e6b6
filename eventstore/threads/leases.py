"""The table ``leases``: until when the holder of each run that is executed promised to be back.

A run has a row here while a worker holds it, and no other run has one, so the table stays as small
as the work at hand. The end is set by the database's clock and compared with it, on SQLite by that
of the host: all workers of a file share it. No event says when a lease ends, so a rebuild cannot
know it either: a row that it makes again holds a lease that has ended.

A lease decides only who tries to take a run over. Who may write for it is decided by the fence in
the run's row (:mod:`~eventstore.conversation.commands.holding`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeAlias

from eventstore.conversation.rows import RunRow
from eventstore.conversation.run_lifecycle import HELD
from eventstore.storage.statements import Delete, Insert
from eventstore.storage.transaction import Transaction, only_row
from eventstore.threads.thread_table import Row, ThreadKey, ThreadTable

__all__ = ["LEASES", "LeaseChanges", "database_time", "lease_end", "lease_key", "write_leases"]

LEASES: Final = ThreadTable("leases", ("run",), 1)
"""The rows that should exist; when they end is nothing that events tell."""

LeaseChanges: TypeAlias = dict[bytes, int | None]
"""By run: when its lease ends, in microseconds; None for a run that nobody holds any more."""

_KEY: Final = ("tenant", "thread", "run")
_HOLD: Final = Insert("leases", (*_KEY, "ends_at"), conflict=_KEY, replaces=("ends_at",))
_FREE: Final = Delete("leases", _KEY)
_END: Final = "SELECT ends_at FROM {leases} WHERE tenant = ? AND thread = ? AND run = ?"


def database_time(tx: Transaction) -> int:
    """Return the time by the database's clock, in microseconds since 1970."""
    now: int = only_row(tx, f"SELECT {tx.ordering.clock}")[0]
    return now


def lease_end(tx: Transaction, thread: ThreadKey, run_id: bytes) -> int | None:
    """Return when the lease on a run ends or ended; None if nobody holds the run."""
    row = tx.one(_END, (*thread, run_id))
    return None if row is None else row[0]


def lease_key(thread: ThreadKey, row: RunRow) -> tuple[Row, bool]:
    """Return the key of a run's lease, and whether it should be there."""
    return (*thread, row.run_id), row.status in HELD


def write_leases(tx: Transaction, changes: Iterable[tuple[ThreadKey, LeaseChanges]]) -> None:
    """Write the leases that a transaction gave, moved and ended."""
    held, free = [], []
    for thread, runs in changes:
        for run_id, ends_at in runs.items():
            if ends_at is None:
                free.append((*thread, run_id))
            else:
                held.append((*thread, run_id, ends_at))
    tx.write(_HOLD, held)
    tx.write(_FREE, free)
