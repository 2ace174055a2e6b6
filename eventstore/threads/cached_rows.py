"""Hold the rows of one thread: those of the database, and those that this transaction changed.

Rows are read by key on demand and kept. Rows that events changed lie over them until they are
written, once, at the end of the batch. The writer keeps all of it between its transactions as long
as no other connection wrote (see ``Transaction.cache``). The queries on them are in
:mod:`~eventstore.threads.stored_thread`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from msgspec.structs import replace

from eventstore.conversation.rows import (
    BranchPointRow,
    MessageRow,
    Place,
    Row,
    SegmentRow,
    ThreadRow,
    TouchRow,
)
from eventstore.core.events import Event
from eventstore.storage.interning import find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction
from eventstore.threads.fresh_ids import expect_fresh
from eventstore.threads.inherited import Inherited
from eventstore.threads.leases import LeaseChanges, lease_end
from eventstore.threads.removed import REMOVED_MAX, Removed
from eventstore.threads.row_table import RowTable
from eventstore.threads.row_tables import ROW_TABLES
from eventstore.threads.run_stories import STORIES, going_on
from eventstore.threads.shape import SEGMENTS_MAX, Shape
from eventstore.threads.stretches import read_ending
from eventstore.threads.thread_table import ThreadKey

__all__ = ["CachedRows", "RowsSavepoint"]

R = TypeVar("R", bound=Row)

_NONE_ERASED: Final[frozenset[int]] = frozenset()
_KEPT_MESSAGES: Final = 64
"""Rows of messages above which a kept view starts afresh."""


class RowsSavepoint(NamedTuple):
    """The changes to a thread's rows so far."""

    changed: dict[type[Any], dict[Any, Any]]
    moved: ThreadRow | None
    events: dict[int, Event]
    erased: frozenset[int]
    leases: dict[bytes, int | None]


class _ThreadWhenAsked:
    """Reads the attribute ``thread`` when it is first asked for, and again after ``del``.

    ``functools.cached_property`` does the same through ``__dict__``. From then on Python finds no
    attribute of the object at its place, but looks up each by name, and a message needs twenty.
    """

    def __get__(self, view: CachedRows, kind: type[CachedRows]) -> ThreadRow | None:
        view.thread = found = view._read_thread()  # noqa: SLF001 (it is part of the view)
        return found


