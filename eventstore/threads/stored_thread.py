"""Read a thread through its rows in the database: the view for deciding inside a transaction.

Its rows, read and changed, are in :mod:`~eventstore.threads.cached_rows`; the queries are here. A
query that spans several rows merges rows that were read with changed ones, so the tenth command of
a batch sees the changes of the first nine.

The writer keeps views between its transactions as long as no other connection wrote. So a message
at the head of a thread that is being written reads nothing. The shape of a small tree is known
whole (:mod:`~eventstore.threads.shape`), so selecting a branch there reads nothing either.

Inherited messages are looked up in :mod:`~eventstore.threads.inherited`; the fork's own rows
lie over them.

The module is long because the protocol is: one class answers every query of ``ThreadView`` and its
extensions, on the same rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from msgspec.structs import replace

from eventstore.conversation import tree
from eventstore.conversation.inheritance import Inheritance
from eventstore.conversation.rows import (
    ROOT,
    BranchPointRow,
    ForkPoint,
    LabelRow,
    MessageRow,
    Place,
    Row,
    RunRow,
    SegmentRow,
    StepRow,
    TouchRow,
)
from eventstore.conversation.run_lifecycle import TERMINAL
from eventstore.conversation.view import SourcedEvent
from eventstore.core import ids
from eventstore.core.events import Event, StreamKey, Trace
from eventstore.storage import read, stream_heads
from eventstore.storage.folding_pages import decoded_events_at
from eventstore.storage.traces import traces
from eventstore.threads import run_chunks
from eventstore.threads.ancestry import Ancestor, Ancestry, remember_ancestry
from eventstore.threads.cached_rows import CachedRows
from eventstore.threads.inherited import Inherited
from eventstore.threads.message_rows import WAITS
from eventstore.threads.removed import REMOVED, REMOVED_MAX, Removed
from eventstore.threads.run_rows import OPEN_RUNS
from eventstore.threads.shape import SEGMENTS_MAX, Shape, read_shape
from eventstore.threads.stretches import read_stretch

__all__ = ["StoredThread"]

_PAGE: Final = 256
"""Messages whose wordings are read together."""
_INHERITED_AT: Final = "hop > 0 AND depth BETWEEN ? AND ?"
"""On an inherited path the depth alone names the message."""


class StoredThread(CachedRows):
    """Answers queries on one thread's rows; keeps the protocol ``ThreadView``."""

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

    def message(self, message_id: bytes) -> MessageRow | None:
        row: MessageRow | None = self._known[MessageRow].get(message_id)
        if row is None:
            row = self._row(MessageRow, message_id, "message = ?", message_id)
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
        row: SegmentRow | None = self._row(SegmentRow, key, "hop = ? AND segment = ?", *key)
        return row

    def run(self, run_id: bytes) -> RunRow | None:
        row: RunRow | None = self._row(RunRow, run_id, "run = ?", run_id)
        return row

    def step(self, step_id: bytes) -> StepRow | None:
        row: StepRow | None = self._row(StepRow, step_id, "step = ?", step_id)
        return row

    # -- places --------------------------------------------------------------------------------

    def _tree(self) -> Shape | None:
        """Return the shape of the tree if it is small enough to be known whole."""
        if self._shape is not None or self._as_of is not None or self.thread is None:
            return self._shape
        if self._tenant is not None and self._segments <= SEGMENTS_MAX:
            self._shape = read_shape(self._tx, self._tenant, self.thread_id)
            for rows in self._changed.values():
                for row in rows.values():
                    self._shape.keep(row)
        return self._shape

    def message_at(self, place: Place) -> MessageRow | None:
        if place in self._placed:
            return self._placed[place]
        shape = None if place.hop else self._shape
        if shape is not None and place.depth > shape.end_of(0, place.segment):
            return None
        where = "hop = ? AND segment = ? AND depth = ?"
        row: MessageRow | None = self._find_one(MessageRow, where, place)
        if row is None and place.hop and (inherited := self._inheritance()) is not None:
            row = inherited.message_at(place)
        elif row is not None and self._as_of is not None:
            row = self._as_it_was(row)
        self._placed[place] = row
        return row

    def end_of(self, hop: int, segment: int) -> int:
        if hop and (inherited := self._inheritance()) is not None:
            return inherited.path.end_of(hop, segment)
        if (shape := self._tree()) is not None:
            return shape.end_of(hop, segment)
        where = "hop = ? AND segment = ? ORDER BY depth DESC"
        last = self._find_one(MessageRow, where, (hop, segment))
        depths = [row.place.depth for row in self._changed_in(hop, segment) if row.place]
        if last is not None and last.place is not None:
            depths.append(last.place.depth)
        return max(depths, default=0)

    def branch_point(self, place: Place) -> BranchPointRow | None:
        row: BranchPointRow | None
        if self._shape is not None:
            row = self._shape.points.get(place)
        else:
            where = "hop = ? AND segment = ? AND depth = ?"
            row = self._row(BranchPointRow, place, where, *place)
        if row is None and (place.hop or place == ROOT):
            return self._inherited_turn(place)
        return row

    def _inherited_turn(self, place: Place) -> BranchPointRow | None:
        inherited = self._inheritance() if place.hop or place == ROOT else None
        return None if inherited is None else inherited.path.turn(place)

    def turns(self, hop: int, segment: int, start: int, end: int) -> Sequence[BranchPointRow]:
        points = self._points_in(hop, segment, start, end)
        return [points[place] for place in sorted(points) if points[place].active is not None]

    @property
    def inherited(self) -> Inheritance | None:
        inherited = self._inheritance()
        return None if inherited is None else inherited.path

    def turns_off(self, start: int, end: int) -> Sequence[BranchPointRow]:
        if (shape := self._tree()) is not None:
            found = list(shape.points.values())
        else:
            found = self._find(BranchPointRow, _INHERITED_AT, (start, end), few=True)
            found += self._changed_of(BranchPointRow)
        points = {row.place.depth: row for row in found if row.place.hop}
        turned = [points[depth] for depth in sorted(points) if start <= depth <= end]
        return [row for row in turned if row.active is not None and row.active[0] == 0]

    def _points_in(
        self, hop: int, segment: int, start: int, end: int
    ) -> dict[Place, BranchPointRow]:
        """Return this thread's own branch points at depths start..end of a segment."""
        if (shape := self._tree()) is not None:
            return {row.place: row for row in shape.points_in(hop, segment, start, end)}
        where = "hop = ? AND segment = ? AND depth BETWEEN ? AND ?"
        found = self._find(BranchPointRow, where, (hop, segment, start, end))
        points = {row.place: row for row in found}
        for row in self._changed_of(BranchPointRow):
            if row.place[:2] == (hop, segment) and start <= row.place.depth <= end:
                points[row.place] = row
        return points

    def children(self, place: Place) -> Sequence[Place]:
        below = place.depth + 1
        first = []
        next_place = place._replace(depth=below)
        if place != ROOT and self.message_at(next_place) is not None:
            first = [next_place]
        elif (turn := self._inherited_turn(place)) is not None and turn.active:
            first = [Place(*turn.active, below)]
        begun = sorted(self._hanging_from(place), key=lambda one: (-one[0], one[1]))
        return first + [Place(*one, below) for one in begun]  # inherited places come first

    def _hanging_from(self, place: Place) -> Iterable[tuple[int, int]]:
        """Return hop and segment of this thread's own segments that hang from a place."""
        if (shape := self._tree()) is not None:
            return shape.hanging_from(place)
        where = "parent_hop = ? AND parent_segment = ? AND parent_depth = ?"
        found = self._find(SegmentRow, where, place)
        changed = [row for row in self._changed_of(SegmentRow) if row.parent == place]
        return {(row.hop, row.segment) for row in (*found, *changed)}

    def first_removed(self, hop: int, segment: int, start: int, end: int) -> int | None:
        if self.thread is None or not self.thread.removed_messages:
            return None
        if (gone := self._removed()) is not None:
            return gone.first(hop, segment, start, end)
        where = "hop = ? AND segment = ? AND depth BETWEEN ? AND ?"
        return self._first_of_removed(where, (hop, segment, start, end)).first(
            hop, segment, start, end
        )

    def first_inherited_removed(self, start: int, end: int) -> int | None:
        if self.thread is None or not self.thread.removed_messages:
            return None
        if (gone := self._removed()) is not None:
            return gone.first_inherited(start, end)
        found = self._first_of_removed(_INHERITED_AT, (start, end))
        return found.first_inherited(start, end)

    def _removed(self) -> Removed | None:
        """Return the removed messages if they are few enough to be known whole."""
        if self._gone is None and self.thread is not None:
            if self.thread.removed_messages > REMOVED_MAX:
                return None
            rows = self._find(MessageRow, REMOVED, (), few=True)
            self._gone = Removed([*rows, *self._changed_of(MessageRow)])
        return self._gone

    def _first_of_removed(self, where: str, parameters: Sequence[int]) -> Removed:
        """Return removed messages in a range: at least the present first one."""
        changed = self._changed_of(MessageRow)
        some = f"{where} AND {REMOVED} ORDER BY depth LIMIT {len(changed) + 1}"
        return Removed([*self._find(MessageRow, some, parameters, few=True), *changed])

    def removed_children(self, place: Place) -> Sequence[Place]:
        """Return the places of removed children, found by their parent: one step for each."""
        above = None if place == ROOT else self.message_at(place)
        parent = None if above is None else above.message_id
        below, where = ("parent IS NULL", ()) if parent is None else ("parent = ?", (parent,))
        found = self._find(MessageRow, f"{REMOVED} AND {below}", where, few=True)
        rows = {row.message_id: row for row in [*found, *self._changed_of(MessageRow)]}
        return [
            row.place
            for row in rows.values()
            if row.place and row.removed is not None and row.parent_id == parent
        ]

    # -- queue, runs and labels --------------------------------------------------------------------

    def queued_messages(self) -> Sequence[MessageRow]:
        found = self._find(MessageRow, WAITS, ())
        rows = {row.message_id: row for row in [*found, *self._changed_of(MessageRow)]}
        waiting = [row for row in rows.values() if row.status == "queued" and row.removed is None]
        return sorted(waiting, key=lambda row: row.waits_since)

    def open_runs(self) -> Sequence[RunRow]:
        found = self._find(RunRow, OPEN_RUNS, ())
        rows = {row.run_id: row for row in [*found, *self._changed_of(RunRow)]}
        running = [row for row in rows.values() if row.status not in TERMINAL]
        return sorted(running, key=lambda row: row.version)

    def shown_text(self, message_id: bytes) -> str:
        stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
        return run_chunks.text(self._tx, self._log, stream, message_id)

    def shown_length(self, message_id: bytes) -> int:
        stream = StreamKey(self.tenant_name, ids.THREAD, self.thread_id)
        return run_chunks.length(self._tx, stream, message_id)

    def label(self, label: str) -> LabelRow | None:
        found = self._find(LabelRow, "label = ?", (label,))
        rows = {row.message_id: row for row in [*found, *self._changed_of(LabelRow)]}
        return next((row for row in rows.values() if row.label == label), None)

    def label_of(self, message_id: bytes) -> str | None:
        row: LabelRow | None = self._row(LabelRow, message_id, "message = ?", message_id)
        return None if row is None else row.label

    def labels(self) -> dict[bytes, str]:
        """Return every label by message."""
        found = self._find(LabelRow, "label IS NOT NULL", ())
        rows = {row.message_id: row.label for row in [*found, *self._changed_of(LabelRow)]}
        return {key: label for key, label in rows.items() if label is not None}

    # -- history: what presenting needs beyond deciding ------------------------------------------

    def touches_of(self, subject_id: bytes) -> Sequence[int]:
        """Return the versions of later events about a thread, message, run or step, in order."""
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
        thread = self.thread
        if thread is not None and thread.changed:
            yield from self._told(reversed(self.touches_of(self.thread_id)))
        inherited = self._inheritance()
        yield from self._told([1]) if inherited is None else inherited.renamings()

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
            renamed=thread.changed,
        )
        inherited = tree.inherited_from(source, above.inherited if above else None, place)
        ancestry = Ancestry([one, *(above.ancestors if above else ())], inherited)
        remember_ancestry(self._tx, source.tenant, fork, ancestry)
        self._inherited = self._look_up(fork, ancestry)
        source.share_book(self._inherited)

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

    # -- reading many at once: only for views that change nothing ------------------------------

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
        while some := [(self._as_it_was(row) or row, event) for row, event in islice(found, _PAGE)]:
            self.read_wordings(row for row, _ in some)
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
