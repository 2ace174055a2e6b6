"""Find the threads whose time is over, and what came of each.

The time of a thread runs from its last event. An erased thread ends with the event of its erasure,
and is not found again. A fork shows what it inherits, so a thread stays as long as a fork of it is
in use.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from eventstore.core import ids
from eventstore.core.events import StreamKey, instant
from eventstore.core.values import Value
from eventstore.storage import read
from eventstore.storage.activity import Activity, last_activity
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.finding import Filter, Listing, find_threads
from eventstore.threads.forks import forks_below
from eventstore.threads.stored_thread import StoredThread

__all__ = [
    "Due",
    "Outcome",
    "RetainedThread",
    "RetentionReport",
    "Which",
    "due_page",
    "retained",
    "why_kept",
]

_AT_ONCE: Final = 200

Outcome: TypeAlias = Literal["due", "erased", "purged", "kept"]


class RetainedThread(Value):
    """A thread whose time is over."""

    thread_id: str
    """The thread."""
    last_activity_at: datetime
    """Time of its last event."""
    outcome: Outcome
    """``"erased"`` or ``"purged"``; ``"due"`` if this was only a look; ``"kept"`` if not."""
    why: str | None = None
    """The reason why it is kept: ``"fork_in_use"``, ``"changed"`` (something happened meanwhile),
    or the reason for which a purge is refused (``"thread_busy"``, ``"thread_has_forks"``)."""


class RetentionReport(Value):
    """The result of a retention."""

    cutoff: datetime
    """Threads in which nothing happened since then are due."""
    threads: tuple[RetainedThread, ...]
    """Each of them."""
    remains: tuple[str, ...] = ()
    """Places on disk that may still hold the bytes; empty if the database's files hold none."""
    pending: bool = False
    """Some of these clear with time: do it again to finish."""

    def count(self, outcome: Outcome) -> int:
        """Return the number of threads with an outcome."""
        return sum(one.outcome == outcome for one in self.threads)


class Which(NamedTuple):
    """The threads that a retention is about."""

    cutoff_us: int
    filters: Sequence[Filter]
    archived: bool | None


class Due(NamedTuple):
    """A thread whose time is over, as it was found."""

    thread_id: bytes
    last: Activity


def due_page(
    tx: Transaction, log: Log, tenant: str, which: Which, start: tuple[int] | None
) -> tuple[list[Due], tuple[int] | None]:
    """Return the next threads whose time is over, the newest first, and the next place.

    So a fork comes before the thread that it was made from.
    """
    number, category = find_tenant(tx, tenant), find_category(tx, ids.THREAD)
    if number is None or category is None:
        return [], None
    asked = Listing(
        archived=which.archived,
        include_deleted=True,
        by_activity=False,
        start=start,
        newest_first=True,
        most=_AT_ONCE,
    )
    found = find_threads(tx, number, which.filters, asked)
    last = last_activity(tx, (number, category), found)
    due = [
        Due(key, last[key])
        for key in found
        if key in last
        and last[key].at_us < which.cutoff_us
        and not _is_erased(tx, log, StreamKey(tenant, ids.THREAD, key), last[key].version)
    ]
    if len(found) < _AT_ONCE:
        return due, None
    row = StoredThread(tx, log, tenant, found[-1]).thread
    return due, None if row is None else (row.created_position,)


def _is_erased(tx: Transaction, log: Log, stream: StreamKey, version: int) -> bool:
    event = read.as_event(log, read.event_at(tx, stream, version))
    return event.type == "ContentErased" and bool(event.data.whole)


def why_kept(tx: Transaction, log: Log, tenant: str, due: Due, cutoff_us: int) -> str | None:
    """Return why a thread has to stay; None if nothing speaks for it.

    It holds as long as the head of the thread is locked. A fork that was erased is not in use,
    though its erasure is young: else a source would outlive its forks by another such time.
    """
    number, category = find_tenant(tx, tenant), find_category(tx, ids.THREAD)
    assert number is not None  # noqa: S101 (the thread was found)
    assert category is not None  # noqa: S101
    place = number, category
    now = last_activity(tx, place, [due.thread_id]).get(due.thread_id)
    if now != due.last:
        return "changed"
    forks = forks_below(tx, number, due.thread_id)
    for fork, one in last_activity(tx, place, forks).items():
        stream = StreamKey(tenant, ids.THREAD, fork)
        if one.at_us >= cutoff_us and not _is_erased(tx, log, stream, one.version):
            return "fork_in_use"
    return None


def retained(due: Due, outcome: Outcome, why: str | None = None) -> RetainedThread:
    """Return the outcome for a thread as a value."""
    return RetainedThread(
        thread_id=ids.show(ids.THREAD, due.thread_id),
        last_activity_at=instant(due.last.at_us),
        outcome=outcome,
        why=why,
    )