class CachedRows:
    """The rows of one thread that were read, and the changes to them."""

    def __init__(
        self,
        tx: Transaction,
        log: Log,
        tenant_name: str,
        thread_id: bytes,
        *,
        as_of: int | None = None,
        begun: bool = True,
    ) -> None:
        """Open a thread's rows: as of an earlier version, or ``begun`` False without any event."""
        self._tx = tx
        self._log = log
        self.tenant_name: Final = tenant_name
        self._tenant = find_tenant(tx, tenant_name)
        self._as_of = as_of
        self.thread_id = thread_id
        self._changed: dict[type[Any], dict[Any, Any]] = defaultdict(dict)
        """By kind and key, except the thread's own row."""
        self._moved: ThreadRow | None = None
        """The thread's own row, which every event changes; None while nothing was changed."""
        self._reshaped = False
        """True if more changed than the head, which the row of its stream has: other events than
        plain messages came."""
        self._stored: ThreadRow | None = None
        self.leases: LeaseChanges = {}
        """Leases that changed here; those of the table are read each time, since no head shows that
        a lease was moved."""
        self._erased: frozenset[int] = _NONE_ERASED
        """Versions whose content is erased when the changes here are written."""
        self._segments = 0
        """Number of segments in the table, counted up to one more than are read at once."""
        self._shape: Shape | None = None
        self._gone: Removed | None = None
        self._forget_rows()
        if not begun:
            self.thread = None
            self._shape = Shape()

    def _forget(self) -> None:
        """Drop everything read from the database; keep the changes made here."""
        self._shape = None
        self._gone = None
        self._forget_rows()

    def _forget_rows(self) -> None:
        """Drop everything but the shape of the tree, which does not grow with each message."""
        self._inherited: Inherited | None = None
        self._prepared: range = range(0)
        """Depths of the inherited path at which this thread's branches were already read."""
        self._known: dict[type[Any], dict[Any, Any]] = {kind: {} for kind in ROW_TABLES}
        self._placed: dict[Place, MessageRow | None] = {}
        self._events: dict[int, Event] = {}
        self._touched: dict[bytes, list[int]] = {}
        """Touches by subject, as far as all of them are known."""
        self._listed: dict[type[Any], set[bytes]] = {}
        """Keys of the rows that a list over the table found, and of those that came since."""
        try:  # noqa: SIM105 (suppress() is three calls)
            del self.thread
        except AttributeError:  # it was not read yet
            pass
        if self._moved is not None:
            self.thread = self._moved
        for kind, rows in self._changed.items():
            for key, row in rows.items():
                self._keep(kind, key, row)

    def _keep(self, kind: type[R], key: object, row: R) -> None:
        self._known[kind][key] = row
        if isinstance(row, MessageRow) and row.place is not None:
            self._placed[row.place] = row
            if self._gone is not None:
                self._gone.keep(row)
        if self._shape is not None:
            self._shape.keep(row)

    # -- reading -------------------------------------------------------------------------------

    def _read_thread(self) -> ThreadRow | None:
        """Read the thread's own row, together with the head: callers need both."""
        tenant = self._tenant
        found = None if tenant is None else read_ending(self._tx, tenant, self.thread_id)
        self._stored = None if found is None else found.thread
        self._segments = 0 if found is None else found.segments
        if found is None or found.head is None or self._as_of is not None:
            return self._stored  # the head may have been another one then
        if found.head.message_id not in self._known[MessageRow]:
            self._keep(MessageRow, found.head.message_id, found.head)
        if found.segment is not None:
            self._known[SegmentRow].setdefault((0, found.segment.segment), found.segment)
        return self._stored

    if TYPE_CHECKING:
        thread: ThreadRow | None
        """The thread's own row, read when it is first asked for."""
    else:
        thread = _ThreadWhenAsked()

    def _row(self, kind: type[R], key: object) -> R | None:
        """Return a cached row, or read it now."""
        known: dict[Any, R | None] = self._known[kind]
        try:
            return known[key]
        except KeyError:
            parameters = key if isinstance(key, tuple) else (key,)
            row = known[key] = self._find_one(kind, ROW_TABLES[kind].by_key, parameters)
            return row

    def _find(
        self, kind: type[Any], where: str, parameters: Sequence[Any], *, few: bool = False
    ) -> list[Any]:
        if self._tenant is None:
            return []
        table = ROW_TABLES[kind]
        return table.find(self._tx, self._tenant, self.thread_id, where, parameters, few=few)

    def _find_one(self, kind: type[R], where: str, parameters: Sequence[Any]) -> R | None:
        if self._tenant is None:
            return None
        table: RowTable[R] = ROW_TABLES[kind]
        return table.get(self._tx, self._tenant, self.thread_id, where, parameters)

    def _list(self, kind: type[R], where: str, holds: Callable[[R], bool]) -> list[R]:
        """Return the rows that a condition holds for: in the table, and since it was read."""
        known, key_of = self._known[kind], kind.key_of
        keys = self._listed.get(kind)
        if keys is None:
            found = {key_of(row): row for row in self._find(kind, where, ())}
            known.update({key: row for key, row in found.items() if known.get(key) is None})
            keys = {*found, *self._changed.get(kind, {})}
        rows = [row for key in keys if holds(row := known[key])]
        self._listed[kind] = {key_of(row) for row in rows}
        return rows

    def _changed_of(self, kind: type[R]) -> list[R]:
        return [*self._changed.get(kind, {}).values()]

    def lease_of(self, run_id: bytes) -> int | None:
        """Return when the lease on a run ends, in microseconds; None if nobody holds it."""
        if run_id in self.leases:
            return self.leases[run_id]
        tenant = self._tenant
        return None if tenant is None else lease_end(self._tx, (tenant, self.thread_id), run_id)

    def take_leases(self) -> tuple[ThreadKey, LeaseChanges]:
        """Return the leases that differ from the database, for writing."""
        changes, self.leases = self.leases, {}
        return (self._tenant or 0, self.thread_id), changes

    # -- changing ------------------------------------------------------------------------------

    def put(self, event: Event, rows: Iterable[Any]) -> None:
        """Lay the rows (each a ``Row``) that an event changed over the rows that were read."""
        self._events[event.version] = event
        if event.data.erases:
            self._erased |= {*event.data.versions}
        for row in rows:
            kind = type(row)
            if kind is ThreadRow:
                self.thread = self._moved = row
                self._reshaped = True
                continue
            key = kind.key_of(row)
            changed = self._changed[kind]
            if kind is MessageRow and row.version == event.version:
                self._expect_nothing_below(row.place)
            elif kind is SegmentRow and key not in changed:
                self._segments += 1
            changed[key] = row
            self._keep(kind, key, row)
            if kind is TouchRow:
                if row.subject_id in self._touched:
                    self._touched[row.subject_id].append(row.version)
            elif kind in self._listed:
                self._listed[kind].add(key)
            if kind in STORIES and row.version == event.version:
                self._touched[key] = []

    def expect_fresh(self, made: Iterable[tuple[str, bytes]]) -> None:
        """Note, without a query, that nothing has an id that was made just now."""
        expect_fresh(self._known, made)

    def _expect_nothing_below(self, place: Place | None) -> None:
        """Note, without a query, that nothing follows a message that was added just now."""
        if place is not None and place.hop == 0:  # inherited rows bear the source's versions
            if self._shape is None:  # the shape knows where a segment ends
                self._placed[Place(0, place.segment, place.depth + 1)] = None
            self._known[BranchPointRow].setdefault(place, None)

    def savepoint(self) -> RowsSavepoint:
        """Return a mark of the changes so far."""
        changed, events = _copied(self._changed), dict(self._events)
        return RowsSavepoint(changed, self._moved, events, self._erased, dict(self.leases))

    def rollback_to(self, savepoint: RowsSavepoint) -> None:
        """Undo the changes since a mark."""
        changed, self._moved, events, self._erased, self.leases = savepoint
        self._changed = _copied(changed)
        self._forget()
        self._events = dict(events)  # those of this batch are not in the log yet

    def take_changed(self) -> list[tuple[int, bytes, Row]]:
        """Return every row that differs from the database, with tenant and thread, for writing.

        From then on they count as read.
        """
        thread, self._moved = self._moved, None
        if self._inherited is not None:
            self._inherited.close_books()
        if thread is None:
            return []
        if self._tenant is None:
            self._tenant = find_tenant(self._tx, self.tenant_name)
        tenant, thread_id = self._tenant, self.thread_id
        assert tenant is not None  # noqa: S101 (the event that changed a row interned it)
        rows: list[tuple[int, bytes, Row]] = []
        for kind in self._changed.values():
            for row in kind.values():
                rows.append((tenant, thread_id, row))  # noqa: PERF401 (a frame fewer)
        before, self._stored = self._stored, thread
        if self._reshaped and (
            before is None
            or thread
            != replace(
                before,
                version=thread.version,
                updated_at_us=thread.updated_at_us,
                head=thread.head,
            )
        ):
            rows.append((tenant, thread_id, thread))  # else the row of its stream has all of it
        self._changed.clear()
        if len(self._known[MessageRow]) > _KEPT_MESSAGES:
            self._forget_rows()
        if self._reshaped or self._touched:
            self._keep_little(thread)
            self._reshaped = False
        else:
            self._events = {}
        return rows

    def _keep_little(self, thread: ThreadRow) -> None:
        """Keep, for the next transaction, the rows at the head; once they are many, the shape."""
        shape = self._shape
        if shape is not None and len(shape.segments) > 2 * SEGMENTS_MAX:
            self._shape, self._segments = None, len(shape.segments)
        if thread.removed_messages > 2 * REMOVED_MAX:
            self._gone = None
        if self._touched and not self._erased:
            known = [row for kind in STORIES for row in self._known[kind].values()]
            self._touched, self._events = going_on(known, self._touched, self._events)
        else:
            self._touched, self._events = {}, {}
        self._erased = _NONE_ERASED


def _copied(changed: dict[type[Any], dict[Any, Any]]) -> dict[type[Any], dict[Any, Any]]:
    return defaultdict(dict, {kind: dict(rows) for kind, rows in changed.items()})
