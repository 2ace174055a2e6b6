"""Write as the holder of a projection's lease: to its own row, named by the fencing token."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from eventstore.core.events import Position
from eventstore.errors import LeaseLost
from eventstore.read_models.catch_up.failing import Failure
from eventstore.read_models.catch_up.generations import (
    AWAIT,
    GRACE_US,
    MINE,
    RENEWED,
    Generation,
    drop_retired,
    generations,
    told,
)
from eventstore.read_models.catch_up.held import Lease
from eventstore.storage.transaction import Transaction

__all__ = ["advance", "fail", "release", "renew", "retry", "swap", "take"]


_TAKE: Final = (
    f"UPDATE {{projections}} SET holder = ?, {RENEWED}, token = token + 1"
    f" {MINE} AND renewals = ? AND status <> 'retired'"
)


_RENEW: Final = f"UPDATE {{projections}} SET {RENEWED} {MINE}"


_ADVANCE: Final = (
    f"UPDATE {{projections}} SET epoch = ?, xid = ?, position = ?, {RENEWED}"
    f" {MINE} AND epoch = ? AND xid = ? AND position = ?"
)


_FAIL: Final = (
    "UPDATE {projections} SET failed_stream = ?, failed_version = ?, failed_type = ?, error = ?,"
    f" holder = NULL {MINE}"
)


_RETRY: Final = (
    "UPDATE {projections} SET failed_stream = NULL, failed_version = NULL, failed_type = NULL,"
    " error = NULL WHERE name = ? AND failed_version > 0"
)


_FORGET_UNMADE: Final = "DELETE FROM {projections} WHERE name = ? AND failed_version = 0"


_RELEASE: Final = f"UPDATE {{projections}} SET holder = NULL {MINE}"


_FREE: Final = (
    "UPDATE {projections} SET holder = NULL, token = token + 1"
    " WHERE name = ? AND holder IS NOT NULL"
)


_RETIRE: Final = (
    "UPDATE {projections} SET status = 'retired', holder = NULL, renewed_at = <now>, lease_us = ?,"
    " token = token + 1"
    " WHERE name = ? AND status = 'active' AND generation < ?"
    " AND ((epoch, xid, position) <= (?, ?, ?) OR (epoch, xid, position) >"
    " (SELECT epoch, xid, position FROM {events} ORDER BY <backwards> LIMIT 1))"
)
"""Also a generation that is ahead of the log, since an older backup was restored."""


_ACTIVATE: Final = f"UPDATE {{projections}} SET status = 'active' {MINE}"


def take(tx: Transaction, one: Generation, holder: str, lease_us: int) -> Generation | None:
    """Take the lease of a generation as it was read; None if it was taken or renewed since."""
    seen = (*one.key, one.token, one.renewals)
    if tx.run(told(tx, _TAKE), (holder, lease_us, *seen)) == 0:
        return None
    return next((now for now in generations(tx, one.name) if now.key == one.key), None)


def renew(tx: Transaction, one: Generation, lease_us: int) -> None:
    """Extend the lease.

    Raises:
        LeaseLost: another worker has it.
    """
    if tx.run(told(tx, _RENEW), (lease_us, *one.key, one.token)) == 0:
        raise _lost(tx, one)


def release(tx: Transaction, leases: Iterable[Lease]) -> None:
    """Give back those leases that this worker still holds."""
    for name, generation, token in leases:
        tx.run(AWAIT, (name, generation))
        tx.run(_RELEASE, (name, generation, token))


def advance(tx: Transaction, one: Generation, end: Position, lease_us: int) -> None:
    """Move the checkpoint from its known position; no other worker can until the transaction ends.

    Raises:
        LeaseLost: another worker took over; nothing may be written any more.
    """
    place = (*one.key, one.token, *one.position)
    if tx.run(told(tx, _ADVANCE), (*end, lease_us, *place)) == 0:
        raise _lost(tx, one)


def _lost(tx: Transaction, one: Generation) -> LeaseLost:
    found = [now.holder for now in generations(tx, one.name) if now.key == one.key]
    what = f"projection {one.name}, generation {one.generation},"
    return LeaseLost(what, found[0] if found else None)


def fail(tx: Transaction, one: Generation, failure: Failure) -> None:
    """Stop a generation at an event, and give the lease back.

    Raises:
        LeaseLost: another worker has it.
    """
    if tx.run(_FAIL, (*failure, *one.key, one.token)) == 0:
        raise _lost(tx, one)


def retry(tx: Transaction, name: str) -> int:
    """Resume stopped generations and free held ones; return how many there were.

    A holder that is still alive finds another token at its next write, and stands by.
    """
    stopped = tx.run(_RETRY, (name,)) + tx.run(_FORGET_UNMADE, (name,))
    return stopped + tx.run(_FREE, (name,))


def swap(tx: Transaction, one: Generation) -> bool:
    """Make a generation the active one if it has come as far; return whether it has.

    Raises:
        LeaseLost: another worker has it.
    """
    grace = 0 if tx.ordering.single_writer else GRACE_US
    if tx.run(told(tx, _RETIRE), (grace, one.name, one.generation, *one.position)) == 0:
        return False
    if tx.run(_ACTIVATE, (*one.key, one.token)) == 0:
        raise _lost(tx, one)
    if tx.ordering.single_writer:
        drop_retired(tx, one.name)
    return True
