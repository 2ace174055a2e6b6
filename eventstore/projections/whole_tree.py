"""A thread of which everything will be shown: read in a handful of statements, however large it is.

``StoredThread`` reads by key, a row when it is asked for, which is what deciding needs. Whoever
draws the tree asks for every row there is: own messages come as one statement a thousand, the shape
of the tree as one, and of what a fork inherits each range of the path as one or two for each thread
it comes from. Then nothing is asked of the database any more but what an amendment after the fork
has changed.

:meth:`WholeTree.read_places` is enough for who looks only where messages stand;
:meth:`WholeTree.read_contents` brings the events along. Only for views that change nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, Final

from msgspec.structs import replace

from eventstore.conversation import tree
from eventstore.conversation.rows import MessageRow, Place
from eventstore.conversation.view import Told
from eventstore.core import ids
from eventstore.core.events import Event, StreamKey
from eventstore.projections.shape import read_shape
from eventstore.projections.stored_thread import StoredThread
from eventstore.projections.stretches import read_everything
from eventstore.storage.blobs import rows_of_events
from eventstore.storage.folding_pages import DECODED_COLUMNS, event_decoder
from eventstore.storage.gaps import missing
from eventstore.storage.interning import find_category

__all__ = ["WholeTree"]

_EVENT: Final = ", ".join(f"e.{column}" for column in DECODED_COLUMNS)
_CONTENT: Final = 2 + DECODED_COLUMNS.index("content")
_VERSION: Final = 2 + DECODED_COLUMNS.index("version")
_WITH_EVENTS: Final = (
    " t LEFT JOIN {events} e ON e.tenant = t.tenant AND e.category = ? AND e.stream = t.thread"
    " AND e.version = t.version WHERE t.tenant = ? AND t.thread = ?"
)
_TOUCHED: Final = (
    f"SELECT t.subject, t.version, {_EVENT} FROM {{touches}}{_WITH_EVENTS}"
    " AND t.subject IN (SELECT m.message FROM {messages} m"
    " WHERE m.tenant = ? AND m.thread = ? AND m.changed IS NOT NULL"
)
"""Found from the messages: a thread may have been touched much more by its runs."""
_IN_STRETCH: Final = "hop = ? AND segment = ? AND depth BETWEEN ? AND ?"


class WholeTree(StoredThread):
    """What is asked of a thread's rows, once all of them were read."""

    def _forget_rows(self) -> None:
        self._touched: dict[bytes, list[int]] = {}
        """By message: the versions of the events that changed it; those that are known."""
        super()._forget_rows()

    def _view_of(self, thread_id: bytes, version: int) -> WholeTree:
        return WholeTree(self._tx, self._log, self.tenant_name, thread_id, as_of=version)

    @property
    def source(self) -> WholeTree | None:
        source = super().source
        assert source is None or isinstance(source, WholeTree)  # noqa: S101 (made by _view_of)
        return source

    def touches_of(self, subject_id: bytes) -> Sequence[int]:
        versions = self._touched.get(subject_id)
        if versions is None:
            return super().touches_of(subject_id)
        return [one for one in versions if self._as_of is None or one <= self._as_of]

    def prefetch(self, stretch: tree.Range) -> None:
        """Read nothing: all of it was."""

    # -- all of a thread -----------------------------------------------------------------------

    def read_places(self) -> None:
        """Read where every message stands, and no events."""
        for row in self._find(MessageRow, "hop >= 0", ()):
            self._keep(MessageRow, row.message_id, row)
        for stretch in self._inherited_path():
            for row in self.places(stretch):
                self._keep(MessageRow, row.message_id, row)
        self._end_reading()

    def read_contents(self) -> None:
        """Read every message with the events that tell what it says."""
        stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
        changed = {row.changed for row in self._find_inherited_rows()}
        for row, born in read_everything(self._tx, self._log, stream):
            self._keep(MessageRow, row.message_id, row)
            self._events[born.version] = born
            changed.add(row.changed)
        if changed - {None}:
            self._read_touched()
        for stretch in self._inherited_path():
            self.prepare(stretch)
            for row, told_born in self.stretch(*stretch):
                self._keep(MessageRow, row.message_id, row)
                self.hold(row.message_id, told_born, stretch.hop)
        self._end_reading()

    def _find_inherited_rows(self) -> list[MessageRow]:
        """Return what this thread says itself of what it inherits."""
        thread = self.thread
        if thread is None or thread.fork is None:
            return []
        rows = self._find(MessageRow, "hop > 0", ())
        for row in rows:
            self._keep(MessageRow, row.message_id, row)
            self._touched.setdefault(row.message_id, [])
        return rows

    def _inherited_path(self) -> list[tree.Range]:
        """Return the ranges of the inherited path."""
        inherited = self._inheritance()
        return [] if inherited is None else list(inherited.ranges.values())

    def _end_reading(self) -> None:
        """Know that nothing follows what was read, and the shape of the tree, of any size."""
        for hop, segment, depth in list(self._placed):
            if hop:
                self._placed.setdefault(Place(hop, segment, depth + 1), None)
        assert self._tenant is not None  # noqa: S101 (there is such a thread)
        self._shape = read_shape(self._tx, self._tenant, self.thread_id)

    # -- what a fork inherits: each of these is asked of the source in turn --------------------

    def places(self, stretch: tree.Range) -> list[MessageRow]:
        """Return the rows of a stretch: where its messages stand, not how often they changed."""
        found = self._find(MessageRow, _IN_STRETCH, stretch)
        source = self.source if stretch.hop else None
        if source is None:
            return found
        own = {row.message_id: row for row in found}
        inherited = source.places(stretch._replace(hop=stretch.hop - 1))
        return [own.get(row.message_id) or _one_hop_further(row) for row in inherited]

    def prepare(self, stretch: tree.Range) -> None:
        """Read the later events about a stretch, which :meth:`stretch` will ask for one by one."""
        if self._as_of is not None:
            self._read_touched(stretch)
        if not stretch.hop:
            return
        source = self.source
        if source is not None:
            source.prepare(stretch._replace(hop=stretch.hop - 1))

    def hold(self, message_id: bytes, born: Told, hop: int) -> None:
        """Know the event that bore an inherited message in the thread where it will be asked for.

        Also that nothing is known of later events but what :meth:`prepare` has read.
        """
        self._touched.setdefault(message_id, [])
        source = self.source if hop else None
        if source is not None:
            source.hold(message_id, born, hop - 1)
        elif born.thread_id == self.thread_id:
            self._events[born.event.version] = born.event

    # -- events ----------------------------------------------------------------------------------

    def _read_touched(self, stretch: tree.Range | None = None) -> None:
        sql = f"{_TOUCHED})" if stretch is None else f"{_TOUCHED} AND {_IN_STRETCH})"
        where = (self._tenant, self.thread_id, *(stretch or ()))
        for message_id, event in self._events_with(sql, where):
            self._events[event.version] = event
            self._touched.setdefault(message_id, []).append(event.version)

    def _events_with(self, sql: str, where: Sequence[Any]) -> Iterator[tuple[bytes, Event]]:
        """Yield events of this thread in order, each with what it is about.

        They are sorted here: asked for the order, SQLite goes through every event for it.
        """
        tenant, category = self._tenant, find_category(self._tx, ids.THREAD)
        assert tenant is not None  # noqa: S101 (there is such a thread)
        assert category is not None  # noqa: S101
        stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
        decode = event_decoder(self._log, stream)
        found = rows_of_events(
            self._tx,
            sql,
            (category, tenant, self.thread_id, *where),
            _CONTENT,
            lambda row: (tenant, category, stream.id, row[_VERSION]),
        )
        for row in sorted(found, key=itemgetter(1)):
            if row[_VERSION] is None:
                raise missing(stream, row[1])
            yield bytes(row[0]), decode(row[2:])


def _one_hop_further(row: MessageRow) -> MessageRow:
    assert row.place is not None  # noqa: S101 (it was found by it)
    return replace(row, place=row.place._replace(hop=row.place.hop + 1), removed=None)
