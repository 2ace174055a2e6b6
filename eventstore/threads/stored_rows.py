"""Read the rows of a thread by their keys, those that a fork inherits included.

Inherited messages are looked up in :mod:`~eventstore.threads.inherited`; the fork's own rows lie
over them.
"""

from __future__ import annotations

from typing import TypeVar

from eventstore.conversation.rows import (
    ForkPoint,
    MessageRow,
    Row,
    RunRow,
    SegmentRow,
)
from eventstore.core import ids
from eventstore.storage import stream_heads
from eventstore.threads.ancestry import Ancestry
from eventstore.threads.cached_rows import CachedRows
from eventstore.threads.inherited import Inherited

__all__ = ["StoredRows"]

R = TypeVar("R", bound=Row)


class StoredRows(CachedRows):
    """Answers for one row at a time; keeps what a fork inherits."""

    def _forget_rows(self) -> None:
        self._inherited: Inherited | None = None
        self._prepared: range = range(0)
        """Depths of the inherited path at which this thread's branches were already read."""
        super()._forget_rows()

    def take_changed(self) -> list[tuple[int, bytes, Row]]:
        if self._inherited is not None:
            self._inherited.close_books()
        return super().take_changed()

    # -- rows by key ---------------------------------------------------------------------------

    def row(self, kind: type[R], key: object) -> R | None:
        return self._row(kind, key)

    def message(self, message_id: bytes) -> MessageRow | None:
        row: MessageRow | None = self._known[MessageRow].get(message_id)
        if row is None:
            row = self._row(MessageRow, message_id)
        if row is None and (inherited := self._inheritance()) is not None:
            return inherited.message(message_id)
        return row if row is None or self._as_of is None else self._as_it_was(row)

    def _as_it_was(self, row: MessageRow) -> MessageRow | None:
        """Return an own row as of an earlier version; see ``PastThread``."""
        return row

    def _beneath(self, message_id: bytes) -> MessageRow | None:
        """Return the row of an inherited message without this thread's own changes."""
        inherited = self._inheritance()
        return None if inherited is None else inherited.message(message_id)

    def segment(self, hop: int, segment: int) -> SegmentRow | None:
        if hop and (inherited := self._inheritance()) is not None:
            return inherited.path.segment(hop, segment)
        key = (hop, segment)
        if self._shape is not None:
            return self._shape.segments.get(key)
        row: SegmentRow | None = self._row(SegmentRow, key)
        return row

    def run(self, run_id: bytes) -> RunRow | None:
        return self.row(RunRow, run_id)

    # -- inherited by a fork ----------------------------------------------------------------------

    def _inheritance(self) -> Inherited | None:
        """Return the inherited part of this thread; None if it is no fork."""
        if self._inherited is None and self.thread is not None and self.thread.fork is not None:
            self._inherited = self._look_up(self.thread.fork)
        return self._inherited

    def _look_up(self, fork: ForkPoint, ancestry: Ancestry | None = None) -> Inherited:
        assert self._tenant is not None  # noqa: S101 (there is the source)
        tenant = self._tenant, self.tenant_name
        return Inherited(self._tx, self._log, tenant, fork, ancestry)

    @property
    def ancestry(self) -> Ancestry | None:
        """The ancestors, if this is a fork."""
        inherited = self._inheritance()
        return None if inherited is None else inherited.ancestry

    @property
    def tenant(self) -> int:
        """The number of the tenant of a thread that exists."""
        assert self._tenant is not None  # noqa: S101
        return self._tenant

    def changes_inherited(self) -> bool:
        """Return whether this fork has its own rows about inherited messages."""
        return self._find_one(MessageRow, "hop > 0 LIMIT 1", ()) is not None

    def share_book(self, inherited: Inherited) -> None:
        """Share the events that were read here with a fork of this thread, which adds to them."""
        inherited.open_book(self.thread_id, self._events)

    def owner(self, hop: int) -> bytes:
        inherited = self._inheritance() if hop else None
        return self.thread_id if inherited is None else inherited.ancestry.at(hop).thread_id

    def ancestors(self) -> list[bytes]:
        """Return the ancestors of a fork, the nearest first."""
        ancestry = self.ancestry
        return [] if ancestry is None else [one.thread_id for one in ancestry.ancestors]

    def sources(self, hops: int) -> list[tuple[bytes, int]]:
        """Return the threads up to that many hops above a fork, each with its present version."""
        above = self.ancestors()[:hops] if hops else []
        versions = stream_heads.head_versions(self._tx, self.tenant_name, ids.THREAD, above)
        return [(thread_id, versions[thread_id]) for thread_id in above]

    def close_books(self) -> None:
        """Drop the events of other threads: they may have been erased since."""
        if self._inherited is not None:
            self._inherited.close_books()
