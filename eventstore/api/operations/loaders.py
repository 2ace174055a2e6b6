"""Look up threads, runs and past moments for reading operations."""

from __future__ import annotations

from datetime import datetime

from eventstore.api.operations.inputs import checked_version
from eventstore.api.operations.operation import Scope
from eventstore.conversation.folded_view import FoldedView
from eventstore.conversation.rows import RunRow, ThreadRow
from eventstore.core import ids
from eventstore.core.events import StreamKey, instant, microseconds
from eventstore.errors import InvalidInput, MomentNotFound, RunNotFound, ThreadNotFound
from eventstore.storage import read, stream_heads
from eventstore.storage.transaction import Transaction
from eventstore.threads.folding import fold_thread
from eventstore.threads.past_thread import thread_at
from eventstore.threads.stored_thread import StoredThread
from eventstore.threads.whole_tree import WholeTree

__all__ = [
    "Moment",
    "existing_run",
    "folded_at",
    "live_thread",
    "past_thread",
    "thread_key",
    "thread_row",
    "whole_thread",
]


def thread_key(scope: Scope, thread_id: str) -> StreamKey:
    """Return the stream of a thread named by a caller."""
    return StreamKey(scope.tenant, ids.THREAD, ids.parse(ids.THREAD, thread_id, "thread_id"))


def live_thread(
    tx: Transaction, scope: Scope, key: StreamKey, *, include_deleted: bool = False
) -> StoredThread:
    """Return the present view of a thread.

    Raises:
        ThreadNotFound: there is none in this tenant, or it was deleted.
    """
    view = StoredThread(tx, scope.log, key.tenant, key.id)
    _check_live(view, key, include_deleted=include_deleted)
    return view


def whole_thread(tx: Transaction, scope: Scope, key: StreamKey) -> WholeTree:
    """Return the present view of a thread of which everything will be read.

    Raises:
        ThreadNotFound: as :func:`live_thread`.
    """
    view = WholeTree(tx, scope.log, key.tenant, key.id)
    _check_live(view, key, include_deleted=False)
    return view


def _check_live(view: StoredThread, key: StreamKey, *, include_deleted: bool) -> None:
    row = view.thread
    if row is None or (row.deleted and not include_deleted):
        raise ThreadNotFound(key.text)


def thread_row(view: StoredThread | FoldedView) -> ThreadRow:
    """Return the row of a thread that is known to exist."""
    assert view.thread is not None  # noqa: S101 (looked up before)
    return view.thread


def existing_run(view: StoredThread, run_id: bytes) -> RunRow:
    """Return the row of a run.

    Raises:
        RunNotFound: the thread has none of this id.
    """
    row = view.run(run_id)
    if row is None:
        raise RunNotFound(ids.show(ids.RUN, run_id), ids.show(ids.THREAD, view.thread_id))
    return row


class Moment:
    """A past moment of a thread, given by version or by time; or none, which is now."""

    def __init__(
        self, at_version: object, at_time: datetime | None, field: str = "at_version"
    ) -> None:
        """Check the caller's values; ``field`` names the version in errors."""
        if at_version is not None and at_time is not None:
            raise InvalidInput("at_time", "given together with at_version", "Give one of them.")
        self._version = None if at_version is None else checked_version(at_version, field, 0)
        self._time_us = None if at_time is None else microseconds(at_time, "at_time")

    @property
    def is_now(self) -> bool:
        """Neither version nor time was given."""
        return self._version is None and self._time_us is None

    def version(self, tx: Transaction, key: StreamKey) -> int:
        """Return the version of the moment.

        Raises:
            ThreadNotFound: there is no such thread.
            MomentNotFound: the moment lies before its first event, or behind its last one.
        """
        last = stream_heads.head_version(tx, key)
        if last == 0:
            raise ThreadNotFound(key.text)
        version = last if self._version is None else self._version
        if self._time_us is not None:
            version = read.version_at_time(tx, key, self._time_us)
        if 1 <= version <= last:
            return version
        reason = "not_yet_begun" if version == 0 else "not_yet_recorded"
        began = instant(read.event_at(tx, key, 1).recorded_at_us)
        raise MomentNotFound(key.text, reason, began, last)


def past_thread(tx: Transaction, scope: Scope, key: StreamKey, moment: Moment) -> StoredThread:
    """Return the view of a thread at a moment, from its rows."""
    return thread_at(tx, scope.log, key, moment.version(tx, key))


def folded_at(tx: Transaction, scope: Scope, key: StreamKey, moment: Moment) -> FoldedView:
    """Return a thread's state at a moment, from its events alone."""
    version = moment.version(tx, key)
    return fold_thread(tx, scope.log, key.tenant, key.id, until=version)
