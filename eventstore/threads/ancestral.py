"""Read the events of all ancestors of a fork, many short lives in one statement.

The live tables name the ancestors, so that a fork of a hundredth fork is folded in a handful of
trips. They decide nothing, though. The folding code takes the next thread from the events of the
one below it, and reads events that are missing here separately.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from eventstore.core import ids
from eventstore.core.events import Event, StreamKey
from eventstore.storage.blobs import EventKey, rows_of_events
from eventstore.storage.folding_pages import (
    DECODED_COLUMNS,
    decoded_columns,
    decoded_events,
    event_decoder,
    folding,
)
from eventstore.storage.interning import find_category, find_tenant
from eventstore.storage.log import Log
from eventstore.storage.transaction import Transaction

__all__ = ["AncestralEvents"]

_UP: Final = (
    "WITH RECURSIVE up (hop, thread, version) AS (SELECT 1, t.thread, CAST(? AS BIGINT)"
    " FROM {threads} t WHERE t.tenant = ? AND t.thread = ?"
    " UNION ALL SELECT u.hop + 1, t.fork_thread, t.fork_version FROM up u JOIN {threads} t"
    " ON t.tenant = ? AND t.thread = u.thread WHERE t.fork_thread IS NOT NULL AND u.hop < ?)"
)
_LINEAGE: Final = (
    f"{_UP} SELECT u.thread, u.version, EXISTS (SELECT 1 FROM {{snapshots}} s WHERE s.tenant = ?"
    " AND s.thread = u.thread AND s.version <= u.version) FROM up u ORDER BY u.hop"
)
_EVENTS: Final = (
    f"{_UP} SELECT {decoded_columns('e')}, u.thread"
    " FROM up u CROSS JOIN {events} e WHERE e.tenant = ? AND e.category = ?"
    " AND e.stream = u.thread AND e.version <= u.version"
)
_VERSION: Final = DECODED_COLUMNS.index("version")
_CONTENT: Final = DECODED_COLUMNS.index("content")
_ALL: Final = 2**31 - 1
_EVENTS_MAX: Final = 2_000
"""Events that are read at once; a longer life is read page by page."""


class _Life(NamedTuple):
    """A thread up to a version, which is also how many events it has."""

    thread_id: bytes
    version: int


class AncestralEvents:
    """Events of the threads above one fork, read ahead."""

    def __init__(
        self,
        tx: Transaction,
        log: Log,
        source: StreamKey,
        version: int,
        *,
        goes_on: bool = False,
    ) -> None:
        """Read the short lives at once, beginning with the source as of a version.

        ``goes_on``: stop at the nearest ancestor that seems to have a snapshot.
        """
        self._tx = tx
        self._log = log
        self._source = source
        self._read: dict[_Life, list[Event]] = {}
        self.patched: bytes | None = None
        """The ancestor that seems to have a snapshot, and of which nothing is read ahead."""
        tenant, category = find_tenant(tx, source.tenant), find_category(tx, ids.THREAD)
        if tenant is not None and category is not None:
            self._place = tenant, category
            for few in _together(self._lineage(_Life(source.id, version), goes_on=goes_on)):
                self._read_together(few)

    def _up(self, start: _Life, hops: int) -> tuple[Any, ...]:
        tenant = self._place[0]
        return start.version, tenant, start.thread_id, tenant, hops

    def _lineage(self, start: _Life, *, goes_on: bool) -> list[_Life]:
        """Return the ancestors, the nearest first; those below the one with a snapshot."""
        found: list[_Life] = []
        tenant, category = self._place
        for thread, version, kept in self._tx.all(_LINEAGE, (*self._up(start, _ALL), tenant)):
            one = _Life(bytes(thread), version)
            place = tenant, category, one.thread_id
            if goes_on and (kept or self._log.snapshots.waits(place, version)):
                self.patched = one.thread_id
                break
            found.append(one)
        return found

    def _read_together(self, lives: Sequence[_Life]) -> None:
        where = (*self._up(lives[0], len(lives)), *self._place)

        def key(columns: Sequence[Any]) -> EventKey:
            return *self._place, columns[-1], columns[_VERSION]

        found: dict[bytes, list[Event]] = {one.thread_id: [] for one in lives}
        decoders = {
            one.thread_id: event_decoder(self._log, self._source._replace(id=one.thread_id))
            for one in lives
        }
        sql = folding(self._log, _EVENTS)
        for row in rows_of_events(self._tx, sql, where, _CONTENT, key):
            thread = bytes(row[-1])
            found[thread].append(decoders[thread](row[:-1]))
        for one in lives:
            events = sorted(found[one.thread_id], key=_version)
            if len(events) == one.version:  # else the separate read reports what is missing
                self._read[one] = events

    def of(self, thread_id: bytes, version: int) -> Iterable[Event]:
        """Return the events of an ancestor up to a version, in order."""
        events = self._read.pop(_Life(thread_id, version), None)
        if events is None:
            stream = self._source._replace(id=thread_id)
            return decoded_events(self._tx, self._log, stream, until=version)
        return events


def _together(lineage: Sequence[_Life]) -> Iterator[list[_Life]]:
    """Yield lives that follow one another in a lineage, as many as are read at once.

    Lives that are too long separate them and are left out.
    """
    few: list[_Life] = []
    events = 0
    for one in lineage:
        events += one.version
        if few and events > _EVENTS_MAX:
            yield few
            few, events = [], one.version
        if one.version <= _EVENTS_MAX:
            few.append(one)
        else:
            events = 0
    if few:
        yield few


def _version(event: Event) -> int:
    return event.version
