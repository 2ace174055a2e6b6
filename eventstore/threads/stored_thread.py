"""Read a thread through its rows in the database: the view for deciding inside a transaction.

A query that spans several rows merges rows that were read with changed ones, so the tenth command
of a batch sees the changes of the first nine.

The writer keeps views between its transactions as long as no other connection wrote. So a message
at the head of a thread that is being written reads nothing. The shape of a small tree is known
whole (:mod:`~eventstore.threads.shape`), so selecting a branch there reads nothing either.

Inherited messages are looked up in :mod:`~eventstore.threads.inherited`; the fork's own rows
lie over them.

One class answers every query of ``ThreadView`` and its extensions, on the same rows. It has three
floors: rows read and changed (``cached_rows``), the tree (``stored_tree``), and the rest, here.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from msgspec.structs import replace

from eventstore.conversation import tree
from eventstore.conversation.rows import (
    ROOT,
    BranchPointRow,
    ForkPoint,
    LabelRow,
    MessageRow,
    Place,
    RunRow,
    TouchRow,
)
from eventstore.conversation.run_lifecycle import TERMINAL
from eventstore.conversation.view import SourcedEvent
from eventstore.core import ids
from eventstore.core.events import Event, StreamKey, Trace
from eventstore.storage import read
from eventstore.storage.folding_pages import decoded_events_at
from eventstore.storage.traces import traces
from eventstore.threads import run_chunks
from eventstore.threads.ancestry import Ancestor, Ancestry, remember_ancestry
from eventstore.threads.hidden_words import forms_of_label
from eventstore.threads.message_rows import WAITS
from eventstore.threads.run_rows import OPEN_RUNS
from eventstore.threads.stored_tree import StoredTree
from eventstore.threads.stretches import read_stretch

__all__ = ["StoredThread"]

_PAGE: Final = 256
"""Messages whose wordings are read together."""
_INHERITED_AT: Final = "hop > 0 AND depth BETWEEN ? AND ?"
"""On an inherited path the depth alone names the message."""


class StoredThread(StoredTree):
    """Answers queries on one thread's rows; keeps the protocol ``ThreadView``."""

    # -- queue, runs and labels --------------------------------------------------------------------

    def queued_messages(self) -> Sequence[MessageRow]:
        waiting = self._list(MessageRow, WAITS, _waits)
        return sorted(waiting, key=lambda row: row.waits_since)

    def open_runs(self) -> Sequence[RunRow]:
        running = self._list(RunRow, OPEN_RUNS, _runs_on)
        return sorted(running, key=lambda row: row.version)

    def shown_text(self, message_id: bytes) -> str:
        stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
        return run_chunks.text(self._tx, stream, message_id)

    def shown_length(self, message_id: bytes) -> int:
        stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
        return run_chunks.length(self._tx, stream, message_id)

    def label(self, label: str) -> LabelRow | None:
        forms = [label]
        if self._tenant is not None:
            forms = forms_of_label(self._tx, self._tenant, self.thread_id, label)
        found = self._find(LabelRow, f"label IN ({', '.join('?' * len(forms))})", forms)
        rows = {row.message_id: row for row in [*found, *self._changed_of(LabelRow)]}
        return next((row for row in rows.values() if row.label == label), None)

    def label_of(self, message_id: bytes) -> str | None:
        row = self.row(LabelRow, message_id)
        return None if row is None else row.label

    def labels(self) -> dict[bytes, str]:
        """Return every label by message."""
        found = self._find(LabelRow, "label IS NOT NULL", ())
        rows = {row.message_id: row.label for row in [*found, *self._changed_of(LabelRow)]}
        return {key: label for key, label in rows.items() if label is not None}

    # -- history: what presenting needs beyond deciding ------------------------------------------

    def touches_of(self, subject_id: bytes) -> Sequence[int]:
        """Return the versions of later events about a thread, message, run or step, in order."""
        known = self._touched.get(subject_id)
        if known is not None:
            return known
        found = self._find(TouchRow, "subject = ?", (subject_id,))
        rows = {*found, *self._changed_of(TouchRow)}
        versions = [row.version for row in rows if row.subject_id == subject_id]
        return sorted(v for v in versions if self._as_of is None or v <= self._as_of)

    def event(self, version: int) -> Event:
        """Return one event of this thread: of this transaction, read before, or read now."""
        event = self._events.get(version)
        if event is None:
            stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
            stored = read.event_at(self._tx, stream, version)
            event = self._events[version] = read.as_event(self._log, stored)
        return replace(event, content=None) if version in self._erased else event

    def traces(self, after: int = 0) -> Sequence[Trace]:
        """Return the events of this thread without content, as they are once this is written."""
        stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
        found = traces(self._tx, self._log, stream, after=after)
        for version in range(after + len(found) + 1, 1 + max(self._events, default=0)):
            found.append(self._events[version].trace)  # of this transaction
        erased = self._erased
        return [t._replace(has_content=False) if t.version in erased else t for t in found]

    def born(self, row: MessageRow) -> SourcedEvent:
        hop = 0 if row.place is None else row.place.hop
        if hop and (inherited := self._inheritance()) is not None:
            owner = self.owner(hop)
            return SourcedEvent(owner, inherited.event(owner, row.content_version))
        return SourcedEvent(self.thread_id, self.event(row.queued_version or row.version))

    def wordings(self, row: MessageRow) -> Sequence[SourcedEvent]:
        before: list[SourcedEvent] = []
        if row.place is not None and row.place.hop and (above := self._inheritance()) is not None:
            before = above.wordings(row.message_id)
        said = {version for version in row.said or () if version is not None}
        return before + list(self._told(sorted(said)))

    def changes(self, row: MessageRow) -> Sequence[SourcedEvent]:
        before: list[SourcedEvent] = []
        if row.place is not None and row.place.hop and (above := self._inheritance()) is not None:
            before = above.changes(row)
        return before + list(self._told(self.touches_of(row.message_id)))

    def _told(self, versions: Iterable[int]) -> Iterator[SourcedEvent]:
        return (SourcedEvent(self.thread_id, self.event(version)) for version in versions)

    def renamings(self) -> Iterator[SourcedEvent]:
        if self.thread is not None:
            yield from self._told(self.thread.named.back())
        inherited = self._inheritance()
        yield from self._told([1]) if inherited is None else inherited.renamings()

    # -- a fork about to begin -----------------------------------------------------------------

    def will_inherit(self, source: StoredThread, message_id: bytes) -> None:
        """Prepare the inheritance of a fork that is about to begin at a message of its source."""
        thread, message = source.thread, source.message(message_id)
        assert thread is not None  # noqa: S101 (it was just decided to fork it)
        assert message is not None  # noqa: S101
        place = message.place or ROOT
        fork = ForkPoint(source.thread_id, message_id, place, thread.version)
        above = source.ancestry
        one = Ancestor(
            source.thread_id,
            thread.version,
            changes_inherited=above is not None and source.changes_inherited(),
            named=thread.named,
        )
        inherited = tree.inherited_from(source, above.inherited if above else None, place)
        ancestry = Ancestry([one, *(above.ancestors if above else ())], inherited)
        remember_ancestry(self._tx, source.tenant, fork, ancestry)
        self._inherited = self._look_up(fork, ancestry)
        source.share_book(self._inherited)

    # -- reading many at once: only for views that change nothing ------------------------------

    def know_run(self, run_id: bytes, touches: Sequence[int], lease_end: int | None) -> None:
        """Take what was read about a run together with others."""
        self._touched[run_id] = list(touches)
        self.leases[run_id] = lease_end

    def know_event(self, event: Event) -> None:
        """Take an event that was read together with others."""
        self._events[event.version] = event

    def prepare(self, stretches: Sequence[tree.Range]) -> None:
        """Read the inherited part of a path at once, and this fork's branches on it."""
        depths = [one for stretch in stretches if stretch.hop for one in stretch[2:]]
        inherited = self._inheritance() if depths else None
        if inherited is None:
            return
        first, last = min(depths), max(depths)
        found = self._find(MessageRow, _INHERITED_AT, (first, last), few=True)
        own = [row for row in map(self._as_it_was, found) if row is not None]
        self.read_wordings(own)
        for row in own:
            self._keep(MessageRow, row.message_id, row)
        for row in inherited.read(first, last):
            assert row.place is not None  # noqa: S101 (it is on the path)
            self._placed.setdefault(row.place, row)
        points = self._known[BranchPointRow]
        self._prepared = range(first - 1, last + 1)
        if not self._is_one_line:
            found = self._find(BranchPointRow, _INHERITED_AT, (first - 1, last), few=True)
            points.update({point.place: point for point in found})
        for one in inherited.path:
            points.setdefault(Place(one.hop, one.segment, one.end), None)

    def stretch(
        self, hop: int, segment: int, start: int, end: int
    ) -> Iterator[tuple[MessageRow, SourcedEvent]]:
        """Return messages that follow one another, each with the event that holds its words."""
        if hop:
            return self._inherited_stretch(hop, segment, start, end)
        return self._own_stretch(segment, start, end)

    def _own_stretch(
        self, segment: int, start: int, end: int
    ) -> Iterator[tuple[MessageRow, SourcedEvent]]:
        stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
        found = read_stretch(self._tx, self._log, stream, (segment, start, end))
        while some := list(islice(found, _PAGE)):
            if self._as_of is not None:
                some = [(self._as_it_was(row) or row, event) for row, event in some]
            self.read_wordings([row for row, _ in some if row.said])
            for row, event in some:
                yield row, SourcedEvent(self.thread_id, event)

    def read_wordings(self, rows: Iterable[MessageRow]) -> None:
        """Read the events with the present wordings of messages, unless the first event has it."""
        said = {version for row in rows for version in row.said or () if version is not None}
        keys = [(self.thread_id, version) for version in sorted(said - self._events.keys())]
        stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
        for _, event in decoded_events_at(self._tx, self._log, stream, keys):
            self._events[event.version] = event

    def _inherited_stretch(
        self, hop: int, segment: int, start: int, end: int
    ) -> Iterator[tuple[MessageRow, SourcedEvent]]:
        for depth in range(start, end + 1):
            row = self.message_at(Place(hop, segment, depth))
            if row is not None:
                yield row, self.born(row)

    def branched(self, hop: int, segment: int, start: int, end: int) -> Collection[int]:
        """Return the depths start..end of a segment from which other segments hang."""
        points = self._known[BranchPointRow]
        if hop and start in self._prepared and end in self._prepared:
            depths = range(start, end + 1)
            return [one for one in depths if points.get(Place(hop, segment, one)) is not None]
        points.setdefault(Place(hop, segment, start), None)  # unless it is found now
        if self._is_one_line:
            return ()
        where = "hop = ? AND segment = ? AND depth BETWEEN ? AND ?"
        found = self._find(BranchPointRow, where, (hop, segment, start, end))
        points.update({point.place: point for point in found})
        return {point.place.depth for point in found}

    @property
    def _is_one_line(self) -> bool:
        """True if nothing branches here: the segment hangs from the root, a fork has none."""
        thread = self.thread
        return thread is not None and self._segments <= (0 if thread.fork is not None else 1)

    def prefetch(self, stretch: tree.Range) -> None:
        """Read a stretch whose messages will be read one by one, and all that hangs there."""
        if not stretch.hop:
            for row, born in self.stretch(*stretch):
                self._keep(MessageRow, row.message_id, row)
                self._events[born.event.version] = born.event
        branched = self.branched(*stretch)
        points = self._known[BranchPointRow]
        for depth in range(stretch.start, stretch.end + 1):
            if depth not in branched:
                points.setdefault(Place(stretch.hop, stretch.segment, depth), None)


def _waits(row: MessageRow) -> bool:
    return row.status == "queued" and row.removed is None


def _runs_on(row: RunRow) -> bool:
    return row.status not in TERMINAL
